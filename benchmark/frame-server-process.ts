import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { startWorker } from './worker.js'

/** Way of frames to the worker and back: in slices through channels, or as messages. */
export type Handover = 'framepool' | 'copy' | 'transfer'

/** Cost of serving in this process. */
export interface ServerCost {
  cpuSeconds: number
  /** Peak of the resident memory. */
  rssBytes: number
}

/** Slices under way in each direction. */
const CAPACITY = 256

const framepool = new URL('../index.js', import.meta.url)

/** Program of the worker: inverts the bytes of each frame behind its u32 number of a client. */
const CHANNEL_WORKER = `
  import { parentPort, workerData } from 'node:worker_threads'
  import { adopt } from '${framepool}'
  const [frames, replies] = workerData.map(adopt)
  parentPort.postMessage('ready')
  for await (const slice of frames) {
    const { bytes } = slice
    for (let index = 4; index < bytes.length; index++) bytes[index] = ~bytes[index]
    if (!replies.send(slice)) await replies.sendAsync(slice)
  }
  replies.end()
`
const MESSAGE_WORKER = `
  import { parentPort, workerData } from 'node:worker_threads'
  parentPort.on('message', (bytes) => {
    for (let index = 4; index < bytes.length; index++) bytes[index] = ~bytes[index]
    parentPort.postMessage(bytes, workerData === 'transfer' ? [bytes.buffer] : [])
  })
  parentPort.postMessage('ready')
`

// Program that the benchmark plain-buffer forks. It reports its port, and serves until it is told to end.
const clients = new Map<number, Socket>()
const handover = process.argv[2] as Handover
/** Passes the frame in `payload` of a client to the worker. */
const pass = handover === 'framepool' ? await bySlices() : await byMessages(handover)

/** Answers a client. Calls `done` when the bytes are no longer needed. */
function answer(bytes: Uint8Array, done: () => void): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const socket = clients.get(view.getUint32(0, true))
  // The number of the client becomes the length of the frame.
  view.setUint32(0, bytes.length - 4, true)
  if (socket === undefined) done()
  else socket.write(bytes, done)
}

async function bySlices(): Promise<(client: number, payload: Uint8Array) => void> {
  const { SliceChannel, SlotPool } = await import('../index.js')
  type Slice = import('../index.js').Slice
  const [forth, back] = [SliceChannel.create<Slice>(CAPACITY), SliceChannel.create<Slice>(CAPACITY)]
  await startWorker(CHANNEL_WORKER, [forth.receiver.move(), back.sender.move()])
  const receive = async (): Promise<void> => {
    for await (const slice of back.receiver) answer(slice.bytes, () => slice.release())
  }
  receive()
  const pool = new SlotPool(1 << 20)
  return (client, payload) => {
    const bytes = pool.getWritable(4 + payload.length)
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, client, true)
    bytes.set(payload, 4)
    const slice = pool.getDataOwned()
    if (!forth.sender.send(slice)) forth.sender.sendAsync(slice)
  }
}

async function byMessages(way: 'copy' | 'transfer'): Promise<(client: number, payload: Uint8Array) => void> {
  const worker = await startWorker(MESSAGE_WORKER, way)
  worker.on('message', (bytes: Uint8Array) => answer(bytes, () => {}))
  return (client, payload) => {
    const bytes = new Uint8Array(4 + payload.length)
    new DataView(bytes.buffer).setUint32(0, client, true)
    bytes.set(payload, 4)
    worker.postMessage(bytes, way === 'transfer' ? [bytes.buffer] : [])
  }
}

const server = createServer({ noDelay: true }, (socket) => {
  const client = clients.size
  clients.set(client, socket)
  let held: Buffer = Buffer.alloc(0)
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    let bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readUInt32LE()) {
      const end = 4 + bytes.readUInt32LE()
      pass(client, bytes.subarray(4, end))
      bytes = bytes.subarray(end)
    }
    held = bytes
  })
}).listen(0, '127.0.0.1')
await once(server, 'listening')
let rssBytes = 0
setInterval(() => {
  rssBytes = Math.max(rssBytes, process.memoryUsage.rss())
}, 10)
process.send?.((server.address() as { port: number }).port)
const before = process.cpuUsage()
await once(process, 'message')
const { user, system } = process.cpuUsage(before)
const cost: ServerCost = { cpuSeconds: (user + system) / 1e6, rssBytes }
process.send?.(cost, () => process.exit())
