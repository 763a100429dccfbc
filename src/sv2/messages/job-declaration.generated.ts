// Generated from schema.json by `npm run generate:messages`; do not edit.
import {
  B0_32,
  B0_64K,
  B0_255,
  SEQ0_64K_B0_16M,
  SEQ0_64K_U16,
  SEQ0_64K_U256,
  STR0_255,
  U32,
  U256,
} from './field-type.js'
import { type Message, message } from './message.js'
import { byteStrings, bytes, checkEnd, checkPayload, endOf, numbers, offsetOf, text, u32, u256 } from './read.js'
import {
  byteStringsSize,
  checkByteStrings,
  checkBytes,
  checkFields,
  checkNumbers,
  checkText,
  checkU256,
  isTarget,
  notNumber,
  putByteStrings,
  putBytes,
  putCounted,
  putNumbers,
  putU32,
} from './write.js'

// The job declaration protocol.

/** Fields of {@link AllocateMiningJobToken}. */
export interface AllocateMiningJobTokenFields {
  /** Name of the user, as the operator of the server knows it; any bytes. STR0_255: 0 to 255 bytes. */
  userIdentifier: string
  /** Number that the client has chosen; the answer carries it, too. U32. */
  requestId: number
}

/**
 * Asks for a token, which a declared job needs.
 *
 * Type 0x50, channel bit 0; client to server; 06 §6.4.2. The first 0 bytes are of fixed length.
 */
export const AllocateMiningJobToken: Message<'AllocateMiningJobToken', AllocateMiningJobTokenFields, 'requestId'> =
  /* @__PURE__ */ message(
    {
      name: 'AllocateMiningJobToken',
      specName: 'AllocateMiningJobToken',
      protocol: 'job-declaration',
      extensionType: 0,
      messageType: 0x50,
      channelMessage: false,
    },
    {
      userIdentifier: STR0_255,
      requestId: U32,
    },
    {
      decode: (payload) => {
        checkPayload(payload, AllocateMiningJobToken)
        const end1 = endOf(payload, 0, STR0_255)
        checkEnd(payload, end1 + 4, AllocateMiningJobToken)
        return {
          userIdentifier: text(payload, 0, STR0_255, AllocateMiningJobToken),
          requestId: u32(payload, end1, AllocateMiningJobToken),
        }
      },
      pack: (fields, into, extra) => {
        const { userIdentifier, requestId } = checkFields(fields, AllocateMiningJobToken)
        const userIdentifierText = checkText(userIdentifier, 255, AllocateMiningJobToken, 0)
        if (requestId >>> 0 !== requestId) throw notNumber(requestId, AllocateMiningJobToken, 1)
        const size = 5 + userIdentifierText.length
        if (!isTarget(into, size, extra, AllocateMiningJobToken)) return size
        const at = putCounted(into, 0, userIdentifierText, 1)
        putU32(into, at, requestId)
        return size
      },
      get: {
        userIdentifier: (payload) => text(payload, 0, STR0_255, AllocateMiningJobToken),
        requestId: (payload) => u32(payload, offsetOf(payload, AllocateMiningJobToken, 1), AllocateMiningJobToken),
      },
    },
  )

/** Fields of {@link AllocateMiningJobTokenSuccess}. */
export interface AllocateMiningJobTokenSuccessFields {
  /** Number that the client has chosen; the answer carries it, too. U32. */
  requestId: number
  /** Token that the server has allocated for the job. B0_255: 0 to 255 bytes. */
  miningJobToken: Uint8Array
  /** Outputs of the coinbase transaction, after their count as a CompactSize; the first is the pool's payout. B0_64K: 0 to 65,535 bytes. */
  coinbaseTxOutputs: Uint8Array
}

/**
 * `AllocateMiningJobToken.Success`: Gives a token, and the outputs that the coinbase must have.
 *
 * Type 0x51, channel bit 0; server to client; 06 §6.4.3. The first 4 bytes are of fixed length.
 */
export const AllocateMiningJobTokenSuccess: Message<
  'AllocateMiningJobTokenSuccess',
  AllocateMiningJobTokenSuccessFields,
  'requestId'
