import type { Socket } from 'node:net'
import type { Frame, Sv2Session } from '../../sv2/index.js'
import type { EncodableFields, Message } from '../../sv2/messages/index.js'
import { FrameLog } from './frame-log.js'
import { type Frames, report } from './ipc.js'

const REPORT_INTERVAL_MS = 250

/** Handlers of a connection's events. */
export interface ConnectionHandlers {
  /** Called with each frame. If it throws, for example about a malformed message, the connection ends. */
  onFrame: (frame: Frame) => void
  /** Called when the connection has ended, with the reason, or null after an orderly end. */
  onClose: (reason: string | null) => void
}

/** One end of a connection of the demo. It sends messages through a session, and logs every frame. */
export class Connection {
  readonly log = new FrameLog()
  readonly #session: Sv2Session
  readonly #socket: Socket

  constructor(session: Sv2Session, socket: Socket, { onFrame, onClose }: ConnectionHandlers) {
    this.#session = session
    this.#socket = socket
    session.attach(socket, (batch) => {
      try {
        for (const frame of batch) {
          this.log.addReceived(frame, frame.payload)
          onFrame(frame)
        }
      } catch (error) {
        socket.destroy(error as Error)
      }
    })
    let reason: string | null = null
    socket.on('error', (error) => {
      reason = error.message
    })
    socket.on('close', () => onClose(reason))
  }

  /** Resolves when the handshake is done. */
  established(): Promise<void> {
    return this.#session.established()
  }

  get isOpen(): boolean {
    return this.#session.state === 'transport' && !this.#socket.destroyed
  }

  /** Sends a message. It need not wait for `drained()`: a miner has one share under way, so little can pile up. */
  send<F extends object>(message: Message<string, F, never>, values: EncodableFields<F>): void {
    const payload = message.encode(values)
    this.log.addSent(message, payload)
    this.#session.send(message, payload)
  }
}

/** Sends the logs of `connections` to the coordinator at intervals, so a long run needs no more memory than a short one. */
export function reportFrames(end: Frames['end'], connections: Iterable<Connection>): void {
  setInterval(() => {
    const records = []
    for (const { log } of connections) {
      const record = log.take()
      if (record) records.push(record)
    }
    if (records.length > 0) report({ kind: 'frames', end, records })
  }, REPORT_INTERVAL_MS)
}
