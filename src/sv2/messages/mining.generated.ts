// Generated from schema.json by `npm run generate:messages`; do not edit.
import { byTable } from './by-table.js'
import {
  B0_32,
  B0_64K,
  B0_255,
  BOOL,
  F32,
  OPTION_U32,
  SEQ0_64K_U32,
  SEQ0_255_U256,
  STR0_255,
  U16,
  U32,
  U64,
  U256,
} from './field-type.js'
import { type Message, message } from './message.js'
import { bytes, check, endOf, u32, u64 } from './read.js'
import { isU32, isU64, putBytes, writeU32, writeU64 } from './write.js'

// The mining protocol.

/** Fields of {@link OpenStandardMiningChannel}. */
export interface OpenStandardMiningChannelFields {
  /** Number that the client has chosen; the answer carries it, too. U32. */
  requestId: number
  /** Name of the user, as the operator of the server knows it; any bytes. STR0_255: 0 to 255 bytes. */
  userIdentity: string
  /** Expected hash rate, in hashes per second. F32. */
  nominalHashRate: number
  /** Largest target that the client accepts; a U256, least significant byte first. U256: 32 bytes. */
  maxTarget: Uint8Array
}

/**
 * Asks for a channel for standard jobs: header-only mining.
 *
 * Type 0x10, channel bit 0; client to server; 05 §5.3.2. The first 4 bytes are of fixed length.
 */
export const OpenStandardMiningChannel: Message<
  'OpenStandardMiningChannel',
  OpenStandardMiningChannelFields,
  'requestId' | 'nominalHashRate' | 'maxTarget'
> = /* @__PURE__ */ message(
  {
    name: 'OpenStandardMiningChannel',
    protocol: 'mining',
    extensionType: 0,
    messageType: 0x10,
    channelMessage: false,
  },
  {
    requestId: U32,
    userIdentity: STR0_255,
    nominalHashRate: F32,
    maxTarget: U256,
  },
  byTable,
)

/** Fields of {@link OpenStandardMiningChannelSuccess}. */
export interface OpenStandardMiningChannelSuccessFields {
  /** Number that the client has chosen; the answer carries it, too. U32. */
  requestId: number
  /** Channel that was opened. U32. */
  channelId: number
  /** Target of the channel; a U256, least significant byte first. U256: 32 bytes. */
  target: Uint8Array
  /** First bytes of the extranonce, which the server has chosen. B0_32: 0 to 32 bytes. */
  extranoncePrefix: Uint8Array
  /** Group that the channel belongs to. U32. */
  groupChannelId: number
}

/**
 * `OpenStandardMiningChannel.Success`: Opens a standard channel.
 *
 * Type 0x11, channel bit 0; server to client; 05 §5.3.3. The first 40 bytes are of fixed length.
 */
export const OpenStandardMiningChannelSuccess: Message<
  'OpenStandardMiningChannelSuccess',
  OpenStandardMiningChannelSuccessFields,
  'requestId' | 'channelId' | 'target' | 'groupChannelId'
> = /* @__PURE__ */ message(
  {
    name: 'OpenStandardMiningChannelSuccess',
    specName: 'OpenStandardMiningChannel.Success',
    protocol: 'mining',
    extensionType: 0,
    messageType: 0x11,
    channelMessage: false,
  },
  {
    requestId: U32,
    channelId: U32,
    target: U256,
    extranoncePrefix: B0_32,
    groupChannelId: U32,
  },
  byTable,
)

/** Fields of {@link OpenMiningChannelError}. */
export interface OpenMiningChannelErrorFields {
  /** Number that the client has chosen; the answer carries it, too. U32. */
  requestId: number
  /** Reason in printable ASCII, see `OpenMiningChannelErrorCode`; unknown codes are only logged. STR0_255: 0 to 255 bytes. */
  errorCode: string
}

/**
 * `OpenMiningChannel.Error`: Refuses to open a channel of either kind.
 *
 * Type 0x12, channel bit 0; server to client; 05 §5.3.6. The first 4 bytes are of fixed length.
 */
