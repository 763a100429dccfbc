// Generated from schema.json by `npm run generate:messages`; do not edit.
import { byTable } from './by-table.js'
import { B0_64K, B0_255, BOOL, SEQ0_64K_B0_16M, SEQ0_255_U256, STR0_255, U16, U32, U64, U256 } from './field-type.js'
import { type Message, message } from './message.js'

// The template distribution protocol.

/** Fields of {@link CoinbaseOutputConstraints}. */
export interface CoinbaseOutputConstraintsFields {
  /** Bytes that the mining pool's outputs take at most. U32. */
  coinbaseOutputMaxAdditionalSize: number
  /** Signature operations that the mining pool's outputs take at most. U16. */
  coinbaseOutputMaxAdditionalSigops: number
}

/**
 * Says how much room the template must leave for the mining pool's outputs. Follows the handshake at once.
 *
 * Type 0x70, channel bit 0; client to server; 07 §7.1. 6 bytes.
 */
export const CoinbaseOutputConstraints: Message<'CoinbaseOutputConstraints', CoinbaseOutputConstraintsFields> =
  /* @__PURE__ */ message(
    {
      name: 'CoinbaseOutputConstraints',
      protocol: 'template-distribution',
      extensionType: 0,
      messageType: 0x70,
      channelMessage: false,
    },
    {
      coinbaseOutputMaxAdditionalSize: U32,
      coinbaseOutputMaxAdditionalSigops: U16,
    },
    byTable,
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
  byTable,
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
    byTable,
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
      protocol: 'template-distribution',
      extensionType: 0,
      messageType: 0x73,
      channelMessage: false,
    },
    {
      templateId: U64,
    },
    byTable,
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
  byTable,
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
  byTable,
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
  byTable,
)
