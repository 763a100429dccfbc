// Generated from schema.json by `npm run generate:messages`; do not edit.
import { B0_64K, B0_255, BOOL, SEQ0_64K_B0_16M, SEQ0_255_U256, STR0_255, U16, U32, U64, U256 } from './field-type.js'
import { type Message, message } from './message.js'
import { bool, byteStrings, bytes, checkEnd, checkPayload, endOf, offsetOf, text, u16, u32, u64, u256 } from './read.js'
import {
  byteStringsSize,
  checkBigint,
  checkBool,
  checkByteStrings,
  checkBytes,
  checkFields,
  checkText,
  checkU256,
  isTarget,
  notNumber,
  putBool,
  putByteStrings,
  putBytes,
  putCounted,
  putU16,
  putU32,
  putU64,
} from './write.js'

// The template distribution protocol.

/** Fields of {@link CoinbaseOutputConstraints}. */
export interface CoinbaseOutputConstraintsFields {
  /** Bytes that the pool's outputs take at most. U32. */
  coinbaseOutputMaxAdditionalSize: number
  /** Signature operations that the pool's outputs take at most. U16. */
  coinbaseOutputMaxAdditionalSigops: number
}

/**
 * Says how much room the template must leave for the pool's outputs. Follows the handshake at once.
 *
 * Type 0x70, channel bit 0; client to server; 07 §7.1. 6 bytes.
 */
export const CoinbaseOutputConstraints: Message<'CoinbaseOutputConstraints', CoinbaseOutputConstraintsFields> =
  /* @__PURE__ */ message(
    {
      name: 'CoinbaseOutputConstraints',
      specName: 'CoinbaseOutputConstraints',
      protocol: 'template-distribution',
      extensionType: 0,
      messageType: 0x70,
      channelMessage: false,
    },
    {
      coinbaseOutputMaxAdditionalSize: U32,
      coinbaseOutputMaxAdditionalSigops: U16,
    },
    {
      decode: (payload) => {
        checkEnd(payload, 6, CoinbaseOutputConstraints)
        return {
          coinbaseOutputMaxAdditionalSize: u32(payload, 0, CoinbaseOutputConstraints),
          coinbaseOutputMaxAdditionalSigops: u16(payload, 4, CoinbaseOutputConstraints),
        }
      },
      pack: (fields, into, extra) => {
        const { coinbaseOutputMaxAdditionalSize, coinbaseOutputMaxAdditionalSigops } = checkFields(
          fields,
          CoinbaseOutputConstraints,
        )
        if (coinbaseOutputMaxAdditionalSize >>> 0 !== coinbaseOutputMaxAdditionalSize)
          throw notNumber(coinbaseOutputMaxAdditionalSize, CoinbaseOutputConstraints, 0)
        if ((coinbaseOutputMaxAdditionalSigops & 0xffff) !== coinbaseOutputMaxAdditionalSigops)
          throw notNumber(coinbaseOutputMaxAdditionalSigops, CoinbaseOutputConstraints, 1)
        const size = 6
        if (!isTarget(into, size, extra, CoinbaseOutputConstraints)) return size
        putU32(into, 0, coinbaseOutputMaxAdditionalSize)
        putU16(into, 4, coinbaseOutputMaxAdditionalSigops)
        return size
      },
      get: {
        coinbaseOutputMaxAdditionalSize: (payload) => u32(payload, 0, CoinbaseOutputConstraints),
        coinbaseOutputMaxAdditionalSigops: (payload) => u16(payload, 4, CoinbaseOutputConstraints),
      },
    },
  )