export const OpenMiningChannelError: Message<'OpenMiningChannelError', OpenMiningChannelErrorFields, 'requestId'> =
  /* @__PURE__ */ message(
    {
      name: 'OpenMiningChannelError',
      specName: 'OpenMiningChannel.Error',
      protocol: 'mining',
      extensionType: 0,
      messageType: 0x12,
      channelMessage: false,
    },
    {
      requestId: U32,
      errorCode: STR0_255,
    },
    byTable,
  )

/** Fields of {@link OpenExtendedMiningChannel}. */
export interface OpenExtendedMiningChannelFields {
  /** Number that the client has chosen; the answer carries it, too. U32. */
  requestId: number
  /** Name of the user, as the operator of the server knows it; any bytes. STR0_255: 0 to 255 bytes. */
  userIdentity: string
  /** Expected hash rate, in hashes per second. F32. */
  nominalHashRate: number
  /** Largest target that the client accepts; a U256, least significant byte first. U256: 32 bytes. */
  maxTarget: Uint8Array
  /** Bytes of the extranonce that the client needs to roll. U16. */
  minExtranonceSize: number
}

/**
 * Asks for a channel for extended jobs, whose extranonce the client rolls.
 *
 * Type 0x13, channel bit 0; client to server; 05 §5.3.4. The first 4 bytes are of fixed length.
 */
export const OpenExtendedMiningChannel: Message<
  'OpenExtendedMiningChannel',
  OpenExtendedMiningChannelFields,
  'requestId' | 'nominalHashRate' | 'maxTarget' | 'minExtranonceSize'
> = /* @__PURE__ */ message(
  {
    name: 'OpenExtendedMiningChannel',
    protocol: 'mining',
    extensionType: 0,
    messageType: 0x13,
    channelMessage: false,
  },
  {
    requestId: U32,
    userIdentity: STR0_255,
    nominalHashRate: F32,
    maxTarget: U256,
    minExtranonceSize: U16,
  },
  byTable,
)

/** Fields of {@link OpenExtendedMiningChannelSuccess}. */
export interface OpenExtendedMiningChannelSuccessFields {
  /** Number that the client has chosen; the answer carries it, too. U32. */
  requestId: number
  /** Channel that was opened. U32. */
  channelId: number
  /** Target of the channel; a U256, least significant byte first. U256: 32 bytes. */
  target: Uint8Array
  /** Bytes of the extranonce that the client rolls, without the prefix. U16. */
  extranonceSize: number
  /** First bytes of the extranonce, which the server has chosen. B0_32: 0 to 32 bytes. */
  extranoncePrefix: Uint8Array
  /** Group that the channel belongs to. U32. */
  groupChannelId: number
}

/**
 * `OpenExtendedMiningChannel.Success`: Opens an extended channel. Peers older than 2026 end it after `extranoncePrefix`.
 *
 * Type 0x14, channel bit 0; server to client; 05 §5.3.5. The first 42 bytes are of fixed length.
 */
export const OpenExtendedMiningChannelSuccess: Message<
  'OpenExtendedMiningChannelSuccess',
  OpenExtendedMiningChannelSuccessFields,
  'requestId' | 'channelId' | 'target' | 'extranonceSize' | 'groupChannelId'
> = /* @__PURE__ */ message(
  {
    name: 'OpenExtendedMiningChannelSuccess',
    specName: 'OpenExtendedMiningChannel.Success',
    protocol: 'mining',
    extensionType: 0,
    messageType: 0x14,
    channelMessage: false,
  },
  {
    requestId: U32,
    channelId: U32,
    target: U256,
    extranonceSize: U16,
    extranoncePrefix: B0_32,
    groupChannelId: U32,
  },
  byTable,
)

/** Fields of {@link NewMiningJob}. */
export interface NewMiningJobFields {
  /** Channel, or group of channels, that the message is for. U32. */
  channelId: number
  /** Job, as the server has numbered it. U32. */
  jobId: number
  /** Earliest time of a header, in seconds since 1970; null: a future job, which a SetNewPrevHash starts. OPTION[U32]. */
  minNtime: number | null
  /** Version field of the block header, with its rollable bits. U32. */
  version: number
  /** Merkle root of the job, as it stands in the header. U256: 32 bytes. */
  merkleRoot: Uint8Array
}