> = /* @__PURE__ */ message(
  {
    name: 'AllocateMiningJobTokenSuccess',
    specName: 'AllocateMiningJobToken.Success',
    protocol: 'job-declaration',
    extensionType: 0,
    messageType: 0x51,
    channelMessage: false,
  },
  {
    requestId: U32,
    miningJobToken: B0_255,
    coinbaseTxOutputs: B0_64K,
  },
  {
    decode: (payload) => {
      checkPayload(payload, AllocateMiningJobTokenSuccess)
      const end2 = endOf(payload, 4, B0_255)
      const end3 = endOf(payload, end2, B0_64K)
      checkEnd(payload, end3, AllocateMiningJobTokenSuccess)
      return {
        requestId: u32(payload, 0, AllocateMiningJobTokenSuccess),
        miningJobToken: bytes(payload, 4, B0_255, AllocateMiningJobTokenSuccess),
        coinbaseTxOutputs: bytes(payload, end2, B0_64K, AllocateMiningJobTokenSuccess),
      }
    },
    pack: (fields, into, extra) => {
      const { requestId, miningJobToken, coinbaseTxOutputs } = checkFields(fields, AllocateMiningJobTokenSuccess)
      if (requestId >>> 0 !== requestId) throw notNumber(requestId, AllocateMiningJobTokenSuccess, 0)
      checkBytes(miningJobToken, 0, 255, AllocateMiningJobTokenSuccess, 1)
      checkBytes(coinbaseTxOutputs, 0, 65535, AllocateMiningJobTokenSuccess, 2)
      const size = 7 + miningJobToken.length + coinbaseTxOutputs.length
      if (!isTarget(into, size, extra, AllocateMiningJobTokenSuccess)) return size
      putU32(into, 0, requestId)
      const at = putCounted(into, 4, miningJobToken, 1)
      putCounted(into, at, coinbaseTxOutputs, 2)
      return size
    },
    get: {
      requestId: (payload) => u32(payload, 0, AllocateMiningJobTokenSuccess),
      miningJobToken: (payload) => bytes(payload, 4, B0_255, AllocateMiningJobTokenSuccess),
      coinbaseTxOutputs: (payload) =>
        bytes(payload, offsetOf(payload, AllocateMiningJobTokenSuccess, 2), B0_64K, AllocateMiningJobTokenSuccess),
    },
  },
)

/** Fields of {@link ProvideMissingTransactions}. */
export interface ProvideMissingTransactionsFields {
  /** Number that the client has chosen; the answer carries it, too. U32. */
  requestId: number
  /** Positions of the transactions in the declared job, from 0, without the coinbase. SEQ0_64K[U16]: at most 65,535. */
  unknownTxPositionList: readonly number[]
}

/**
 * Asks for transactions of a declared job that the server does not know.
 *
 * Type 0x55, channel bit 0; server to client; 06 §6.4.7. The first 4 bytes are of fixed length.
 */
export const ProvideMissingTransactions: Message<
  'ProvideMissingTransactions',
  ProvideMissingTransactionsFields,
  'requestId'
> = /* @__PURE__ */ message(
  {
    name: 'ProvideMissingTransactions',
    specName: 'ProvideMissingTransactions',
    protocol: 'job-declaration',
    extensionType: 0,
    messageType: 0x55,
    channelMessage: false,
  },
  {
    requestId: U32,
    unknownTxPositionList: SEQ0_64K_U16,
  },
  {
    decode: (payload) => {
      checkPayload(payload, ProvideMissingTransactions)
      const end2 = endOf(payload, 4, SEQ0_64K_U16)
      checkEnd(payload, end2, ProvideMissingTransactions)
      return {
        requestId: u32(payload, 0, ProvideMissingTransactions),
        unknownTxPositionList: numbers(payload, 4, SEQ0_64K_U16, ProvideMissingTransactions),
      }
    },
    pack: (fields, into, extra) => {
      const { requestId, unknownTxPositionList } = checkFields(fields, ProvideMissingTransactions)
      const unknownTxPositionListList = checkNumbers(unknownTxPositionList, SEQ0_64K_U16, ProvideMissingTransactions, 1)
      if (requestId >>> 0 !== requestId) throw notNumber(requestId, ProvideMissingTransactions, 0)
      const size = 4 + 2 + unknownTxPositionListList.length * 2
      if (!isTarget(into, size, extra, ProvideMissingTransactions)) return size
      putU32(into, 0, requestId)
      putNumbers(into, 4, unknownTxPositionListList, SEQ0_64K_U16)
      return size
    },
    get: {
      requestId: (payload) => u32(payload, 0, ProvideMissingTransactions),
      unknownTxPositionList: (payload) => numbers(payload, 4, SEQ0_64K_U16, ProvideMissingTransactions),
    },
  },
)

