// A proxy that counts each miner's shares, answers a banned worker itself, and rewrites user names on their way to the mining pool.
// It stands between a mining pool and miners of this file, all in one process, so that it can be run as it is.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { createRelay, generateAuthorityKeypair, Sv2Session } from 'framepool/sv2'
import {
  dispatcher,
  OpenStandardMiningChannel,
  OpenStandardMiningChannelSuccess,
  SubmitSharesError,
  SubmitSharesErrorCode,
  SubmitSharesStandard,
  SubmitSharesSuccess,
} from 'framepool/sv2/messages'

const keys = generateAuthorityKeypair()
const authority = { authorityPublicKey: keys.publicKey, authoritySecretKey: keys.secretKey }

// The proxy.

const ACCOUNT = 'farm'
const BANNED = new Set(['mallory'])
const shares = new Map()

function onFrame(frame, direction, link) {
  if (direction === 'downstream') return 'forward'
  if (OpenStandardMiningChannel.is(frame)) {
    const fields = OpenStandardMiningChannel.decode(frame.payload)
    link.data = fields.userIdentity
    return OpenStandardMiningChannel.encode({ ...fields, userIdentity: `${ACCOUNT}.${fields.userIdentity}` })
  }
  // Shares are read where they lie: no object is made for them.
  const channelId = SubmitSharesStandard.get.channelId(frame.payload)
  const sequenceNumber = SubmitSharesStandard.get.sequenceNumber(frame.payload)
  if (BANNED.has(link.data)) {
    link.send('downstream', SubmitSharesError, {
      channelId,
      sequenceNumber,
      errorCode: SubmitSharesErrorCode.invalidShare,
    })
    return 'drop'
  }
  shares.set(link.data, (shares.get(link.data) ?? 0) + 1)
  return 'forward'
}

// A mining pool that opens a channel for everybody and accepts every share.

const accounts = []
const miningPool = createServer((socket) => {
  socket.on('error', () => {})
  const session = Sv2Session.responder(authority)
  const dispatch = dispatcher({
    OpenStandardMiningChannel: ({ requestId, userIdentity }) => {
      accounts.push(userIdentity)
      session.send(OpenStandardMiningChannelSuccess, {
        requestId,
        channelId: accounts.length,
        target: new Uint8Array(32).fill(0xff),
        extranoncePrefix: new Uint8Array(0),
        groupChannelId: 0,
      })
    },
    SubmitSharesStandard: ({ channelId, sequenceNumber }) => {
      session.send(SubmitSharesSuccess, {
        channelId,
        lastSequenceNumber: sequenceNumber,
        newSubmitsAcceptedCount: 1,
        newSharesSum: 1n,
      })
    },
  })
  session.attach(socket, (batch) => {
    for (const frame of batch) dispatch(frame)
  })
})
miningPool.listen(0, '127.0.0.1')
await once(miningPool, 'listening')

const proxy = createRelay({
  listen: { port: 0 },
  upstream: { host: '127.0.0.1', port: miningPool.address().port, authorityPublicKey: keys.publicKey },
  ...authority,
  // All other frames are forwarded in native code.
  hookMessages: [OpenStandardMiningChannel, SubmitSharesStandard],
  onFrame,
})
const { port } = await proxy.listen()

// Miners that submit three shares each.

async function mine(userIdentity) {
  const socket = connect(port, '127.0.0.1')
  const session = Sv2Session.initiator({ authorityPublicKey: keys.publicKey })
  const counts = { accepted: 0, refused: 0 }
  const done = new Promise((resolve) => {
    const count = (kind) => {
      counts[kind]++
      if (counts.accepted + counts.refused === 3) resolve()
    }
    const dispatch = dispatcher({
      OpenStandardMiningChannelSuccess: ({ channelId }) => {
        for (let sequenceNumber = 1; sequenceNumber <= 3; sequenceNumber++) {
          session.send(SubmitSharesStandard, { channelId, sequenceNumber, jobId: 1, nonce: 0, ntime: 0, version: 0 })
        }
      },
      SubmitSharesSuccess: () => count('accepted'),
      SubmitSharesError: () => count('refused'),
    })
    session.attach(socket, (batch) => {
      for (const frame of batch) dispatch(frame)
    })
  })
  await session.established()
  session.send(OpenStandardMiningChannel, {
    requestId: 1,
    userIdentity,
    nominalHashRate: 1e12,
    maxTarget: new Uint8Array(32).fill(0xff),
  })
  await done
  session.close()
  console.log(`${userIdentity}: ${counts.accepted} accepted, ${counts.refused} refused`)
}

for (const name of ['alice', 'mallory', 'bob']) await mine(name)
console.log(`the mining pool knows ${accounts.join(', ')}`)
console.log(`the proxy counted ${[...shares].map(([name, count]) => `${name} ${count}`).join(', ')}`)
await proxy.close()
miningPool.close()
