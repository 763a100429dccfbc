import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Figures } from '../../src/cli/demo/coordinator.js'
import { FrameLog } from '../../src/cli/demo/frame-log.js'
import type { PoolCommand, PoolEvent } from '../../src/cli/demo/ipc.js'
import { reasons } from '../../src/cli/demo/report.js'
import { Verifier } from '../../src/cli/demo/verify.js'
import { generateAuthorityKeypair, Sv2Session } from '../../src/sv2/index.js'
import {
  type EncodableFields,
  type Message,
  NewMiningJob,
  OpenMiningChannelError,
  OpenStandardMiningChannel,
  OpenStandardMiningChannelSuccess,
  SetNewPrevHash,
  SetupConnection,
  SetupConnectionError,
  SetupConnectionProtocol,
  SetupConnectionSuccess,
  SubmitSharesError,
  SubmitSharesStandard,
  SubmitSharesSuccess,
} from '../../src/sv2/messages/index.js'
import { CliRun } from '../support/run-cli.js'

/** Milliseconds. Processes start and wait for each other, so this is far above the default. It measures nothing. */
const PATIENCE_MS = 60_000

const KEYS = [
  'miners',
  'seconds',
  'sharesSent',
  'sharesAccepted',
  'lost',
  'mismatched',
  'framesForwarded',
  'framesPerSecond',
  'rttP50Micros',
  'rttP99Micros',
  'relayCpuMicrosPerFrame',
  'gcCount',
  'peakRssBytes',
  'heapFallbacks',
]

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? ''
}