/** Fields of {@link ProvideMissingTransactionsSuccess}. */
export interface ProvideMissingTransactionsSuccessFields {
  /** Number that the client has chosen; the answer carries it, too. U32. */
  requestId: number
  /** Whole transactions, in the order asked for. SEQ0_64K[B0_16M]: at most 65,535, each of at most 16,777,215 bytes. */
  transactionList: readonly Uint8Array[]
}

/**
 * `ProvideMissingTransactions.Success`: Gives the missing transactions.
 *
 * Type 0x56, channel bit 0; client to server; 06 §6.4.8. The first 4 bytes are of fixed length.
 */
export const ProvideMissingTransactionsSuccess: Message<
  'ProvideMissingTransactionsSuccess',
  ProvideMissingTransactionsSuccessFields,
  'requestId'
> = /* @__PURE__ */ message(
  {
    name: 'ProvideMissingTransactionsSuccess',
    specName: 'ProvideMissingTransactions.Success',
    protocol: 'job-declaration',
    extensionType: 0,
    messageType: 0x56,
    channelMessage: false,
  },
  {
    requestId: U32,
    transactionList: SEQ0_64K_B0_16M,
  },
  {
    decode: (payload) => {
      checkPayload(payload, ProvideMissingTransactionsSuccess)
      const end2 = endOf(payload, 4, SEQ0_64K_B0_16M)
      checkEnd(payload, end2, ProvideMissingTransactionsSuccess)
      return {
        requestId: u32(payload, 0, ProvideMissingTransactionsSuccess),
        transactionList: byteStrings(payload, 4, SEQ0_64K_B0_16M, ProvideMissingTransactionsSuccess),
      }
    },
    pack: (fields, into, extra) => {
      const { requestId, transactionList } = checkFields(fields, ProvideMissingTransactionsSuccess)
      const transactionListList = checkByteStrings(
        transactionList,
        SEQ0_64K_B0_16M,
        ProvideMissingTransactionsSuccess,
        1,
      )
      if (requestId >>> 0 !== requestId) throw notNumber(requestId, ProvideMissingTransactionsSuccess, 0)
      const size = 4 + byteStringsSize(transactionListList, SEQ0_64K_B0_16M)
      if (!isTarget(into, size, extra, ProvideMissingTransactionsSuccess)) return size
      putU32(into, 0, requestId)
      putByteStrings(into, 4, transactionListList, SEQ0_64K_B0_16M)
      return size
    },
    get: {
      requestId: (payload) => u32(payload, 0, ProvideMissingTransactionsSuccess),
      transactionList: (payload) => byteStrings(payload, 4, SEQ0_64K_B0_16M, ProvideMissingTransactionsSuccess),
    },
  },
)

/** Fields of {@link DeclareMiningJob}. */
export interface DeclareMiningJobFields {
  /** Number that the client has chosen; the answer carries it, too. U32. */
  requestId: number
  /** Token that the server has allocated for the job. B0_255: 0 to 255 bytes. */
  miningJobToken: Uint8Array
  /** Version field of the block header, with its rollable bits. U32. */
  version: number
  /** Coinbase transaction up to the extranonce. B0_64K: 0 to 65,535 bytes. */
  coinbaseTxPrefix: Uint8Array
  /** Coinbase transaction from behind the extranonce. B0_64K: 0 to 65,535 bytes. */
  coinbaseTxSuffix: Uint8Array
  /** Ids with witness of the transactions of the job, without the coinbase. SEQ0_64K[U256]: at most 65,535 of 32 bytes. */
  wtxidList: readonly Uint8Array[]
  /** Bytes that the block's validity rests on besides; empty today. B0_64K: 0 to 65,535 bytes. */
  excessData: Uint8Array
}

/**
 * Declares a job in full-template mode. The witness is not stripped from the coinbase.
 *
 * Type 0x57, channel bit 0; client to server; 06 §6.4.4. The first 4 bytes are of fixed length.
 */
