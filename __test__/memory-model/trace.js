import { closeSync, openSync, writeSync } from 'node:fs'

const WIDTH = 96
const LINES = 256

/** The seed of the round and its last steps, in a file that outlives the process. */
export class Trace {
  #file
  #count = 0

  constructor(path) {
    this.#file = openSync(path, 'w')
  }

  /** Begins a round. Its seed is in the first line of the file. */
  begin(seed) {
    this.#write(`FRAMEPOOL_SEED=${seed}`, 0)
  }

  /** Adds a step. A step inside another is indented. */
  add(step, depth = 0) {
    this.#write(`${String(this.#count).padStart(8)} ${'  '.repeat(depth)}${step}`, 1 + (this.#count++ % LINES))
  }

  #write(text, line) {
    writeSync(this.#file, `${text.slice(0, WIDTH - 1).padEnd(WIDTH - 1)}\n`, line * WIDTH)
  }

  close() {
    closeSync(this.#file)
  }
}
