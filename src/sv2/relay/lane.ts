import { reply } from '../../native/call.js'
import {
  type LinkDirection,
  nextStep,
  releaseGrants,
  tryComing,
  tryReplacing,
  waitForGrant,
} from '../../native/relay.js'
import { nativeWait } from '../../native/wait.js'
import { Word } from '../../native/words.js'
import type { SessionSocket } from '../session/socket.js'

/** One direction of a link in a relay with a memory budget: has `from` read no more than there is memory for. */
export class RelayLane {
  readonly #way: LinkDirection
  readonly #from: SessionSocket
  readonly #to: SessionSocket
  readonly #onFailure: (error: Error) => void
  /** There are grants to give back when the output is empty. */
  #granted = false
  #waiting: AbortController | null = null
  #stopped = false

  constructor(
    link: LinkDirection['link'],
    direction: LinkDirection['direction'],
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

  /** After every read, when the frames that came are in the output: says how much may be read next, and after what. */
  review(): void {
    const to = this.#to.core
    if (this.#stopped || this.#from.core.freed || to.freed) return
    nextStep(this.#way)
    const drained = reply(Word.Drained)
    const payload = reply(Word.Granted)
    this.#from.quota = reply(Word.Quota)
    if (to.pending > drained) {
      this.#hold(drained, payload)
    } else {
      this.#release(drained)
      if (payload > 0 && !this.#grantNow(payload)) this.#hold(drained, payload)
    }
  }

  /** Memory for a payload that goes out in another's place; false if there is not enough now. */
  makeRoom(payload: number): boolean {
    const granted = tryReplacing(this.#way, payload)
    this.#granted ||= granted
    return granted
  }

  /** The link ends, or what comes in is thrown away: nothing more is waited for. */
  stop(): void {
    this.#stopped = true
    this.#waiting?.abort()
  }

  /** What is wrong with the frame is the link's failure, and then there is nothing to wait for. */
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
    // A session that fails while others wait for it closes its own socket; here is nothing to be done about it.
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
    if (!this.#granted || drained > 0 || this.#to.core.pending > 0) return
    this.#granted = false
    releaseGrants(this.#way)
    this.#to.core.reported()
  }
}