export const DeclareMiningJob: Message<'DeclareMiningJob', DeclareMiningJobFields, 'requestId' | 'version'> =
  /* @__PURE__ */ message(
    {
      name: 'DeclareMiningJob',
      specName: 'DeclareMiningJob',
      protocol: 'job-declaration',
      extensionType: 0,
      messageType: 0x57,
      channelMessage: false,
    },
    {
      requestId: U32,
      miningJobToken: B0_255,
      version: U32,
      coinbaseTxPrefix: B0_64K,
      coinbaseTxSuffix: B0_64K,
      wtxidList: SEQ0_64K_U256,
      excessData: B0_64K,
    },
    {
      decode: (payload) => {
        checkPayload(payload, DeclareMiningJob)
        const end2 = endOf(payload, 4, B0_255)
        const end4 = endOf(payload, end2 + 4, B0_64K)
        const end5 = endOf(payload, end4, B0_64K)
        const end6 = endOf(payload, end5, SEQ0_64K_U256)
        const end7 = endOf(payload, end6, B0_64K)
        checkEnd(payload, end7, DeclareMiningJob)
        return {
          requestId: u32(payload, 0, DeclareMiningJob),
          miningJobToken: bytes(payload, 4, B0_255, DeclareMiningJob),
          version: u32(payload, end2, DeclareMiningJob),
          coinbaseTxPrefix: bytes(payload, end2 + 4, B0_64K, DeclareMiningJob),
          coinbaseTxSuffix: bytes(payload, end4, B0_64K, DeclareMiningJob),
          wtxidList: byteStrings(payload, end5, SEQ0_64K_U256, DeclareMiningJob),
          excessData: bytes(payload, end6, B0_64K, DeclareMiningJob),
        }
      },
      pack: (fields, into, extra) => {
        const { requestId, miningJobToken, version, coinbaseTxPrefix, coinbaseTxSuffix, wtxidList, excessData } =
          checkFields(fields, DeclareMiningJob)
        const wtxidListList = checkByteStrings(wtxidList, SEQ0_64K_U256, DeclareMiningJob, 5)
        if (requestId >>> 0 !== requestId) throw notNumber(requestId, DeclareMiningJob, 0)
        checkBytes(miningJobToken, 0, 255, DeclareMiningJob, 1)
        if (version >>> 0 !== version) throw notNumber(version, DeclareMiningJob, 2)
        checkBytes(coinbaseTxPrefix, 0, 65535, DeclareMiningJob, 3)
        checkBytes(coinbaseTxSuffix, 0, 65535, DeclareMiningJob, 4)
        checkBytes(excessData, 0, 65535, DeclareMiningJob, 6)
        const size =
          15 +
          byteStringsSize(wtxidListList, SEQ0_64K_U256) +
          miningJobToken.length +
          coinbaseTxPrefix.length +
          coinbaseTxSuffix.length +
          excessData.length
        if (!isTarget(into, size, extra, DeclareMiningJob)) return size
        putU32(into, 0, requestId)
        let at = putCounted(into, 4, miningJobToken, 1)
        at = putU32(into, at, version)
        at = putCounted(into, at, coinbaseTxPrefix, 2)
        at = putCounted(into, at, coinbaseTxSuffix, 2)
        at = putByteStrings(into, at, wtxidListList, SEQ0_64K_U256)
        putCounted(into, at, excessData, 2)
        return size
      },
      get: {
        requestId: (payload) => u32(payload, 0, DeclareMiningJob),
        miningJobToken: (payload) => bytes(payload, 4, B0_255, DeclareMiningJob),
        version: (payload) => u32(payload, offsetOf(payload, DeclareMiningJob, 2), DeclareMiningJob),
        coinbaseTxPrefix: (payload) => bytes(payload, offsetOf(payload, DeclareMiningJob, 3), B0_64K, DeclareMiningJob),
        coinbaseTxSuffix: (payload) => bytes(payload, offsetOf(payload, DeclareMiningJob, 4), B0_64K, DeclareMiningJob),
        wtxidList: (payload) =>
          byteStrings(payload, offsetOf(payload, DeclareMiningJob, 5), SEQ0_64K_U256, DeclareMiningJob),
        excessData: (payload) => bytes(payload, offsetOf(payload, DeclareMiningJob, 6), B0_64K, DeclareMiningJob),
      },
    },
  )