/**
 * Gives a job to a standard channel. Older peers send it without the channel bit.
 *
 * Type 0x15, channel bit 1; server to client; 05 §5.3.15. The first 8 bytes are of fixed length.
 */
export const NewMiningJob: Message<
  'NewMiningJob',
  NewMiningJobFields,
  'channelId' | 'jobId' | 'version' | 'merkleRoot'
> = /* @__PURE__ */ message(
  {
    name: 'NewMiningJob',
    protocol: 'mining',
    extensionType: 0,
    messageType: 0x15,
    channelMessage: true,
  },
  {
    channelId: U32,
    jobId: U32,
    minNtime: OPTION_U32,
    version: U32,
    merkleRoot: U256,
  },
  byTable,
)

/** Fields of {@link UpdateChannel}. */
export interface UpdateChannelFields {
  /** Channel, or group of channels, that the message is for. U32. */
  channelId: number
  /** Expected hash rate, in hashes per second. F32. */
  nominalHashRate: number
  /** Largest target that the client accepts; a U256, least significant byte first. U256: 32 bytes. */
  maximumTarget: Uint8Array
}

/**
 * Changes a channel's hash rate and largest target. Only a refusal is answered.
 *
 * Type 0x16, channel bit 1; client to server; 05 §5.3.7. 40 bytes.
 */
export const UpdateChannel: Message<'UpdateChannel', UpdateChannelFields> = /* @__PURE__ */ message(
  {
    name: 'UpdateChannel',
    protocol: 'mining',
    extensionType: 0,
    messageType: 0x16,
    channelMessage: true,
  },
  {
    channelId: U32,
    nominalHashRate: F32,
    maximumTarget: U256,
  },
  byTable,
)

/** Fields of {@link UpdateChannelError}. */
export interface UpdateChannelErrorFields {
  /** Channel, or group of channels, that the message is for. U32. */
  channelId: number
  /** Reason in printable ASCII, see `UpdateChannelErrorCode`; unknown codes are only logged. STR0_255: 0 to 255 bytes. */
  errorCode: string
}

/**
 * `UpdateChannel.Error`: Refuses an UpdateChannel.
 *
 * Type 0x17, channel bit 1; server to client; 05 §5.3.8. The first 4 bytes are of fixed length.
 */
export const UpdateChannelError: Message<'UpdateChannelError', UpdateChannelErrorFields, 'channelId'> =
  /* @__PURE__ */ message(
    {
      name: 'UpdateChannelError',
      specName: 'UpdateChannel.Error',
      protocol: 'mining',
      extensionType: 0,
      messageType: 0x17,
      channelMessage: true,
    },
    {
      channelId: U32,
      errorCode: STR0_255,
    },
    byTable,
  )

/** Fields of {@link CloseChannel}. */
export interface CloseChannelFields {
  /** Channel, or group of channels, that the message is for. U32. */
  channelId: number
  /** Reason in printable ASCII; unknown codes are only logged. STR0_255: 0 to 255 bytes. */
  reasonCode: string
}

/**
 * Closes a channel, or all channels of a group; the connection goes on.
 *
 * Type 0x18, channel bit 1; both ways; 05 §5.3.9. The first 4 bytes are of fixed length.
 */
export const CloseChannel: Message<'CloseChannel', CloseChannelFields, 'channelId'> = /* @__PURE__ */ message(
  {
    name: 'CloseChannel',
    protocol: 'mining',
    extensionType: 0,
    messageType: 0x18,
    channelMessage: true,
  },
  {
    channelId: U32,
    reasonCode: STR0_255,
  },
  byTable,
)

/** Fields of {@link SetExtranoncePrefix}. */
export interface SetExtranoncePrefixFields {
  /** Channel, or group of channels, that the message is for. U32. */
  channelId: number
  /** First bytes of the extranonce, which the server has chosen. B0_32: 0 to 32 bytes. */
  extranoncePrefix: Uint8Array
}

