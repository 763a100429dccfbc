import { inspectProcess } from './native/debug.js'
import { settlePools } from './slot/slot-memory.js'

/** Something that is alive. */
export interface InspectedObject {
  /**
   * `slot-pool`, `slice`, `budget-pool`, `allocation`, `buddy-pool`, `buddy-buffer`, `producer`, `consumer`,
   * `sv2-session`, `pump`, `slice-sender`, `slice-receiver`, `ticket` (what has left one isolate and not arrived in another), `system-memory-buffer` (one in
   * which a message is being written).
   */
  kind: string
  /** `threadId` of the isolate that it belongs to: see `node:worker_threads`. */
  owner: number
  /**
   * What it holds. A slot pool: its capacity, in which its slices in slots lie. A buddy pool: its blocks, in which its buffers
   * lie. A budget pool: 0, as its allocations are listed. Each half of a ring: all of the ring. A session: what it held at first.
   */
  bytes: number
  /** In debug mode: milliseconds since it was acquired. */
  ageMs?: number
  /** In debug mode: where it was acquired, innermost call first. */
  stack?: string
}

/**
 * What is alive in this process, in all of its isolates. Of this one it is exact. Of another it is what was so a moment ago;
 * slices in slots as of the last time that their pool was used natively, for a pool does not call for every slice.
 */
export function inspect(): InspectedObject[] {
  settlePools()
  return inspectProcess()
}
