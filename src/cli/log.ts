/** What may wait for a reader of standard error that is slow or has stopped, in bytes; then lines are left out. */
const MAX_BACKLOG = 1 << 20

let leftOut = 0

/** Writes a line with the time to standard error. */
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