/**
 * Changes the extranonce prefix of a channel, for jobs sent after it.
 *
 * Type 0x19, channel bit 1; server to client; 05 §5.3.10. The first 4 bytes are of fixed length.
 */
export const SetExtranoncePrefix: Message<'SetExtranoncePrefix', SetExtranoncePrefixFields, 'channelId'> =
  /* @__PURE__ */ message(
    {
      name: 'SetExtranoncePrefix',
      protocol: 'mining',
      extensionType: 0,
      messageType: 0x19,
      channelMessage: true,
    },
    {
      channelId: U32,
      extranoncePrefix: B0_32,
    },
    byTable,
  )

/** Fields of {@link SubmitSharesStandard}. */
export interface SubmitSharesStandardFields {
  /** Channel, or group of channels, that the message is for. U32. */
  channelId: number
  /** Number of the share in its channel, counted by the client. U32. */
  sequenceNumber: number
  /** Job, as the server has numbered it. U32. */
  jobId: number
  /** Nonce of the block header. U32. */
  nonce: number
  /** Time of the block header, in seconds since 1970. U32. */
  ntime: number
  /** Version field of the block header, with its rollable bits. U32. */
  version: number
}

/**
 * Submits a share of a standard channel.
 *
 * Type 0x1a, channel bit 1; client to server; 05 §5.3.11. 24 bytes.
 */
export const SubmitSharesStandard: Message<'SubmitSharesStandard', SubmitSharesStandardFields> =
  /* @__PURE__ */ message(
    {
      name: 'SubmitSharesStandard',
      protocol: 'mining',
      extensionType: 0,
      messageType: 0x1a,
      channelMessage: true,
    },
    {
      channelId: U32,
      sequenceNumber: U32,
      jobId: U32,
      nonce: U32,
      ntime: U32,
      version: U32,
    },
    (layout) => {
      const [, pack] = byTable<SubmitSharesStandardFields>(layout)
      return [
        (payload) => {
          check(payload, 24, layout)

          return {
            channelId: u32(payload, 0),
            sequenceNumber: u32(payload, 4),
            jobId: u32(payload, 8),
            nonce: u32(payload, 12),
            ntime: u32(payload, 16),
            version: u32(payload, 20),
          }
        },
        (given, tlvs, target) => {
          if (tlvs === undefined && target !== null) {
            const { channelId, sequenceNumber, jobId, nonce, ntime, version } =
              given ?? ({} as SubmitSharesStandardFields)

            const into = target ?? new Uint8Array(24)
            if (
              into[24 - 1]! >= 0 &&
              isU32(channelId) &&
              isU32(sequenceNumber) &&
              isU32(jobId) &&
              isU32(nonce) &&
              isU32(ntime) &&
              isU32(version)
            ) {
              writeU32(into, 0, channelId)
              writeU32(into, 4, sequenceNumber)
              writeU32(into, 8, jobId)
              writeU32(into, 12, nonce)
              writeU32(into, 16, ntime)
              writeU32(into, 20, version)
              return target ? 24 : into
            }
          }
          // Takes the rare cases, and throws for the wrong ones.
          return pack(given, tlvs, target)
        },
      ]
    },
  )

/** Fields of {@link SubmitSharesExtended}. */
export interface SubmitSharesExtendedFields {
  /** Channel, or group of channels, that the message is for. U32. */
  channelId: number
  /** Number of the share in its channel, counted by the client. U32. */
  sequenceNumber: number
  /** Job, as the server has numbered it. U32. */
  jobId: number
  /** Nonce of the block header. U32. */
  nonce: number
  /** Time of the block header, in seconds since 1970. U32. */
  ntime: number
  /** Version field of the block header, with its rollable bits. U32. */
  version: number
  /** Rolled bytes of the extranonce; exactly `extranonceSize` of the channel. B0_32: 0 to 32 bytes. */
  extranonce: Uint8Array
}

