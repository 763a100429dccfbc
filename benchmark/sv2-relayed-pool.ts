// An echo pool in this process, and a relay to it in a separate process.
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { answerOf } from './answer.js'
import { startEchoPool } from './echo-pool.js'
import type { RelayReport } from './sv2-relay-process.js'

export interface RelayedPool {
  /** Port and authority key of the relay, for miners. */
  port: number
  authorityPublicKey: string
  /** Returns the state of the relay's process. */
  report(): Promise<RelayReport>
  stop(): void
}

/** Starts the pool and the relay. `addon` is the native addon for the relay, by default the one beside the facade. */
export async function startRelayedPool(addon?: string): Promise<RelayedPool> {
  const { server: pool, keys, upstream } = await startEchoPool()
  // One miner sends as much here as many do elsewhere.
  const options = JSON.stringify({
    listen: { port: 0 },
    upstream,
    ...keys,
    maxFramesPerSecond: 0,
    maxBytesPerSecond: 0,
  })
  const env = addon === undefined ? process.env : { ...process.env, FRAMEPOOL_ADDON: addon }
  const relay = fork(fileURLToPath(new URL('sv2-relay-process.js', import.meta.url)), [options], { env })
  // The process has printed the reason.
  relay.on('exit', (code) => code && process.exit(code))
  const port = await answerOf<number>(relay)
  return {
    port,
    authorityPublicKey: keys.authorityPublicKey,
    async report() {
      relay.send('report')
      return await answerOf<RelayReport>(relay)
    },
    stop() {
      relay.kill()
      pool.close()
    },
  }
}
