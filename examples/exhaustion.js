// Shows a pool that fills up: it uses first the slots at the back, then those released at the front, then the heap.
import { SlotPool } from 'framepool'

const pool = new SlotPool(8)
const slices = []

/** Writes one byte, takes it, and prints the slots. */
function add(letter) {
  pool.write(Buffer.from(letter))
  slices.push(pool.getDataOwned())
  console.log(`${pool}  add "${letter}"`)
}

console.log(`${pool}`)
for (let count = 0; count < 4; count++) add('a')

// The pool ignores slots released at the front while slots at the back are free.
slices.shift().release()
console.log(`${pool}  release the first`)
add('b')
for (let count = 0; count < 3; count++) add('c')

// The back is full. The pool takes the slot at the front next, and after that it uses the heap.
add('c')
add('d')
console.log(`the last one is ${slices.at(-1).slot === null ? 'on the heap' : 'in the pool'}`)

for (const slice of slices) slice.release()
pool.close()