/**
 * Submits a share of an extended channel. With extension 0x0002, a TLV with the user identity follows.
 *
 * Type 0x1b, channel bit 1; client to server; 05 §5.3.12. The first 24 bytes are of fixed length.
 */
export const SubmitSharesExtended: Message<
  'SubmitSharesExtended',
  SubmitSharesExtendedFields,
  'channelId' | 'sequenceNumber' | 'jobId' | 'nonce' | 'ntime' | 'version'
> = /* @__PURE__ */ message(
  {
    name: 'SubmitSharesExtended',
    protocol: 'mining',
    extensionType: 0,
    messageType: 0x1b,
    channelMessage: true,
  },
  {
    channelId: U32,
    sequenceNumber: U32,
    jobId: U32,
    nonce: U32,
    ntime: U32,
    version: U32,
    extranonce: B0_32,
  },
  (layout) => {
    const [, pack] = byTable<SubmitSharesExtendedFields>(layout)
    return [
      (payload) => {
        check(payload, 25, layout)
        check(payload, endOf(payload, 24, B0_32), layout)
        return {
          channelId: u32(payload, 0),
          sequenceNumber: u32(payload, 4),
          jobId: u32(payload, 8),
          nonce: u32(payload, 12),
          ntime: u32(payload, 16),
          version: u32(payload, 20),
          extranonce: bytes(payload, 24, B0_32),
        }
      },
      (given, tlvs, target) => {
        if (tlvs === undefined && target !== null) {
          const { channelId, sequenceNumber, jobId, nonce, ntime, version, extranonce } =
            given ?? ({} as SubmitSharesExtendedFields)
          const size = 24 + putBytes(null, 0, extranonce, B0_32)
          const into = target ?? new Uint8Array(size)
          if (
            into[size - 1]! >= 0 &&
            isU32(channelId) &&
            isU32(sequenceNumber) &&
            isU32(jobId) &&
            isU32(nonce) &&
            isU32(ntime) &&
            isU32(version)
          ) {
            writeU32(into, 0, channelId)
            writeU32(into, 4, sequenceNumber)
            writeU32(into, 8, jobId)
            writeU32(into, 12, nonce)
            writeU32(into, 16, ntime)
            writeU32(into, 20, version)
            putBytes(into, 24, extranonce, B0_32)
            return target ? size : into
          }
        }
        // Takes the rare cases, and throws for the wrong ones.
        return pack(given, tlvs, target)
      },
    ]
  },
)

/** Fields of {@link SubmitSharesSuccess}. */
export interface SubmitSharesSuccessFields {
  /** Channel, or group of channels, that the message is for. U32. */
  channelId: number
  /** Number of the last share that this answer is about. U32. */
  lastSequenceNumber: number
  /** Shares that this answer accepts. U32. */
  newSubmitsAcceptedCount: number
  /** Sum of the difficulties of those shares. U64. */
  newSharesSum: bigint
}

/**
 * `SubmitShares.Success`: Accepts shares, many at once if the server likes; both counters are about this answer alone.
 *
 * Type 0x1c, channel bit 1; server to client; 05 §5.3.13. 20 bytes.
 */
