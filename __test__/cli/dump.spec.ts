import { expect, it } from 'vitest'
import { SetTarget, SubmitSharesStandard, SubmitSharesSuccess } from '../../src/sv2/messages/index.js'
import { dial, eventually, startPool } from '../support/network.js'
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

it('knows the messages by name', async () => {
  const run = new CliRun(['dump', '--listen', '127.0.0.1:0', '--upstream', '127.0.0.1:1', '--type', 'Nothing'])
  expect(await run.exitCode()).toBe(2)
})
