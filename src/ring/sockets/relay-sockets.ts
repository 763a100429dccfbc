import type { Socket } from 'node:net'
import { throwIfAborted, whenAborted } from '../../support/abort.js'
import { integerArgument, optionsArgument, signalArgument } from '../../support/arguments.js'
import { ByteCount } from '../../support/byte-count.js'
import { FramePoolError, outOfRange } from '../../support/errors.js'
import { callSafely, type Failure } from '../../support/thrown.js'
import { clearTimeout, setImmediate, setTimeout, type Timer } from '../../support/timers.js'
import { checkIdleTimeout } from '../../support/wait.js'
import { MAX_RING_SIZE, newRing, powerOfTwo } from '../byte-ring.js'
import type { HalfCore } from '../half.js'
import { BorrowedSocket } from './borrowed-socket.js'
import { canReadDirectly } from './direct-read.js'
import { checkFlowing, checkReadable, checkWritable, closedError, socketArgument } from './socket-argument.js'
import { SocketReader } from './socket-reader.js'
import { writeLentNow } from './socket-write.js'

const DEFAULT_SIZE = 512 * 1024

/**
 * Passes on what each of two sockets receives to the other, through a ring in each direction, until both have ended. It takes the
 * sockets over. Bytes that were received and not read are passed on first. When the peer of one socket ends its side, and everything
 * from it is written, the other socket ends its sending side (half-close).
 *
 * A plain TCP or Unix socket reads straight into the ring, even if a server accepted it. With TLS, chunks are copied.
 *
 * If a socket cannot be used, the promise rejects at once and nothing changes: with `ERR_CLOSED`, and the error that broke the socket as
 * `cause`, if it is closed, has ended its sending side or was never connected; with `ERR_INVALID_ARG_TYPE` if it gives text; with
 * `ERR_BUSY` if it has an `onread`, a session or a relay of its own, or if it is of TLS and has a listener of `readable`.
 *
 * Later failures destroy both sockets. The promise then rejects with the error that broke one of them, with `ERR_CLOSED` if one was closed
 * before its end, with `ERR_TIMEOUT`, or with `signal.reason`.
 *
 * @param options `size`: bytes of each ring, a power of two from 2 to 1 GiB, by default 512 KiB; no more than that is held in each
 *   direction. `idleTimeoutMs`: milliseconds without any bytes after which both sockets are destroyed, from 1 to 2^31 − 1; by default
 *   never. `signal`: an abort destroys both sockets.
 * @returns A promise of the bytes in each direction. It resolves when both sockets are closed.
 */
export async function relaySockets(
  a: Socket,
  b: Socket,
  options?: { size?: number; idleTimeoutMs?: number; signal?: AbortSignal },
): Promise<{
  /** Bytes relayed from `a` to `b`. */
  aToB: number
  /** Bytes relayed from `b` to `a`. */
  bToA: number
}> {
  socketArgument(a, 'a')
  socketArgument(b, 'b')
  if (a === b) throw outOfRange('a and b must be two sockets')
  const { size = DEFAULT_SIZE, idleTimeoutMs, signal } = optionsArgument(options, 'options')
  powerOfTwo(integerArgument(size, 'size', 2, MAX_RING_SIZE), 'size')
  checkIdleTimeout(idleTimeoutMs)
  signalArgument(signal)
  for (const socket of [a, b]) {
    checkWritable(socket)
    checkReadable(socket, 'a and b')
    if (!canReadDirectly(socket)) checkFlowing(socket)
  }
  throwIfAborted(signal)
  const loans = [new BorrowedSocket(a), new BorrowedSocket(b)] as const
  const rings = newRings(size)

  return new Promise((resolve, reject) => {
    let failure: Failure | null = null
    let open = 2
    let timer: Timer | null = null
    const fail = (error: unknown): void => {
      failure ??= { error }
      for (const loan of loans) callSafely(() => loan.destroy())
    }
    const onMove = (): void => {
      timer?.refresh()
    }
    const [loanA, loanB] = loans
    const aToB = new OneWay(rings[0], loanA, loanB, onMove, fail)
    const bToA = new OneWay(rings[1], loanB, loanA, onMove, fail)
    let stopListening = (): void => {}
    const finish = (): { aToB: number; bToA: number } => {
      if (timer !== null) clearTimeout(timer)
      stopListening()
      for (const loan of loans) loan.giveBack()
      return { aToB: aToB.release(), bToA: bToA.release() }
    }
    const onClosed = (from: OneWay, to: OneWay): void => {
      open--
      if (!from.ended || !to.done) fail(closedError('a socket was closed before its end'))
      if (open > 0) return
      // Until here Node may use the memory of the rings.
      const bytes = finish()
      if (failure !== null) reject(failure.error)
      else resolve(bytes)
    }
    try {
      loanA.onClosed(() => onClosed(aToB, bToA))
      loanB.onClosed(() => onClosed(bToA, aToB))
    } catch (error) {
      finish()
      reject(error)
      return
    }
    // From here on the relay is over when both sockets are closed.
    try {
      stopListening = whenAborted(signal, fail)
      if (idleTimeoutMs !== undefined) {
        timer = setTimeout(() => {
          fail(new FramePoolError('ERR_TIMEOUT', `nothing moved between the sockets for ${idleTimeoutMs} ms`))
        }, idleTimeoutMs)
      }
      for (const loan of loans) loan.borrow()
      aToB.start()
      bToA.start()
    } catch (error) {
      fail(error)
    }
  })
}

