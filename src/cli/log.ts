import { MAX_BACKLOG } from './constants.js'

let leftOut = 0

/** Writes a line to standard error, with the time before it. */
export function log(line: string): void {
  if (process.stderr.writableLength > MAX_BACKLOG) {
    leftOut++
    return
  }
  if (leftOut > 0) write(`${leftOut} lines were left out: nobody read them`)
  leftOut = 0
  write(line)
}

function write(line: string): void {
  process.stderr.write(`${new Date().toISOString()} ${line}\n`)
}