export const SubmitSharesSuccess: Message<'SubmitSharesSuccess', SubmitSharesSuccessFields> = /* @__PURE__ */ message(
  {
    name: 'SubmitSharesSuccess',
    specName: 'SubmitShares.Success',
    protocol: 'mining',
    extensionType: 0,
    messageType: 0x1c,
    channelMessage: true,
  },
  {
    channelId: U32,
    lastSequenceNumber: U32,
    newSubmitsAcceptedCount: U32,
    newSharesSum: U64,
  },
  (layout) => {
    const [, pack] = byTable<SubmitSharesSuccessFields>(layout)
    return [
      (payload) => {
        check(payload, 20, layout)

        return {
          channelId: u32(payload, 0),
          lastSequenceNumber: u32(payload, 4),
          newSubmitsAcceptedCount: u32(payload, 8),
          newSharesSum: u64(payload, 12),
        }
      },
      (given, tlvs, target) => {
        if (tlvs === undefined && target !== null) {
          const { channelId, lastSequenceNumber, newSubmitsAcceptedCount, newSharesSum } =
            given ?? ({} as SubmitSharesSuccessFields)

          const into = target ?? new Uint8Array(20)
          if (
            into[20 - 1]! >= 0 &&
            isU32(channelId) &&
            isU32(lastSequenceNumber) &&
            isU32(newSubmitsAcceptedCount) &&
            isU64(newSharesSum)
          ) {
            writeU32(into, 0, channelId)
            writeU32(into, 4, lastSequenceNumber)
            writeU32(into, 8, newSubmitsAcceptedCount)
            writeU64(into, 12, newSharesSum)
            return target ? 20 : into
          }
        }
        // Takes the rare cases, and throws for the wrong ones.
        return pack(given, tlvs, target)
      },
    ]
  },
)

/** Fields of {@link SubmitSharesError}. */
export interface SubmitSharesErrorFields {
  /** Channel, or group of channels, that the message is for. U32. */
  channelId: number
  /** Number of the share in its channel, counted by the client. U32. */
  sequenceNumber: number
  /** Reason in printable ASCII, see `SubmitSharesErrorCode`; unknown codes are only logged. STR0_255: 0 to 255 bytes. */
  errorCode: string
}

/**
 * `SubmitShares.Error`: Refuses a share.
 *
 * Type 0x1d, channel bit 1; server to client; 05 §5.3.14. The first 8 bytes are of fixed length.
 */
export const SubmitSharesError: Message<'SubmitSharesError', SubmitSharesErrorFields, 'channelId' | 'sequenceNumber'> =
  /* @__PURE__ */ message(
    {
      name: 'SubmitSharesError',
      specName: 'SubmitShares.Error',
      protocol: 'mining',
      extensionType: 0,
      messageType: 0x1d,
      channelMessage: true,
    },
    {
      channelId: U32,
      sequenceNumber: U32,
      errorCode: STR0_255,
    },
    byTable,
  )

/** Fields of {@link NewExtendedMiningJob}. */
export interface NewExtendedMiningJobFields {
  /** Channel, or group of channels, that the message is for. U32. */
  channelId: number
  /** Job, as the server has numbered it. U32. */
  jobId: number
  /** Earliest time of a header, in seconds since 1970; null: a future job, which a SetNewPrevHash starts. OPTION[U32]. */
  minNtime: number | null
  /** Version field of the block header, with its rollable bits. U32. */
  version: number
  /** True if the rollable bits of the version may be changed. BOOL, of which bit 0 alone counts. */
  versionRollingAllowed: boolean
  /** Hashes from the coinbase transaction up to the root, deepest first. SEQ0_255[U256]: at most 255 of 32 bytes. */
  merklePath: readonly Uint8Array[]
  /** Coinbase transaction up to the extranonce. B0_64K: 0 to 65,535 bytes. */
  coinbaseTxPrefix: Uint8Array
  /** Coinbase transaction from behind the extranonce. B0_64K: 0 to 65,535 bytes. */
  coinbaseTxSuffix: Uint8Array
}

/**
 * Gives a job to an extended channel, or to a group. The witness is stripped from both parts of the coinbase.
 *
 * Type 0x1f, channel bit 1; server to client; 05 §5.3.16. The first 8 bytes are of fixed length.
 */
export const NewExtendedMiningJob: Message<
  'NewExtendedMiningJob',
  NewExtendedMiningJobFields,
  'channelId' | 'jobId' | 'version' | 'versionRollingAllowed'
> = /* @__PURE__ */ message(
  {
    name: 'NewExtendedMiningJob',
    protocol: 'mining',
    extensionType: 0,
    messageType: 0x1f,
    channelMessage: true,
  },
  {
    channelId: U32,
    jobId: U32,
    minNtime: OPTION_U32,
    version: U32,
    versionRollingAllowed: BOOL,
    merklePath: SEQ0_255_U256,
    coinbaseTxPrefix: B0_64K,
    coinbaseTxSuffix: B0_64K,
  },
  byTable,
)