/** Fields of {@link NewTemplate}. */
export interface NewTemplateFields {
  /** Template, as the template provider has numbered it. U64. */
  templateId: bigint
  /** True if the template is for a block whose predecessor a later SetNewPrevHash names. BOOL, of which bit 0 alone counts. */
  futureTemplate: boolean
  /** Version field of the block header, with its rollable bits. U32. */
  version: number
  /** Version of the coinbase transaction. U32. */
  coinbaseTxVersion: number
  /** Bytes that the coinbase's script begins with. B0_255: 0 to 255 bytes. */
  coinbasePrefix: Uint8Array
  /** Sequence number of the coinbase's input. U32. */
  coinbaseTxInputSequence: number
  /** Satoshis that the outputs may spend. U64. */
  coinbaseTxValueRemaining: bigint
  /** Count of the outputs in `coinbaseTxOutputs`. U32. */
  coinbaseTxOutputsCount: number
  /** Outputs that the template needs, without their count. B0_64K: 0 to 65,535 bytes. */
  coinbaseTxOutputs: Uint8Array
  /** Lock time of the coinbase transaction. U32. */
  coinbaseTxLocktime: number
  /** Hashes from the coinbase transaction up to the root, deepest first. SEQ0_255[U256]: at most 255 of 32 bytes. */
  merklePath: readonly Uint8Array[]
}

/**
 * Gives a template of a block.
 *
 * Type 0x71, channel bit 0; server to client; 07 §7.2. The first 17 bytes are of fixed length.
 */
export const NewTemplate: Message<
  'NewTemplate',
  NewTemplateFields,
  | 'templateId'
  | 'futureTemplate'
  | 'version'
  | 'coinbaseTxVersion'
  | 'coinbaseTxInputSequence'
  | 'coinbaseTxValueRemaining'
  | 'coinbaseTxOutputsCount'
  | 'coinbaseTxLocktime'
