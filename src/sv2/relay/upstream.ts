import dns from 'node:dns'
import { isIP } from 'node:net'
import { integerArgument, optionsArgument, stringArgument } from '../../support/arguments.js'
import { FramePoolError, invalidArgType } from '../../support/errors.js'
import { errorOfThrown } from '../../support/thrown.js'
import { Sv2Session } from '../session/session.js'

/** A mining pool that a miner is connected to. */
export interface Upstream {
  /** Name or IP address of the mining pool. */
  host: string
  /** TCP port of the mining pool: 1 to 65,535. */
  port: number
  /** Key that the mining pool's certificate must be signed with, as base58check. Without it, any server is accepted. */
  authorityPublicKey?: string
}

/** A miner that has finished its handshake and sent a frame, and is to be connected to a mining pool. */
export interface UpstreamRequest {
  /** Number of the connection, as in the event `connection`. */
  readonly id: number
  /** Address that the miner connected from. */
  readonly remoteAddress: string
  /** TCP port that the miner connected from. */
  readonly remotePort: number
}

/** Chooses the mining pool of a miner. An error that it throws or rejects with ends the miner's connection. */
export type ChooseUpstream = (connection: UpstreamRequest) => Upstream | Promise<Upstream>

/** Returns a checked copy of an upstream. Errors call it `name`. */
export function checkedUpstream(upstream: Upstream | undefined, name: string): Upstream {
  const { host, port, authorityPublicKey } = optionsArgument(upstream, name)
  const checked = {
    host: stringArgument(host, `${name}.host`),
    port: integerArgument(port, `${name}.port`, 1, 65_535),
  }
  if (authorityPublicKey === undefined) return checked
  stringArgument(authorityPublicKey, `${name}.authorityPublicKey`)
  checkKey(`${name}.authorityPublicKey`, () => Sv2Session.initiator({ authorityPublicKey }))
  return { ...checked, authorityPublicKey }
}

/** Makes a session that uses the key called `name`, and names it in the error if it is bad. */
export function checkKey(name: string, make: () => Sv2Session): void {
  try {
    make().close()
  } catch (cause) {
    if (!(cause instanceof FramePoolError) || cause.code !== 'ERR_SV2_KEY') throw cause
    throw new FramePoolError('ERR_SV2_KEY', `${name}: ${cause.message}`, { cause })
  }
}

/**
 * Resolves with the IP addresses of a host, in the order in which they should be tried, or with the error of a name that has none.
 * Rejects with the error that a lookup of the user's own throws, and with `ERR_INVALID_ARG_TYPE` if it gives something else.
 */
export function addressesOf(host: string): Promise<string[] | Error> {
  if (isIP(host) !== 0) return Promise.resolve([host])
  return new Promise((resolve, reject) => {
    // Node's own lookup, which may have been replaced.
    try {
      dns.lookup(host, { all: true }, (error: unknown, found: unknown) => {
        try {
          if (error == null) resolve(checkedAddresses(found))
          else resolve(errorOfThrown(error))
        } catch (thrown) {
          reject(errorOfThrown(thrown))
        }
      })
    } catch (thrown) {
      reject(thrown)
    }
  })
}

/** Returns the addresses that a lookup has found. One of the user's own may give a single address, as sockets take it, or anything. */
function checkedAddresses(found: unknown): string[] {
  const given: unknown = typeof found === 'string' ? [{ address: found }] : found
  if (!Array.isArray(given)) throw invalidArgType('dns.lookup() gave no addresses')
  return Array.from(given, (entry: { address?: unknown } | null | undefined) => {
    const address = entry?.address
    if (typeof address === 'string' && isIP(address) !== 0) return address
    throw invalidArgType('dns.lookup() gave something that is no IP address')
  })
}
