import { expect, it } from 'vitest'
import { SetTarget, SubmitSharesStandard, SubmitSharesSuccess } from '../../src/sv2/messages/index.js'
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
  const [, leftOut] = await run.written(/(\d+) frames were left out/)
  run.resume()
  expect(await run.exitCode()).toBe(0)
  expect(Number(leftOut)).toBeGreaterThan(0)
  expect(run.stdout.trimEnd().split('\n').length + Number(leftOut)).toBe(2 * COUNT)
})

it('knows the messages by name', async () => {
  const run = new CliRun(['dump', '--listen', '127.0.0.1:0', '--upstream', '127.0.0.1:1', '--type', 'Nothing'])
  expect(await run.exitCode()).toBe(2)
})