> = /* @__PURE__ */ message(
  {
    name: 'NewTemplate',
    specName: 'NewTemplate',
    protocol: 'template-distribution',
    extensionType: 0,
    messageType: 0x71,
    channelMessage: false,
  },
  {
    templateId: U64,
    futureTemplate: BOOL,
    version: U32,
    coinbaseTxVersion: U32,
    coinbasePrefix: B0_255,
    coinbaseTxInputSequence: U32,
    coinbaseTxValueRemaining: U64,
    coinbaseTxOutputsCount: U32,
    coinbaseTxOutputs: B0_64K,
    coinbaseTxLocktime: U32,
    merklePath: SEQ0_255_U256,
  },
  {
    decode: (payload) => {
      checkPayload(payload, NewTemplate)
      const end5 = endOf(payload, 17, B0_255)
      const end9 = endOf(payload, end5 + 16, B0_64K)
      const end11 = endOf(payload, end9 + 4, SEQ0_255_U256)
      checkEnd(payload, end11, NewTemplate)
      return {
        templateId: u64(payload, 0, NewTemplate),
        futureTemplate: bool(payload, 8, NewTemplate),
        version: u32(payload, 9, NewTemplate),
        coinbaseTxVersion: u32(payload, 13, NewTemplate),
        coinbasePrefix: bytes(payload, 17, B0_255, NewTemplate),
        coinbaseTxInputSequence: u32(payload, end5, NewTemplate),
        coinbaseTxValueRemaining: u64(payload, end5 + 4, NewTemplate),
        coinbaseTxOutputsCount: u32(payload, end5 + 12, NewTemplate),
        coinbaseTxOutputs: bytes(payload, end5 + 16, B0_64K, NewTemplate),
        coinbaseTxLocktime: u32(payload, end9, NewTemplate),
        merklePath: byteStrings(payload, end9 + 4, SEQ0_255_U256, NewTemplate),
      }
    },
    pack: (fields, into, extra) => {
      const {
        templateId,
        futureTemplate,
        version,
        coinbaseTxVersion,
        coinbasePrefix,
        coinbaseTxInputSequence,
        coinbaseTxValueRemaining,
        coinbaseTxOutputsCount,
        coinbaseTxOutputs,
        coinbaseTxLocktime,
        merklePath,
      } = checkFields(fields, NewTemplate)
      const merklePathList = checkByteStrings(merklePath, SEQ0_255_U256, NewTemplate, 10)
      checkBigint(templateId, 0, NewTemplate, 0)
      checkBool(futureTemplate, 0, NewTemplate, 1)
      if (version >>> 0 !== version) throw notNumber(version, NewTemplate, 2)
      if (coinbaseTxVersion >>> 0 !== coinbaseTxVersion) throw notNumber(coinbaseTxVersion, NewTemplate, 3)
      checkBytes(coinbasePrefix, 0, 255, NewTemplate, 4)
      if (coinbaseTxInputSequence >>> 0 !== coinbaseTxInputSequence)
        throw notNumber(coinbaseTxInputSequence, NewTemplate, 5)
      checkBigint(coinbaseTxValueRemaining, 0, NewTemplate, 6)
      if (coinbaseTxOutputsCount >>> 0 !== coinbaseTxOutputsCount)
        throw notNumber(coinbaseTxOutputsCount, NewTemplate, 7)
      checkBytes(coinbaseTxOutputs, 0, 65535, NewTemplate, 8)
      if (coinbaseTxLocktime >>> 0 !== coinbaseTxLocktime) throw notNumber(coinbaseTxLocktime, NewTemplate, 9)
      const size =
        40 + byteStringsSize(merklePathList, SEQ0_255_U256) + coinbasePrefix.length + coinbaseTxOutputs.length
      if (!isTarget(into, size, extra, NewTemplate)) return size
      putU64(into, 0, templateId)
      putBool(into, 8, futureTemplate)
      putU32(into, 9, version)
      putU32(into, 13, coinbaseTxVersion)
      let at = putCounted(into, 17, coinbasePrefix, 1)
      at = putU32(into, at, coinbaseTxInputSequence)
      at = putU64(into, at, coinbaseTxValueRemaining)
      at = putU32(into, at, coinbaseTxOutputsCount)
      at = putCounted(into, at, coinbaseTxOutputs, 2)
      at = putU32(into, at, coinbaseTxLocktime)
      putByteStrings(into, at, merklePathList, SEQ0_255_U256)
      return size
    },
    get: {
      templateId: (payload) => u64(payload, 0, NewTemplate),
      futureTemplate: (payload) => bool(payload, 8, NewTemplate),
      version: (payload) => u32(payload, 9, NewTemplate),
      coinbaseTxVersion: (payload) => u32(payload, 13, NewTemplate),
      coinbasePrefix: (payload) => bytes(payload, 17, B0_255, NewTemplate),
      coinbaseTxInputSequence: (payload) => u32(payload, offsetOf(payload, NewTemplate, 5), NewTemplate),
      coinbaseTxValueRemaining: (payload) => u64(payload, offsetOf(payload, NewTemplate, 6), NewTemplate),
      coinbaseTxOutputsCount: (payload) => u32(payload, offsetOf(payload, NewTemplate, 7), NewTemplate),
      coinbaseTxOutputs: (payload) => bytes(payload, offsetOf(payload, NewTemplate, 8), B0_64K, NewTemplate),
      coinbaseTxLocktime: (payload) => u32(payload, offsetOf(payload, NewTemplate, 9), NewTemplate),
      merklePath: (payload) => byteStrings(payload, offsetOf(payload, NewTemplate, 10), SEQ0_255_U256, NewTemplate),
    },
  },
)

/** Fields of {@link TemplateSetNewPrevHash}. */
export interface TemplateSetNewPrevHashFields {
  /** Template, as the template provider has numbered it. U64. */
  templateId: bigint
  /** Hash of the previous block, as it stands in the header. U256: 32 bytes. */
  prevHash: Uint8Array
  /** Time of the block header, in seconds since 1970. U32. */
  headerTimestamp: number
  /** Compact target of the block header. U32. */
  nBits: number
  /** Target of a block; a U256, least significant byte first. U256: 32 bytes. */
  target: Uint8Array
}

/**
 * `SetNewPrevHash`: Names the block that the template provider builds on, and starts a future template.
 *
 * Type 0x72, channel bit 0; server to client; 07 §7.3. 80 bytes.
 */
