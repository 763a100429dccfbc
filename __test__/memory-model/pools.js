import { AllocationHolder, BuddyHolder } from './holders.js'
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
