import { abandonBuddyBuffer, type BuddyGrant, buddyBufferView, releaseBuddyBuffer } from '../native/buddy.js'
import type { Handle } from '../native/handle.js'
import { ShownMemory } from '../native/shown-memory.js'
import { trace, untrace } from '../native/trace.js'
import type { Carrier } from '../native/travel.js'
import { BuddyMemory } from './buddy-memory.js'
import { Lease } from './lease.js'

/** A buddy pool in debug mode: each buffer is traced and has its own memory, unless a script lends it, and the magazine keeps none. */
export class GuardedBuddyMemory extends BuddyMemory {
  override lease(grant: BuddyGrant): Lease {
    this.meetBlocks(grant.block + 1)
    const { index, generation } = grant
    const handle = { index, generation }
    // Native code does not have the memory that a script lends.
    const lease = this.isLent ? super.lease(grant) : ownLease(grant, handle)
    trace(lease, 'buddy-buffer', handle, abandonBuddyBuffer)
    return lease
  }

  override release(lease: Lease): void {
    this.giveBack(lease)
    untrace(lease)
  }

  override departBuffer(lease: Lease, length: number, carrier: Carrier): void {
    super.departBuffer(lease, length, carrier)
    untrace(lease)
  }
}

/** Returns the lease of a buffer that has its own memory. A buffer that cannot be shown goes back. */
function ownLease(grant: BuddyGrant, handle: Handle): Lease {
  try {
    return new Lease(grant, new ShownMemory(() => buddyBufferView(handle)), 0)
  } catch (error) {
    releaseBuddyBuffer(handle)
    throw error
  }
}
