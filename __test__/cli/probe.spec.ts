import { createServer } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { SetupConnection, SetupConnectionError, SetupConnectionSuccess } from '../../src/sv2/messages/index.js'
import { listening, startPool } from '../support/network.js'
import { CliRun } from '../support/run-cli.js'
import { authority } from '../support/sessions.js'

const url = (port: number, key = authority.authorityPublicKey) => `stratum2+tcp://127.0.0.1:${port}/${key}`

it('says that a server accepts, and ends with 0', async () => {
  const versions: number[] = []
  const pool = await startPool((batch, { session }) => {
    for (const { payload } of batch) versions.push(SetupConnection.decode(payload).maxVersion)
    session.send(SetupConnectionSuccess, { usedVersion: 2, flags: 1 })
  })
  const run = new CliRun(['probe', url(pool.port)])
  expect(await run.exitCode()).toBe(0)
  expect(run.stdout).toMatch(
    /^connected to .+\nhandshake in .+\nanswer in \d+ ms: SetupConnectionSuccess usedVersion=2 flags=1\n$/,
  )
  expect(versions).toEqual([2])
})

const version = SetupConnectionSuccess.encode({ usedVersion: 7, flags: 0 })
const wrong = [
  ['malformed', new Uint8Array(2), 'SetupConnectionSuccess.flags: no U32 at offset 2 of 2 bytes'],
  ['of another version', version, 'the server wants version 7, which was not offered'],
] as const

it.each(wrong)('takes a success that is %s for a failure', async (_, payload, error) => {
  const { messageType } = SetupConnectionSuccess
  const pool = await startPool((__, { session }) => session.send({ messageType }, payload))
  const run = new CliRun(['probe', url(pool.port), '--json'])
  expect(await run.exitCode()).toBe(1)
  expect(JSON.parse(run.stdout)).toMatchObject({ answer: expect.stringContaining('SetupConnectionSuccess'), error })
})

it('says why a server does not, and ends with 1', async () => {
  const pool = await startPool((_, { session }) => {
    session.send(SetupConnectionError, { flags: 0, errorCode: 'unsupported-protocol' })
  })
  const run = new CliRun(['probe', url(pool.port), '--protocol', 'job-declaration', '--json'])
  expect(await run.exitCode()).toBe(1)
  expect(JSON.parse(run.stdout)).toMatchObject({
    answer: 'SetupConnectionError flags=0 errorCode="unsupported-protocol"',
    error: 'the server refused the connection',
  })
})

it('says that there is no server, or none that answers', async () => {
  const silent = createServer((socket) => socket.resume())
  onTestFinished(() => {
    silent.close()
  })
  const port = await listening(silent)
  const waiting = new CliRun(['probe', url(port), '--timeout', '0.3'])
  expect(await waiting.exitCode()).toBe(1)
  expect(waiting.stdout).toContain('failed: ')
  const refused = new CliRun(['probe', url(1)])
  expect(await refused.exitCode()).toBe(1)
  expect(refused.stdout).toContain('ECONNREFUSED')
})

it.each([
  ['127.0.0.1:1'],
  ['stratum2+tcp://127.0.0.1:1'],
  ['stratum2+tcp://127.0.0.1/abc'],
  ['stratum2+tcp://127.0.0.1:1/abc'],
])('%s is a usage error', async (text) => {
  const run = new CliRun(['probe', text])
  expect(await run.exitCode()).toBe(2)
  expect(run.stdout).toBe('')
})
