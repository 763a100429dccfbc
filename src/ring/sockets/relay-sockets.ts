import type { Socket } from 'node:net'
import { throwIfAborted, whenAborted } from '../../support/abort.js'
import { integerArgument, optionsArgument, signalArgument } from '../../support/arguments.js'
import { ByteCount } from '../../support/byte-count.js'
import { FramePoolError, outOfRange } from '../../support/errors.js'
import { callSafely, type Failure } from '../../support/thrown.js'
import { clearTimeout, setImmediate, setTimeout, type Timer } from '../../support/timers.js'
import { MAX_TIMEOUT_MS } from '../../support/wait.js'
import { newRing, powerOfTwo } from '../byte-ring.js'
import type { HalfCore } from '../half.js'
import { BorrowedSocket } from './borrowed-socket.js'
import { checkReadable, checkWritable, closedError, socketArgument } from './socket-argument.js'
import { SocketReader } from './socket-reader.js'
import { writeLentNow } from './socket-write.js'

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
 *   them, `ERR_CLOSED` if one was closed before its end, `ERR_TIMEOUT`, or `signal.reason`. At once, and nothing changes:
 *   with `ERR_CLOSED` where one is closed, has ended its sending side or was never connected (`cause`: what broke it),
 *   `ERR_INVALID_ARG_TYPE` where one gives text, `ERR_BUSY` where one has an `onread`, a session or a relay of its own.
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
  powerOfTwo(integerArgument(size, 'size', 2, 2 ** 30), 'size')
  if (idleTimeoutMs !== undefined) integerArgument(idleTimeoutMs, 'idleTimeoutMs', 1, MAX_TIMEOUT_MS)
  signalArgument(signal)
  for (const socket of [a, b]) {
    checkWritable(socket)
    checkReadable(socket, 'a and b')
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
      // Only now has Node no use for the rings' memory any more.
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
    // From here on the relay is over when both are closed.
    try {
      stopListening = whenAborted(signal, fail)
      if (idleTimeoutMs !== undefined) {
        timer = setTimeout(() => {
          fail(new FramePoolError('ERR_TIMEOUT', `nothing moved between the sockets for ${idleTimeoutMs} ms`))
        }, idleTimeoutMs)
      }
      for (const loan of loans) loan.take()
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

/** One direction. */
class OneWay {
  readonly #producer: HalfCore
  readonly #consumer: HalfCore
  readonly #reader: SocketReader
  readonly #from: BorrowedSocket
  readonly #to: BorrowedSocket
  readonly #onMove: () => void
  readonly #fail: (error: unknown) => void
  readonly #bytes = new ByteCount()
  /** The sender has ended its side. */
  ended = false
  /** The receiver has everything, and knows that it was all. */
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

  /** Writes what there is, unless a write is under way: its end goes on with it. */
  #flush(): void {
    this.#onMove()
    const consumer = this.#consumer
    if (consumer.lent) return
    const length = consumer.available
    if (length > 0) {
      const taken = writeLentNow(consumer, this.#to.socket, {
        onThrown: this.#fail,
        onTaken: (failure) => this.#taken(length, failure),
      })
      if (!taken) return
      this.#bytes.add(length)
    }
    if (this.ended && !this.#reader.holding) this.#endWriting()
  }

  #taken(length: number, failure: Failure | null): void {
    if (failure !== null) {
      setImmediate(() => {
        // A socket that breaks says itself what is wrong.
        if (!this.#to.socket.destroyed) this.#fail(failure.error)
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

  /** What a method of a socket throws ends the relay. */
  #do(call: () => void): void {
    try {
      call()
    } catch (error) {
      this.#fail(error)
    }
  }

  /**
   * Goes to the start of the ring if it is empty. There the next read gets the longest view, and where little is on its way
   * at a time, only so much of the memory is ever touched.
   */
  #rewind(): void {
    const { size, offset } = this.#producer
    // What a write has failed with may still be there.
    if (offset === 0 || this.#consumer.lent || this.#producer.atLeast(size) < size) return
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
