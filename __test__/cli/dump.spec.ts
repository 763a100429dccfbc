import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import {
  ProvideMissingTransactionsSuccess,
  SetTarget,
  SubmitSharesStandard,
  SubmitSharesSuccess,
} from '../../src/sv2/messages/index.js'
import { dial, echo, eventually, PATIENCE_MS, startPool } from '../support/network.js'
import { CliRun } from '../support/run-cli.js'

const share = { channelId: 3, sequenceNumber: 7, jobId: 9, nonce: 1, ntime: 2, version: 4 }

async function dumped(args: string[]) {
  const pool = await startPool((batch, { session }) => {
    for (const { payload } of batch) {
      session.send(SubmitSharesSuccess, {
        ...{ channelId: SubmitSharesStandard.get.channelId(payload), lastSequenceNumber: 7 },
        ...{ newSubmitsAcceptedCount: 1, newSharesSum: 1n },
      })
    }
  })
  const run = new CliRun(['dump', '--listen', '127.0.0.1:0', '--upstream', `127.0.0.1:${pool.port}`, ...args])
  const [, port, key] = await run.written(/stratum2\+tcp:\/\/127\.0\.0\.1:(\d+)\/(\w+)/)
  const miner = dial(Number(port), { authorityPublicKey: key! })
  await miner.session.established()
  miner.session.send(SubmitSharesStandard, share)
  miner.session.send(SubmitSharesStandard, { ...share, channelId: 4 })
  await eventually(() => expect(miner.frames.length).toBe(2))
  await miner.end()
  run.kill('SIGTERM')
  expect(await run.exitCode()).toBe(0)
  expect(run.stderr).toContain('0 frames were left out')
  return run.stdout.trimEnd().split('\n')
}

it('prints each frame, both ways', async () => {
  const lines = await dumped([])
  expect(lines).toHaveLength(4)
  expect(lines).toContain('→ 1 SubmitSharesStandard channelId=3 sequenceNumber=7 jobId=9 nonce=1 ntime=2 version=4')
  expect(lines).toContain(
    '← 1 SubmitSharesSuccess channelId=4 lastSequenceNumber=7 newSubmitsAcceptedCount=1 newSharesSum=1',
  )
})

it('prints what is asked for, as JSON if that is asked for', async () => {
  const lines = await dumped(['--type', 'SubmitShares.Success', '--type', SetTarget.name, '--channel', '3', '--json'])
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { miner: 1, direction: 'downstream', name: 'SubmitSharesSuccess', channelId: 3, bytes: 20, channelMessage: true },
  ])
  expect(await dumped(['--direction', 'upstream', '--miner', '1'])).toHaveLength(2)
  expect(await dumped(['--miner', '2'])).toEqual([''])
})

it('leaves out what nobody reads, counts it, and passes on all frames meanwhile', {
  timeout: 2 * PATIENCE_MS,
}, async () => {
  const COUNT = 20_000
  const pool = await startPool(echo)
  const run = new CliRun(['dump', '--listen', '127.0.0.1:0', '--upstream', `127.0.0.1:${pool.port}`])
  const [, port, key] = await run.written(/stratum2\+tcp:\/\/127\.0\.0\.1:(\d+)\/(\w+)/)
  run.pause()
  let echoed = 0
  const miner = dial(Number(port), { authorityPublicKey: key! }, (batch) => {
    for (const { payload } of batch) {
      if (SubmitSharesStandard.get.sequenceNumber(payload) !== echoed++) throw new Error('out of order')
    }
  })
  await miner.session.established()
  for (let sequenceNumber = 0; sequenceNumber < COUNT; sequenceNumber++) {
    const more = miner.session.send(SubmitSharesStandard, { ...share, sequenceNumber })
    if (!more) await miner.session.drained()
  }
  await eventually(() => expect(echoed).toBe(COUNT))
  await miner.end()
  run.kill('SIGTERM')
  run.resume()
  const [, leftOut] = await run.written(/(\d+) frames were left out/)
  expect(await run.exitCode()).toBe(0)
  expect(Number(leftOut)).toBeGreaterThan(0)
  expect(run.stdout.trimEnd().split('\n').length + Number(leftOut)).toBe(2 * COUNT)
})

