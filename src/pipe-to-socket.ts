import { Socket } from 'node:net'
import { booleanArgument, optionsArgument } from './arguments.js'
import { FramePoolError, invalidArgType } from './errors.js'
import { checkFree, type RingSource } from './ring-source.js'
import { writeLent } from './socket-write.js'

/** Writes what comes into a ring to a socket, until the ring has ended: see `Consumer.pipeTo`. */
export async function pipeToSocket(
  source: RingSource,
  socket: Socket,
  options: { signal?: AbortSignal; end?: boolean } | undefined,
): Promise<void> {
  if (!(socket instanceof Socket)) throw invalidArgType('socket must be a net.Socket')
  const { signal, end = true } = optionsArgument(options, 'options')
  booleanArgument(end, 'end')
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw invalidArgType('signal must be an AbortSignal')
  checkFree(source)
  if (socket.destroyed || socket.writableEnded) throw closedError()
  signal?.throwIfAborted()

  const stop = new AbortController()
  const fail = (reason: unknown): void => stop.abort(reason)
  const onAbort = (): void => fail(signal?.reason)
  const onClose = (): void => fail(closedError())
  const failed = new Promise<never>((_, reject) => {
    stop.signal.addEventListener('abort', () => reject(stop.signal.reason), { once: true })
  })
  socket.on('error', fail)
  socket.on('close', onClose)
  signal?.addEventListener('abort', onAbort)
  source.lent = true
  try {
    // A write that the peer does not take must not hold up an abort. Its views stay lent until it is over.
    await Promise.race([writeAll(source, socket, stop.signal), failed])
    if (end) await Promise.race([new Promise<void>((resolve) => socket.end(resolve)), failed])
  } finally {
    socket.off('error', fail)
    socket.off('close', onClose)
    signal?.removeEventListener('abort', onAbort)
  }
}

async function writeAll(source: RingSource, socket: Socket, signal: AbortSignal): Promise<void> {
  try {
    while (!signal.aborted && (source.available > 0 || (await source.wait(1, { signal })) > 0)) {
      await new Promise<void>((resolve, reject) => {
        writeLent(source, socket, (error) => (error ? reject(error) : resolve()))
      })
      // Not for others between two writes either.
      source.lent = true
    }
  } finally {
    source.giveBack(0)
  }
}

function closedError(): FramePoolError {
  return new FramePoolError('ERR_CLOSED', 'the socket is closed')
}
