import { runInNewContext } from 'node:vm'
import { guarded } from './guarded.js'
import { loadAddon } from './load-addon.js'

type Bound = import('./boundary.generated.js').Bound

/** The ordinary functions of the native addon. */
export const native = loadAddon()
/** `threadId` of `node:worker_threads`, which Node takes milliseconds to load: workers have loaded it already. */
export const threadId = native.onMainThread() ? 0 : process.getBuiltinModule('node:worker_threads').threadId
/** The control block and the bound functions of this isolate. */
export const bound = guarded(() => native.openBoundary(threadId, intrinsicTransfer()) as Bound)

/**
 * Returns `ArrayBuffer.prototype.transfer`, or undefined where there is none. Native code detaches ArrayBuffers with it. It comes
 * from a realm of its own: in this one a script may have replaced it by a function that keeps the memory.
 */
function intrinsicTransfer(): ((length: number) => ArrayBuffer) | undefined {
  // Node 20 has none, and a realm takes milliseconds.
  if (Number.parseInt(process.versions.node, 10) < 21) return undefined
  return runInNewContext('ArrayBuffer.prototype.transfer')
}
