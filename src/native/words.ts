export { Kind, Word } from './boundary.generated.js'
