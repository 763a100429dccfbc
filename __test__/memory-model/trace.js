import { closeSync, openSync, writeSync } from 'node:fs'

const WIDTH = 96
const LINES = 256

/** The last steps, in a file that outlives the process. */
export class Trace {
  #file
  #count = 0

  constructor(path) {
    this.#file = openSync(path, 'w')
  }

  /** Steps within steps are indented. */
  add(step, depth = 0) {
    const line = `${String(this.#count).padStart(8)} ${'  '.repeat(depth)}${step}`.slice(0, WIDTH - 1).padEnd(WIDTH - 1)
    writeSync(this.#file, `${line}\n`, (this.#count++ % LINES) * WIDTH)
  }

  close() {
    closeSync(this.#file)
  }
}
