// Program of the isolate that `companion.js` drives.
import { parentPort } from 'node:worker_threads'
import * as framepool from 'framepool'
import * as sv2 from 'framepool/sv2'
import { Random } from '../hostile/values.js'
import { Witness } from './witness.js'

const random = new Random(1)
const witness = new Witness(random, 50)
const kept = []

const MAKE = {
  slice: (bytes) => framepool.Slice.from(bytes),
  slot: (bytes) => written(new framepool.SlotPool(4096), bytes),
  system: (bytes) => written(new framepool.SystemMemoryBuffer(), bytes),
  allocation: () => new framepool.BudgetPool({ bufferSize: 64, maxMemory: 640 }).tryAllocate(2),
  buddy: () => new framepool.BuddyPool({ maxMemory: 2 ** 26 }).tryAllocate(100),
  ring: () => {
    const { producer } = new framepool.ByteRing(1024).intoParts()
    return { bytes: shownOf(producer), release: () => producer.release() }
  },
  session: () => {
    const session = sv2.Sv2Session.initiator()
    return { bytes: shownOf(session.output), release: () => session.close() }
  },
}

function written(buffer, bytes) {
  buffer.write(bytes)
  return buffer.getDataOwned()
}

/** Moves the memory under the view to an ArrayBuffer that framepool does not know. */
async function take(view, way) {
  witness.see(view)
  try {
    if (way === 'transfer') return new Uint8Array(view.buffer.transfer())
    if (way === 'post') return structuredClone(view, { transfer: [view.buffer] })
    const stream = new ReadableStream({ type: 'bytes', start: (controller) => controller.enqueue(view) })
    return (await stream.getReader().read()).value
  } catch (error) {
    // Node 20 has no transfer(); external, empty and detached memory is refused.
    if (!(error instanceof TypeError || error instanceof DOMException)) throw error
  }
}

/** Returns the bytes of an object, or the bytes in half of a ring. */
function shownOf(object) {
  if (object.ioSlices === undefined) return object.bytes
  let shown
  object.ioSlices(([view]) => {
    shown = view
    return 0
  })
  return shown
}

async function answer({ act, ticket, way, kind, keep }) {
  if (act === 'make') {
    const object = MAKE[kind](new Uint8Array(1 + random.below(5000)).fill(0x41))
    const taken = await take(object.bytes, way)
    if (keep) kept.push(object)
    else object.release()
    return { taken }
  }
  const object = framepool.adopt(ticket)
  if (act === 'receive') {
    const item = object.tryReceive()
    const received = new Uint8Array(witness.see(item.bytes))
    kept.push(item)
    return { received }
  }
  const taken = way === null ? undefined : await take(shownOf(object), way)
  witness.see(shownOf(object))
  if (act === 'borrow') return { ticket: object.move(), taken }
  kept.push(object)
  return { taken }
}

parentPort.on('message', async (message) => {
  if (message.act === 'exit') process.exit()
  if (message.act === 'return') return parentPort.close()
  if (message.act === 'throw') throw new Error('the end')
  witness.sweep()
  if (kept.length > 4) kept.shift().release()
  try {
    const reply = await answer(message)
    parentPort.postMessage(reply, reply.taken === undefined ? [] : [reply.taken.buffer])
  } catch (error) {
    parentPort.postMessage({ error: error.stack })
  }
})
