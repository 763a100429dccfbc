// Generated from schema.json by `npm run generate:messages`; do not edit.
import { byTable } from './by-table.js'
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
 * Type 0x50, channel bit 0; client to server; 06 §6.4.2.
 */
export const AllocateMiningJobToken: Message<'AllocateMiningJobToken', AllocateMiningJobTokenFields, 'requestId'> =
  /* @__PURE__ */ message(
    {
      name: 'AllocateMiningJobToken',
      protocol: 'job-declaration',
      extensionType: 0,
      messageType: 0x50,
      channelMessage: false,
    },
    {
      userIdentifier: STR0_255,
      requestId: U32,
    },
    byTable,
  )

/** Fields of {@link AllocateMiningJobTokenSuccess}. */
export interface AllocateMiningJobTokenSuccessFields {
  /** Number that the client has chosen; the answer carries it, too. U32. */
  requestId: number
  /** Token that the server has allocated for the job. B0_255: 0 to 255 bytes. */
  miningJobToken: Uint8Array
  /** Outputs of the coinbase transaction, after their count as a CompactSize; the first is the mining pool's payout. B0_64K: 0 to 65,535 bytes. */
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
  byTable,
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
    protocol: 'job-declaration',
    extensionType: 0,
    messageType: 0x55,
    channelMessage: false,
  },
  {
    requestId: U32,
    unknownTxPositionList: SEQ0_64K_U16,
  },
  byTable,
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
  byTable,
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
    byTable,
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
    byTable,
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
    byTable,
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
 * Type 0x60, channel bit 0; client to server; 06 §6.4.9.
 */
export const PushSolution: Message<
  'PushSolution',
  PushSolutionFields,
  'prevHash' | 'nonce' | 'ntime' | 'nbits' | 'version'
> = /* @__PURE__ */ message(
  {
    name: 'PushSolution',
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
  byTable,
)