describe('framepool demo', { timeout: PATIENCE_MS }, () => {
  it('answers every share and ends with one JSON object', async () => {
    const run = new CliRun(['demo', '--miners', '4', '--duration', '1', '--json'])
    expect(await run.exitCode()).toBe(0)
    expect(run.stderr).toContain('shares sent / accepted')
    const result = JSON.parse(lastLine(run.stdout))
    expect(Object.keys(result)).toEqual(expect.arrayContaining(KEYS))
    expect(result).toMatchObject({ miners: 4, lost: 0, mismatched: 0, heapFallbacks: 0 })
    expect(result.sharesAccepted).toBeGreaterThan(0)
    expect(result.sharesAccepted).toBe(result.sharesSent)
    expect(result.framesForwarded).toBeGreaterThanOrEqual(2 * result.sharesAccepted)
    for (const key of ['seconds', 'framesPerSecond', 'rttP50Micros', 'relayCpuMicrosPerFrame', 'peakRssBytes']) {
      expect(result[key]).toBeGreaterThan(0)
    }
  })

  it('keeps accepting shares when the block changes', async () => {
    const run = new CliRun(['demo', '--miners', '3', '--duration', '4', '--json'])
    expect(await run.exitCode()).toBe(0)
    const result = JSON.parse(lastLine(run.stdout))
    expect(result).toMatchObject({ lost: 0, mismatched: 0, sharesAccepted: result.sharesSent })
    // Besides the answers, each of the three miners received at least one job and its prevhash.
    expect(result.framesDownstream).toBeGreaterThanOrEqual(result.sharesAccepted + 6)
  })

  it.each(['SIGINT', 'SIGTERM'] as const)('drains on %s, and still prints the table', async (signal) => {
    const run = new CliRun(['demo', '--miners', '4', '--duration', '600'])
    await run.written(/shares accepted/)
    run.kill(signal)
    expect(await run.exitCode()).toBe(0)
    expect(run.stdout).toMatch(/^lost +0$/m)
    expect(run.stdout).toMatch(/^mismatched +0$/m)
    expect(run.stderr).toBe('')
  })

  it('gives up on a second Ctrl-C', async () => {
    const run = new CliRun(['demo', '--miners', '4', '--duration', '600'])
    const [, pool] = await run.written(/^pool .*process (\d+)$/m)
    await run.written(/shares accepted/)
    // The pool is stopped, so the last answers cannot come and the drain lasts until the second signal.
    process.kill(Number(pool), 'SIGSTOP')
    run.kill('SIGINT')
    setTimeout(() => run.kill('SIGINT'), 1000)
    const exitCode = await run.exitCodeAlone()
    process.kill(Number(pool), 'SIGKILL')
    expect(exitCode).toBe(130)
    expect(run.stdout).not.toContain('shares sent / accepted')
  })

  it.each(['pool', 'relay', 'miners'])('fails and gives the reason when its %s process dies', async (role) => {
    const run = new CliRun(['demo', '--miners', '4', '--duration', '600', '--json'])
    await run.written(/shares accepted/)
    const [, pid] = await run.written(new RegExp(`^${role} .*process (\\d+)$`, 'm'))
    process.kill(Number(pid), 'SIGKILL')
    expect(await run.exitCode()).toBe(1)
    expect(run.stderr).toContain(`failed: the ${role} process ${pid} died: SIGKILL`)
    expect(JSON.parse(lastLine(run.stdout))).toMatchObject({ miners: 4 })
  })

  it('leaves no process behind when it is killed', async () => {
    const run = new CliRun(['demo', '--miners', '4', '--duration', '600'])
    await run.written(/shares accepted/)
    const pids = [...run.stdout.matchAll(/process (\d+)$/gm)].map(([, pid]) => Number(pid))
    expect(pids).toHaveLength(3)
    run.kill('SIGKILL')
    await run.exitCode()
    await expect.poll(() => pids.filter(isRunning), { timeout: PATIENCE_MS }).toEqual([])
  })
})

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe("the demo's pool", { timeout: PATIENCE_MS }, () => {
  const authority = generateAuthorityKeypair()
  const setUp = {
    protocol: SetupConnectionProtocol.mining,
    minVersion: 2,
    maxVersion: 2,
    flags: 0,
    endpointHost: '127.0.0.1',
    endpointPort: 0,
    vendor: 'test',
    hardwareVersion: '',
    firmware: '',
    deviceId: '',
  }
  let pool: ChildProcess
  let address: { host: string; port: number }
  const failures: string[] = []

  beforeAll(async () => {
    pool = fork(fileURLToPath(new URL('../../dist/src/cli/demo/mining-pool.js', import.meta.url)), {
      serialization: 'advanced',
    })
    pool.on('message', (event: PoolEvent) => {
      if (event.kind === 'failure') failures.push(event.reason)
    })
    pool.send({ kind: 'start', authority } satisfies PoolCommand)
    const [event] = await once(pool, 'message')
    address = event.address
  })
  afterAll(() => pool.disconnect())

  /** A connection to the pool. `next` takes the next message and expects it to be of the given kind. */
  async function open() {
    const socket = connect(address)
    const session = Sv2Session.initiator({ authorityPublicKey: authority.publicKey })
    const frames: { messageType: number; payload: Uint8Array }[] = []
    session.attach(socket, (batch) => {
      for (const { messageType, payload } of batch) frames.push({ messageType, payload: new Uint8Array(payload) })
    })
    while (session.state === 'handshake') await once(socket, 'data')
    return {
      socket,
      send<F extends object>(message: Message<string, F, never>, values: EncodableFields<F>) {
        session.send(message, message.encode(values))
      },
      async next<F extends object>(message: Message<string, F, never>): Promise<F> {
        while (frames.length === 0) await once(socket, 'data')
        const { messageType, payload } = frames.shift()!
        expect(messageType).toBe(message.messageType)
        return message.decode(payload)
      },
    }
  }

  async function openChannel(userIdentity: string) {
    const miner = await open()
    miner.send(SetupConnection, setUp)
    expect(await miner.next(SetupConnectionSuccess)).toEqual({ usedVersion: 2, flags: 0 })
    const request = { requestId: 7, userIdentity, nominalHashRate: 1, maxTarget: new Uint8Array(32) }
    miner.send(OpenStandardMiningChannel, request)
    return { miner, request }
  }

  it('accepts shares of its job, and names the fault of each share that it refuses', async () => {
    const { miner } = await openChannel('careful')
    const { channelId, requestId } = await miner.next(OpenStandardMiningChannelSuccess)
    expect(requestId).toBe(7)
    const { jobId, version, minNtime: none } = await miner.next(NewMiningJob)
    const { jobId: activated, minNtime: ntime } = await miner.next(SetNewPrevHash)
    expect([none, activated]).toEqual([null, jobId])

    const share = { channelId, sequenceNumber: 1, jobId, nonce: 0, ntime, version }
    miner.send(SubmitSharesStandard, share)
    const answer = { channelId, lastSequenceNumber: 1, newSubmitsAcceptedCount: 1, newSharesSum: 1n }
    expect(await miner.next(SubmitSharesSuccess)).toEqual(answer)
    const next = { ...share, sequenceNumber: 2 }
    for (const [faulty, errorCode] of [
      [share, 'duplicate-share'],
      [{ ...next, jobId: jobId + 99 }, 'invalid-job-id'],
      [{ ...next, ntime: ntime - 1 }, 'invalid-share'],
      [{ ...next, channelId: channelId + 99 }, 'invalid-channel-id'],
    ] as const) {
      miner.send(SubmitSharesStandard, faulty)
      const { sequenceNumber } = faulty
      expect(await miner.next(SubmitSharesError)).toEqual({ channelId: faulty.channelId, sequenceNumber, errorCode })
    }
    miner.socket.destroy()
  })

  it.each([
    ['another protocol', { protocol: 1 }, 'unsupported-protocol'],
    ['a newer version only', { minVersion: 3, maxVersion: 3 }, 'protocol-version-mismatch'],
    ['an older version only', { minVersion: 1, maxVersion: 1 }, 'protocol-version-mismatch'],
  ])('refuses %s', async (_what, change, errorCode) => {
    const miner = await open()
    miner.send(SetupConnection, { ...setUp, ...change })
    expect(await miner.next(SetupConnectionError)).toEqual({ flags: 0, errorCode })
    miner.socket.destroy()
  })

  it('refuses a second channel of the same name', async () => {
    const { miner: first } = await openChannel('twin')
    await first.next(OpenStandardMiningChannelSuccess)
    const { miner: second } = await openChannel('twin')
    expect(await second.next(OpenMiningChannelError)).toEqual({ requestId: 7, errorCode: 'invalid-user-identity' })
    first.socket.destroy()
    second.socket.destroy()
  })

  it('ends a connection that asks for a channel before SetupConnection, and says why', async () => {
    const miner = await open()
    miner.send(OpenStandardMiningChannel, {
      requestId: 1,
      userIdentity: 'hasty',
      nominalHashRate: 1,
      maxTarget: new Uint8Array(32),
    })
    await once(miner.socket, 'close')
    const reason = 'mining pool, of a miner without a channel: a channel was asked for before SetupConnection'
    await expect.poll(() => failures).toContain(reason)
  })

  it('ends a connection that sends a message only a pool may send, and says why', async () => {
    const miner = await open()
    miner.send(SetupConnectionSuccess, { usedVersion: 2, flags: 0 })
    await once(miner.socket, 'close')
    await expect.poll(() => failures).toContain('mining pool, of a miner without a channel: unexpected message type 1')
  })
})