/** Fields of {@link DeclareMiningJobSuccess}. */
export interface DeclareMiningJobSuccessFields {
  /** Number that the client has chosen; the answer carries it, too. U32. */
  requestId: number
  /** Token that SetCustomMiningJob is to carry. B0_255: 0 to 255 bytes. */
  newMiningJobToken: Uint8Array
}

/**
 * `DeclareMiningJob.Success`: Accepts a declared job.
 *
 * Type 0x58, channel bit 0; server to client; 06 §6.4.5. The first 4 bytes are of fixed length.
 */
export const DeclareMiningJobSuccess: Message<'DeclareMiningJobSuccess', DeclareMiningJobSuccessFields, 'requestId'> =
  /* @__PURE__ */ message(
    {
      name: 'DeclareMiningJobSuccess',
      specName: 'DeclareMiningJob.Success',
      protocol: 'job-declaration',
      extensionType: 0,
      messageType: 0x58,
      channelMessage: false,
    },
    {
      requestId: U32,
      newMiningJobToken: B0_255,
    },
    {
      decode: (payload) => {
        checkPayload(payload, DeclareMiningJobSuccess)
        const end2 = endOf(payload, 4, B0_255)
        checkEnd(payload, end2, DeclareMiningJobSuccess)
        return {
          requestId: u32(payload, 0, DeclareMiningJobSuccess),
          newMiningJobToken: bytes(payload, 4, B0_255, DeclareMiningJobSuccess),
        }
      },
      pack: (fields, into, extra) => {
        const { requestId, newMiningJobToken } = checkFields(fields, DeclareMiningJobSuccess)
        if (requestId >>> 0 !== requestId) throw notNumber(requestId, DeclareMiningJobSuccess, 0)
        checkBytes(newMiningJobToken, 0, 255, DeclareMiningJobSuccess, 1)
        const size = 5 + newMiningJobToken.length
        if (!isTarget(into, size, extra, DeclareMiningJobSuccess)) return size
        putU32(into, 0, requestId)
        putCounted(into, 4, newMiningJobToken, 1)
        return size
      },
      get: {
        requestId: (payload) => u32(payload, 0, DeclareMiningJobSuccess),
        newMiningJobToken: (payload) => bytes(payload, 4, B0_255, DeclareMiningJobSuccess),
      },
    },
  )

/** Fields of {@link DeclareMiningJobError}. */
export interface DeclareMiningJobErrorFields {
  /** Number that the client has chosen; the answer carries it, too. U32. */
  requestId: number
  /** Reason in printable ASCII, see `DeclareMiningJobErrorCode`; unknown codes are only logged. STR0_255: 0 to 255 bytes. */
  errorCode: string
  /** Data that the code names; may be empty. B0_64K: 0 to 65,535 bytes. */
  errorDetails: Uint8Array
}

/**
 * `DeclareMiningJob.Error`: Refuses a declared job.
 *
 * Type 0x59, channel bit 0; server to client; 06 §6.4.6. The first 4 bytes are of fixed length.
 */
export const DeclareMiningJobError: Message<'DeclareMiningJobError', DeclareMiningJobErrorFields, 'requestId'> =
  /* @__PURE__ */ message(
    {
      name: 'DeclareMiningJobError',
      specName: 'DeclareMiningJob.Error',
      protocol: 'job-declaration',
      extensionType: 0,
      messageType: 0x59,
      channelMessage: false,
    },
    {
      requestId: U32,
      errorCode: STR0_255,
      errorDetails: B0_64K,
    },
    {
      decode: (payload) => {
        checkPayload(payload, DeclareMiningJobError)
        const end2 = endOf(payload, 4, STR0_255)
        const end3 = endOf(payload, end2, B0_64K)
        checkEnd(payload, end3, DeclareMiningJobError)
        return {
          requestId: u32(payload, 0, DeclareMiningJobError),
          errorCode: text(payload, 4, STR0_255, DeclareMiningJobError),
          errorDetails: bytes(payload, end2, B0_64K, DeclareMiningJobError),
        }
      },
      pack: (fields, into, extra) => {
        const { requestId, errorCode, errorDetails } = checkFields(fields, DeclareMiningJobError)
        if (requestId >>> 0 !== requestId) throw notNumber(requestId, DeclareMiningJobError, 0)
        const errorCodeText = checkText(errorCode, 255, DeclareMiningJobError, 1)
        checkBytes(errorDetails, 0, 65535, DeclareMiningJobError, 2)
        const size = 7 + errorCodeText.length + errorDetails.length
        if (!isTarget(into, size, extra, DeclareMiningJobError)) return size
        putU32(into, 0, requestId)
        const at = putCounted(into, 4, errorCodeText, 1)
        putCounted(into, at, errorDetails, 2)
        return size
      },
      get: {
        requestId: (payload) => u32(payload, 0, DeclareMiningJobError),
        errorCode: (payload) => text(payload, 4, STR0_255, DeclareMiningJobError),
        errorDetails: (payload) =>
          bytes(payload, offsetOf(payload, DeclareMiningJobError, 2), B0_64K, DeclareMiningJobError),
      },
    },
  )

