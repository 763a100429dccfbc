import {
  type LinkStep,
  type LinkWay,
  nextStep,
  releaseGrants,
  tryComing,
  tryReplacing,
  waitForGrant,
} from '../../native/relay.js'
import { nativeWait } from '../../native/wait.js'
import type { SessionSocket } from '../session/socket.js'

/** Next step of a lane. One record serves all lanes, because it is read at once. */
const step: LinkStep = { drained: 0, payload: 0, quota: 0 }

/** One direction of a link in a relay with a memory budget. It lets `from` read no more than there is memory for. */
export class RelayLane {
  readonly #way: LinkWay
  readonly #from: SessionSocket
  readonly #to: SessionSocket
  readonly #onFailure: (error: Error) => void
  /** Whether there are grants to give back when the output is empty. */
  #granted = false
  #waiting: AbortController | null = null
  #stopped = false

  constructor(
    link: LinkWay['link'],
    direction: LinkWay['direction'],
    from: SessionSocket,
    to: SessionSocket,
    onFailure: (error: Error) => void,
  ) {
    this.#way = { link, direction, from: from.core.handle, to: to.core.handle }
    this.#from = from
    this.#to = to
    this.#onFailure = onFailure
  }

  /** Whether a frame waits for memory. */
  get waiting(): boolean {
    return this.#waiting !== null
  }

  /** Sets how much may be read next, and after what. Called after every read, when the frames that came are in the output. */
  review(): void {
    const to = this.#to.core
    if (this.#stopped || this.#from.core.freed || to.freed) return
    nextStep(this.#way, step)
    const { drained, payload, quota } = step
    this.#from.quota = quota
    if (to.pending > drained) {
      this.#hold(drained, payload)
    } else {
      this.#release(drained)
      if (payload > 0 && !this.#grantNow(payload)) this.#hold(drained, payload)
    }
  }

  /** Grants memory for a payload that goes out in place of another. Returns false if there is not enough now. */
  makeRoom(payload: number): boolean {
    const granted = tryReplacing(this.#way, payload)
    this.#granted ||= granted
    return granted
  }

  /** Waits for nothing more: the link ends, or what comes in is thrown away. */
  stop(): void {
    this.#stopped = true
    this.#waiting?.abort()
  }

  /** Grants memory for a frame. Returns false if it must wait. A frame that is at fault fails the link, and waits for nothing. */
  #grantNow(payload: number): boolean {
    try {
      const granted = tryComing(this.#way, payload)
      this.#granted ||= granted
      return granted
    } catch (error) {
      this.#onFailure(error as Error)
      return true
    }
  }

  #hold(drained: number, payload: number): void {
    this.#from.hold()
    const resume = (): void => this.#from.resume()
    // Also after a failure: a session that fails while others wait for it closes its own socket.
    this.#prepare(drained, payload).then(resume, resume)
  }

  async #prepare(drained: number, payload: number): Promise<void> {
    const to = this.#to.core
    await to.drainedTo(drained)
    if (this.#stopped || to.freed) return
    this.#release(drained)
    if (payload > 0 && !this.#grantNow(payload)) await this.#wait(payload)
  }

  async #wait(payload: number): Promise<void> {
    const waiting = new AbortController()
    this.#waiting = waiting
    try {
      await nativeWait(
        () => ({ signal: waiting.signal }),
        (settled) => waitForGrant(this.#way, payload, settled),
        () => {},
      )
      this.#granted = true
    } finally {
      this.#waiting = null
    }
  }

  #release(drained: number): void {
    const to = this.#to.core
    if (!this.#granted || drained > 0 || to.pending > 0) return
    this.#granted = false
    releaseGrants(this.#way, to.reported)
    to.update()
  }
}
