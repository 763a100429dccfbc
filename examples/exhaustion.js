// What a pool does as it fills up: first the slots at the back, then those released at the front, then the heap.
import { SlotPool } from 'framepool'

const pool = new SlotPool(8)
const slices = []

/** Writes one byte, takes it, and shows the slots. */
function add(letter) {
  pool.write(Buffer.from(letter))
  slices.push(pool.getDataOwned())
  console.log(`${pool}  add "${letter}"`)
}

console.log(`${pool}`)
for (let count = 0; count < 4; count++) add('a')

// Slots released at the front are not looked at while there are others at the back.
slices.shift().release()
console.log(`${pool}  release the first`)
add('b')
for (let count = 0; count < 3; count++) add('c')

// The back is full. The slot in front is taken next, and after that there is only the heap.
add('c')
add('d')
console.log(`the last one is ${slices.at(-1).slot === null ? 'on the heap' : 'in the pool'}`)

for (const slice of slices) slice.release()
pool.close()