/** Fields of {@link SetNewPrevHash}. */
export interface SetNewPrevHashFields {
  /** Channel, or group of channels, that the message is for. U32. */
  channelId: number
  /** Future job that starts now, sent before on the same channel. U32. */
  jobId: number
  /** Hash of the previous block, as it stands in the header. U256: 32 bytes. */
  prevHash: Uint8Array
  /** Earliest time of a header of the job, in seconds since 1970. U32. */
  minNtime: number
  /** Compact target of the block header. U32. */
  nbits: number
}

/**
 * Starts work on a new block: the previous block hash for all jobs from here on.
 *
 * Type 0x20, channel bit 1; server to client; 05 §5.3.17. 48 bytes.
 */
export const SetNewPrevHash: Message<'SetNewPrevHash', SetNewPrevHashFields> = /* @__PURE__ */ message(
  {
    name: 'SetNewPrevHash',
    protocol: 'mining',
    extensionType: 0,
    messageType: 0x20,
    channelMessage: true,
  },
  {
    channelId: U32,
    jobId: U32,
    prevHash: U256,
    minNtime: U32,
    nbits: U32,
  },
  byTable,
)

/** Fields of {@link SetTarget}. */
export interface SetTargetFields {
  /** Channel, or group of channels, that the message is for. U32. */
  channelId: number
  /** Target of future jobs; a U256, least significant byte first. U256: 32 bytes. */
  maximumTarget: Uint8Array
}

/**
 * Changes the target of a channel or a group, for future jobs.
 *
 * Type 0x21, channel bit 1; server to client; 05 §5.3.21. 36 bytes.
 */
export const SetTarget: Message<'SetTarget', SetTargetFields> = /* @__PURE__ */ message(
  {
    name: 'SetTarget',
    protocol: 'mining',
    extensionType: 0,
    messageType: 0x21,
    channelMessage: true,
  },
  {
    channelId: U32,
    maximumTarget: U256,
  },
  byTable,
)

/** Fields of {@link SetCustomMiningJob}. */
export interface SetCustomMiningJobFields {
  /** Channel, or group of channels, that the message is for. U32. */
  channelId: number
  /** Number that the client has chosen; the answer carries it, too. U32. */
  requestId: number
  /** Token that the server has allocated for the job. B0_255: 0 to 255 bytes. */
  miningJobToken: Uint8Array
  /** Version field of the block header, with its rollable bits. U32. */
  version: number
  /** Hash of the previous block, as it stands in the header. U256: 32 bytes. */
  prevHash: Uint8Array
  /** Earliest time of a header of the job, in seconds since 1970. U32. */
  minNtime: number
  /** Compact target of the block header. U32. */
  nbits: number
  /** Version of the coinbase transaction. U32. */
  coinbaseTxVersion: number
  /** Bytes that the coinbase's script begins with. B0_255: 0 to 255 bytes. */
  coinbasePrefix: Uint8Array
  /** Sequence number of the coinbase's input. U32. */
  coinbaseTxInputNSequence: number
  /** Outputs of the coinbase transaction, after their count as a CompactSize. B0_64K: 0 to 65,535 bytes. */
  coinbaseTxOutputs: Uint8Array
  /** Lock time of the coinbase transaction. U32. */
  coinbaseTxLocktime: number
  /** Hashes from the coinbase transaction up to the root, deepest first. SEQ0_255[U256]: at most 255 of 32 bytes. */
  merklePath: readonly Uint8Array[]
}

/**
 * Asks the mining pool to accept a job that the client has made. Older peers send it, and its answers, without the channel bit.
 *
 * Type 0x22, channel bit 1; client to server; 05 §5.3.18. The first 8 bytes are of fixed length.
 */
export const SetCustomMiningJob: Message<
  'SetCustomMiningJob',
  SetCustomMiningJobFields,
  | 'channelId'
  | 'requestId'
  | 'version'
  | 'prevHash'
  | 'minNtime'
  | 'nbits'
  | 'coinbaseTxVersion'
  | 'coinbaseTxInputNSequence'
  | 'coinbaseTxLocktime'
