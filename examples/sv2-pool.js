// A small mining pool that checks the proof of work of each share, and a miner that finds shares for it.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { generateAuthorityKeypair, Sv2Session } from 'framepool/sv2'
import {
  dispatcher,
  NewMiningJob,
  OpenStandardMiningChannel,
  OpenStandardMiningChannelSuccess,
  SetNewPrevHash,
  SetupConnection,
  SetupConnectionFlags,
  SetupConnectionProtocol,
  SetupConnectionSuccess,
  SubmitSharesError,
  SubmitSharesErrorCode,
  SubmitSharesStandard,
  SubmitSharesSuccess,
} from 'framepool/sv2/messages'

const sha256 = (bytes) => createHash('sha256').update(bytes).digest()

/** The hash of a block header: a U256, least significant byte first. */
function headerHash({ version, prevHash, merkleRoot, ntime, nbits, nonce }) {
  const header = Buffer.alloc(80)
  header.writeUInt32LE(version, 0)
  header.set(prevHash, 4)
  header.set(merkleRoot, 36)
  header.writeUInt32LE(ntime, 68)
  header.writeUInt32LE(nbits, 72)
  header.writeUInt32LE(nonce, 76)
  return sha256(sha256(header))
}

/** Whether a hash is at most the target. The most significant bytes come last. */
function meets(hash, target) {
  return Buffer.compare(Buffer.from(hash).reverse(), Buffer.from(target).reverse()) <= 0
}

// One hash of 256 is a share, so that the miner finds some at once.
const TARGET = new Uint8Array(32).fill(0xff, 0, 31)
const NBITS = 0x1d00_ffff
const keys = generateAuthorityKeypair()

function serve(socket) {
  const session = Sv2Session.responder({ authorityPublicKey: keys.publicKey, authoritySecretKey: keys.secretKey })
  const [channelId, jobId] = [1, 1]
  const [prevHash, merkleRoot] = [randomBytes(32), randomBytes(32)]
  const minNtime = Math.floor(Date.now() / 1000)
  const seen = new Set()

  function fault(share) {
    if (share.channelId !== channelId) return SubmitSharesErrorCode.invalidChannelId
    if (share.jobId !== jobId) return SubmitSharesErrorCode.invalidJobId
    if (share.ntime < minNtime) return SubmitSharesErrorCode.invalidShare
    const hash = headerHash({ ...share, prevHash, merkleRoot, nbits: NBITS })
    if (!meets(hash, TARGET)) return SubmitSharesErrorCode.difficultyTooLow
    const key = hash.toString('hex')
    if (seen.has(key)) return SubmitSharesErrorCode.duplicateShare
    seen.add(key)
    return null
  }

  const dispatch = dispatcher({
    SetupConnection: () => session.send(SetupConnectionSuccess, { usedVersion: 2, flags: 0 }),
    OpenStandardMiningChannel: ({ requestId }) => {
      session.send(OpenStandardMiningChannelSuccess, {
        requestId,
        channelId,
        target: TARGET,
        extranoncePrefix: randomBytes(4),
        groupChannelId: 0,
      })
      session.send(NewMiningJob, { channelId, jobId, minNtime: null, version: 0x2000_0000, merkleRoot })
      session.send(SetNewPrevHash, { channelId, jobId, prevHash, minNtime, nbits: NBITS })
    },
    SubmitSharesStandard: (share) => {
      const { sequenceNumber } = share
      const errorCode = fault(share)
      if (errorCode !== null) session.send(SubmitSharesError, { channelId, sequenceNumber, errorCode })
      else {
        session.send(SubmitSharesSuccess, {
          channelId,
          lastSequenceNumber: sequenceNumber,
          newSubmitsAcceptedCount: 1,
          newSharesSum: 1n,
        })
      }
    },
  })
  socket.on('error', (error) => console.error(error.message))
  session.attach(socket, async (batch) => {
    try {
      // Awaited, so that no more is read while a handler waits.
      for (const frame of batch) await dispatch(frame)
    } catch (error) {
      // A malformed message: nothing else of that miner can be relied on.
      socket.destroy(error)
    }
  })
}

async function mine(port) {
  const socket = connect(port, '127.0.0.1')
  const session = Sv2Session.initiator({ authorityPublicKey: keys.publicKey })
  const open = { target: null, job: null }
  const answers = []
  const done = new Promise((resolve) => {
    const answered = (answer) => {
      if (answers.push(answer) === 4) resolve()
    }
    const dispatch = dispatcher({
      SetupConnectionSuccess: () =>
        session.send(OpenStandardMiningChannel, {
          requestId: 1,
          userIdentity: 'miner',
          nominalHashRate: 1e6,
          maxTarget: new Uint8Array(32).fill(0xff),
        }),
      // Bytes that are kept are copied: the batch is gone when the next one comes.
      OpenStandardMiningChannelSuccess: ({ target }) => {
        open.target = target.slice()
      },
      NewMiningJob: ({ merkleRoot, ...job }) => {
        open.job = { ...job, merkleRoot: merkleRoot.slice() }
      },
      SetNewPrevHash: ({ channelId, jobId, prevHash, minNtime, nbits }) => {
        const { version, merkleRoot } = open.job
        const share = { channelId, jobId, ntime: minNtime, version }
        const isShare = (nonce) => meets(headerHash({ ...share, nonce, prevHash, merkleRoot, nbits }), open.target)
        let nonce = 0
        const next = (wanted) => {
          while (isShare(nonce) !== wanted) nonce++
          return nonce++
        }
        const nonces = [next(true), next(true), next(false)]
        // The first once more.
        nonces.push(nonces[0])
        for (const [index, found] of nonces.entries()) {
          session.send(SubmitSharesStandard, { ...share, sequenceNumber: index + 1, nonce: found })
        }
      },
      SubmitSharesSuccess: () => answered('accepted'),
      SubmitSharesError: ({ errorCode }) => answered(errorCode),
    })
    session.attach(socket, async (batch) => {
      for (const frame of batch) await dispatch(frame)
    })
  })
  await session.established()
  session.send(SetupConnection, {
    protocol: SetupConnectionProtocol.mining,
    minVersion: 2,
    maxVersion: 2,
    flags: SetupConnectionFlags.mining.REQUIRES_STANDARD_JOBS,
    endpointHost: '127.0.0.1',
    endpointPort: port,
    vendor: '',
    hardwareVersion: '',
    firmware: '',
    deviceId: '',
  })
  await done
  session.close()
  return answers
}

const server = createServer(serve)
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1')
await once(server, 'listening')
const { port } = server.address()
for (const answer of await mine(port)) console.log(answer)
// With a port to listen on the mining pool stays, for miners of your own.
if (process.argv[2]) console.log(`stratum2+tcp://127.0.0.1:${port}/${keys.publicKey}`)
else server.close()