/** Starts a mining pool that sends frames back, a run of `dump`, and a miner. */
async function miner(args: string[], inTerminal = false) {
  const pool = await startPool(echo)
  const all = ['dump', '--listen', '127.0.0.1:0', '--upstream', `127.0.0.1:${pool.port}`, ...args]
  const run = new CliRun(all, {}, inTerminal)
  const [, port, key] = await run.written(/stratum2\+tcp:\/\/127\.0\.0\.1:(\d+)\/(\w+)/)
  let echoed = 0
  const { session } = dial(Number(port), { authorityPublicKey: key! }, ({ length }) => {
    echoed += length
  })
  await session.established()
  /** Resolves when all frames have come back. */
  const exchange = async (count: number) => {
    const wanted = echoed + count
    for (let sequenceNumber = 0; sequenceNumber < count; sequenceNumber++) {
      if (!session.send(SubmitSharesStandard, { ...share, sequenceNumber })) await session.drained()
    }
    await eventually(() => expect(echoed).toBe(wanted))
  }
  return { run, session, exchange }
}

it('ends when it shall, though nobody reads, and counts what was lost', { timeout: 2 * PATIENCE_MS }, async () => {
  const { run, exchange } = await miner([])
  run.pause()
  await exchange(10_000)
  const start = performance.now()
  run.kill('SIGTERM')
  expect(await run.exitCodeAlone()).toBe(0)
  expect(performance.now() - start).toBeLessThan(15_000)
  const [, leftOut] = await run.written(/(\d+) frames were left out/)
  // What lies in a pipe may be as much as 64 KiB, or 1,000 lines.
  expect(Number(leftOut)).toBeGreaterThan(15_000)
  run.resume()
})

it('counts what is lost with its reader, and ends with 1', async () => {
  const { run, exchange } = await miner([])
  await exchange(1)
  await eventually(() => expect(run.stdout.split('\n')).toHaveLength(3))
  run.leave()
  await exchange(50)
  run.kill('SIGTERM')
  expect(await run.exitCode()).toBe(1)
  expect(run.stderr).toContain('100 frames were left out')
  expect(run.stderr.match(/standard output cannot be written/g)).toHaveLength(1)
})

it('takes --max-frame-size as the relay does', async () => {
  const transactionList = [new Uint8Array(2_000_000)]
  const { run, session } = await miner(['--max-frame-size', '16777215'])
  session.send(ProvideMissingTransactionsSuccess, { requestId: 1, transactionList })
  await run.written(/→ 1 ProvideMissingTransactionsSuccess requestId=1 transactionList=\[1\]/)
  const { run: other, session: refused } = await miner(['--max-frame-size', '1000000'])
  refused.send(ProvideMissingTransactionsSuccess, { requestId: 1, transactionList })
  await other.written(/over maxFrameSize \(--max-frame-size\)/)
  for (const each of [run, other]) {
    each.kill('SIGTERM')
    expect(await each.exitCode()).toBe(0)
  }
})

const isTerminalThere = process.platform === 'linux' && spawnSync('script', ['--version']).status === 0

it.skipIf(!isTerminalThere)(
  'is not slowed down by a terminal, and ends, though its output is held',
  {
    timeout: 2 * PATIENCE_MS,
  },
  async () => {
    const { run, exchange } = await miner([], true)
    const [, pid] = await run.written(/pid=(\d+)/)
    await exchange(1)
    await run.written(/← 1 SubmitSharesStandard/)
    // Then the program that reads the terminal waits for us.
    run.pause()
    await exchange(10_000)
    process.kill(Number(pid), 'SIGTERM')
    await eventually(() => {
      const state = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, 'utf8') : 'gone Z'
      expect(state).toMatch(/ Z\b/)
    })
    run.resume()
    expect(await run.exitCode()).toBe(0)
  },
)

it('prints to a terminal', { skip: !isTerminalThere }, async () => {
  const { run, exchange } = await miner([], true)
  const [, pid] = await run.written(/pid=(\d+)/)
  await exchange(20)
  await run.written(/← 1 SubmitSharesStandard channelId=3 sequenceNumber=19/)
  process.kill(Number(pid), 'SIGTERM')
  expect(await run.exitCode()).toBe(0)
  expect(run.stdout).toContain(' 0 frames were left out')
})

it('knows the messages by name', async () => {
  const run = new CliRun(['dump', '--listen', '127.0.0.1:0', '--upstream', '127.0.0.1:1', '--type', 'Nothing'])
  expect(await run.exitCode()).toBe(2)
})