describe('the comparison of frames', () => {
  const share = { messageType: 0x1a, extensionType: 0, channelMessage: true }
  const payload = Uint8Array.of(1, 2, 3)

  /** Returns the report of one end after `fill` has logged its frames. */
  function record(fill: (log: FrameLog) => void) {
    const log = new FrameLog()
    log.identity = 'miner-1'
    fill(log)
    return [log.take()!]
  }

  it('finds equal frames equal, however the reports split them', () => {
    const verifier = new Verifier()
    verifier.add(
      'miners',
      record((log) => log.addSent(share, payload)),
    )
    expect(verifier).toMatchObject({ isSettled: false, missing: 1, surplus: 0, differing: 0 })
    verifier.add(
      'pool',
      record((log) => {
        log.addReceived(share, payload)
        log.addReceived(share, Uint8Array.of(4))
      }),
    )
    expect(verifier).toMatchObject({ isSettled: false, missing: 0, surplus: 1, differing: 0 })
    verifier.add(
      'miners',
      record((log) => log.addSent(share, Uint8Array.of(4))),
    )
    expect(verifier).toMatchObject({ isSettled: true, missing: 0, surplus: 0, differing: 0 })
  })

  it.each([
    ['type', { ...share, messageType: 0x1b }, payload],
    ['extension', { ...share, extensionType: 0x0100 }, payload],
    ['channel bit', { ...share, channelMessage: false }, payload],
    ['payload', share, Uint8Array.of(1, 2, 4)],
  ])('finds a frame of another %s', (_what, header, received) => {
    const verifier = new Verifier()
    verifier.add(
      'pool',
      record((log) => log.addSent(share, payload)),
    )
    verifier.add(
      'miners',
      record((log) => log.addReceived(header, received)),
    )
    expect(verifier).toMatchObject({ isSettled: true, differing: 1 })
  })

  it('finds frames that swapped places', () => {
    const verifier = new Verifier()
    const other = Uint8Array.of(4)
    verifier.add(
      'pool',
      record((log) => {
        log.addSent(share, payload)
        log.addSent(share, other)
      }),
    )
    verifier.add(
      'miners',
      record((log) => {
        log.addReceived(share, other)
        log.addReceived(share, payload)
      }),
    )
    expect(verifier).toMatchObject({ isSettled: true, differing: 2 })
  })

  it('keeps the frames of a connection without a name', () => {
    const log = new FrameLog()
    log.addReceived(share, payload)
    expect(log.take()).toBeNull()
    log.identity = 'miner-1'
    expect(log.take()).toMatchObject({ identity: 'miner-1', received: { length: 8 }, sent: { length: 0 } })
    expect(log.take()).toBeNull()
  })
})

