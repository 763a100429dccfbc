// Clients of a relay in a process of their own, for `relay-duress`: usage `relay-clients-process.js miners KEY ADDRESS PORT`,
// `attackers KEY ADDRESS` or `burst KEY ADDRESS`. They come from the address. The last two tell the mining pool that their connections
// are for, and wait for the relay's port. The client of `burst` gets 16 MiB of empty frames ready on `prepare`, answers, and sends them on `send`.
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { on, once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { constants, setPriority } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { Sv2Session } from '../src/sv2/index.js'
import { startEchoPool } from './echo-pool.js'

/** A command to the miners. They answer each. */
export type MinersCommand =
  | { do: 'connect'; count: number; paceMs: number }
  | { do: 'measure' }
  | { do: 'report' }
  | { do: 'leave' }

/** Figures of the miners since the last `measure`. */
export interface MinersFigures {
  p99Millis: number
  worstMillis: number
  frames: number
  /** Miners whose connection has closed. */
  closed: number
  /** Frames that came back changed, or in another order. */
  wrong: number
  /** Replies that have come, by miner, since the start. */
  replies: number[]
}

const [role, key, localAddress, relayPort] = process.argv.slice(2) as [string, string, string, string?]
const AT_ONCE = 50
/** Spreads the moments at which miners send. With one pace they would fall into step, and wait for each other. */
const GOLDEN = (Math.sqrt(5) - 1) / 2
let port = Number(relayPort)

function open(): { socket: Socket; session: Sv2Session } {
  const socket = connect({ port, host: '127.0.0.1', localAddress })
  // The relay may end a client at any point.
  socket.on('error', () => {})
  const session = Sv2Session.initiator({ authorityPublicKey: key })
  return { socket, session }
}

/** Returns the bytes that a session has to send. */
function drain(session: Sv2Session): Buffer {
  const bytes = Buffer.alloc(session.output.available)
  session.output.read(bytes)
  return bytes
}

function beMiners(): void {
  let millis: number[] = []
  let [closed, wrong] = [0, 0]
  const replies: number[] = []
  const sockets: Socket[] = []
  const mine = async (paceMs: number): Promise<void> => {
    const { socket, session } = open()
    const miner = replies.push(0) - 1
    sockets.push(socket)
    const payload = Buffer.alloc(64)
    payload.writeUInt32LE(miner, 4)
    let sentAt = 0
    let number = 0
    const send = (): void => {
      if (session.state !== 'transport') return
      payload.writeUInt32LE(++number)
      sentAt = performance.now()
      session.send({ messageType: 1 }, payload)
    }
    const first = new Promise<void>((resolve) => {
      session.attach(socket, (batch) => {
        for (const frame of batch) {
          if (!payload.equals(frame.payload)) wrong++
          replies[miner]!++
          millis.push(performance.now() - sentAt)
        }
        resolve()
        if (paceMs === 0) send()
        else if (paceMs > 0) setTimeout(send, paceMs * (0.5 + (((miner + number) * GOLDEN) % 1)))
      })
    })
    socket.on('close', () => closed++)
    await session.established()
    send()
    await first
  }
  process.on('message', async (command: MinersCommand) => {
    if (command.do === 'connect') {
      for (let made = 0; made < command.count; made += AT_ONCE) {
        const now = Math.min(AT_ONCE, command.count - made)
        await Promise.all(Array.from({ length: now }, () => mine(command.paceMs)))
      }
    } else if (command.do === 'measure') {
      millis = []
    } else if (command.do === 'leave') {
      for (const socket of sockets.splice(0)) socket.destroy()
      replies.length = 0
    }
    millis.sort((a, b) => a - b)
    const p99Millis = millis[Math.floor(millis.length * 0.99)] ?? 0
    const worstMillis = millis.at(-1) ?? 0
    const figures: MinersFigures = { p99Millis, worstMillis, frames: millis.length, closed, wrong, replies }
    process.send?.(figures)
  })
}

/** Payload of all attacks. It is made once, since attackers should take little of this machine's time. */
const ZEROS = Buffer.alloc(15 << 20)
/** The longest piece in which attackers write, in bytes. Memory for longer ones comes from the system, and goes back there, each time. */
const PIECE = 50_000

/** Encrypts a frame with so many bytes of payload into the output of `session`. */
function seal(session: Sv2Session, length: number): void {
  session.send({ messageType: 1 }, ZEROS.subarray(0, length))
}

/** Writes bytes of the output of `session`, by default all. */
function write(socket: Socket, session: Sv2Session, most = session.output.available): void {
  for (let left = most; left > 0; left -= PIECE) {
    const piece = Buffer.allocUnsafe(Math.min(left, PIECE))
    session.output.read(piece)
    socket.write(piece)
  }
}

/** Attacks that go on until the relay ends them, each by many clients at once. */
const ATTACKS: [clients: number, attack: (socket: Socket, session: Sv2Session) => Promise<void>][] = [
  // Headers of frames beyond the memory for large ones, then silence. Few, because each has to be encrypted whole.
  [
    5,
    async (socket, session) => {
      seal(session, ZEROS.length)
      write(socket, session, 22)
    },
  ],
  // Headers of frames for which there is memory, then silence.
  [
    5,
    async (socket, session) => {
      seal(session, 2 << 20)
      write(socket, session, 22)
    },
  ],
  // A byte a second.
  [
    50,
    async (socket, session) => {
      for (seal(session, 100_000); !socket.destroyed; await sleep(1000)) write(socket, session, 1)
    },
  ],
  // Resets in the middle of a frame.
  [
    50,
    async (socket, session) => {
      seal(session, 50_000)
      write(socket, session, 20_000)
      await sleep(100)
      socket.resetAndDestroy()
    },
  ],
  // Reads nothing of the echoes.
  [
    5,
    async (socket, session) => {
      socket.pause()
      for (; !socket.destroyed; await sleep(1)) {
        if (socket.writableLength >= 1 << 20) continue
        seal(session, 200_000)
        write(socket, session)
      }
    },
  ],
  // Bursts of empty frames.
  [
    5,
    async (socket, session) => {
      socket.resume()
      for (; !socket.destroyed; await sleep(100)) {
        if (socket.writableLength > 0) continue
        for (let count = 0; count < 10_000; count++) seal(session, 0)
        write(socket, session)
      }
    },
  ],
]

/** Attacks by clients that never finish a handshake. */
const STRANGERS: [clients: number, attack: (socket: Socket) => Promise<void>][] = [
  [500, async () => {}],
  [
    50,
    async (socket) => {
      while (!socket.destroyed) {
        socket.write(randomBytes(1))
        await sleep(500)
      }
    },
  ],
  [50, async (socket) => void socket.write(randomBytes(500))],
]

/** Bytes of a burst. */
const BURST = 16 << 20

/** Takes only the time that others leave, since attackers have machines of their own. */
function stepBack(): void {
  const idle = spawnSync('chrt', ['--all-tasks', '--idle', '--pid', '0', `${process.pid}`])
  if (idle.status !== 0) setPriority(constants.priority.PRIORITY_LOW)
}

async function beBurst(): Promise<void> {
  // It keeps what comes before it is asked for.
  const commands = on(process, 'message')
  const { socket, session } = open()
  socket.write(drain(session))
  session.receive((await firstChunk(socket))!)
  socket.resume()
  stepBack()
  let frames: Buffer[] = []
  for await (const [command] of commands) {
    if (command === 'prepare') {
      for (let length = 0; length < BURST; length += frames.at(-1)!.length) {
        for (let count = 0; count < 10_000; count++) session.send({ messageType: 1 }, Buffer.alloc(0))
        frames.push(drain(session))
      }
      process.send?.('ready')
    } else {
      for (const chunk of frames) socket.write(chunk)
      frames = []
    }
  }
}

async function goOn(attack: () => Promise<Socket>): Promise<never> {
  for (;;) {
    const socket = await attack()
    if (!socket.destroyed) await once(socket, 'close').catch(() => {})
    await sleep(500)
  }
}

function beAttackers(): void {
  stepBack()
  for (const [clients, attack] of STRANGERS) {
    for (let client = 0; client < clients; client++) {
      goOn(async () => {
        const { socket } = open()
        await attack(socket)
        return socket
      })
    }
  }
  for (const [clients, attack] of ATTACKS) {
    for (let client = 0; client < clients; client++) {
      goOn(async () => {
        const { socket, session } = open()
        socket.write(drain(session))
        const chunk = await firstChunk(socket)
        if (chunk !== null) session.receive(chunk)
        if (session.state === 'transport') await attack(socket, session)
        session.close()
        return socket
      })
    }
  }
}

/** Resolves with the first chunk of a socket, or with null if it closes. */
function firstChunk(socket: Socket): Promise<Buffer | null> {
  return new Promise((resolve) => {
    socket.once('data', resolve)
    socket.once('close', () => resolve(null))
  })
}

if (role === 'miners') {
  beMiners()
} else {
  // A mining pool of their own, so that the miners' frames wait for the relay, and not for a mining pool.
  process.send?.((await startEchoPool()).upstream)
  port = ((await once(process, 'message')) as [number])[0]
  if (role === 'burst') await beBurst()
  else beAttackers()
}
