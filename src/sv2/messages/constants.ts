/** Values of `SetupConnection.protocol`. */
export const SetupConnectionProtocol = {
  /** Mining. */
  mining: 0,
  /** Job declaration. */
  jobDeclaration: 1,
  /** Template distribution. */
  templateDistribution: 2,
} as const

/** Bits of `flags` in SetupConnection and SetupConnectionError, by protocol. Template distribution has none. */
export const SetupConnectionFlags = {
  /** Mining (05 §5.3.1). */
  mining: {
    /** The client mines standard jobs only. */
    REQUIRES_STANDARD_JOBS: 1,
    /** The client sends SetCustomMiningJob. */
    REQUIRES_WORK_SELECTION: 2,
    /** The client rolls the version. */
    REQUIRES_VERSION_ROLLING: 4,
  },
  /** Job declaration (06 §6.4.1). */
  jobDeclaration: {
    /** The client declares jobs with their transactions: full-template mode. */
    DECLARE_TX_DATA: 1,
  },
} as const

/** Bits of `flags` in SetupConnectionSuccess, by protocol. */
export const SetupConnectionSuccessFlags = {
  /** Mining (05 §5.3.1). */
  mining: {
    /** The server accepts no change of the version. */
    REQUIRES_FIXED_VERSION: 1,
    /** The server accepts extended channels only. */
    REQUIRES_EXTENDED_CHANNELS: 2,
  },
} as const

/** Bits of a block's version that may be rolled: 24 of them (BIP 323). Peers older than August 2026 know 16: `0x1fffe000`. */
export const versionRollingMask = 0x1fff_ffe0

// The specification names no codes. These are what the published crates send.

/** Values of `SetupConnectionError.errorCode` that are in use. */
export const SetupConnectionErrorCode = {
  /** Unsupported feature flags. */
  unsupportedFeatureFlags: 'unsupported-feature-flags',
  /** Unsupported protocol. */
  unsupportedProtocol: 'unsupported-protocol',
  /** Protocol version mismatch. */
  protocolVersionMismatch: 'protocol-version-mismatch',
  /** Missing declare transaction data flag. */
  missingDeclareTxDataFlag: 'missing-declare-tx-data-flag',
} as const

/** Values of `OpenMiningChannelError.errorCode` that are in use. */
export const OpenMiningChannelErrorCode = {
  /** Standard channels not supported for custom work. */
  standardChannelsNotSupportedForCustomWork: 'standard-channels-not-supported-for-custom-work',
  /** Extended channels not supported for standard jobs. */
  extendedChannelsNotSupportedForStandardJobs: 'extended-channels-not-supported-for-standard-jobs',
  /** Invalid user identity. */
  invalidUserIdentity: 'invalid-user-identity',
  /** Invalid nominal hashrate. */
  invalidNominalHashrate: 'invalid-nominal-hashrate',
  /** Min extranonce size too large. */
  minExtranonceSizeTooLarge: 'min-extranonce-size-too-large',
  /** Max target out of range. */
  maxTargetOutOfRange: 'max-target-out-of-range',
  /** Channel capacity exhausted. */
  channelCapacityExhausted: 'channel-capacity-exhausted',
  /** Unsupported min extranonce size. */
  unsupportedMinExtranonceSize: 'unsupported-min-extranonce-size',
  /** Unknown user. */
  unknownUser: 'unknown-user',
} as const

/** Values of `UpdateChannelError.errorCode` that are in use. */
export const UpdateChannelErrorCode = {
  /** Invalid nominal hashrate. */
  invalidNominalHashrate: 'invalid-nominal-hashrate',
  /** Invalid channel id. */
  invalidChannelId: 'invalid-channel-id',
  /** Max target out of range. */
  maxTargetOutOfRange: 'max-target-out-of-range',
} as const

/** Values of `SubmitSharesError.errorCode` that are in use. */
export const SubmitSharesErrorCode = {
  /** Invalid channel id. */
  invalidChannelId: 'invalid-channel-id',
  /** Invalid share. */
  invalidShare: 'invalid-share',
  /** Stale share. */
  staleShare: 'stale-share',
  /** Invalid job id. */
  invalidJobId: 'invalid-job-id',
  /** Difficulty too low. */
  difficultyTooLow: 'difficulty-too-low',
  /** Duplicate share. */
  duplicateShare: 'duplicate-share',
  /** Bad extranonce size. */
  badExtranonceSize: 'bad-extranonce-size',
  /** Version rolling not allowed. */
  versionRollingNotAllowed: 'version-rolling-not-allowed',
  /** Invalid non rollable version bit. */
  invalidNonRollableVersionBit: 'invalid-non-rollable-version-bit',
} as const

/** Values of `SetCustomMiningJobError.errorCode` that are in use. */
export const SetCustomMiningJobErrorCode = {
  /** Jd not supported. */
  jdNotSupported: 'jd-not-supported',
  /** Invalid channel id. */
  invalidChannelId: 'invalid-channel-id',
  /** Invalid mining job token. */
  invalidMiningJobToken: 'invalid-mining-job-token',
  /** Job not yet validated. */
  jobNotYetValidated: 'job-not-yet-validated',
  /** Stale chain tip. */
  staleChainTip: 'stale-chain-tip',
  /** Invalid min ntime. */
  invalidMinNtime: 'invalid-min-ntime',
  /** Invalid nbits. */
  invalidNbits: 'invalid-nbits',
  /** Invalid version. */
  invalidVersion: 'invalid-version',
  /** Invalid coinbase transaction. */
  invalidCoinbaseTx: 'invalid-coinbase-tx',
  /** Invalid coinbase transaction version. */
  invalidCoinbaseTxVersion: 'invalid-coinbase-tx-version',
  /** Invalid coinbase prefix. */
  invalidCoinbasePrefix: 'invalid-coinbase-prefix',
  /** Invalid coinbase transaction input n sequence. */
  invalidCoinbaseTxInputNSequence: 'invalid-coinbase-tx-input-n-sequence',
  /** Invalid coinbase transaction outputs. */
  invalidCoinbaseTxOutputs: 'invalid-coinbase-tx-outputs',
  /** Invalid coinbase transaction locktime. */
  invalidCoinbaseTxLocktime: 'invalid-coinbase-tx-locktime',
  /** Invalid merkle path. */
  invalidMerklePath: 'invalid-merkle-path',
} as const

/** Values of `DeclareMiningJobError.errorCode` that are in use. */
export const DeclareMiningJobErrorCode = {
  /** Invalid mining job token. */
  invalidMiningJobToken: 'invalid-mining-job-token',
  /** Missing transactions. */
  missingTxs: 'missing-txs',
  /** Invalid coinbase transaction. */
  invalidCoinbaseTx: 'invalid-coinbase-tx',
  /** Invalid coinbase transaction input. */
  invalidCoinbaseTxInput: 'invalid-coinbase-tx-input',
  /** Internal error. */
  internalError: 'internal-error',
  /** Stale chain tip. */
  staleChainTip: 'stale-chain-tip',
  /** Invalid job. */
  invalidJob: 'invalid-job',
} as const

/** Values of `RequestTransactionDataError.errorCode` that are in use. */
export const RequestTransactionDataErrorCode = {
  /** Stale template id. */
  staleTemplateId: 'stale-template-id',
  /** Template id not found. */
  templateIdNotFound: 'template-id-not-found',
} as const
