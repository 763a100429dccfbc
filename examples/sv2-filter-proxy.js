// A proxy that counts each miner's shares, answers a banned worker itself, and rewrites user names on their way to the mining pool.
// It stands between a mining pool and miners of this file, all in one process, so that it can be run as it is.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { createRelay, generateAuthorityKeypair, Sv2Session } from 'framepool/sv2'
import {
  CloseChannel,
  dispatcher,
  OpenExtendedMiningChannel,
  OpenExtendedMiningChannelSuccess,
  OpenMiningChannelError,
  OpenStandardMiningChannel,
  OpenStandardMiningChannelSuccess,
  SubmitSharesError,
  SubmitSharesErrorCode,
  SubmitSharesExtended,
  SubmitSharesStandard,
  SubmitSharesSuccess,
} from 'framepool/sv2/messages'

const keys = generateAuthorityKeypair()
const authority = { authorityPublicKey: keys.publicKey, authoritySecretKey: keys.secretKey }

// The proxy.

const ACCOUNT = 'farm'
const BANNED = new Set(['mallory'])
const shares = new Map()

// Standard and extended channels have messages of their own.
const opening = (frame) => [OpenStandardMiningChannel, OpenExtendedMiningChannel].find((message) => message.is(frame))
const opened = (frame) =>
  [OpenStandardMiningChannelSuccess, OpenExtendedMiningChannelSuccess].find((message) => message.is(frame))
const share = (frame) => [SubmitSharesStandard, SubmitSharesExtended].find((message) => message.is(frame))

function onFrame(frame, direction, link) {
  // User names of the channels that the miner has asked for, by request, and of those that it has, by channel.
  link.data ??= { asked: new Map(), channels: new Map() }
  if (CloseChannel.is(frame)) link.data.channels.delete(CloseChannel.get.channelId(frame.payload))
  return direction === 'upstream' ? fromMiner(frame, link) : fromPool(frame, link)
}

function fromMiner(frame, link) {
  const { payload } = frame
  const open = opening(frame)
  if (open) {
    link.data.asked.set(open.get.requestId(payload), open.get.userIdentity(payload))
    return withAccount(open, payload)
  }
  const { get } = share(frame) ?? {}
  if (!get) return 'forward'
  // Shares are read where they lie: no object is made for them.
  const channelId = get.channelId(payload)
  const name = link.data.channels.get(channelId)
  if (name === undefined || BANNED.has(name)) {
    const { invalidChannelId, invalidShare } = SubmitSharesErrorCode
    link.send('downstream', SubmitSharesError, {
      channelId,
      sequenceNumber: get.sequenceNumber(payload),
      errorCode: name === undefined ? invalidChannelId : invalidShare,
    })
    return 'drop'
  }
  shares.set(name, (shares.get(name) ?? 0) + 1)
  return 'forward'
}

function fromPool(frame, link) {
  const { asked, channels } = link.data
  const answer = opened(frame) ?? (OpenMiningChannelError.is(frame) ? OpenMiningChannelError : null)
  if (!answer) return 'forward'
  const requestId = answer.get.requestId(frame.payload)
  if (opened(frame)) channels.set(answer.get.channelId(frame.payload), asked.get(requestId))
  asked.delete(requestId)
  return 'forward'
}

/** Returns a payload that asks for a channel in the account's name. All other bytes remain, those of TLVs included. */
function withAccount(open, payload) {
  // A user name can be any bytes, so it is not read as text.
  const userIdentity = Buffer.concat([Buffer.from(`${ACCOUNT}.`), open.raw.userIdentity(payload)])
  if (userIdentity.length > 255) return 'forward'
  const tlvs = payload.subarray(open.validate(payload))
  return Buffer.concat([open.encode({ ...open.decode(payload), userIdentity }), tlvs])
}

// A mining pool that opens a channel for everybody and accepts every share.

