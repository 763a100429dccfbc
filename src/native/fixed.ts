/** The numbers that native code has, too: sizes and limits. */
export { Fixed } from './boundary.generated.js'
