/** The demo's miners: one process, with one Noise connection and one share under way for each miner. */
import { connect, type Socket } from 'node:net'
import { createHistogram, performance } from 'node:perf_hooks'
import { type Frame, Sv2Session } from '../../sv2/index.js'
import {
  NewMiningJob,
  OpenMiningChannelError,
  OpenStandardMiningChannel,
  OpenStandardMiningChannelSuccess,
  SetNewPrevHash,
  SetupConnection,
  SetupConnectionError,
  SetupConnectionFlags,
  SetupConnectionProtocol,
  SetupConnectionSuccess,
  SubmitSharesError,
  SubmitSharesStandard,
  SubmitSharesSuccess,
} from '../../sv2/messages/index.js'
import { PROTOCOL_VERSION } from '../constants.js'
import type { Address } from '../options.js'
import { Connection, reportFrames } from './connection.js'
import { type MinersCommand, report, type ShareCounts, serve } from './ipc.js'

const PROGRESS_INTERVAL_MS = 250
/** Number of miners that connect at the same time: well below the length of a listening socket's queue. */
const CONNECTING_AT_ONCE = 64
const NOMINAL_HASH_RATE = 1e12
/** 2^32 divided by the golden ratio: steps of this size visit every nonce, and are far apart. */
const NONCE_STEP = 0x9e37_79b1

type Start = Extract<MinersCommand, { kind: 'start' }>

/** Nanoseconds from a share to its answer, exact to 0.1 %. Its memory does not grow. */
const roundTrips = createHistogram({ lowest: 1, highest: 60e9, figures: 3 })
let sent = 0
let accepted = 0
let rejected = 0
let isDraining = false

class Miner {
  readonly #identity: string
  readonly #connection: Connection
  #channelId = 0
  /** Versions of the jobs that wait for their SetNewPrevHash, by job id. */
  readonly #futureJobs = new Map<number, number>()
  #job: { id: number; version: number; minNtime: number; since: number } | null = null
  #sequenceNumber = 0
  #nonce = 0
  /** Time at which the share under way was submitted, or null if there is none. */
  #submittedAt: bigint | null = null
  #becomeReady = (): void => {}

