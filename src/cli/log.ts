import type { Writable } from 'node:stream'
import { MAX_BACKLOG } from './constants.js'

let leftOut = 0
let stream: Writable = process.stderr

/** Writes the log to another stream than `process.stderr`. Lines are lost if it fails. */
export function logTo(other: Writable): void {
  stream = other.on('error', () => {})
}

/** Writes a line to standard error, with the time before it. */
export function log(line: string): void {
  if (stream.writableLength > MAX_BACKLOG) {
    leftOut++
    return
  }
  if (leftOut > 0) write(`${leftOut} lines were left out: nobody read them`)
  leftOut = 0
  write(line)
}

function write(line: string): void {
  stream.write(`${new Date().toISOString()} ${line}\n`)
}
