import { AllocationHolder, BuddyHolder, LentBuddyHolder } from './holders.js'
import { Subject } from './subject.js'

const BLOCK = 2 ** 26

/** A pool that makes holders. */
class Pool extends Subject {
  pool

  constructor(world, pool) {
    super(world)
    this.pool = pool
  }

  get operations() {
    return ['allocate', 'allocate', 'report', 'share', 'close']
  }

  report() {
    this.pool.stats()
  }

  share() {
    if (this.world.random.oneIn(4)) this.pool = this.world.adopt(this.pool.share())
  }

  close() {
    if (!this.world.random.oneIn(8)) return
    this.world.drop(this)
    // Does not await `close()`: some holders may never be released.
    this.pool.close().catch((error) => this.world.judge(error, 'close'))
  }
}

export class Budget extends Pool {
  static make(world) {
    const bufferSize = world.random.pick([8, 64, 1024, 4096])
    return new Budget(world, new world.framepool.BudgetPool(world.options({ bufferSize, maxMemory: bufferSize * 20 })))
  }

  allocate() {
    const holder = this.world.count(AllocationHolder) < 6 && AllocationHolder.make(this.world, this.pool)
    if (holder) this.world.add(holder)
  }
}

export class Buddies extends Pool {
  static make(world) {
    return new Buddies(world, new world.framepool.BuddyPool(world.options({ maxMemory: BLOCK })))
  }

  allocate() {
    const holder = this.world.count(BuddyHolder) < 6 && BuddyHolder.make(this.world, this.pool)
    if (holder) this.world.add(holder)
  }
}

/** A buddy pool whose blocks a script lends, and sometimes fails to. */
export class LentBuddies extends Buddies {
  static make(world) {
    const blocks = new Set()
    const backend = {
      allocate: (bytes) => {
        world.interfere()
        if (world.random.oneIn(10)) return world.random.pick([null, 1, new ArrayBuffer(64), world.witness.any])
        const block = new (world.random.oneIn(2) ? ArrayBuffer : SharedArrayBuffer)(bytes)
        blocks.add(block)
        return block
      },
      release: (block) => {
        // The backend itself may have been interfered with, but blocks are not lost track of.
        if (!blocks.delete(block)) world.find('a block was given back twice')
        world.interfere()
      },
    }
    return new LentBuddies(world, new world.framepool.BuddyPool({ maxMemory: BLOCK, block: { backend } }))
  }

  allocate() {
    const holder = this.world.count(LentBuddyHolder) < 6 && LentBuddyHolder.make(this.world, this.pool)
    if (holder) this.world.add(holder)
  }

  get operations() {
    // It stays in its thread.
    return super.operations.filter((name) => name !== 'share')
  }
}