const accounts = []
const miningPool = createServer((socket) => {
  socket.on('error', () => {})
  const session = Sv2Session.responder(authority)
  const open = (message, { requestId, userIdentity }, fields) => {
    accounts.push(userIdentity)
    const channelId = accounts.length
    const [target, extranoncePrefix] = [new Uint8Array(32).fill(0xff), new Uint8Array(0)]
    session.send(message, { requestId, channelId, target, extranoncePrefix, groupChannelId: 0, ...fields })
  }
  const accept = ({ channelId, sequenceNumber }) => {
    session.send(SubmitSharesSuccess, {
      channelId,
      lastSequenceNumber: sequenceNumber,
      newSubmitsAcceptedCount: 1,
      newSharesSum: 1n,
    })
  }
  const dispatch = dispatcher({
    OpenStandardMiningChannel: (request) => open(OpenStandardMiningChannelSuccess, request, {}),
    OpenExtendedMiningChannel: (request) => open(OpenExtendedMiningChannelSuccess, request, { extranonceSize: 4 }),
    SubmitSharesStandard: accept,
    SubmitSharesExtended: accept,
  })
  session.attach(socket, async (batch) => {
    // Awaited, so that no more is read while a handler waits.
    for (const frame of batch) await dispatch(frame)
  })
})
miningPool.listen(0, '127.0.0.1')
await once(miningPool, 'listening')

const proxy = createRelay({
  listen: { port: 0 },
  upstream: { host: '127.0.0.1', port: miningPool.address().port, authorityPublicKey: keys.publicKey },
  ...authority,
  // All other frames are forwarded in native code.
  hookMessages: [
    OpenStandardMiningChannel,
    OpenExtendedMiningChannel,
    OpenStandardMiningChannelSuccess,
    OpenExtendedMiningChannelSuccess,
    OpenMiningChannelError,
    CloseChannel,
    SubmitSharesStandard,
    SubmitSharesExtended,
  ],
  onFrame,
})
const { port } = await proxy.listen()

// Miners that submit three shares on each of their channels.

async function mine(...names) {
  const socket = connect(port, '127.0.0.1')
  const session = Sv2Session.initiator({ authorityPublicKey: keys.publicKey })
  const counts = names.map(() => ({ accepted: 0, refused: 0 }))
  /** Positions of the names by the channels that were opened for them. */
  const channels = new Map()
  const submit = (message, { requestId, channelId }, fields) => {
    channels.set(channelId, requestId)
    for (let sequenceNumber = 1; sequenceNumber <= 3; sequenceNumber++) {
      session.send(message, { channelId, sequenceNumber, jobId: 1, nonce: 0, ntime: 0, version: 0, ...fields })
    }
  }
  const done = new Promise((resolve) => {
    let answers = 0
    const count = (channelId, kind) => {
      counts[channels.get(channelId)][kind]++
      if (++answers === 3 * names.length) resolve()
    }
    const dispatch = dispatcher({
      OpenStandardMiningChannelSuccess: (answer) => submit(SubmitSharesStandard, answer, {}),
      OpenExtendedMiningChannelSuccess: (answer) =>
        submit(SubmitSharesExtended, answer, { extranonce: new Uint8Array(4) }),
      SubmitSharesSuccess: ({ channelId }) => count(channelId, 'accepted'),
      SubmitSharesError: ({ channelId }) => count(channelId, 'refused'),
    })
    session.attach(socket, async (batch) => {
      for (const frame of batch) await dispatch(frame)
    })
  })
  await session.established()
  for (const [requestId, userIdentity] of names.entries()) {
    const fields = { requestId, userIdentity, nominalHashRate: 1e12, maxTarget: new Uint8Array(32).fill(0xff) }
    // The second channel of a miner is an extended one.
    if (requestId === 0) session.send(OpenStandardMiningChannel, fields)
    else session.send(OpenExtendedMiningChannel, { ...fields, minExtranonceSize: 4 })
  }
  await done
  session.close()
  for (const [index, { accepted, refused }] of counts.entries()) {
    console.log(`${names[index]}: ${accepted} accepted, ${refused} refused`)
  }
}

await mine('alice', 'mallory')
await mine('mallory', 'bob')
console.log(`the mining pool knows ${accounts.join(', ')}`)
console.log(`the proxy counted ${[...shares].map(([name, count]) => `${name} ${count}`).join(', ')}`)
await proxy.close()
miningPool.close()