type Ring = ReturnType<typeof newRing>

function newRings(size: number): [Ring, Ring] {
  const first = newRing(size)
  try {
    return [first, newRing(size)]
  } catch (error) {
    first.producer.release()
    first.consumer.release()
    throw error
  }
}

/** One direction of a relay. */
class OneWay {
  readonly #producer: HalfCore
  readonly #consumer: HalfCore
  readonly #reader: SocketReader
  readonly #from: BorrowedSocket
  readonly #to: BorrowedSocket
  readonly #onMove: () => void
  readonly #fail: (error: unknown) => void
  readonly #bytes = new ByteCount()
  /** Whether the sender has ended its side. */
  ended = false
  /** Whether the receiver has all bytes, and the end. */
  done = false

  constructor(
    ring: Ring,
    from: BorrowedSocket,
    to: BorrowedSocket,
    onMove: () => void,
    fail: (error: unknown) => void,
  ) {
    this.#producer = ring.producer
    this.#consumer = ring.consumer
    this.#from = from
    this.#to = to
    this.#onMove = onMove
    this.#fail = fail
    const onData = (): void => {
      this.#flush()
      this.#rewind()
    }
    this.#reader = new SocketReader(this.#producer, from, onData, fail)
  }

  start(): void {
    const { socket } = this.#from
    this.#from.on('error', this.#fail)
    this.#from.on('end', () => this.#end())
    this.#reader.resume()
    if (socket.readableEnded) this.#end()
  }

  #end(): void {
    this.ended = true
    this.#flush()
  }

  /** Writes what is in the ring. Does nothing during a write, whose end calls it again. */
  #flush(): void {
    this.#onMove()
    const consumer = this.#consumer
    if (consumer.lent || this.#to.over) return
    const length = consumer.available
    if (length > 0) {
      let done = false
      try {
        done = writeLentNow(consumer, this.#to.socket, {
          onThrown: this.#fail,
          onDone: (failure) => this.#written(length, failure),
        })
      } catch (error) {
        // The ring cannot be shown.
        this.#fail(error)
      }
      if (!done) return
      this.#bytes.add(length)
    }
    if (this.ended && !this.#reader.holding) this.#endWriting()
  }

  #written(length: number, failure: Failure | null): void {
    if (failure !== null) {
      setImmediate(() => {
        // A socket that breaks emits the real error itself.
        if (!this.#to.over) this.#fail(failure.error)
      })
      return
    }
    this.#bytes.add(length)
    this.#flush()
    this.#do(() => this.#reader.resume())
  }

  #endWriting(): void {
    const { socket } = this.#to
    this.#do(() => {
      if (socket.writableEnded) return
      this.#to.on('finish', () => {
        this.done = true
      })
      socket.end()
    })
  }

  /** Calls a method of a socket. If it throws, the relay ends. */
  #do(call: () => void): void {
    try {
      call()
    } catch (error) {
      this.#fail(error)
    }
  }

  /**
   * Goes to the start of an empty ring. The next read gets the longest view there, and a relay with little on its way at a time only
   * ever touches that much of the memory.
   */
  #rewind(): void {
    const { size, offset } = this.#producer
    // Bytes of a failed write may still be in the ring.
    if (offset === 0 || this.#consumer.lent || this.#producer.atLeast(size) < size) return
    this.#producer.advance(size - offset)
    this.#consumer.advance(size - offset)
  }

  /** Releases the ring. Returns the bytes that went through it. */
  release(): number {
    this.#producer.release()
    this.#consumer.release()
    return Number(this.#bytes.value)
  }
}
