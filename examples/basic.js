// The life of one message: reserve room, fill it, look at it, take it, give it back.
import { SlotPool } from 'framepool'

const pool = new SlotPool(32)
const greeting = Buffer.from('Ciao, mundo!')

// Reserve as many bytes as the message has. The view is the pool's own memory: bytes put there are written.
pool.getWritable(greeting.length).set(greeting)
console.log(`${pool}  ${pool.length} bytes written`)

// You can look at the bytes before you take them.
console.log(`by reference: ${Buffer.from(pool.getDataByRef(4))}…, still ${pool.length} bytes`)

// Taking the bytes makes a slice, which keeps them until you release it. The pool is ready for the next message.
const slice = pool.getDataOwned()
console.log(`${pool}  slot ${slice.slot} holds "${Buffer.from(slice.bytes)}", ${pool.length} bytes written`)

slice.release()
console.log(`${pool}  released`)
pool.close()
