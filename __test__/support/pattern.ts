const PERIOD = 65_521

/** A prime period, which shows bytes that are misplaced by a power of two. */
const period = Buffer.from(Array.from({ length: PERIOD }, (_, at) => Math.imul(at + 1, 0x9e37_79b1) >>> 24))

/** Returns `length` bytes that are cheap to make and differ by position. Another `start` gives other bytes. */
export function pattern(length: number, start = 0): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  let copied = 0
  while (copied < length) copied += period.copy(bytes, copied, (start + copied) % PERIOD)
  return bytes
}