describe('the reasons to fail', () => {
  const figures: Figures = {
    miners: 1,
    shares: { sent: 10, accepted: 10, rejected: 0, rttP50Micros: 1, rttP99Micros: 1 },
    relay: {
      seconds: 1,
      framesUpstream: 10,
      framesDownstream: 10,
      bytesUpstream: 1,
      bytesDownstream: 1,
      cpuMicros: 1,
      gcCount: 0,
      rssBytes: 1,
      rssAfter2sBytes: null,
      peakRssBytes: 1,
      heapFallbacks: 0,
    },
    lost: 0,
    mismatched: 0,
  }

  it('are none after a run without faults', () => {
    expect(reasons({ figures, failures: [] })).toEqual([])
  })

  it.each([
    [{ lost: 1 }, 'lost shares or frames: 1'],
    [{ mismatched: 2 }, 'frames that differ from what was sent: 2'],
    [{ shares: { ...figures.shares, accepted: 9, rejected: 1 } }, 'rejected shares: 1'],
    [{ shares: { ...figures.shares, accepted: 0, sent: 0 } }, 'no share was accepted'],
  ])('%j', (change, reason) => {
    expect(reasons({ figures: { ...figures, ...change }, failures: [] })).toEqual([reason])
  })

  it('list the first failures and count the rest', () => {
    const failures = Array.from({ length: 50 }, (_, index) => `miner-${index}: closed`)
    const listed = reasons({ figures, failures })
    expect(listed.slice(0, 5)).toEqual(failures.slice(0, 5))
    expect(listed.slice(5)).toEqual(['and 45 more like these'])
  })
})
