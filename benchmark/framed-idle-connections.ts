/**
 * P22: native memory of 5,000 idle framed connections, of which each has had 20 frames: at most 1 KiB each.
 */
import { strict as assert } from 'node:assert'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { FrameReader, FrameWriter, inspect } from '../index.js'

const CONNECTIONS = 5000
const FRAMES = 20
const options = { maxFrameLength: 65_536 }
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
const frame = Buffer.alloc(1004, 7)
frame.writeUInt32BE(1000)
const frames = Buffer.concat(Array.from({ length: FRAMES }, () => frame))

async function open(connections: number): Promise<void> {
  for (let made = 0; made < connections; made++) {
    const socket = connect(port, '127.0.0.1')
    socket.write(frames)
    let bytes = 0
    while (bytes < frames.length) bytes += ((await once(socket, 'data'))[0] as Buffer).length
  }
}

await open(200)
const [before, rssBefore] = [process.memoryUsage(), process.memoryUsage.rss()]
await open(CONNECTIONS)
const [after, rssAfter] = [process.memoryUsage(), process.memoryUsage.rss()]
assert.equal(count, (200 + CONNECTIONS) * FRAMES)
const held = inspect().reduce((sum, { kind, bytes }) => sum + (kind === 'slot-pool' ? 0 : bytes), 0)
const each = (a: number, b: number): string => `${((a - b) / CONNECTIONS / 1024).toFixed(2)} KiB`
console.log(`\n${CONNECTIONS} idle framed connections, both ends in one process; for each`)
console.log(`  held natively by readers and batches   ${each(held, 0)}`)
console.log(`  growth of external memory              ${each(after.external, before.external)}`)
console.log(`  growth of V8's heap, both sockets      ${each(after.heapUsed, before.heapUsed)}`)
console.log(`  growth of the RSS, both sockets        ${each(rssAfter, rssBefore)}`)
process.exit()
