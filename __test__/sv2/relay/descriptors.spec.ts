import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { dial, echo, eventually, PATIENCE_MS, quiet, startPool } from '../../support/network.js'
import { relayOptions } from '../../support/relay.js'

const LIMIT = 256
/** Descriptors that the program opens when the relay listens already. */
const OTHERS = 100
/** With two descriptors each, and those of the program, they would be more than the limit. */
const MINERS = 75

const program = `
  import { openSync } from 'node:fs'
  import { setTimeout as sleep } from 'node:timers/promises'
  import { createRelay } from './dist/src/sv2/index.js'
  const { options, count, chosen } = JSON.parse(process.argv[1])
  const { upstream } = options
  if (chosen) options.upstream = () => sleep(200).then(() => upstream)
  const relays = Array.from({ length: count }, () => createRelay(options))
  const reasons = []
  for (const relay of relays) relay.on('disconnect', ({ reason }) => reasons.push(reason))
  const ports = []
  for (const relay of relays) ports.push((await relay.listen()).port)
  for (let other = 0; other < ${OTHERS}; other++) openSync('/dev/null')
  console.log(JSON.stringify(ports))
  process.stdin.on('end', async () => {
    for (const relay of relays) await relay.close()
    console.log(JSON.stringify({ reasons, pauses: relays.map((relay) => relay.stats().refused.descriptors) }))
    process.exit()
  }).resume()
`

it.skipIf(process.platform === 'win32').each([
  ['one relay', {}],
  ['a relay with two threads', { threads: 2 }],
  ['a relay that chooses a mining pool for each miner', { chosen: true }],
  ['two relays', { count: 2 }],
])(
  '%s in a program that takes descriptors later lets all miners in, one after another, and opens none too many',
  async (_, { threads = 1, count = 1, chosen = false }: { threads?: number; count?: number; chosen?: boolean }) => {
    const pool = await startPool(echo)
    const given = JSON.stringify({ options: relayOptions(pool.port, { threads }), count, chosen })
    const node = [process.execPath, '--input-type=module', '-e', program, given]
    const child = spawn('sh', ['-c', `ulimit -n ${LIMIT} && exec "$@"`, 'sh', ...node], {
      cwd: fileURLToPath(new URL('../../..', import.meta.url)),
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    onTestFinished(() => {
      child.kill('SIGKILL')
    })
    const lines = createInterface(child.stdout)
    const [line] = await once(lines, 'line')
    const ports = JSON.parse(line) as number[]
    const serve = async (index: number): Promise<void> => {
      // On a slow machine a miner may be silent for so long that it has to make room for another. It comes again, as miners do.
      for (let served = false; !served; ) {
        const miner = dial(ports[index % ports.length]!)
        const open = await miner.session.established().then(
          () => true,
          () => false,
        )
        if (open) miner.session.send({ messageType: 0 }, new Uint8Array(0))
        await eventually(() => expect(miner.closed || miner.frames.length === 1).toBe(true))
        served = miner.frames.length === 1
        await quiet()
        miner.socket.end()
        await eventually(() => expect(miner.closed).toBe(true))
      }
    }
    await Promise.all(Array.from({ length: MINERS }, (_, index) => serve(index)))
    child.stdin.end()
    const [last] = await once(lines, 'line')
    const { reasons, pauses } = JSON.parse(last) as { reasons: string[]; pauses: number[] }
    expect(reasons.length).toBeGreaterThanOrEqual(MINERS)
    expect(reasons.filter((reason) => /EMFILE|too many/i.test(reason))).toEqual([])
    expect(Math.max(...pauses)).toBeGreaterThan(0)
  },
  2 * PATIENCE_MS,
)