  constructor(identity: string, session: Sv2Session, socket: Socket) {
    this.#identity = identity
    this.#connection = new Connection(session, socket, {
      onFrame: (frame) => this.#receive(frame),
      onClose: (reason) => {
        report({ kind: 'failure', reason: `${identity}: ${reason ?? 'the relay closed the connection'}` })
        if (isDraining) reportIfDrained()
      },
    })
    this.#connection.log.identity = identity
    connections.push(this.#connection)
  }

  get isWaiting(): boolean {
    return this.#submittedAt !== null && this.#connection.isOpen
  }

  /** Resolves when there is a job to work on. */
  async open({ host, port }: Address): Promise<void> {
    await this.#connection.established()
    const ready = new Promise<void>((resolve) => {
      this.#becomeReady = resolve
    })
    this.#connection.send(SetupConnection, {
      protocol: SetupConnectionProtocol.mining,
      minVersion: PROTOCOL_VERSION,
      maxVersion: PROTOCOL_VERSION,
      flags: SetupConnectionFlags.mining.REQUIRES_STANDARD_JOBS,
      endpointHost: host,
      endpointPort: port,
      vendor: 'framepool',
      hardwareVersion: 'demo',
      firmware: process.version,
      deviceId: this.#identity,
    })
    await ready
  }

  submit(): void {
    const job = this.#job
    // A connection that has ended has been reported.
    if (!job || !this.#connection.isOpen) return
    this.#sequenceNumber++
    this.#nonce = (this.#nonce + NONCE_STEP) >>> 0
    sent++
    this.#submittedAt = process.hrtime.bigint()
    this.#connection.send(SubmitSharesStandard, {
      channelId: this.#channelId,
      sequenceNumber: this.#sequenceNumber,
      jobId: job.id,
      nonce: this.#nonce,
      ntime: job.minNtime + Math.floor((performance.now() - job.since) / 1000),
      version: job.version,
    })
  }

  #receive({ messageType, payload }: Frame): void {
    switch (messageType) {
      case SetupConnectionSuccess.messageType:
        this.#openChannel(SetupConnectionSuccess.decode(payload).usedVersion)
        return
      case OpenStandardMiningChannelSuccess.messageType:
        this.#channelId = OpenStandardMiningChannelSuccess.decode(payload).channelId
        return
      case NewMiningJob.messageType: {
        const { jobId, version } = NewMiningJob.decode(payload)
        this.#futureJobs.set(jobId, version)
        return
      }
      case SetNewPrevHash.messageType:
        this.#adopt(SetNewPrevHash.decode(payload))
        return
      case SubmitSharesSuccess.messageType:
        this.#answered(SubmitSharesSuccess.decode(payload).lastSequenceNumber, true)
        return
      case SubmitSharesError.messageType:
        this.#answered(SubmitSharesError.decode(payload).sequenceNumber, false)
        return
      case SetupConnectionError.messageType:
        throw new Error(`the mining pool refused the connection: ${SetupConnectionError.decode(payload).errorCode}`)
      case OpenMiningChannelError.messageType:
        throw new Error(`the mining pool refused the channel: ${OpenMiningChannelError.decode(payload).errorCode}`)
      default:
        throw new Error(`unexpected message type ${messageType}`)
    }
  }

  #openChannel(usedVersion: number): void {
    if (usedVersion !== PROTOCOL_VERSION) throw new Error(`the mining pool speaks protocol version ${usedVersion}`)
    this.#connection.send(OpenStandardMiningChannel, {
      requestId: 1,
      userIdentity: this.#identity,
      nominalHashRate: NOMINAL_HASH_RATE,
      maxTarget: new Uint8Array(32).fill(0xff),
    })
  }

  /** Begins to work on the job of a new block. All other jobs are void. */
  #adopt({ jobId, minNtime }: ReturnType<typeof SetNewPrevHash.decode>): void {
    const version = this.#futureJobs.get(jobId)
    if (version === undefined) throw new Error(`SetNewPrevHash names job ${jobId}, which was never sent`)
    this.#futureJobs.clear()
    this.#job = { id: jobId, version, minNtime, since: performance.now() }
    this.#becomeReady()
  }

  #answered(sequenceNumber: number, isAccepted: boolean): void {
    if (this.#submittedAt === null || sequenceNumber !== this.#sequenceNumber) {
      throw new Error(`an answer to share ${sequenceNumber}, where ${this.#sequenceNumber} was the last`)
    }
    roundTrips.record(process.hrtime.bigint() - this.#submittedAt)
    this.#submittedAt = null
    if (isAccepted) accepted++
    else rejected++
    if (isDraining) reportIfDrained()
    else this.submit()
  }
}

const miners: Miner[] = []
const connections: Connection[] = []

function counts(): ShareCounts {
  return {
    sent,
    accepted,
    rejected,
    rttP50Micros: roundTrips.percentile(50) / 1000,
    rttP99Micros: roundTrips.percentile(99) / 1000,
  }
}

function reportIfDrained(): void {
  if (!miners.some((miner) => miner.isWaiting)) report({ kind: 'drained', shares: counts() })
}

async function start({ miners: count, relay }: Start): Promise<void> {
  reportFrames('miners', connections)
  const identities = Array.from({ length: count }, (_, index) => `miner-${index + 1}`).values()
  const openTheRest = async (): Promise<void> => {
    for (const identity of identities) {
      const socket = connect({ host: relay.host, port: relay.port, noDelay: true })
      const session = Sv2Session.initiator({ authorityPublicKey: relay.authorityPublicKey })
      const miner = new Miner(identity, session, socket)
      miners.push(miner)
      await miner.open(relay)
    }
  }
  await Promise.all(Array.from({ length: CONNECTING_AT_ONCE }, openTheRest))
  report({ kind: 'ready' })
}

serve<MinersCommand>({
  start(command) {
    // A connection that ends in its handshake has reported why.
    start(command).catch(() => {})
  },
  load() {
    for (const miner of miners) miner.submit()
    setInterval(() => report({ kind: 'progress', shares: counts() }), PROGRESS_INTERVAL_MS)
  },
  drain() {
    isDraining = true
    reportIfDrained()
  },
})
