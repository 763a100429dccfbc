import { expect, onTestFinished } from 'vitest'
import { createRelay, type Relay, type RelayOptions } from '../../src/sv2/index.js'
import { authority } from './sessions.js'

/** Returns options of a relay to a pool of the tests, on a free port. */
export function relayOptions(upstreamPort: number, options: Partial<RelayOptions> = {}): RelayOptions {
  const { authorityPublicKey } = authority
  const upstream = { host: '127.0.0.1', port: upstreamPort, authorityPublicKey }
  return { listen: { port: 0 }, upstream, ...authority, ...options }
}

/** Starts a relay until the end of the test, and checks that it then holds nothing. */
export async function startRelay(
  upstreamPort: number,
  options?: Partial<RelayOptions>,
): Promise<{ relay: Relay; port: number }> {
  const relay = createRelay(relayOptions(upstreamPort, options))
  onTestFinished(async () => {
    await relay.close({ drainMs: 0 })
    expect(relay.stats()).toMatchObject({ connections: 0, memoryBytes: 0 })
  })
  return { relay, port: (await relay.listen()).port }
}
