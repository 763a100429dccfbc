/**
 * P13: user CPU time of an Sv2 echo server for a round trip of 64 B, beside servers on the reference and on
 * node:crypto.
 */
import { strict as assert } from 'node:assert'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { generateAuthorityKeypair, Sv2Session } from '../src/sv2/index.js'
import { rivalsIn } from './native.js'
import { cpuOf } from './process-cpu.js'
import { NodeCryptoTransport } from './rivals/node-crypto-transport.js'
import { report } from './rounds.js'

const ROUNDS = 5
const TARGETS = [
  { id: 'P13', rival: 'stratum-apps 0.8.0', least: 1 / 0.5 },
  { id: 'P13', rival: 'node:crypto', least: 1 / 0.07 },
]
const PAYLOAD = 64
/** Round trips in progress at once. */
const WINDOW = 500

/** The client's end of a connection to an echo server. */
interface Client {
  /** Sends `count` frames. */
  send(count: number): void
  /** Called with the number of frames that have come back. */
  onEcho: (count: number) => void
}

interface Contender {
  name: string
  /** Round trips in one round: enough that the system, which counts CPU time in steps of 10 ms, counts many. */
  trips: number
  server: ChildProcess
  client: Client
}

/** Returns the payload of the frame number `index`. */
function payloadOf(index: number): Buffer {
  const payload = Buffer.alloc(PAYLOAD, index)
  payload.writeUInt32LE(index)
  return payload
}

/** Makes a client on `Sv2Session`, which is fast enough to keep the server busy. */
async function sessionClient(socket: Socket, authorityPublicKey: string): Promise<Client> {
  const session = Sv2Session.initiator({ authorityPublicKey })
  const client: Client = { send, onEcho: () => {} }
  let [sent, received] = [0, 0]
  function send(count: number): void {
    for (let index = 0; index < count; index++) session.send({ messageType: 1 }, payloadOf(sent++))
  }
  session.attach(socket, (batch) => {
    for (const { payload } of batch) assert.ok(payloadOf(received++).equals(payload))
    client.onEcho(batch.length)
  })
  await session.established()
  return client
}

/** Makes a client that seals its frames beforehand and opens the echoes afterwards, to keep the server busy. */
function sealedClient(socket: Socket, transport: NodeCryptoTransport, frames: number): Client {
  const client: Client = { send, onEcho: () => {} }
  const wire = Array.from({ length: frames }, (_, index) =>
    transport.seal({ extensionType: 0, messageType: 1, payload: payloadOf(index) }),
  )
  const frameLength = wire[0]!.length
  const received: Buffer[] = []
  let [sent, bytes, echoed] = [0, 0, 0]
  function send(count: number): void {
    socket.write(Buffer.concat(wire.slice(sent, sent + count)))
    sent += count
  }
  socket.on('data', (chunk) => {
    received.push(chunk)
    bytes += chunk.length
    const count = Math.floor(bytes / frameLength) - echoed
    echoed += count
    client.onEcho(count)
    if (echoed < frames) return
    const payloads = received.flatMap((part) => transport.open(part)).map(({ payload }) => payload)
    assert.deepEqual(
      payloads,
      wire.map((_, index) => payloadOf(index)),
    )
  })
  return client
}

/** Starts a server that prints its port, and connects to it. */
async function start(command: string, ...args: string[]): Promise<{ server: ChildProcess; socket: Socket }> {
  const server = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [printed] = (await once(server.stdout!, 'data')) as [Buffer]
  const socket = connect(Number(printed.toString()), '127.0.0.1')
  await once(socket, 'connect')
  socket.setNoDelay(true)
  return { server, socket }
}

/** Has `trips` frames echoed, `WINDOW` at a time. Returns the server's user CPU time for each, in microseconds. */
async function measure({ server, client, trips }: Contender): Promise<number> {
  const before = cpuOf(server).user
  await new Promise<void>((resolve) => {
    let [sent, echoed] = [WINDOW, 0]
    client.onEcho = (count) => {
      echoed += count
      if (echoed === trips) resolve()
      const more = Math.min(count, trips - sent)
      sent += more
      if (more > 0) client.send(more)
    }
    client.send(WINDOW)
  })
  return (cpuOf(server).user - before) / trips
}

async function framepool(): Promise<Contender> {
  const { publicKey, secretKey } = generateAuthorityKeypair()
  const program = fileURLToPath(new URL('sv2-echo-server.js', import.meta.url))
  const { server, socket } = await start(process.execPath, program, publicKey, secretKey)
  return { name: 'framepool', trips: 200_000, server, client: await sessionClient(socket, publicKey) }
}

/** Starts the reference server. Returns null if it cannot be built. */
async function reference(): Promise<Contender | null> {
  const programs = rivalsIn('sv2-echo-server')
  if (programs === null) return null
  const { publicKey, secretKey } = generateAuthorityKeypair()
  const { server, socket } = await start(`${programs}/sv2-echo-server`, publicKey, secretKey)
  return { name: 'stratum-apps 0.8.0', trips: 80_000, server, client: await sessionClient(socket, publicKey) }
}

async function nodeCrypto(): Promise<Contender> {
  const trips = 15_000
  const [there, back] = [randomBytes(32), randomBytes(32)]
  const program = fileURLToPath(new URL('rivals/sv2-echo-node-crypto.js', import.meta.url))
  const { server, socket } = await start(process.execPath, program, there.toString('hex'), back.toString('hex'))
  const transport = new NodeCryptoTransport({ sealing: there, opening: back })
  return { name: 'node:crypto', trips, server, client: sealedClient(socket, transport, trips * (ROUNDS + 1)) }
}

const subject = await framepool()
const rivals = [await reference(), await nodeCrypto()].filter((rival) => rival !== null)
const contenders = [subject, ...rivals]
const micros = contenders.map((): number[] => [])
for (const contender of contenders) await measure(contender)
for (let round = 0; round < ROUNDS; round++) {
  for (const [index, contender] of contenders.entries()) micros[index]!.push(await measure(contender))
}
for (const { server } of contenders) server.kill()

report({
  title: `an Sv2 echo server, ${PAYLOAD} B, ${WINDOW} round trips under way: user CPU for one`,
  unit: 'µs',
  names: contenders.map(({ name }) => name),
  costs: micros,
  targets: TARGETS.filter(({ rival }) => contenders.some(({ name }) => name === rival)),
})
process.exit()
