import { invalidArgType } from '../../support/errors.js'
import type { EncodableFields } from '../messages/message.js'
import type { Tlv } from '../messages/tlv.js'
import type { SendableMessage } from '../session/encoded.js'

/** Attributes of the properties that nobody can change. */
const FIXED = { writable: false, configurable: false }

const handleKey = Symbol('framepool.relay-link')

/** The requests that a handle makes of its link. */
export interface LinkControl {
  /** Sends a message of the user's own. */
  send(
    direction: 'upstream' | 'downstream',
    message: SendableMessage<object>,
    fields: object,
    tlvs: readonly Tlv[] | undefined,
  ): boolean
  /** Closes both connections once all bytes that were sent to each have gone out. */
  close(reason?: string): void
}

/** One miner's connection and the connection to the mining pool that belongs to it, as `onFrame` gets it. */
export class RelayLinkHandle {
  readonly #link: LinkControl
  /** Number of the connection, as in the relay's events. */
  readonly id: number
  /** Address that the miner connected from. */
  readonly remoteAddress: string
  /** TCP port that the miner connected from. */
  readonly remotePort: number
  /** Value that the user of the relay keeps for the miner; undefined at first. */
  data: unknown = undefined

  /** @internal */
  constructor(key: symbol, link: LinkControl, id: number, remoteAddress: string, remotePort: number) {
    if (key !== handleKey) throw invalidArgType('a link comes from onFrame')
    this.#link = link
    this.id = id
    this.remoteAddress = remoteAddress
    this.remotePort = remotePort
    for (const name of ['id', 'remoteAddress', 'remotePort']) Object.defineProperty(this, name, FIXED)
  }

  /**
   * Sends a message to the mining pool (`upstream`) or the miner (`downstream`), after the frames that were forwarded before. Throws the
   * errors of the message's `encode()`, and `ERR_SV2_STATE` after the end of the link. A message for which `maxMemory` has no room ends the
   * link. When one side has ended its connection, the relay ends the other in turn, and drops messages for it from then on.
   *
   * @returns False when 64 KiB or more were sent in that direction at once, and from then on until the output has drained. When a message
   *   leaves the output over its high-water mark, the relay reads nothing more from the link until the output has drained.
   */
  send<F extends object>(
    direction: 'upstream' | 'downstream',
    message: SendableMessage<F>,
    fields: EncodableFields<F>,
    tlvs?: readonly Tlv[],
  ): boolean {
    if (direction !== 'upstream' && direction !== 'downstream') {
      throw invalidArgType("direction must be 'upstream' or 'downstream'")
    }
    return this.#link.send(direction, message as SendableMessage<object>, fields, tlvs)
  }

  /**
   * Closes both connections once all bytes that were sent to each have gone out, after 5 seconds at the latest. No frame passes any more.
   * The relay's event `disconnect` tells `reason`.
   */
  close(reason?: string): void {
    if (reason !== undefined && typeof reason !== 'string') throw invalidArgType('reason must be a string')
    this.#link.close(reason)
  }
}

/** Makes the handle of a link. */
export function handleOf(link: LinkControl, id: number, remoteAddress: string, remotePort: number): RelayLinkHandle {
  return new RelayLinkHandle(handleKey, link, id, remoteAddress, remotePort)
}
