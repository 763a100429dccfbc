import { createRequire } from 'node:module'
import { runInNewContext } from 'node:vm'
import { threadId } from 'node:worker_threads'

import { guarded } from './guarded.js'
import { loadFailure } from './load-failure.js'

type Native = typeof import('./binding.cjs')

type Bound = import('./boundary.generated.js').Bound

/** The ordinary functions of the native addon. */
export const native = load()
/** The control block and the bound functions of this isolate. */
export const bound = guarded(() => native.openBoundary(threadId, intrinsicTransfer()) as Bound)

/**
 * Returns `ArrayBuffer.prototype.transfer`, or undefined where there is none. Native code detaches ArrayBuffers with it. It comes
 * from a realm of its own: in this one a script may have replaced it by a function that keeps the memory.
 */
function intrinsicTransfer(): ((length: number) => ArrayBuffer) | undefined {
  return runInNewContext('ArrayBuffer.prototype.transfer')
}

/** Loads the native addon. Throws `ERR_SYSTEM` with an explanation if that fails. */
function load(): Native {
  try {
    return createRequire(import.meta.url)('./binding.cjs') as Native
  } catch (cause) {
    throw loadFailure(cause)
  }
}
