/** Capacities of the buffers of a buddy pool, in bytes. The kind of a buffer is its index here. */
export const CAPACITIES: readonly number[] = [14, 16, 18, 20, 22, 24, 26].map((bits) => 2 ** bits)

/** Size of one block, in bytes. */
export const BLOCK_SIZE = 64 * 2 ** 20

/** Returns the kind of buffer that a request of 1 … `BLOCK_SIZE` bytes gets. */
export function kindFor(size: number): number {
  // Each kind has two bits more than the one before; the first has 14.
  return (33 - Math.clz32((size - 1) >> 14)) >> 1
}

/** Returns what a buffer of a kind can hold, in bytes. */
export function capacityOf(kind: number): number {
  return CAPACITIES[kind]!
}
