// Generated from schema.json by `npm run generate:messages`; do not edit.
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
import {
  bool,
  byteStrings,
  bytes,
  checkEnd,
  checkPayload,
  endOf,
  f32,
  numbers,
  offsetOf,
  optionU32,
  text,
  u16,
  u32,
  u64,
  u256,
} from './read.js'
import {
  byteStringsSize,
  checkBigint,
  checkBool,
  checkByteStrings,
  checkBytes,
  checkFields,
  checkFloat,
  checkNumbers,
  checkText,
  checkU256,
  isTarget,
  notNumber,
  putBool,
  putByteStrings,
  putBytes,
  putCounted,
  putF32,
  putNumbers,
  putOptionU32,
  putU16,
  putU32,
  putU64,
} from './write.js'

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
    specName: 'OpenStandardMiningChannel',
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
  {
    decode: (payload) => {
      checkPayload(payload, OpenStandardMiningChannel)
      const end2 = endOf(payload, 4, STR0_255)
      checkEnd(payload, end2 + 36, OpenStandardMiningChannel)
      return {
        requestId: u32(payload, 0, OpenStandardMiningChannel),
        userIdentity: text(payload, 4, STR0_255, OpenStandardMiningChannel),
        nominalHashRate: f32(payload, end2, OpenStandardMiningChannel),
        maxTarget: u256(payload, end2 + 4, OpenStandardMiningChannel),
      }
    },
    pack: (fields, into, extra) => {
      const { requestId, userIdentity, nominalHashRate, maxTarget } = checkFields(fields, OpenStandardMiningChannel)
      if (requestId >>> 0 !== requestId) throw notNumber(requestId, OpenStandardMiningChannel, 0)
      const userIdentityText = checkText(userIdentity, 255, OpenStandardMiningChannel, 1)
      checkFloat(nominalHashRate, 0, OpenStandardMiningChannel, 2)
      checkU256(maxTarget, 32, OpenStandardMiningChannel, 3)
      const size = 41 + userIdentityText.length
      if (!isTarget(into, size, extra, OpenStandardMiningChannel)) return size
      putU32(into, 0, requestId)
      let at = putCounted(into, 4, userIdentityText, 1)
      at = putF32(into, at, nominalHashRate)
      putBytes(into, at, maxTarget)
      return size
    },
    get: {
      requestId: (payload) => u32(payload, 0, OpenStandardMiningChannel),
      userIdentity: (payload) => text(payload, 4, STR0_255, OpenStandardMiningChannel),
      nominalHashRate: (payload) =>
        f32(payload, offsetOf(payload, OpenStandardMiningChannel, 2), OpenStandardMiningChannel),
      maxTarget: (payload) => u256(payload, offsetOf(payload, OpenStandardMiningChannel, 3), OpenStandardMiningChannel),
    },
  },
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
  {
    decode: (payload) => {
      checkPayload(payload, OpenStandardMiningChannelSuccess)
      const end4 = endOf(payload, 40, B0_32)
      checkEnd(payload, end4 + 4, OpenStandardMiningChannelSuccess)
      return {
        requestId: u32(payload, 0, OpenStandardMiningChannelSuccess),
        channelId: u32(payload, 4, OpenStandardMiningChannelSuccess),
        target: u256(payload, 8, OpenStandardMiningChannelSuccess),
        extranoncePrefix: bytes(payload, 40, B0_32, OpenStandardMiningChannelSuccess),
        groupChannelId: u32(payload, end4, OpenStandardMiningChannelSuccess),
      }
    },
    pack: (fields, into, extra) => {
      const { requestId, channelId, target, extranoncePrefix, groupChannelId } = checkFields(
        fields,
        OpenStandardMiningChannelSuccess,
      )
      if (requestId >>> 0 !== requestId) throw notNumber(requestId, OpenStandardMiningChannelSuccess, 0)
      if (channelId >>> 0 !== channelId) throw notNumber(channelId, OpenStandardMiningChannelSuccess, 1)
      checkU256(target, 32, OpenStandardMiningChannelSuccess, 2)
      checkBytes(extranoncePrefix, 0, 32, OpenStandardMiningChannelSuccess, 3)
      if (groupChannelId >>> 0 !== groupChannelId) throw notNumber(groupChannelId, OpenStandardMiningChannelSuccess, 4)
      const size = 45 + extranoncePrefix.length
      if (!isTarget(into, size, extra, OpenStandardMiningChannelSuccess)) return size
      putU32(into, 0, requestId)
      putU32(into, 4, channelId)
      putBytes(into, 8, target)
      const at = putCounted(into, 40, extranoncePrefix, 1)
      putU32(into, at, groupChannelId)
      return size
    },
    get: {
      requestId: (payload) => u32(payload, 0, OpenStandardMiningChannelSuccess),
      channelId: (payload) => u32(payload, 4, OpenStandardMiningChannelSuccess),
      target: (payload) => u256(payload, 8, OpenStandardMiningChannelSuccess),
      extranoncePrefix: (payload) => bytes(payload, 40, B0_32, OpenStandardMiningChannelSuccess),
      groupChannelId: (payload) =>
        u32(payload, offsetOf(payload, OpenStandardMiningChannelSuccess, 4), OpenStandardMiningChannelSuccess),
    },
  },
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
    {
      decode: (payload) => {
        checkPayload(payload, OpenMiningChannelError)
        const end2 = endOf(payload, 4, STR0_255)
        checkEnd(payload, end2, OpenMiningChannelError)
        return {
          requestId: u32(payload, 0, OpenMiningChannelError),
          errorCode: text(payload, 4, STR0_255, OpenMiningChannelError),
        }
      },
      pack: (fields, into, extra) => {
        const { requestId, errorCode } = checkFields(fields, OpenMiningChannelError)
        if (requestId >>> 0 !== requestId) throw notNumber(requestId, OpenMiningChannelError, 0)
        const errorCodeText = checkText(errorCode, 255, OpenMiningChannelError, 1)
        const size = 5 + errorCodeText.length
        if (!isTarget(into, size, extra, OpenMiningChannelError)) return size
        putU32(into, 0, requestId)
        putCounted(into, 4, errorCodeText, 1)
        return size
      },
      get: {
        requestId: (payload) => u32(payload, 0, OpenMiningChannelError),
        errorCode: (payload) => text(payload, 4, STR0_255, OpenMiningChannelError),
      },
    },
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
    specName: 'OpenExtendedMiningChannel',
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
  {
    decode: (payload) => {
      checkPayload(payload, OpenExtendedMiningChannel)
      const end2 = endOf(payload, 4, STR0_255)
      checkEnd(payload, end2 + 38, OpenExtendedMiningChannel)
      return {
        requestId: u32(payload, 0, OpenExtendedMiningChannel),
        userIdentity: text(payload, 4, STR0_255, OpenExtendedMiningChannel),
        nominalHashRate: f32(payload, end2, OpenExtendedMiningChannel),
        maxTarget: u256(payload, end2 + 4, OpenExtendedMiningChannel),
        minExtranonceSize: u16(payload, end2 + 36, OpenExtendedMiningChannel),
      }
    },
    pack: (fields, into, extra) => {
      const { requestId, userIdentity, nominalHashRate, maxTarget, minExtranonceSize } = checkFields(
        fields,
        OpenExtendedMiningChannel,
      )
      if (requestId >>> 0 !== requestId) throw notNumber(requestId, OpenExtendedMiningChannel, 0)
      const userIdentityText = checkText(userIdentity, 255, OpenExtendedMiningChannel, 1)
      checkFloat(nominalHashRate, 0, OpenExtendedMiningChannel, 2)
      checkU256(maxTarget, 32, OpenExtendedMiningChannel, 3)
      if ((minExtranonceSize & 0xffff) !== minExtranonceSize)
        throw notNumber(minExtranonceSize, OpenExtendedMiningChannel, 4)
      const size = 43 + userIdentityText.length
      if (!isTarget(into, size, extra, OpenExtendedMiningChannel)) return size
      putU32(into, 0, requestId)
      let at = putCounted(into, 4, userIdentityText, 1)
      at = putF32(into, at, nominalHashRate)
      at = putBytes(into, at, maxTarget)
      putU16(into, at, minExtranonceSize)
      return size
    },
    get: {
      requestId: (payload) => u32(payload, 0, OpenExtendedMiningChannel),
      userIdentity: (payload) => text(payload, 4, STR0_255, OpenExtendedMiningChannel),
      nominalHashRate: (payload) =>
        f32(payload, offsetOf(payload, OpenExtendedMiningChannel, 2), OpenExtendedMiningChannel),
      maxTarget: (payload) => u256(payload, offsetOf(payload, OpenExtendedMiningChannel, 3), OpenExtendedMiningChannel),
      minExtranonceSize: (payload) =>
        u16(payload, offsetOf(payload, OpenExtendedMiningChannel, 4), OpenExtendedMiningChannel),
    },
  },
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
  {
    decode: (payload) => {
      checkPayload(payload, OpenExtendedMiningChannelSuccess)
      const end5 = endOf(payload, 42, B0_32)
      checkEnd(payload, end5 + 4, OpenExtendedMiningChannelSuccess)
      return {
        requestId: u32(payload, 0, OpenExtendedMiningChannelSuccess),
        channelId: u32(payload, 4, OpenExtendedMiningChannelSuccess),
        target: u256(payload, 8, OpenExtendedMiningChannelSuccess),
        extranonceSize: u16(payload, 40, OpenExtendedMiningChannelSuccess),
        extranoncePrefix: bytes(payload, 42, B0_32, OpenExtendedMiningChannelSuccess),
        groupChannelId: u32(payload, end5, OpenExtendedMiningChannelSuccess),
      }
    },
    pack: (fields, into, extra) => {
      const { requestId, channelId, target, extranonceSize, extranoncePrefix, groupChannelId } = checkFields(
        fields,
        OpenExtendedMiningChannelSuccess,
      )
      if (requestId >>> 0 !== requestId) throw notNumber(requestId, OpenExtendedMiningChannelSuccess, 0)
      if (channelId >>> 0 !== channelId) throw notNumber(channelId, OpenExtendedMiningChannelSuccess, 1)
      checkU256(target, 32, OpenExtendedMiningChannelSuccess, 2)
      if ((extranonceSize & 0xffff) !== extranonceSize)
        throw notNumber(extranonceSize, OpenExtendedMiningChannelSuccess, 3)
      checkBytes(extranoncePrefix, 0, 32, OpenExtendedMiningChannelSuccess, 4)
      if (groupChannelId >>> 0 !== groupChannelId) throw notNumber(groupChannelId, OpenExtendedMiningChannelSuccess, 5)
      const size = 47 + extranoncePrefix.length
      if (!isTarget(into, size, extra, OpenExtendedMiningChannelSuccess)) return size
      putU32(into, 0, requestId)
      putU32(into, 4, channelId)
      putBytes(into, 8, target)
      putU16(into, 40, extranonceSize)
      const at = putCounted(into, 42, extranoncePrefix, 1)
      putU32(into, at, groupChannelId)
      return size
    },
    get: {
      requestId: (payload) => u32(payload, 0, OpenExtendedMiningChannelSuccess),
      channelId: (payload) => u32(payload, 4, OpenExtendedMiningChannelSuccess),
      target: (payload) => u256(payload, 8, OpenExtendedMiningChannelSuccess),
      extranonceSize: (payload) => u16(payload, 40, OpenExtendedMiningChannelSuccess),
      extranoncePrefix: (payload) => bytes(payload, 42, B0_32, OpenExtendedMiningChannelSuccess),
      groupChannelId: (payload) =>
        u32(payload, offsetOf(payload, OpenExtendedMiningChannelSuccess, 5), OpenExtendedMiningChannelSuccess),
    },
  },
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
    specName: 'NewMiningJob',
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
  {
    decode: (payload) => {
      checkPayload(payload, NewMiningJob)
      const end3 = endOf(payload, 8, OPTION_U32)
      checkEnd(payload, end3 + 36, NewMiningJob)
      return {
        channelId: u32(payload, 0, NewMiningJob),
        jobId: u32(payload, 4, NewMiningJob),
        minNtime: optionU32(payload, 8, OPTION_U32, NewMiningJob),
        version: u32(payload, end3, NewMiningJob),
        merkleRoot: u256(payload, end3 + 4, NewMiningJob),
      }
    },
    pack: (fields, into, extra) => {
      const { channelId, jobId, minNtime, version, merkleRoot } = checkFields(fields, NewMiningJob)
      if (channelId >>> 0 !== channelId) throw notNumber(channelId, NewMiningJob, 0)
      if (jobId >>> 0 !== jobId) throw notNumber(jobId, NewMiningJob, 1)
      if (minNtime !== null && minNtime >>> 0 !== minNtime) throw notNumber(minNtime, NewMiningJob, 2, 0xffffffff)
      if (version >>> 0 !== version) throw notNumber(version, NewMiningJob, 3)
      checkU256(merkleRoot, 32, NewMiningJob, 4)
      const size = 45 + (minNtime === null ? 0 : 4)
      if (!isTarget(into, size, extra, NewMiningJob)) return size
      putU32(into, 0, channelId)
      putU32(into, 4, jobId)
      let at = putOptionU32(into, 8, minNtime)
      at = putU32(into, at, version)
      putBytes(into, at, merkleRoot)
      return size
    },
    get: {
      channelId: (payload) => u32(payload, 0, NewMiningJob),
      jobId: (payload) => u32(payload, 4, NewMiningJob),
      minNtime: (payload) => optionU32(payload, 8, OPTION_U32, NewMiningJob),
      version: (payload) => u32(payload, offsetOf(payload, NewMiningJob, 3), NewMiningJob),
      merkleRoot: (payload) => u256(payload, offsetOf(payload, NewMiningJob, 4), NewMiningJob),
    },
  },
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
    specName: 'UpdateChannel',
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
  {
    decode: (payload) => {
      checkEnd(payload, 40, UpdateChannel)
      return {
        channelId: u32(payload, 0, UpdateChannel),
        nominalHashRate: f32(payload, 4, UpdateChannel),
        maximumTarget: u256(payload, 8, UpdateChannel),
      }
    },
    pack: (fields, into, extra) => {
      const { channelId, nominalHashRate, maximumTarget } = checkFields(fields, UpdateChannel)
      if (channelId >>> 0 !== channelId) throw notNumber(channelId, UpdateChannel, 0)
      checkFloat(nominalHashRate, 0, UpdateChannel, 1)
      checkU256(maximumTarget, 32, UpdateChannel, 2)
      const size = 40
      if (!isTarget(into, size, extra, UpdateChannel)) return size
      putU32(into, 0, channelId)
      putF32(into, 4, nominalHashRate)
      putBytes(into, 8, maximumTarget)
      return size
    },
    get: {
      channelId: (payload) => u32(payload, 0, UpdateChannel),
      nominalHashRate: (payload) => f32(payload, 4, UpdateChannel),
      maximumTarget: (payload) => u256(payload, 8, UpdateChannel),
    },
  },
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
    {
      decode: (payload) => {
        checkPayload(payload, UpdateChannelError)
        const end2 = endOf(payload, 4, STR0_255)
        checkEnd(payload, end2, UpdateChannelError)
        return {
          channelId: u32(payload, 0, UpdateChannelError),
          errorCode: text(payload, 4, STR0_255, UpdateChannelError),
        }
      },
      pack: (fields, into, extra) => {
        const { channelId, errorCode } = checkFields(fields, UpdateChannelError)
        if (channelId >>> 0 !== channelId) throw notNumber(channelId, UpdateChannelError, 0)
        const errorCodeText = checkText(errorCode, 255, UpdateChannelError, 1)
        const size = 5 + errorCodeText.length
        if (!isTarget(into, size, extra, UpdateChannelError)) return size
        putU32(into, 0, channelId)
        putCounted(into, 4, errorCodeText, 1)
        return size
      },
      get: {
        channelId: (payload) => u32(payload, 0, UpdateChannelError),
        errorCode: (payload) => text(payload, 4, STR0_255, UpdateChannelError),
      },
    },
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
    specName: 'CloseChannel',
    protocol: 'mining',
    extensionType: 0,
    messageType: 0x18,
    channelMessage: true,
  },
  {
    channelId: U32,
    reasonCode: STR0_255,
  },
  {
    decode: (payload) => {
      checkPayload(payload, CloseChannel)
      const end2 = endOf(payload, 4, STR0_255)
      checkEnd(payload, end2, CloseChannel)
      return { channelId: u32(payload, 0, CloseChannel), reasonCode: text(payload, 4, STR0_255, CloseChannel) }
    },
    pack: (fields, into, extra) => {
      const { channelId, reasonCode } = checkFields(fields, CloseChannel)
      if (channelId >>> 0 !== channelId) throw notNumber(channelId, CloseChannel, 0)
      const reasonCodeText = checkText(reasonCode, 255, CloseChannel, 1)
      const size = 5 + reasonCodeText.length
      if (!isTarget(into, size, extra, CloseChannel)) return size
      putU32(into, 0, channelId)
      putCounted(into, 4, reasonCodeText, 1)
      return size
    },
    get: {
      channelId: (payload) => u32(payload, 0, CloseChannel),
      reasonCode: (payload) => text(payload, 4, STR0_255, CloseChannel),
    },
  },
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
      specName: 'SetExtranoncePrefix',
      protocol: 'mining',
      extensionType: 0,
      messageType: 0x19,
      channelMessage: true,
    },
    {
      channelId: U32,
      extranoncePrefix: B0_32,
    },
    {
      decode: (payload) => {
        checkPayload(payload, SetExtranoncePrefix)
        const end2 = endOf(payload, 4, B0_32)
        checkEnd(payload, end2, SetExtranoncePrefix)
        return {
          channelId: u32(payload, 0, SetExtranoncePrefix),
          extranoncePrefix: bytes(payload, 4, B0_32, SetExtranoncePrefix),
        }
      },
      pack: (fields, into, extra) => {
        const { channelId, extranoncePrefix } = checkFields(fields, SetExtranoncePrefix)
        if (channelId >>> 0 !== channelId) throw notNumber(channelId, SetExtranoncePrefix, 0)
        checkBytes(extranoncePrefix, 0, 32, SetExtranoncePrefix, 1)
        const size = 5 + extranoncePrefix.length
        if (!isTarget(into, size, extra, SetExtranoncePrefix)) return size
        putU32(into, 0, channelId)
        putCounted(into, 4, extranoncePrefix, 1)
        return size
      },
      get: {
        channelId: (payload) => u32(payload, 0, SetExtranoncePrefix),
        extranoncePrefix: (payload) => bytes(payload, 4, B0_32, SetExtranoncePrefix),
      },
    },
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
      specName: 'SubmitSharesStandard',
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
    {
      decode: (payload) => {
        checkEnd(payload, 24, SubmitSharesStandard)
        return {
          channelId: u32(payload, 0, SubmitSharesStandard),
          sequenceNumber: u32(payload, 4, SubmitSharesStandard),
          jobId: u32(payload, 8, SubmitSharesStandard),
          nonce: u32(payload, 12, SubmitSharesStandard),
          ntime: u32(payload, 16, SubmitSharesStandard),
          version: u32(payload, 20, SubmitSharesStandard),
        }
      },
      pack: (fields, into, extra) => {
        const { channelId, sequenceNumber, jobId, nonce, ntime, version } = checkFields(fields, SubmitSharesStandard)
        if (channelId >>> 0 !== channelId) throw notNumber(channelId, SubmitSharesStandard, 0)
        if (sequenceNumber >>> 0 !== sequenceNumber) throw notNumber(sequenceNumber, SubmitSharesStandard, 1)
        if (jobId >>> 0 !== jobId) throw notNumber(jobId, SubmitSharesStandard, 2)
        if (nonce >>> 0 !== nonce) throw notNumber(nonce, SubmitSharesStandard, 3)
        if (ntime >>> 0 !== ntime) throw notNumber(ntime, SubmitSharesStandard, 4)
        if (version >>> 0 !== version) throw notNumber(version, SubmitSharesStandard, 5)
        const size = 24
        if (!isTarget(into, size, extra, SubmitSharesStandard)) return size
        putU32(into, 0, channelId)
        putU32(into, 4, sequenceNumber)
        putU32(into, 8, jobId)
        putU32(into, 12, nonce)
        putU32(into, 16, ntime)
        putU32(into, 20, version)
        return size
      },
      get: {
        channelId: (payload) => u32(payload, 0, SubmitSharesStandard),
        sequenceNumber: (payload) => u32(payload, 4, SubmitSharesStandard),
        jobId: (payload) => u32(payload, 8, SubmitSharesStandard),
        nonce: (payload) => u32(payload, 12, SubmitSharesStandard),
        ntime: (payload) => u32(payload, 16, SubmitSharesStandard),
        version: (payload) => u32(payload, 20, SubmitSharesStandard),
      },
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
    specName: 'SubmitSharesExtended',
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
  {
    decode: (payload) => {
      checkPayload(payload, SubmitSharesExtended)
      const end7 = endOf(payload, 24, B0_32)
      checkEnd(payload, end7, SubmitSharesExtended)
      return {
        channelId: u32(payload, 0, SubmitSharesExtended),
        sequenceNumber: u32(payload, 4, SubmitSharesExtended),
        jobId: u32(payload, 8, SubmitSharesExtended),
        nonce: u32(payload, 12, SubmitSharesExtended),
        ntime: u32(payload, 16, SubmitSharesExtended),
        version: u32(payload, 20, SubmitSharesExtended),
        extranonce: bytes(payload, 24, B0_32, SubmitSharesExtended),
      }
    },
    pack: (fields, into, extra) => {
      const { channelId, sequenceNumber, jobId, nonce, ntime, version, extranonce } = checkFields(
        fields,
        SubmitSharesExtended,
      )
      if (channelId >>> 0 !== channelId) throw notNumber(channelId, SubmitSharesExtended, 0)
      if (sequenceNumber >>> 0 !== sequenceNumber) throw notNumber(sequenceNumber, SubmitSharesExtended, 1)
      if (jobId >>> 0 !== jobId) throw notNumber(jobId, SubmitSharesExtended, 2)
      if (nonce >>> 0 !== nonce) throw notNumber(nonce, SubmitSharesExtended, 3)
      if (ntime >>> 0 !== ntime) throw notNumber(ntime, SubmitSharesExtended, 4)
      if (version >>> 0 !== version) throw notNumber(version, SubmitSharesExtended, 5)
      checkBytes(extranonce, 0, 32, SubmitSharesExtended, 6)
      const size = 25 + extranonce.length
      if (!isTarget(into, size, extra, SubmitSharesExtended)) return size
      putU32(into, 0, channelId)
      putU32(into, 4, sequenceNumber)
      putU32(into, 8, jobId)
      putU32(into, 12, nonce)
      putU32(into, 16, ntime)
      putU32(into, 20, version)
      putCounted(into, 24, extranonce, 1)
      return size
    },
    get: {
      channelId: (payload) => u32(payload, 0, SubmitSharesExtended),
      sequenceNumber: (payload) => u32(payload, 4, SubmitSharesExtended),
      jobId: (payload) => u32(payload, 8, SubmitSharesExtended),
      nonce: (payload) => u32(payload, 12, SubmitSharesExtended),
      ntime: (payload) => u32(payload, 16, SubmitSharesExtended),
      version: (payload) => u32(payload, 20, SubmitSharesExtended),
      extranonce: (payload) => bytes(payload, 24, B0_32, SubmitSharesExtended),
    },
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
  {
    decode: (payload) => {
      checkEnd(payload, 20, SubmitSharesSuccess)
      return {
        channelId: u32(payload, 0, SubmitSharesSuccess),
        lastSequenceNumber: u32(payload, 4, SubmitSharesSuccess),
        newSubmitsAcceptedCount: u32(payload, 8, SubmitSharesSuccess),
        newSharesSum: u64(payload, 12, SubmitSharesSuccess),
      }
    },
    pack: (fields, into, extra) => {
      const { channelId, lastSequenceNumber, newSubmitsAcceptedCount, newSharesSum } = checkFields(
        fields,
        SubmitSharesSuccess,
      )
      if (channelId >>> 0 !== channelId) throw notNumber(channelId, SubmitSharesSuccess, 0)
      if (lastSequenceNumber >>> 0 !== lastSequenceNumber) throw notNumber(lastSequenceNumber, SubmitSharesSuccess, 1)
      if (newSubmitsAcceptedCount >>> 0 !== newSubmitsAcceptedCount)
        throw notNumber(newSubmitsAcceptedCount, SubmitSharesSuccess, 2)
      checkBigint(newSharesSum, 0, SubmitSharesSuccess, 3)
      const size = 20
      if (!isTarget(into, size, extra, SubmitSharesSuccess)) return size
      putU32(into, 0, channelId)
      putU32(into, 4, lastSequenceNumber)
      putU32(into, 8, newSubmitsAcceptedCount)
      putU64(into, 12, newSharesSum)
      return size
    },
    get: {
      channelId: (payload) => u32(payload, 0, SubmitSharesSuccess),
      lastSequenceNumber: (payload) => u32(payload, 4, SubmitSharesSuccess),
      newSubmitsAcceptedCount: (payload) => u32(payload, 8, SubmitSharesSuccess),
      newSharesSum: (payload) => u64(payload, 12, SubmitSharesSuccess),
    },
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
    {
      decode: (payload) => {
        checkPayload(payload, SubmitSharesError)
        const end3 = endOf(payload, 8, STR0_255)
        checkEnd(payload, end3, SubmitSharesError)
        return {
          channelId: u32(payload, 0, SubmitSharesError),
          sequenceNumber: u32(payload, 4, SubmitSharesError),
          errorCode: text(payload, 8, STR0_255, SubmitSharesError),
        }
      },
      pack: (fields, into, extra) => {
        const { channelId, sequenceNumber, errorCode } = checkFields(fields, SubmitSharesError)
        if (channelId >>> 0 !== channelId) throw notNumber(channelId, SubmitSharesError, 0)
        if (sequenceNumber >>> 0 !== sequenceNumber) throw notNumber(sequenceNumber, SubmitSharesError, 1)
        const errorCodeText = checkText(errorCode, 255, SubmitSharesError, 2)
        const size = 9 + errorCodeText.length
        if (!isTarget(into, size, extra, SubmitSharesError)) return size
        putU32(into, 0, channelId)
        putU32(into, 4, sequenceNumber)
        putCounted(into, 8, errorCodeText, 1)
        return size
      },
      get: {
        channelId: (payload) => u32(payload, 0, SubmitSharesError),
        sequenceNumber: (payload) => u32(payload, 4, SubmitSharesError),
        errorCode: (payload) => text(payload, 8, STR0_255, SubmitSharesError),
      },
    },
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
    specName: 'NewExtendedMiningJob',
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
  {
    decode: (payload) => {
      checkPayload(payload, NewExtendedMiningJob)
      const end3 = endOf(payload, 8, OPTION_U32)
      const end6 = endOf(payload, end3 + 5, SEQ0_255_U256)
      const end7 = endOf(payload, end6, B0_64K)
      const end8 = endOf(payload, end7, B0_64K)
      checkEnd(payload, end8, NewExtendedMiningJob)
      return {
        channelId: u32(payload, 0, NewExtendedMiningJob),
        jobId: u32(payload, 4, NewExtendedMiningJob),
        minNtime: optionU32(payload, 8, OPTION_U32, NewExtendedMiningJob),
        version: u32(payload, end3, NewExtendedMiningJob),
        versionRollingAllowed: bool(payload, end3 + 4, NewExtendedMiningJob),
        merklePath: byteStrings(payload, end3 + 5, SEQ0_255_U256, NewExtendedMiningJob),
        coinbaseTxPrefix: bytes(payload, end6, B0_64K, NewExtendedMiningJob),
        coinbaseTxSuffix: bytes(payload, end7, B0_64K, NewExtendedMiningJob),
      }
    },
    pack: (fields, into, extra) => {
      const {
        channelId,
        jobId,
        minNtime,
        version,
        versionRollingAllowed,
        merklePath,
        coinbaseTxPrefix,
        coinbaseTxSuffix,
      } = checkFields(fields, NewExtendedMiningJob)
      const merklePathList = checkByteStrings(merklePath, SEQ0_255_U256, NewExtendedMiningJob, 5)
      if (channelId >>> 0 !== channelId) throw notNumber(channelId, NewExtendedMiningJob, 0)
      if (jobId >>> 0 !== jobId) throw notNumber(jobId, NewExtendedMiningJob, 1)
      if (minNtime !== null && minNtime >>> 0 !== minNtime)
        throw notNumber(minNtime, NewExtendedMiningJob, 2, 0xffffffff)
      if (version >>> 0 !== version) throw notNumber(version, NewExtendedMiningJob, 3)
      checkBool(versionRollingAllowed, 0, NewExtendedMiningJob, 4)
      checkBytes(coinbaseTxPrefix, 0, 65535, NewExtendedMiningJob, 6)
      checkBytes(coinbaseTxSuffix, 0, 65535, NewExtendedMiningJob, 7)
      const size =
        18 +
        byteStringsSize(merklePathList, SEQ0_255_U256) +
        (minNtime === null ? 0 : 4) +
        coinbaseTxPrefix.length +
        coinbaseTxSuffix.length
      if (!isTarget(into, size, extra, NewExtendedMiningJob)) return size
      putU32(into, 0, channelId)
      putU32(into, 4, jobId)
      let at = putOptionU32(into, 8, minNtime)
      at = putU32(into, at, version)
      at = putBool(into, at, versionRollingAllowed)
      at = putByteStrings(into, at, merklePathList, SEQ0_255_U256)
      at = putCounted(into, at, coinbaseTxPrefix, 2)
      putCounted(into, at, coinbaseTxSuffix, 2)
      return size
    },
    get: {
      channelId: (payload) => u32(payload, 0, NewExtendedMiningJob),
      jobId: (payload) => u32(payload, 4, NewExtendedMiningJob),
      minNtime: (payload) => optionU32(payload, 8, OPTION_U32, NewExtendedMiningJob),
      version: (payload) => u32(payload, offsetOf(payload, NewExtendedMiningJob, 3), NewExtendedMiningJob),
      versionRollingAllowed: (payload) =>
        bool(payload, offsetOf(payload, NewExtendedMiningJob, 4), NewExtendedMiningJob),
      merklePath: (payload) =>
        byteStrings(payload, offsetOf(payload, NewExtendedMiningJob, 5), SEQ0_255_U256, NewExtendedMiningJob),
      coinbaseTxPrefix: (payload) =>
        bytes(payload, offsetOf(payload, NewExtendedMiningJob, 6), B0_64K, NewExtendedMiningJob),
      coinbaseTxSuffix: (payload) =>
        bytes(payload, offsetOf(payload, NewExtendedMiningJob, 7), B0_64K, NewExtendedMiningJob),
    },
  },
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
    specName: 'SetNewPrevHash',
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
  {
    decode: (payload) => {
      checkEnd(payload, 48, SetNewPrevHash)
      return {
        channelId: u32(payload, 0, SetNewPrevHash),
        jobId: u32(payload, 4, SetNewPrevHash),
        prevHash: u256(payload, 8, SetNewPrevHash),
        minNtime: u32(payload, 40, SetNewPrevHash),
        nbits: u32(payload, 44, SetNewPrevHash),
      }
    },
    pack: (fields, into, extra) => {
      const { channelId, jobId, prevHash, minNtime, nbits } = checkFields(fields, SetNewPrevHash)
      if (channelId >>> 0 !== channelId) throw notNumber(channelId, SetNewPrevHash, 0)
      if (jobId >>> 0 !== jobId) throw notNumber(jobId, SetNewPrevHash, 1)
      checkU256(prevHash, 32, SetNewPrevHash, 2)
      if (minNtime >>> 0 !== minNtime) throw notNumber(minNtime, SetNewPrevHash, 3)
      if (nbits >>> 0 !== nbits) throw notNumber(nbits, SetNewPrevHash, 4)
      const size = 48
      if (!isTarget(into, size, extra, SetNewPrevHash)) return size
      putU32(into, 0, channelId)
      putU32(into, 4, jobId)
      putBytes(into, 8, prevHash)
      putU32(into, 40, minNtime)
      putU32(into, 44, nbits)
      return size
    },
    get: {
      channelId: (payload) => u32(payload, 0, SetNewPrevHash),
      jobId: (payload) => u32(payload, 4, SetNewPrevHash),
      prevHash: (payload) => u256(payload, 8, SetNewPrevHash),
      minNtime: (payload) => u32(payload, 40, SetNewPrevHash),
      nbits: (payload) => u32(payload, 44, SetNewPrevHash),
    },
  },
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
    specName: 'SetTarget',
    protocol: 'mining',
    extensionType: 0,
    messageType: 0x21,
    channelMessage: true,
  },
  {
    channelId: U32,
    maximumTarget: U256,
  },
  {
    decode: (payload) => {
      checkEnd(payload, 36, SetTarget)
      return { channelId: u32(payload, 0, SetTarget), maximumTarget: u256(payload, 4, SetTarget) }
    },
    pack: (fields, into, extra) => {
      const { channelId, maximumTarget } = checkFields(fields, SetTarget)
      if (channelId >>> 0 !== channelId) throw notNumber(channelId, SetTarget, 0)
      checkU256(maximumTarget, 32, SetTarget, 1)
      const size = 36
      if (!isTarget(into, size, extra, SetTarget)) return size
      putU32(into, 0, channelId)
      putBytes(into, 4, maximumTarget)
      return size
    },
    get: {
      channelId: (payload) => u32(payload, 0, SetTarget),
      maximumTarget: (payload) => u256(payload, 4, SetTarget),
    },
  },
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
 * Asks the pool to accept a job that the client has made. Older peers send it, and its answers, without the channel bit.
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
    specName: 'SetCustomMiningJob',
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
  {
    decode: (payload) => {
      checkPayload(payload, SetCustomMiningJob)
      const end3 = endOf(payload, 8, B0_255)
      const end9 = endOf(payload, end3 + 48, B0_255)
      const end11 = endOf(payload, end9 + 4, B0_64K)
      const end13 = endOf(payload, end11 + 4, SEQ0_255_U256)
      checkEnd(payload, end13, SetCustomMiningJob)
      return {
        channelId: u32(payload, 0, SetCustomMiningJob),
        requestId: u32(payload, 4, SetCustomMiningJob),
        miningJobToken: bytes(payload, 8, B0_255, SetCustomMiningJob),
        version: u32(payload, end3, SetCustomMiningJob),
        prevHash: u256(payload, end3 + 4, SetCustomMiningJob),
        minNtime: u32(payload, end3 + 36, SetCustomMiningJob),
        nbits: u32(payload, end3 + 40, SetCustomMiningJob),
        coinbaseTxVersion: u32(payload, end3 + 44, SetCustomMiningJob),
        coinbasePrefix: bytes(payload, end3 + 48, B0_255, SetCustomMiningJob),
        coinbaseTxInputNSequence: u32(payload, end9, SetCustomMiningJob),
        coinbaseTxOutputs: bytes(payload, end9 + 4, B0_64K, SetCustomMiningJob),
        coinbaseTxLocktime: u32(payload, end11, SetCustomMiningJob),
        merklePath: byteStrings(payload, end11 + 4, SEQ0_255_U256, SetCustomMiningJob),
      }
    },
    pack: (fields, into, extra) => {
      const {
        channelId,
        requestId,
        miningJobToken,
        version,
        prevHash,
        minNtime,
        nbits,
        coinbaseTxVersion,
        coinbasePrefix,
        coinbaseTxInputNSequence,
        coinbaseTxOutputs,
        coinbaseTxLocktime,
        merklePath,
      } = checkFields(fields, SetCustomMiningJob)
      const merklePathList = checkByteStrings(merklePath, SEQ0_255_U256, SetCustomMiningJob, 12)
      if (channelId >>> 0 !== channelId) throw notNumber(channelId, SetCustomMiningJob, 0)
      if (requestId >>> 0 !== requestId) throw notNumber(requestId, SetCustomMiningJob, 1)
      checkBytes(miningJobToken, 0, 255, SetCustomMiningJob, 2)
      if (version >>> 0 !== version) throw notNumber(version, SetCustomMiningJob, 3)
      checkU256(prevHash, 32, SetCustomMiningJob, 4)
      if (minNtime >>> 0 !== minNtime) throw notNumber(minNtime, SetCustomMiningJob, 5)
      if (nbits >>> 0 !== nbits) throw notNumber(nbits, SetCustomMiningJob, 6)
      if (coinbaseTxVersion >>> 0 !== coinbaseTxVersion) throw notNumber(coinbaseTxVersion, SetCustomMiningJob, 7)
      checkBytes(coinbasePrefix, 0, 255, SetCustomMiningJob, 8)
      if (coinbaseTxInputNSequence >>> 0 !== coinbaseTxInputNSequence)
        throw notNumber(coinbaseTxInputNSequence, SetCustomMiningJob, 9)
      checkBytes(coinbaseTxOutputs, 0, 65535, SetCustomMiningJob, 10)
      if (coinbaseTxLocktime >>> 0 !== coinbaseTxLocktime) throw notNumber(coinbaseTxLocktime, SetCustomMiningJob, 11)
      const size =
        68 +
        byteStringsSize(merklePathList, SEQ0_255_U256) +
        miningJobToken.length +
        coinbasePrefix.length +
        coinbaseTxOutputs.length
      if (!isTarget(into, size, extra, SetCustomMiningJob)) return size
      putU32(into, 0, channelId)
      putU32(into, 4, requestId)
      let at = putCounted(into, 8, miningJobToken, 1)
      at = putU32(into, at, version)
      at = putBytes(into, at, prevHash)
      at = putU32(into, at, minNtime)
      at = putU32(into, at, nbits)
      at = putU32(into, at, coinbaseTxVersion)
      at = putCounted(into, at, coinbasePrefix, 1)
      at = putU32(into, at, coinbaseTxInputNSequence)
      at = putCounted(into, at, coinbaseTxOutputs, 2)
      at = putU32(into, at, coinbaseTxLocktime)
      putByteStrings(into, at, merklePathList, SEQ0_255_U256)
      return size
    },
    get: {
      channelId: (payload) => u32(payload, 0, SetCustomMiningJob),
      requestId: (payload) => u32(payload, 4, SetCustomMiningJob),
      miningJobToken: (payload) => bytes(payload, 8, B0_255, SetCustomMiningJob),
      version: (payload) => u32(payload, offsetOf(payload, SetCustomMiningJob, 3), SetCustomMiningJob),
      prevHash: (payload) => u256(payload, offsetOf(payload, SetCustomMiningJob, 4), SetCustomMiningJob),
      minNtime: (payload) => u32(payload, offsetOf(payload, SetCustomMiningJob, 5), SetCustomMiningJob),
      nbits: (payload) => u32(payload, offsetOf(payload, SetCustomMiningJob, 6), SetCustomMiningJob),
      coinbaseTxVersion: (payload) => u32(payload, offsetOf(payload, SetCustomMiningJob, 7), SetCustomMiningJob),
      coinbasePrefix: (payload) => bytes(payload, offsetOf(payload, SetCustomMiningJob, 8), B0_255, SetCustomMiningJob),
      coinbaseTxInputNSequence: (payload) => u32(payload, offsetOf(payload, SetCustomMiningJob, 9), SetCustomMiningJob),
      coinbaseTxOutputs: (payload) =>
        bytes(payload, offsetOf(payload, SetCustomMiningJob, 10), B0_64K, SetCustomMiningJob),
      coinbaseTxLocktime: (payload) => u32(payload, offsetOf(payload, SetCustomMiningJob, 11), SetCustomMiningJob),
      merklePath: (payload) =>
        byteStrings(payload, offsetOf(payload, SetCustomMiningJob, 12), SEQ0_255_U256, SetCustomMiningJob),
    },
  },
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
    {
      decode: (payload) => {
        checkEnd(payload, 12, SetCustomMiningJobSuccess)
        return {
          channelId: u32(payload, 0, SetCustomMiningJobSuccess),
          requestId: u32(payload, 4, SetCustomMiningJobSuccess),
          jobId: u32(payload, 8, SetCustomMiningJobSuccess),
        }
      },
      pack: (fields, into, extra) => {
        const { channelId, requestId, jobId } = checkFields(fields, SetCustomMiningJobSuccess)
        if (channelId >>> 0 !== channelId) throw notNumber(channelId, SetCustomMiningJobSuccess, 0)
        if (requestId >>> 0 !== requestId) throw notNumber(requestId, SetCustomMiningJobSuccess, 1)
        if (jobId >>> 0 !== jobId) throw notNumber(jobId, SetCustomMiningJobSuccess, 2)
        const size = 12
        if (!isTarget(into, size, extra, SetCustomMiningJobSuccess)) return size
        putU32(into, 0, channelId)
        putU32(into, 4, requestId)
        putU32(into, 8, jobId)
        return size
      },
      get: {
        channelId: (payload) => u32(payload, 0, SetCustomMiningJobSuccess),
        requestId: (payload) => u32(payload, 4, SetCustomMiningJobSuccess),
        jobId: (payload) => u32(payload, 8, SetCustomMiningJobSuccess),
      },
    },
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
  {
    decode: (payload) => {
      checkPayload(payload, SetCustomMiningJobError)
      const end3 = endOf(payload, 8, STR0_255)
      checkEnd(payload, end3, SetCustomMiningJobError)
      return {
        channelId: u32(payload, 0, SetCustomMiningJobError),
        requestId: u32(payload, 4, SetCustomMiningJobError),
        errorCode: text(payload, 8, STR0_255, SetCustomMiningJobError),
      }
    },
    pack: (fields, into, extra) => {
      const { channelId, requestId, errorCode } = checkFields(fields, SetCustomMiningJobError)
      if (channelId >>> 0 !== channelId) throw notNumber(channelId, SetCustomMiningJobError, 0)
      if (requestId >>> 0 !== requestId) throw notNumber(requestId, SetCustomMiningJobError, 1)
      const errorCodeText = checkText(errorCode, 255, SetCustomMiningJobError, 2)
      const size = 9 + errorCodeText.length
      if (!isTarget(into, size, extra, SetCustomMiningJobError)) return size
      putU32(into, 0, channelId)
      putU32(into, 4, requestId)
      putCounted(into, 8, errorCodeText, 1)
      return size
    },
    get: {
      channelId: (payload) => u32(payload, 0, SetCustomMiningJobError),
      requestId: (payload) => u32(payload, 4, SetCustomMiningJobError),
      errorCode: (payload) => text(payload, 8, STR0_255, SetCustomMiningJobError),
    },
  },
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
      specName: 'SetGroupChannel',
      protocol: 'mining',
      extensionType: 0,
      messageType: 0x25,
      channelMessage: false,
    },
    {
      groupChannelId: U32,
      channelIds: SEQ0_64K_U32,
    },
    {
      decode: (payload) => {
        checkPayload(payload, SetGroupChannel)
        const end2 = endOf(payload, 4, SEQ0_64K_U32)
        checkEnd(payload, end2, SetGroupChannel)
        return {
          groupChannelId: u32(payload, 0, SetGroupChannel),
          channelIds: numbers(payload, 4, SEQ0_64K_U32, SetGroupChannel),
        }
      },
      pack: (fields, into, extra) => {
        const { groupChannelId, channelIds } = checkFields(fields, SetGroupChannel)
        const channelIdsList = checkNumbers(channelIds, SEQ0_64K_U32, SetGroupChannel, 1)
        if (groupChannelId >>> 0 !== groupChannelId) throw notNumber(groupChannelId, SetGroupChannel, 0)
        const size = 4 + 2 + channelIdsList.length * 4
        if (!isTarget(into, size, extra, SetGroupChannel)) return size
        putU32(into, 0, groupChannelId)
        putNumbers(into, 4, channelIdsList, SEQ0_64K_U32)
        return size
      },
      get: {
        groupChannelId: (payload) => u32(payload, 0, SetGroupChannel),
        channelIds: (payload) => numbers(payload, 4, SEQ0_64K_U32, SetGroupChannel),
      },
    },
  )
