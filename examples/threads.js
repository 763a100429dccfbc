// Slices that workers hold and return, a budget that threads share, and a ring from one thread to another. No byte is
// copied on the way.
import { once } from 'node:events'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { adopt, BudgetPool, ByteRing, SlotPool } from 'framepool'

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url))

  // move() takes a slice away from this thread and returns a ticket, which another thread adopts.
  const pool = new SlotPool(1024)
  pool.writeAll(Buffer.from('Ciao, mundo!'))
  worker.postMessage({ slice: pool.getDataOwned().move() })
  console.log(`${pool}  the slice is under way`)
  const [text] = await once(worker, 'message')
  console.log(`${pool}  the worker has read "${text}" and released it`)

  // share() lets another thread use the same pool: one budget, one queue.
  const budget = new BudgetPool({ bufferSize: 1024, maxMemory: 4096 })
  const all = budget.tryAllocate(4)
  worker.postMessage({ budget: budget.share() })
  await once(worker, 'message')
  console.log(`${budget.stats().waiting} waits for the budget`)
  all.release()
  const [allocated] = await once(worker, 'message')
  console.log(`the worker got ${allocated} bytes of it`)

  // Each half of a ring can live where it is needed.
  const { producer, consumer } = new ByteRing(64).intoParts()
  worker.postMessage({ producer: producer.move() })
  let bytes = 0
  while ((await consumer.readable()) > 0) {
    consumer.ioSlices((_, length) => {
      bytes += length
      return length
    })
  }
  console.log(`${bytes} bytes came through a ring of ${consumer.size}`)

  await worker.terminate()
  await budget.close()
  pool.close()
} else {
  parentPort.on('message', async (message) => {
    if (message.slice) {
      const slice = adopt(message.slice)
      const text = Buffer.from(slice.bytes).toString()
      slice.release()
      parentPort.postMessage(text)
    } else if (message.budget) {
      const waiting = adopt(message.budget).allocate(2)
      parentPort.postMessage('waits')
      const allocation = await waiting
      parentPort.postMessage(allocation.allocatedBytes)
      allocation.release()
    } else {
      const producer = adopt(message.producer)
      const text = Buffer.from('a longer text than the ring can hold at once. '.repeat(20))
      for (let written = 0; written < text.length; ) {
        await producer.writable()
        written += producer.write(text.subarray(written))
      }
      producer.release()
    }
  })
}
