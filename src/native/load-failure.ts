import { FramePoolError } from '../support/errors.js'
import { platformName } from './platform.js'

const NOT_FOUND = 'Cannot find module '

/**
 * Returns the `ERR_SYSTEM` error for a failure to load `./binding.cjs`, the generated loader of the native addon. The loader tries
 * several places, and chains the errors of each as causes, without their codes.
 */
export function loadFailure(cause: unknown): FramePoolError {
  return new FramePoolError('ERR_SYSTEM', explanation(messages(cause)), {
    cause,
    info: { code: 'ERR_DLOPEN_FAILED', errno: 0, syscall: 'dlopen' },
  })
}

function explanation([outer = '', ...tried]: string[]): string {
  if (outer.startsWith(`${NOT_FOUND}'./binding.cjs'`)) {
    return (
      "framepool's native addon is not beside its code: a bundler has left it behind. " +
      'Mark framepool as external in the bundler, and install it where the bundle runs.'
    )
  }
  // If nothing was tried, the loader itself has failed.
  const refusal = tried.length === 0 ? outer : tried.find((message) => !message.startsWith(NOT_FOUND))
  if (refusal !== undefined && !refusal.startsWith('Unsupported ')) {
    return `${refusal} (framepool's native addon for ${platformName()} is there, but the system or Node does not load it.)`
  }
  const name = tried
    .map((message) => /^Cannot find module '(framepool-(?!wasm)[^']+)'/.exec(message)?.[1])
    .find(Boolean)
  const remedy = name ? `Install ${name}, as npm does without --omit=optional; or` : 'There is no prebuilt one:'
  return (
    `framepool has no native addon for ${platformName()}. ` +
    `${remedy} build it in a checkout with Rust installed, by \`npm run build\`.`
  )
}

/** Returns the messages of an error and its causes, the outermost first. */
function messages(error: unknown): string[] {
  const found: string[] = []
  for (let next = error; next instanceof Error && found.length < 100; next = next.cause) found.push(next.message)
  return found
}