export const TemplateSetNewPrevHash: Message<'TemplateSetNewPrevHash', TemplateSetNewPrevHashFields> =
  /* @__PURE__ */ message(
    {
      name: 'TemplateSetNewPrevHash',
      specName: 'SetNewPrevHash',
      protocol: 'template-distribution',
      extensionType: 0,
      messageType: 0x72,
      channelMessage: false,
    },
    {
      templateId: U64,
      prevHash: U256,
      headerTimestamp: U32,
      nBits: U32,
      target: U256,
    },
    {
      decode: (payload) => {
        checkEnd(payload, 80, TemplateSetNewPrevHash)
        return {
          templateId: u64(payload, 0, TemplateSetNewPrevHash),
          prevHash: u256(payload, 8, TemplateSetNewPrevHash),
          headerTimestamp: u32(payload, 40, TemplateSetNewPrevHash),
          nBits: u32(payload, 44, TemplateSetNewPrevHash),
          target: u256(payload, 48, TemplateSetNewPrevHash),
        }
      },
      pack: (fields, into, extra) => {
        const { templateId, prevHash, headerTimestamp, nBits, target } = checkFields(fields, TemplateSetNewPrevHash)
        checkBigint(templateId, 0, TemplateSetNewPrevHash, 0)
        checkU256(prevHash, 32, TemplateSetNewPrevHash, 1)
        if (headerTimestamp >>> 0 !== headerTimestamp) throw notNumber(headerTimestamp, TemplateSetNewPrevHash, 2)
        if (nBits >>> 0 !== nBits) throw notNumber(nBits, TemplateSetNewPrevHash, 3)
        checkU256(target, 32, TemplateSetNewPrevHash, 4)
        const size = 80
        if (!isTarget(into, size, extra, TemplateSetNewPrevHash)) return size
        putU64(into, 0, templateId)
        putBytes(into, 8, prevHash)
        putU32(into, 40, headerTimestamp)
        putU32(into, 44, nBits)
        putBytes(into, 48, target)
        return size
      },
      get: {
        templateId: (payload) => u64(payload, 0, TemplateSetNewPrevHash),
        prevHash: (payload) => u256(payload, 8, TemplateSetNewPrevHash),
        headerTimestamp: (payload) => u32(payload, 40, TemplateSetNewPrevHash),
        nBits: (payload) => u32(payload, 44, TemplateSetNewPrevHash),
        target: (payload) => u256(payload, 48, TemplateSetNewPrevHash),
      },
    },
  )

/** Fields of {@link RequestTransactionData}. */
export interface RequestTransactionDataFields {
  /** Template, as the template provider has numbered it. U64. */
  templateId: bigint
}

/**
 * Asks for the transactions of a template.
 *
 * Type 0x73, channel bit 0; client to server; 07 §7.4. 8 bytes.
 */
export const RequestTransactionData: Message<'RequestTransactionData', RequestTransactionDataFields> =
  /* @__PURE__ */ message(
    {
      name: 'RequestTransactionData',
      specName: 'RequestTransactionData',
      protocol: 'template-distribution',
      extensionType: 0,
      messageType: 0x73,
      channelMessage: false,
    },
    {
      templateId: U64,
    },
    {
      decode: (payload) => {
        checkEnd(payload, 8, RequestTransactionData)
        return { templateId: u64(payload, 0, RequestTransactionData) }
      },
      pack: (fields, into, extra) => {
        const { templateId } = checkFields(fields, RequestTransactionData)
        checkBigint(templateId, 0, RequestTransactionData, 0)
        const size = 8
        if (!isTarget(into, size, extra, RequestTransactionData)) return size
        putU64(into, 0, templateId)
        return size
      },
      get: {
        templateId: (payload) => u64(payload, 0, RequestTransactionData),
      },
    },
  )

/** Fields of {@link RequestTransactionDataSuccess}. */
export interface RequestTransactionDataSuccessFields {
  /** Template, as the template provider has numbered it. U64. */
  templateId: bigint
  /** Bytes that the block's validity rests on besides; empty today. B0_64K: 0 to 65,535 bytes. */
  excessData: Uint8Array
  /** Whole transactions of the template, without the coinbase. SEQ0_64K[B0_16M]: at most 65,535, each of at most 16,777,215 bytes. */
  transactionList: readonly Uint8Array[]
}