> = /* @__PURE__ */ message(
  {
    name: 'SetCustomMiningJob',
    protocol: 'mining',
    extensionType: 0,
    messageType: 0x22,
    channelMessage: true,
  },
  {
    channelId: U32,
    requestId: U32,
    miningJobToken: B0_255,
    version: U32,
    prevHash: U256,
    minNtime: U32,
    nbits: U32,
    coinbaseTxVersion: U32,
    coinbasePrefix: B0_255,
    coinbaseTxInputNSequence: U32,
    coinbaseTxOutputs: B0_64K,
    coinbaseTxLocktime: U32,
    merklePath: SEQ0_255_U256,
  },
  byTable,
)

/** Fields of {@link SetCustomMiningJobSuccess}. */
export interface SetCustomMiningJobSuccessFields {
  /** Channel, or group of channels, that the message is for. U32. */
  channelId: number
  /** Number that the client has chosen; the answer carries it, too. U32. */
  requestId: number
  /** Job, as the server has numbered it. U32. */
  jobId: number
}

/**
 * `SetCustomMiningJob.Success`: Accepts a custom job.
 *
 * Type 0x23, channel bit 1; server to client; 05 §5.3.19. 12 bytes.
 */
export const SetCustomMiningJobSuccess: Message<'SetCustomMiningJobSuccess', SetCustomMiningJobSuccessFields> =
  /* @__PURE__ */ message(
    {
      name: 'SetCustomMiningJobSuccess',
      specName: 'SetCustomMiningJob.Success',
      protocol: 'mining',
      extensionType: 0,
      messageType: 0x23,
      channelMessage: true,
    },
    {
      channelId: U32,
      requestId: U32,
      jobId: U32,
    },
    byTable,
  )

/** Fields of {@link SetCustomMiningJobError}. */
export interface SetCustomMiningJobErrorFields {
  /** Channel, or group of channels, that the message is for. U32. */
  channelId: number
  /** Number that the client has chosen; the answer carries it, too. U32. */
  requestId: number
  /** Reason in printable ASCII, see `SetCustomMiningJobErrorCode`; unknown codes are only logged. STR0_255: 0 to 255 bytes. */
  errorCode: string
}

/**
 * `SetCustomMiningJob.Error`: Refuses a custom job.
 *
 * Type 0x24, channel bit 1; server to client; 05 §5.3.20. The first 8 bytes are of fixed length.
 */
export const SetCustomMiningJobError: Message<
  'SetCustomMiningJobError',
  SetCustomMiningJobErrorFields,
  'channelId' | 'requestId'
> = /* @__PURE__ */ message(
  {
    name: 'SetCustomMiningJobError',
    specName: 'SetCustomMiningJob.Error',
    protocol: 'mining',
    extensionType: 0,
    messageType: 0x24,
    channelMessage: true,
  },
  {
    channelId: U32,
    requestId: U32,
    errorCode: STR0_255,
  },
  byTable,
)

/** Fields of {@link SetGroupChannel}. */
export interface SetGroupChannelFields {
  /** Group that is formed or changed. U32. */
  groupChannelId: number
  /** Channels that belong to the group. SEQ0_64K[U32]: at most 65,535. */
  channelIds: readonly number[]
}

/**
 * Forms a group of channels. It is for the connection itself, so the channel bit is clear.
 *
 * Type 0x25, channel bit 0; server to client; 05 §5.3.22. The first 4 bytes are of fixed length.
 */
export const SetGroupChannel: Message<'SetGroupChannel', SetGroupChannelFields, 'groupChannelId'> =
  /* @__PURE__ */ message(
    {
      name: 'SetGroupChannel',
      protocol: 'mining',
      extensionType: 0,
      messageType: 0x25,
      channelMessage: false,
    },
    {
      groupChannelId: U32,
      channelIds: SEQ0_64K_U32,
    },
    byTable,
  )
