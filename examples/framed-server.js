// A server whose frames a worker handles: `node examples/framed-server.js 8080`. All connections together hold at most 8 MiB. After SIGTERM
// it answers what has come, and ends. Without a port it calls itself.
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
  const [budget, clients] = [new MemoryBudget(8 * 1024 * 1024), new Map()]
  let [count, stopping] = [0, false]
  const server = createServer(async (socket) => {
    const [tag, writer] = [count++, FrameWriter.lengthDelimited(socket, options)]
    const client = { socket, writer, batches: 0, end: () => {} }
    clients.set(tag, client)
    const reading = FrameReader.lengthDelimited({ ...options, budget }).attach(socket, (batch) => {
      if (stopping) return // It comes too late.
      client.batches++
      return requests.sender.sendAsync(batch, { tag })
    })
    await Promise.race([reading, stop]).catch((error) => console.error(`client ${tag}: ${error.message}`))
    while (client.batches > 0) await new Promise((resolve) => (client.end = resolve))
    await writer.end().catch(() => {})
    clients.delete(tag)
  }).listen(port, () => port === 0 && callItself(connect(server.address().port)))
  const stop = new Promise((resolve) => process.once('SIGTERM', resolve)).then(() => {
    stopping = true
    server.close(() => requests.sender.end())
    setTimeout(() => process.exit(1), 5000).unref() // Clients that stay are cut.
  })
  for await (const batch of answers.receiver) {
    const client = clients.get(batch.tag)
    if (client.socket.writable) client.writer.forward(batch)
    else batch.release() // The client has gone.
    if (--client.batches === 0) client.end()
  }
  console.log(`${budget.stats().reservedBytes} bytes are held`)
}

async function callItself(socket) {
  FrameWriter.lengthDelimited(socket, options).write(Buffer.from('!odnum ,oaiC'))
  await FrameReader.lengthDelimited(options).attach(socket, ([bytes]) => {
    console.log(Buffer.from(bytes).toString())
    socket.end(() => process.kill(process.pid, 'SIGTERM'))
  })
}
