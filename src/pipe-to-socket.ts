import type { Socket } from 'node:net'
import { whenAborted } from './abort.js'
import { booleanArgument, optionsArgument, signalArgument } from './arguments.js'
import { FramePoolError } from './errors.js'
import { checkFree, type RingSource } from './ring-source.js'
import { socketArgument } from './socket-argument.js'
import { writeLent } from './socket-write.js'

/** Writes what comes into a ring to a socket, until the ring has ended: see `Consumer.pipeTo`. */
export async function pipeToSocket(
  source: RingSource,
  socket: Socket,
  options: { signal?: AbortSignal; end?: boolean } | undefined,
): Promise<void> {
  socketArgument(socket, 'socket')
  const { signal, end = true } = optionsArgument(options, 'options')
  booleanArgument(end, 'end')
  signalArgument(signal)
  checkFree(source)
  if (socket.destroyed || socket.writableEnded) throw closedError()
  signal?.throwIfAborted()

  const stop = new AbortController()
  const fail = (reason: unknown): void => stop.abort(reason)
  const onClose = (): void => fail(closedError())
  const failed = new Promise<never>((_, reject) => {
    stop.signal.addEventListener('abort', () => reject(stop.signal.reason), { once: true })
  })
  socket.on('error', fail)
  socket.on('close', onClose)
  const stopListening = whenAborted(signal, () => fail(signal?.reason))
  source.lent = true
  try {
    // A write that the peer does not take must not hold up an abort. Its views stay lent until it is over.
    await Promise.race([writeAll(source, socket, stop.signal, failed), failed])
    if (end && !socket.writableEnded) await Promise.race([endWriting(socket, failed), failed])
  } finally {
    socket.off('error', fail)
    socket.off('close', onClose)
    stopListening()
  }
}

/** `failed` says what is wrong with the socket; the error that a write or an end is told is often only a consequence. */
async function writeAll(
  source: RingSource,
  socket: Socket,
  signal: AbortSignal,
  failed: Promise<never>,
): Promise<void> {
  try {
    while (!signal.aborted && (source.available > 0 || (await source.wait(1, { signal })) > 0)) {
      const error = await new Promise((resolve) => {
        writeLent(source, socket, resolve)
      })
      // Not for others between two writes either.
      source.lent = true
      if (error !== null) await failed
    }
  } finally {
    source.giveBack(0)
  }
}

async function endWriting(socket: Socket, failed: Promise<never>): Promise<void> {
  const error = await new Promise((resolve) => {
    socket.end((reason?: Error | null) => resolve(reason))
  })
  if (error && socket.destroyed) await failed
}

function closedError(): FramePoolError {
  return new FramePoolError('ERR_CLOSED', 'the socket is closed')
}
