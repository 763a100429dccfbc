/**
 * P22: native memory of 10,000 idle framed connections, of which each has had 20 frames: at most 1 KiB each. The clients are another process, since
 * a process may have no more than 20,000 descriptors on many systems.
 */
import { strict as assert } from 'node:assert'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { FrameReader, FrameWriter, inspect } from '../index.js'
import { answerOf } from './answer.js'
import { reportFigure } from './rounds.js'

const CONNECTIONS = 10_000
const FRAMES = 20
const options = { maxFrameLength: 65_536 }
const clientPort = Number(process.env.FRAMEPOOL_BENCH_PORT)

/** Opens as many connections as the parent asks for, has frames echoed on each, and keeps them open. */
function beClients(): void {
  const frame = Buffer.alloc(1004, 7)
  frame.writeUInt32BE(1000)
  const frames = Buffer.concat(Array.from({ length: FRAMES }, () => frame))
  process.on('message', async (connections: number) => {
    for (let made = 0; made < connections; made++) {
      const socket = connect(clientPort, '127.0.0.1')
      socket.write(frames)
      let bytes = 0
      while (bytes < frames.length) bytes += ((await once(socket, 'data'))[0] as Buffer).length
    }
    process.send?.('open')
  })
}

async function measure(): Promise<void> {
  let count = 0
  const server = createServer((socket) => {
    const writer = FrameWriter.lengthDelimited(socket, options)
    FrameReader.lengthDelimited(options)
      .attach(socket, (batch) => {
        count += batch.length
        writer.forward(batch)
      })
      .catch(() => {})
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const env = { ...process.env, FRAMEPOOL_BENCH_PORT: `${port}` }
  const clients = fork(fileURLToPath(import.meta.url), { env })
  const open = async (connections: number): Promise<void> => {
    clients.send(connections)
    await answerOf(clients)
    globalThis.gc?.()
  }
  await open(200)
  const before = process.memoryUsage()
  await open(CONNECTIONS)
  const after = process.memoryUsage()
  clients.kill()
  assert.equal(count, (200 + CONNECTIONS) * FRAMES)
  const held = inspect().reduce((sum, { kind, bytes }) => sum + (kind === 'slot-pool' ? 0 : bytes), 0)
  const each = (bytes: number): string => `${(bytes / CONNECTIONS / 1024).toFixed(2)} KiB`
  console.log(`\n${CONNECTIONS} idle framed connections; for each, in the server`)
  reportFigure({
    id: 'P22',
    title: 'native memory of an idle framed connection',
    unit: 'KiB',
    value: held / CONNECTIONS / 1024,
    limit: 1,
    atLeast: false,
  })
  console.log(`  growth of external memory              ${each(after.external - before.external)}`)
  console.log(`  growth of V8's heap                    ${each(after.heapUsed - before.heapUsed)}`)
  console.log(`  growth of the RSS                      ${each(after.rss - before.rss)}`)
  process.exit()
}

if (clientPort > 0) beClients()
else await measure()
