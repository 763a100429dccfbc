/** The demo's mining pool: a process of its own, which accepts every share of a job that it has sent. */
import { randomBytes } from 'node:crypto'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { type Frame, Sv2Session } from '../../sv2/index.js'
import {
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
} from '../../sv2/messages/index.js'
import { PROTOCOL_VERSION } from '../constants.js'
import { Connection, reportFrames } from './connection.js'
import { type AuthorityKeypair, type PoolCommand, report, serve } from './ipc.js'

const BLOCK_INTERVAL_MS = 3000
const VERSION = 0x2000_0000
const NBITS = 0x1d00_ffff
/** The easiest target: the demo measures the relay, so every nonce is a share. */
const EASIEST_TARGET = new Uint8Array(32).fill(0xff)

interface Block {
  jobId: number
  prevHash: Uint8Array
  minNtime: number
}

class MinerAtPool {
  readonly connection: Connection
  #isSetUp = false
  #channelId: number | null = null
  #lastSequenceNumber = 0

  constructor(session: Sv2Session, socket: Socket) {
    this.connection = new Connection(session, socket, {
      onFrame: (frame) => this.#receive(frame),
      onClose: (reason) => {
        const who = this.connection.log.identity ?? 'a miner without a channel'
        if (reason !== null) report({ kind: 'failure', reason: `mining pool, of ${who}: ${reason}` })
      },
    })
  }

  #receive({ messageType, payload }: Frame): void {
    switch (messageType) {
      case SetupConnection.messageType:
        this.#setUp(SetupConnection.decode(payload))
        return
      case OpenStandardMiningChannel.messageType:
        this.#openChannel(OpenStandardMiningChannel.decode(payload))
        return
      case SubmitSharesStandard.messageType:
        this.#submit(SubmitSharesStandard.decode(payload))
        return
      default:
        throw new Error(`unexpected message type ${messageType}`)
    }
  }

  #setUp({ protocol, minVersion, maxVersion }: ReturnType<typeof SetupConnection.decode>): void {
    if (protocol !== SetupConnectionProtocol.mining) {
      this.connection.send(SetupConnectionError, { flags: 0, errorCode: 'unsupported-protocol' })
    } else if (minVersion > PROTOCOL_VERSION || maxVersion < PROTOCOL_VERSION) {
      this.connection.send(SetupConnectionError, { flags: 0, errorCode: 'protocol-version-mismatch' })
    } else {
      this.#isSetUp = true
      this.connection.send(SetupConnectionSuccess, { usedVersion: PROTOCOL_VERSION, flags: 0 })
    }
  }

  #openChannel({ requestId, userIdentity }: ReturnType<typeof OpenStandardMiningChannel.decode>): void {
    if (!this.#isSetUp) throw new Error('a channel was asked for before SetupConnection')
    if (this.#channelId !== null || identities.has(userIdentity)) {
      this.connection.send(OpenMiningChannelError, { requestId, errorCode: 'invalid-user-identity' })
      return
    }
    identities.add(userIdentity)
    this.#channelId = identities.size
    this.connection.log.identity = userIdentity
    this.connection.send(OpenStandardMiningChannelSuccess, {
      requestId,
      channelId: this.#channelId,
      target: EASIEST_TARGET,
      extranoncePrefix: randomBytes(8),
      groupChannelId: 0,
    })
    this.sendJob()
  }

  /** Sends the job of the latest block, and the SetNewPrevHash that makes the miner work on it. */
  sendJob(): void {
    if (this.#channelId === null || !this.connection.isOpen) return
    const { jobId, prevHash, minNtime } = block
    const channelId = this.#channelId
    this.connection.send(NewMiningJob, {
      channelId,
      jobId,
      minNtime: null,
      version: VERSION,
      merkleRoot: randomBytes(32),
    })
    this.connection.send(SetNewPrevHash, { channelId, jobId, prevHash, minNtime, nbits: NBITS })
  }

  #submit(share: ReturnType<typeof SubmitSharesStandard.decode>): void {
    const { channelId, sequenceNumber } = share
    const errorCode = this.#fault(share)
    if (errorCode !== null) {
      this.connection.send(SubmitSharesError, { channelId, sequenceNumber, errorCode })
      return
    }
    this.#lastSequenceNumber = sequenceNumber
    this.connection.send(SubmitSharesSuccess, {
      channelId,
      lastSequenceNumber: sequenceNumber,
      newSubmitsAcceptedCount: 1,
      newSharesSum: 1n,
    })
  }

  #fault({ channelId, sequenceNumber, jobId, ntime }: ReturnType<typeof SubmitSharesStandard.decode>): string | null {
    if (channelId !== this.#channelId) return 'invalid-channel-id'
    if (sequenceNumber <= this.#lastSequenceNumber) return 'duplicate-share'
    // Also the block before: a share that was on its way when the block changed counts, so that none is lost.
    const job = [block, previousBlock].find((candidate) => candidate.jobId === jobId)
    if (!job) return 'invalid-job-id'
    return ntime < job.minNtime ? 'invalid-share' : null
  }
}

function nextBlock(jobId: number): Block {
  return { jobId, prevHash: randomBytes(32), minNtime: Math.floor(Date.now() / 1000) }
}

const miners: MinerAtPool[] = []
const connections: Connection[] = []
const identities = new Set<string>()
let block = nextBlock(1)
let previousBlock = block

const blockTimer = setInterval(() => {
  previousBlock = block
  block = nextBlock(block.jobId + 1)
  for (const miner of miners) miner.sendJob()
}, BLOCK_INTERVAL_MS)

function start(authority: AuthorityKeypair): void {
  const server = createServer({ noDelay: true }, (socket) => {
    const session = Sv2Session.responder({
      authorityPublicKey: authority.publicKey,
      authoritySecretKey: authority.secretKey,
    })
    const miner = new MinerAtPool(session, socket)
    miners.push(miner)
    connections.push(miner.connection)
  })
  server.listen(0, '127.0.0.1', () => {
    const { address, port } = server.address() as AddressInfo
    report({ kind: 'listening', address: { host: address, port } })
  })
  reportFrames('pool', connections)
}

serve<PoolCommand>({
  start: ({ authority }) => start(authority),
  quiet: () => clearInterval(blockTimer),
})
