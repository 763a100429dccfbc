// Messages of all sizes in a pool of 32 bytes. Those that fit lie in the pool, and the rest on the heap.
import { SlotPool } from 'framepool'

const pool = new SlotPool(32)
const slices = []

function write(text) {
  pool.write(Buffer.from(text))
  const slice = pool.getDataOwned()
  slices.push(slice)
  const place = slice.slot === null ? 'on the heap' : `in slot ${slice.slot}`
  console.log(`${pool}  ${String(slice.length).padStart(2)} bytes ${place}: ${Buffer.from(slice.bytes)}`)
}

write('Hello')
write('JavaScript, Rust')

// 11 bytes are left. A longer message goes to the heap, and the pool is in alloc mode…
write('one more than is left')
// …until one comes that fits.
write('this fits')
// A message longer than the whole pool never fits, so it changes nothing.
write('longer than the pool, whatever is free in it')

for (const slice of slices) slice.release()
console.log(`${pool}  all released`)

// With no slice alive, the pool starts again.
write('Hi')

const { heapFallbacks, resets } = pool.stats()
console.log(`${heapFallbacks} messages came from the heap, ${resets} reset`)
pool.close()
