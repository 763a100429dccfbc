import './describe.js'
import { inspectProcess, type ObjectKind } from './native/debug.js'
import { settlePools } from './slot/slot-memory.js'

export type { ObjectKind }

/** An object of framepool that is alive. */
export interface InspectedObject {
  /** Kind of the object. */
  kind: ObjectKind
  /** `threadId` of the isolate that it belongs to: see `node:worker_threads`. */
  owner: number
  /**
   * The memory that it holds, in bytes. For a slot pool that is its capacity, which its slices lie in; for a buddy pool its blocks, which
   * its buffers lie in; for a budget pool 0, since its allocations are listed themselves; for each half of a ring the whole ring; and
   * for a session what it held at first.
   */
  bytes: number
  /** Time since it was acquired, in milliseconds. In debug mode only. */
  ageMs?: number
  /** Stack of the call that acquired it, innermost frame first. In debug mode only. */
  stack?: string
}

/**
 * Returns what is alive in all isolates of this process. For this isolate the list is exact. For other isolates it is a moment old, and
 * slices in slots appear as their pool last reported them to native code.
 */
export function inspect(): InspectedObject[] {
  settlePools()
  return inspectProcess()
}