/**
 * `RequestTransactionData.Success`: Gives the transactions of a template.
 *
 * Type 0x74, channel bit 0; server to client; 07 §7.5. The first 8 bytes are of fixed length.
 */
export const RequestTransactionDataSuccess: Message<
  'RequestTransactionDataSuccess',
  RequestTransactionDataSuccessFields,
  'templateId'
> = /* @__PURE__ */ message(
  {
    name: 'RequestTransactionDataSuccess',
    specName: 'RequestTransactionData.Success',
    protocol: 'template-distribution',
    extensionType: 0,
    messageType: 0x74,
    channelMessage: false,
  },
  {
    templateId: U64,
    excessData: B0_64K,
    transactionList: SEQ0_64K_B0_16M,
  },
  {
    decode: (payload) => {
      checkPayload(payload, RequestTransactionDataSuccess)
      const end2 = endOf(payload, 8, B0_64K)
      const end3 = endOf(payload, end2, SEQ0_64K_B0_16M)
      checkEnd(payload, end3, RequestTransactionDataSuccess)
      return {
        templateId: u64(payload, 0, RequestTransactionDataSuccess),
        excessData: bytes(payload, 8, B0_64K, RequestTransactionDataSuccess),
        transactionList: byteStrings(payload, end2, SEQ0_64K_B0_16M, RequestTransactionDataSuccess),
      }
    },
    pack: (fields, into, extra) => {
      const { templateId, excessData, transactionList } = checkFields(fields, RequestTransactionDataSuccess)
      const transactionListList = checkByteStrings(transactionList, SEQ0_64K_B0_16M, RequestTransactionDataSuccess, 2)
      checkBigint(templateId, 0, RequestTransactionDataSuccess, 0)
      checkBytes(excessData, 0, 65535, RequestTransactionDataSuccess, 1)
      const size = 10 + byteStringsSize(transactionListList, SEQ0_64K_B0_16M) + excessData.length
      if (!isTarget(into, size, extra, RequestTransactionDataSuccess)) return size
      putU64(into, 0, templateId)
      const at = putCounted(into, 8, excessData, 2)
      putByteStrings(into, at, transactionListList, SEQ0_64K_B0_16M)
      return size
    },
    get: {
      templateId: (payload) => u64(payload, 0, RequestTransactionDataSuccess),
      excessData: (payload) => bytes(payload, 8, B0_64K, RequestTransactionDataSuccess),
      transactionList: (payload) =>
        byteStrings(
          payload,
          offsetOf(payload, RequestTransactionDataSuccess, 2),
          SEQ0_64K_B0_16M,
          RequestTransactionDataSuccess,
        ),
    },
  },
)

/** Fields of {@link RequestTransactionDataError}. */
export interface RequestTransactionDataErrorFields {
  /** Template, as the template provider has numbered it. U64. */
  templateId: bigint
  /** Reason in printable ASCII, see `RequestTransactionDataErrorCode`; unknown codes are only logged. STR0_255: 0 to 255 bytes. */
  errorCode: string
}

/**
 * `RequestTransactionData.Error`: Refuses to give the transactions of a template.
 *
 * Type 0x75, channel bit 0; server to client; 07 §7.6. The first 8 bytes are of fixed length.
 */
export const RequestTransactionDataError: Message<
  'RequestTransactionDataError',
  RequestTransactionDataErrorFields,
  'templateId'