/** Fields of {@link PushSolution}. */
export interface PushSolutionFields {
  /** Full extranonce, prefix included. B0_32: 0 to 32 bytes. */
  extranonce: Uint8Array
  /** Hash of the previous block, as it stands in the header. U256: 32 bytes. */
  prevHash: Uint8Array
  /** Nonce of the block header. U32. */
  nonce: number
  /** Time of the block header, in seconds since 1970. U32. */
  ntime: number
  /** Compact target of the block header. U32. */
  nbits: number
  /** Version field of the block header, with its rollable bits. U32. */
  version: number
}

/**
 * Gives a block of a declared job to the server, for it to publish.
 *
 * Type 0x60, channel bit 0; client to server; 06 §6.4.9. The first 0 bytes are of fixed length.
 */
export const PushSolution: Message<
  'PushSolution',
  PushSolutionFields,
  'prevHash' | 'nonce' | 'ntime' | 'nbits' | 'version'
> = /* @__PURE__ */ message(
  {
    name: 'PushSolution',
    specName: 'PushSolution',
    protocol: 'job-declaration',
    extensionType: 0,
    messageType: 0x60,
    channelMessage: false,
  },
  {
    extranonce: B0_32,
    prevHash: U256,
    nonce: U32,
    ntime: U32,
    nbits: U32,
    version: U32,
  },
  {
    decode: (payload) => {
      checkPayload(payload, PushSolution)
      const end1 = endOf(payload, 0, B0_32)
      checkEnd(payload, end1 + 48, PushSolution)
      return {
        extranonce: bytes(payload, 0, B0_32, PushSolution),
        prevHash: u256(payload, end1, PushSolution),
        nonce: u32(payload, end1 + 32, PushSolution),
        ntime: u32(payload, end1 + 36, PushSolution),
        nbits: u32(payload, end1 + 40, PushSolution),
        version: u32(payload, end1 + 44, PushSolution),
      }
    },
    pack: (fields, into, extra) => {
      const { extranonce, prevHash, nonce, ntime, nbits, version } = checkFields(fields, PushSolution)
      checkBytes(extranonce, 0, 32, PushSolution, 0)
      checkU256(prevHash, 32, PushSolution, 1)
      if (nonce >>> 0 !== nonce) throw notNumber(nonce, PushSolution, 2)
      if (ntime >>> 0 !== ntime) throw notNumber(ntime, PushSolution, 3)
      if (nbits >>> 0 !== nbits) throw notNumber(nbits, PushSolution, 4)
      if (version >>> 0 !== version) throw notNumber(version, PushSolution, 5)
      const size = 49 + extranonce.length
      if (!isTarget(into, size, extra, PushSolution)) return size
      let at = putCounted(into, 0, extranonce, 1)
      at = putBytes(into, at, prevHash)
      at = putU32(into, at, nonce)
      at = putU32(into, at, ntime)
      at = putU32(into, at, nbits)
      putU32(into, at, version)
      return size
    },
    get: {
      extranonce: (payload) => bytes(payload, 0, B0_32, PushSolution),
      prevHash: (payload) => u256(payload, offsetOf(payload, PushSolution, 1), PushSolution),
      nonce: (payload) => u32(payload, offsetOf(payload, PushSolution, 2), PushSolution),
      ntime: (payload) => u32(payload, offsetOf(payload, PushSolution, 3), PushSolution),
      nbits: (payload) => u32(payload, offsetOf(payload, PushSolution, 4), PushSolution),
      version: (payload) => u32(payload, offsetOf(payload, PushSolution, 5), PushSolution),
    },
  },
)
