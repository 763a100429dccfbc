import type { Socket } from 'node:net'
import { whenAborted } from './abort.js'
import { integerArgument, optionsArgument, signalArgument } from './arguments.js'
import { ByteCount } from './byte-count.js'
import { newRing } from './byte-ring.js'
import { FramePoolError, invalidArgType, outOfRange } from './errors.js'
import type { HalfCore } from './half-core.js'
import { socketArgument } from './socket-argument.js'
import { SocketReader } from './socket-reader.js'
import { writeLentNow } from './socket-write.js'
import { MAX_TIMEOUT_MS } from './wait.js'

const DEFAULT_SIZE = 512 * 1024

/**
 * Passes on what each of two sockets receives to the other, through a ring each way, until both have ended. The sockets are
 * taken over: what they have received and nobody has read is passed on first, and each ends its sending side when the other
 * side's peer has ended its own and everything is written (half-close).
 *
 * A plain TCP or Unix socket reads straight into the ring, also one that a server accepted; with TLS chunks are copied.
 *
 * @param options `size`: bytes of each ring, a power of two from 2 to 1 GiB, default 512 KiB; no more than that is held each
 *   way. `idleTimeoutMs`: both sockets are destroyed when nothing has moved for so long; by default never. `signal`: an
 *   abort destroys both.
 * @returns The bytes each way, when both sockets are closed. Rejects, with both sockets destroyed, with what broke one of
 *   them, `ERR_CLOSED` if one was closed before its end, `ERR_TIMEOUT`, or `signal.reason`.
 */
export async function relaySockets(
  a: Socket,
  b: Socket,
  options?: { size?: number; idleTimeoutMs?: number; signal?: AbortSignal },
): Promise<{ aToB: number; bToA: number }> {
  socketArgument(a, 'a')
  socketArgument(b, 'b')
  if (a === b) throw outOfRange('a and b must be two sockets')
  const { size = DEFAULT_SIZE, idleTimeoutMs, signal } = optionsArgument(options, 'options')
  integerArgument(size, 'size', 2, 2 ** 30)
  if (idleTimeoutMs !== undefined) integerArgument(idleTimeoutMs, 'idleTimeoutMs', 1, MAX_TIMEOUT_MS)
  signalArgument(signal)
  signal?.throwIfAborted()
  for (const socket of [a, b]) {
    // Decoded bytes do not come back as they were.
    if (socket.readableEncoding !== null) throw invalidArgType('a and b must give bytes: no setEncoding')
    if (socket.destroyed || socket.writableEnded) throw closedError()
  }
  const rings = [newRing(size), newRing(size)] as const

  return new Promise((resolve, reject) => {
    let failure: unknown
    let failed = false
    const fail = (reason: unknown): void => {
      if (!failed) failure = reason
      failed = true
      a.destroy()
      b.destroy()
    }
    const timer = idleTimeoutMs === undefined ? null : setTimeout(onIdle, idleTimeoutMs)
    function onIdle(): void {
      fail(new FramePoolError('ERR_TIMEOUT', `nothing moved between the sockets for ${idleTimeoutMs} ms`))
    }
    const stopListening = whenAborted(signal, () => fail(signal?.reason))
    const onMove = (): void => {
      timer?.refresh()
    }
    const [aToB, bToA] = [new OneWay(rings[0], a, b, onMove, fail), new OneWay(rings[1], b, a, onMove, fail)]
    let open = 2
    const onClose = (from: OneWay, to: OneWay): void => {
      open--
      if (!from.ended || !to.done) fail(closedError())
      if (open > 0) return
      // Only now has Node no use for the rings' memory any more.
      if (timer !== null) clearTimeout(timer)
      stopListening()
      const bytes = { aToB: aToB.release(), bToA: bToA.release() }
      if (failed) reject(failure)
      else resolve(bytes)
    }
    a.on('close', () => onClose(aToB, bToA))
    b.on('close', () => onClose(bToA, aToB))
  })
}

/** One direction. */
class OneWay {
  readonly #producer: HalfCore
  readonly #consumer: HalfCore
  readonly #reader: SocketReader
  readonly #to: Socket
  readonly #onMove: () => void
  readonly #bytes = new ByteCount()
  /** The sender has ended its side. */
  ended = false
  /** The receiver has everything, and knows that it was all. */
  done = false

  constructor(
    ring: { producer: HalfCore; consumer: HalfCore },
    from: Socket,
    to: Socket,
    onMove: () => void,
    fail: (reason: unknown) => void,
  ) {
    this.#producer = ring.producer
    this.#consumer = ring.consumer
    this.#to = to
    this.#onMove = onMove
    // Otherwise Node ends the sending side with the receiving one, before what waits in the ring has gone out.
    from.allowHalfOpen = true
    // What comes in pieces goes on in pieces: a relay is not to wait for more.
    to.setNoDelay(true)
    from.on('error', fail)
    from.once('end', () => {
      this.ended = true
      this.#flush()
    })
    this.#reader = new SocketReader(this.#producer, from, () => {
      this.#flush()
      this.#rewind()
    })
    this.#reader.resume()
    if (from.readableEnded) {
      this.ended = true
      this.#flush()
    }
  }

  /** Writes what there is, unless a write is under way: its end goes on with it. */
  #flush(): void {
    this.#onMove()
    const consumer = this.#consumer
    if (consumer.lent) return
    const length = consumer.available
    if (length > 0) {
      const taken = writeLentNow(consumer, this.#to, (error) => {
        // The socket that failed says so itself.
        if (error !== null) return
        this.#bytes.add(length)
        this.#flush()
        this.#reader.resume()
      })
      if (!taken) return
      this.#bytes.add(length)
    }
    if (this.ended && !this.#reader.holding && !this.#to.writableEnded) {
      this.#to.once('finish', () => {
        this.done = true
      })
      this.#to.end()
    }
  }

  /**
   * Goes to the start of the ring if it is empty. There the next read gets the longest view, and where little is on its way
   * at a time, only so much of the memory is ever touched.
   */
  #rewind(): void {
    const { size, offset } = this.#producer
    if (offset === 0 || this.#consumer.lent) return
    this.#producer.advance(size - offset)
    this.#consumer.advance(size - offset)
  }

  /** Gives the ring back; returns the bytes that went through it. */
  release(): number {
    this.#producer.release()
    this.#consumer.release()
    return Number(this.#bytes.value)
  }
}

function closedError(): FramePoolError {
  return new FramePoolError('ERR_CLOSED', 'a socket was closed before its end')
}