> = /* @__PURE__ */ message(
  {
    name: 'RequestTransactionDataError',
    specName: 'RequestTransactionData.Error',
    protocol: 'template-distribution',
    extensionType: 0,
    messageType: 0x75,
    channelMessage: false,
  },
  {
    templateId: U64,
    errorCode: STR0_255,
  },
  {
    decode: (payload) => {
      checkPayload(payload, RequestTransactionDataError)
      const end2 = endOf(payload, 8, STR0_255)
      checkEnd(payload, end2, RequestTransactionDataError)
      return {
        templateId: u64(payload, 0, RequestTransactionDataError),
        errorCode: text(payload, 8, STR0_255, RequestTransactionDataError),
      }
    },
    pack: (fields, into, extra) => {
      const { templateId, errorCode } = checkFields(fields, RequestTransactionDataError)
      checkBigint(templateId, 0, RequestTransactionDataError, 0)
      const errorCodeText = checkText(errorCode, 255, RequestTransactionDataError, 1)
      const size = 9 + errorCodeText.length
      if (!isTarget(into, size, extra, RequestTransactionDataError)) return size
      putU64(into, 0, templateId)
      putCounted(into, 8, errorCodeText, 1)
      return size
    },
    get: {
      templateId: (payload) => u64(payload, 0, RequestTransactionDataError),
      errorCode: (payload) => text(payload, 8, STR0_255, RequestTransactionDataError),
    },
  },
)

/** Fields of {@link SubmitSolution}. */
export interface SubmitSolutionFields {
  /** Template, as the template provider has numbered it. U64. */
  templateId: bigint
  /** Version field of the block header, with its rollable bits. U32. */
  version: number
  /** Time of the block header, in seconds since 1970. U32. */
  headerTimestamp: number
  /** Nonce of the block header. U32. */
  headerNonce: number
  /** Whole coinbase transaction, with its witness. B0_64K: 0 to 65,535 bytes. */
  coinbaseTx: Uint8Array
}

/**
 * Gives a block of a template to the template provider, for it to publish.
 *
 * Type 0x76, channel bit 0; client to server; 07 §7.7. The first 20 bytes are of fixed length.
 */
export const SubmitSolution: Message<
  'SubmitSolution',
  SubmitSolutionFields,
  'templateId' | 'version' | 'headerTimestamp' | 'headerNonce'
> = /* @__PURE__ */ message(
  {
    name: 'SubmitSolution',
    specName: 'SubmitSolution',
    protocol: 'template-distribution',
    extensionType: 0,
    messageType: 0x76,
    channelMessage: false,
  },
  {
    templateId: U64,
    version: U32,
    headerTimestamp: U32,
    headerNonce: U32,
    coinbaseTx: B0_64K,
  },
  {
    decode: (payload) => {
      checkPayload(payload, SubmitSolution)
      const end5 = endOf(payload, 20, B0_64K)
      checkEnd(payload, end5, SubmitSolution)
      return {
        templateId: u64(payload, 0, SubmitSolution),
        version: u32(payload, 8, SubmitSolution),
        headerTimestamp: u32(payload, 12, SubmitSolution),
        headerNonce: u32(payload, 16, SubmitSolution),
        coinbaseTx: bytes(payload, 20, B0_64K, SubmitSolution),
      }
    },
    pack: (fields, into, extra) => {
      const { templateId, version, headerTimestamp, headerNonce, coinbaseTx } = checkFields(fields, SubmitSolution)
      checkBigint(templateId, 0, SubmitSolution, 0)
      if (version >>> 0 !== version) throw notNumber(version, SubmitSolution, 1)
      if (headerTimestamp >>> 0 !== headerTimestamp) throw notNumber(headerTimestamp, SubmitSolution, 2)
      if (headerNonce >>> 0 !== headerNonce) throw notNumber(headerNonce, SubmitSolution, 3)
      checkBytes(coinbaseTx, 0, 65535, SubmitSolution, 4)
      const size = 22 + coinbaseTx.length
      if (!isTarget(into, size, extra, SubmitSolution)) return size
      putU64(into, 0, templateId)
      putU32(into, 8, version)
      putU32(into, 12, headerTimestamp)
      putU32(into, 16, headerNonce)
      putCounted(into, 20, coinbaseTx, 2)
      return size
    },
    get: {
      templateId: (payload) => u64(payload, 0, SubmitSolution),
      version: (payload) => u32(payload, 8, SubmitSolution),
      headerTimestamp: (payload) => u32(payload, 12, SubmitSolution),
      headerNonce: (payload) => u32(payload, 16, SubmitSolution),
      coinbaseTx: (payload) => bytes(payload, 20, B0_64K, SubmitSolution),
    },
  },
)
