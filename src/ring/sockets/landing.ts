/** Length of the longest read, in bytes: four times as much as Node reads at a time. Frames that come together stay together. */
export const LONGEST_READ = 262_144

/** Bytes that Node reads at a time. */
export const SHORT_READ = 65_536

/** On Windows each socket would need memory of its own: the system writes into one socket's memory while others read. */
const CAN_SHARE = process.platform !== 'win32'

let landing: Uint8Array<ArrayBuffer> | undefined

/**
 * Returns the memory that all sockets of this isolate read into, or null on Windows. Its user takes in what has come before the read
 * returns, so an idle connection needs no memory of its own, and no read makes any.
 */
export function landingMemory(): Uint8Array<ArrayBuffer> | null {
  if (!CAN_SHARE) return null
  landing ??= new Uint8Array(LONGEST_READ)
  return landing
}
