const PERIOD = 65_521

/** A prime period, so that bytes that end up a power of two away from their place show. */
const period = Buffer.from(Array.from({ length: PERIOD }, (_, at) => Math.imul(at + 1, 0x9e37_79b1) >>> 24))

/** `length` bytes that are cheap to make and differ from place to place; other `start`s give other bytes. */
export function pattern(length: number, start = 0): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  let copied = 0
  while (copied < length) copied += period.copy(bytes, copied, (start + copied) % PERIOD)
  return bytes
}
