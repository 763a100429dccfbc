// A server of length-prefixed frames whose work is done by a worker: `node examples/framed-server.js 8080`. All connections together hold at
// most 8 MiB, and SIGTERM lets everything that has come be answered. Without a port it serves itself, and ends.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { adopt, FrameReader, FrameWriter, MemoryBudget, SliceChannel } from 'framepool'

const options = { maxFrameLength: 65_536 }
if (isMainThread) await serve(Number(process.argv[2] ?? 0))
else await work(...workerData.map(adopt))

/** Answers each frame in place, in the memory that the socket was read into. */
async function work(requests, answers) {
  for await (const batch of requests) {
    for (const bytes of batch) bytes.reverse()
    await answers.sendAsync(batch)
  }
  answers.end()
}

async function serve(port) {
  const [requests, answers] = [SliceChannel.create(256), SliceChannel.create(256)]
  new Worker(new URL(import.meta.url), { workerData: [requests.receiver.move(), answers.sender.move()] })
  const budget = new MemoryBudget(8 * 1024 * 1024)
  const clients = new Map()
  const server = createServer(async (socket) => {
    const client = { writer: FrameWriter.lengthDelimited(socket, options), waiting: 0, onIdle: () => {} }
    const id = socket.remotePort
    clients.set(id, client)
    const reader = FrameReader.lengthDelimited({ ...options, budget })
    const read = reader.attach(socket, async (batch) => {
      client.waiting++
      await requests.sender.sendAsync(batch, { tag: id })
    })
    await read.catch((error) => console.error(`client ${id}: ${error.message}`))
    while (client.waiting > 0) await new Promise((resolve) => (client.onIdle = resolve))
    await client.writer.end().catch(() => {})
    clients.delete(id)
  }).listen(port)
  await once(server, 'listening')
  process.once('SIGTERM', () => server.close(() => requests.sender.end()))
  if (port === 0) callItself(server.address().port)
  for await (const batch of answers.receiver) {
    const client = clients.get(batch.tag)
    client.waiting--
    try {
      client.writer.forward(batch)
    } catch {
      batch.release() // The client has gone.
    }
    client.onIdle()
  }
  console.log(`${budget.stats().reservedBytes} bytes are held`)
}

async function callItself(port) {
  const socket = connect(port)
  FrameWriter.lengthDelimited(socket, options).write(Buffer.from('!odnum ,oaiC'))
  await FrameReader.lengthDelimited(options).attach(socket, ([bytes]) => {
    console.log(Buffer.from(bytes).toString())
    socket.end()
  })
  process.kill(process.pid, 'SIGTERM')
}
