import { DIGEST_BYTES, type FrameRecord } from './frame-log.js'
import type { Frames } from './ipc.js'

/** The frames of one connection from one end to the other: those that went in, and those that came out. */
class FrameFlow {
  #sent = Buffer.alloc(0)
  #received = Buffer.alloc(0)
  differing = 0

  add(sent: Uint8Array, received: Uint8Array): void {
    this.#sent = Buffer.concat([this.#sent, sent])
    this.#received = Buffer.concat([this.#received, received])
    const both = Math.min(this.#sent.length, this.#received.length)
    for (let start = 0; start < both; start += DIGEST_BYTES) {
      const end = start + DIGEST_BYTES
      if (this.#sent.compare(this.#received, start, end, start, end) !== 0) this.differing++
    }
    // Copies, since a view would keep what has been compared in memory.
    this.#sent = Buffer.from(this.#sent.subarray(both))
    this.#received = Buffer.from(this.#received.subarray(both))
  }

  get missing(): number {
    return this.#sent.length / DIGEST_BYTES
  }

  get surplus(): number {
    return this.#received.length / DIGEST_BYTES
  }
}

/**
 * Compares every frame that one end of a connection sent with the frame that the other end received, in order. It holds only the digests
 * that one end has reported and the other has not yet.
 */
export class Verifier {
  readonly #flows = new Map<string, FrameFlow>()

  add(end: Frames['end'], records: FrameRecord[]): void {
    const none = Buffer.alloc(0)
    for (const { identity, sent, received } of records) {
      this.#flow(`from ${end} ${identity}`).add(sent, none)
      this.#flow(`from ${end === 'pool' ? 'miners' : 'pool'} ${identity}`).add(none, received)
    }
  }

  #flow(name: string): FrameFlow {
    let flow = this.#flows.get(name)
    if (!flow) {
      flow = new FrameFlow()
      this.#flows.set(name, flow)
    }
    return flow
  }

  /** Frames that arrived changed. */
  get differing(): number {
    return this.#sum((flow) => flow.differing)
  }

  /** Frames that were sent, and that the other end has not reported yet. */
  get missing(): number {
    return this.#sum((flow) => flow.missing)
  }

  /** Frames that arrived, and that the other end has not reported yet. */
  get surplus(): number {
    return this.#sum((flow) => flow.surplus)
  }

  /** Whether both ends have reported the same frames. */
  get isSettled(): boolean {
    return this.missing + this.surplus === 0
  }

  #sum(count: (flow: FrameFlow) => number): number {
    let total = 0
    for (const flow of this.#flows.values()) total += count(flow)
    return total
  }
}
