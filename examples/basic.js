// The life of one message: reserve room, fill it, look at it, take it, give it back.
import { SlotPool } from 'framepool'

const pool = new SlotPool(32)
const greeting = Buffer.from('Ciao, mundo!')

// Reserve as many bytes as the message has. The view is the pool's own memory: what is put there is written.
pool.getWritable(greeting.length).set(greeting)
console.log(`${pool}  ${pool.length} bytes written`)

// They can be looked at before they are taken.
console.log(`by reference: ${Buffer.from(pool.getDataByRef(4))}…, still ${pool.length} bytes`)

// Taking them makes a slice, which keeps them until it is released; the pool is ready for the next message.
const slice = pool.getDataOwned()
console.log(`${pool}  slot ${slice.slot} holds "${Buffer.from(slice.bytes)}", ${pool.length} bytes written`)

slice.release()
console.log(`${pool}  released`)
pool.close()
