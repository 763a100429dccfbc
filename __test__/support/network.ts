import { connect, createServer, type Server, type Socket } from 'node:net'
import { onTestFinished, vi } from 'vitest'
import { type FrameBatch, type InitiatorOptions, type SessionOptions, Sv2Session } from '../../src/sv2/index.js'
import { authority, type FrameCopy } from './sessions.js'

/** Milliseconds. Far longer than any step of a test takes. */
export const PATIENCE_MS = 30_000

/** Resolves once `check` does not throw. Rejects with its last error after `PATIENCE_MS`. */
export function eventually(check: () => void): Promise<void> {
  return vi.waitFor(check, { timeout: PATIENCE_MS, interval: 5 })
}

/** Resolves when bytes in transit between sockets of this process have had time to arrive. */
export function quiet(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 100)
  })
}

export type OnBatch = (batch: FrameBatch, peer: Peer) => void

/** Keeps a copy of every frame in `peer.frames`. */
export const keep: OnBatch = (batch, peer) => {
  for (const { messageType, payload } of batch) peer.frames.push({ messageType, payload: Buffer.from(payload) })
}

/** Sends every frame back. */
export const echo: OnBatch = (batch, { session }) => {
  session.forward(batch, session)
}

/** One end of a connection: a session attached to a socket. */
export class Peer {
  readonly session: Sv2Session
  readonly socket: Socket
  readonly frames: FrameCopy[] = []
  /** True once the other end has ended its side. */
  ended = false
  closed = false
  error: Error | null = null

  constructor(session: Sv2Session, socket: Socket, onBatch: OnBatch) {
    this.session = session
    this.socket = socket
    session.attach(socket, (batch) => onBatch(batch, this))
    socket.on('end', () => {
      this.ended = true
    })
    socket.on('error', (error) => {
      this.error = error
    })
    socket.on('close', () => {
      this.closed = true
    })
    onTestFinished(() => {
      socket.destroy()
      session.close()
    })
  }

  /** Sends as the documentation recommends: waits when the output is over its mark. */
  async sendAll(frames: Iterable<FrameCopy>): Promise<void> {
    for (const { messageType, payload } of frames) {
      if (!this.session.send({ messageType }, payload)) await this.session.drained()
    }
  }

  /** Ends the sending side once the output is empty. */
  async end(): Promise<void> {
    await eventually(() => {
      if (!this.session.output.isEmpty) throw new Error('there is output left')
    })
    this.socket.end()
  }
}

/** Connects a session that accepts only the authority of the tests, unless `options` differ. */
export function dial(port: number, options: InitiatorOptions = {}, onBatch: OnBatch = keep): Peer {
  const { authorityPublicKey } = authority
  return new Peer(Sv2Session.initiator({ authorityPublicKey, ...options }), connect(port, '127.0.0.1'), onBatch)
}

/**
 * Connects a miner that sends its first frame, of type 0 and without payload. A relay makes its connection to the pool for the
 * sake of that frame.
 */
export async function begin(port: number, options?: InitiatorOptions, onBatch?: OnBatch): Promise<Peer> {
  const miner = dial(port, options, onBatch)
  await miner.session.established()
  miner.session.send({ messageType: 0 }, new Uint8Array(0))
  return miner
}

/**
 * Connects a miner through a relay to a pool that keeps frames, sends them back, or both, and resolves when its first frame has gone
 * that way. The frames of both are empty then.
 */
export async function connectThrough(
  port: number,
  pool: TestPool,
  answered: boolean,
): Promise<{ miner: Peer; peer: Peer }> {
  const before = pool.peers.length
  const miner = await begin(port)
  await eventually(() => {
    if (pool.peers.length === before) throw new Error('the pool has no connection yet')
    const { session, frames } = pool.peers[before]!
    if (session.stats().framesIn === 0 || (answered && miner.frames.length === 0))
      throw new Error(`${frames.length} frames`)
  })
  const peer = pool.peers[before]!
  miner.frames.length = 0
  peer.frames.length = 0
  return { miner, peer }
}

/** A server whose connections are sessions. */
export interface TestPool {
  port: number
  server: Server
  peers: Peer[]
}

export async function startPool(onBatch: OnBatch = keep, options: SessionOptions = {}): Promise<TestPool> {
  const peers: Peer[] = []
  const server = createServer((socket) => {
    peers.push(new Peer(Sv2Session.responder({ ...authority, ...options }), socket, onBatch))
  })
  return { port: await listening(server), server, peers }
}

/** Starts `server` until the end of the test, and returns its port. */
export async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(() => {
    server.close()
  })
  return (server.address() as { port: number }).port
}
