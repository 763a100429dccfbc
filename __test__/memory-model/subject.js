/** Something that is operated on, with what the model knows of it. */
export class Subject {
  world
  /** Operations that are running. */
  busy = 0
  /** Another operation on it ran within one. */
  disturbed = false
  gone = false
  /** A view that it gave last, for what a script can do to it. */
  shown = null
  /** A script may have kept its ArrayBuffer from being detached. */
  excused = false

  constructor(world) {
    this.world = world
  }

  /** Names of methods. */
  get operations() {
    return []
  }

  /** Those of them that give promises. */
  get later() {
    return []
  }

  /** Something shows the memory anew. */
  show() {}

  /** Fails unless it is as the model has it. */
  verify() {}

  /** Takes it as it is. */
  resync() {}

  saw(view) {
    this.shown = view
    return this.world.see(view)
  }

  tamper() {
    if (this.shown === null) return
    this.excused = true
    this.world.tamper(this.shown, () => this.show())
  }

  take() {
    if (this.shown !== null) this.world.take(this.shown)
  }

  mark() {
    if (this.shown !== null && this.world.random.oneIn(4) && this.world.mark(this.shown)) this.excused = true
  }
}
