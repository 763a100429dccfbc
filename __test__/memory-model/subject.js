/** An object under test, with the state that the model expects of it. */
export class Subject {
  world
  /** Number of operations that are running. */
  busy = 0
  /** True if an operation ran inside another on this subject. */
  disturbed = false
  gone = false
  /** The latest view of the memory, for scripts to mistreat. */
  shown = null
  /** True if a script may have kept the ArrayBuffer from being detached. */
  excused = false

  constructor(world) {
    this.world = world
  }

  /** Names of the methods that a step may call. */
  get operations() {
    return []
  }

  /** Names of the operations that return promises. */
  get later() {
    return []
  }

  /** Shows the memory again. */
  show() {}

  /** Fails unless the object is in the expected state. */
  verify() {}

  /** Takes the current state as the expected one. */
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
