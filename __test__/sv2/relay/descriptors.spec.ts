import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { begin, echo, eventually, PATIENCE_MS, quiet, startPool } from '../../support/network.js'
import { relayOptions } from '../../support/relay.js'

const LIMIT = 256
/** Descriptors that the program opens when the relay listens already. */
const OTHERS = 100
/** With two descriptors each, and those of the program, they would be more than the limit. */
const MINERS = 75

const program = `
  import { openSync } from 'node:fs'
  import { createRelay } from './dist/src/sv2/index.js'
  const relay = createRelay(JSON.parse(process.argv[1]))
  const reasons = []
  relay.on('disconnect', ({ reason }) => reasons.push(reason))
  const { port } = await relay.listen()
  for (let count = 0; count < ${OTHERS}; count++) openSync('/dev/null')
  console.log(JSON.stringify({ port }))
  process.stdin.on('end', async () => {
    await relay.close()
    console.log(JSON.stringify({ reasons, refused: relay.stats().refused }))
    process.exit()
  }).resume()
`

it.skipIf(process.platform === 'win32')(
  'a relay in a program that takes descriptors later lets all miners in, one after another, and opens none too many',
  async () => {
    const pool = await startPool(echo)
    const options = JSON.stringify(relayOptions(pool.port))
    const node = [process.execPath, '--input-type=module', '-e', program, options]
    const child = spawn('sh', ['-c', `ulimit -n ${LIMIT} && exec "$@"`, 'sh', ...node], {
      cwd: fileURLToPath(new URL('../../..', import.meta.url)),
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    onTestFinished(() => {
      child.kill('SIGKILL')
    })
    const lines = createInterface(child.stdout)
    const [line] = await once(lines, 'line')
    const { port } = JSON.parse(line) as { port: number }
    const serve = async (): Promise<void> => {
      const miner = await begin(port)
      await eventually(() => expect(miner.frames.length).toBe(1))
      await quiet()
      miner.socket.end()
      await eventually(() => expect(miner.closed).toBe(true))
    }
    await Promise.all(Array.from({ length: MINERS }, serve))
    child.stdin.end()
    const [last] = await once(lines, 'line')
    const { reasons, refused } = JSON.parse(last) as { reasons: string[]; refused: { descriptors: number } }
    expect(reasons.length).toBe(MINERS)
    expect(reasons.filter((reason) => /EMFILE|too many/i.test(reason))).toEqual([])
    expect(refused.descriptors).toBeGreaterThan(0)
  },
  2 * PATIENCE_MS,
)
