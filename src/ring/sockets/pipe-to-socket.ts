import type { Socket } from 'node:net'
import { throwIfAborted, whenAborted } from '../../support/abort.js'
import { booleanArgument, optionsArgument, signalArgument } from '../../support/arguments.js'
import { removeListener } from '../../support/streams.js'
import { callSafely, type Failure } from '../../support/thrown.js'
import { checkFree, type RingSource } from '../source.js'
import { checkWritable, closedError, socketArgument } from './socket-argument.js'
import { writeLent } from './socket-write.js'

/** Writes what comes into a ring to a socket until the ring has ended: see `Consumer.pipeTo()`. */
export async function pipeToSocket(
  source: RingSource,
  socket: Socket,
  options: { signal?: AbortSignal; end?: boolean } | undefined,
): Promise<void> {
  socketArgument(socket, 'socket')
  const { signal, end = true } = optionsArgument(options, 'options')
  booleanArgument(end, 'end')
  signalArgument(signal)
  checkWritable(socket)
  checkFree(source)
  throwIfAborted(signal)

  const stop = new AbortController()
  let fail!: (error: unknown) => void
  const failed = new Promise<never>((_, reject) => {
    fail = (error) => {
      reject(error)
      stop.abort()
    }
  })
  // It may reject when nothing waits for it any more.
  failed.catch(() => {})
  const onClose = (): void => fail(closedError('the socket is closed', socket.errored))
  const stopListening = whenAborted(signal, fail)
  source.lent = true
  try {
    listen(socket, source, { error: fail, close: onClose })
    // A write that the peer does not read must not hold up an abort. Its views stay lent until it is over.
    await Promise.race([writeAll(source, socket, stop.signal, failed, fail), failed])
    if (end && !socket.writableEnded) await Promise.race([endWriting(socket, failed, fail), failed])
  } finally {
    for (const [event, listener] of [
      ['error', fail],
      ['close', onClose],
    ] as const) {
      callSafely(() => removeListener(socket, event, listener))
    }
    stopListening()
  }
}

/** Adds listeners before the present ones, which could throw and so keep these from being called. On failure it frees `source`. */
function listen(socket: Socket, source: RingSource, listeners: Record<string, (error: unknown) => void>): void {
  try {
    for (const [event, listener] of Object.entries(listeners)) socket.prependListener(event, listener)
  } catch (error) {
    source.giveBack(0)
    throw error
  }
}

async function writeAll(
  source: RingSource,
  socket: Socket,
  signal: AbortSignal,
  failed: Promise<never>,
  fail: (error: unknown) => void,
): Promise<void> {
  try {
    while (!signal.aborted && (source.available > 0 || (await source.wait(1, { signal })) > 0)) {
      const failure = await new Promise<Failure | null>((resolve) => {
        writeLent(source, socket, {
          onThrown: fail,
          onDone(failure) {
            // The half stays busy between two writes, too.
            source.lent = true
            resolve(failure)
          },
        })
      })
      if (failure !== null) await brokenBy(failure, socket, failed, fail)
    }
  } finally {
    source.giveBack(0)
  }
}

async function endWriting(socket: Socket, failed: Promise<never>, fail: (error: unknown) => void): Promise<void> {
  const error = await new Promise<unknown>((resolve) => {
    socket.end((reason?: Error | null) => resolve(reason))
  })
  if (error != null) await brokenBy({ error }, socket, failed, fail)
}

/** Waits for the socket's own error if it breaks: the error of a write or an end is often only a consequence. */
async function brokenBy(
  { error }: Failure,
  socket: Socket,
  failed: Promise<never>,
  fail: (error: unknown) => void,
): Promise<void> {
  if (!socket.destroyed) fail(error)
  await failed
}
