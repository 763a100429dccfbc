// Generated from schema.json by `npm run generate:messages`; do not edit.
import {
  ChannelEndpointChanged,
  type ChannelEndpointChangedFields,
  Reconnect,
  type ReconnectFields,
  SetupConnection,
  SetupConnectionError,
  type SetupConnectionErrorFields,
  type SetupConnectionFields,
  SetupConnectionSuccess,
  type SetupConnectionSuccessFields,
} from './common.generated.js'
import {
  RequestExtensions,
  RequestExtensionsError,
  type RequestExtensionsErrorFields,
  type RequestExtensionsFields,
  RequestExtensionsSuccess,
  type RequestExtensionsSuccessFields,
} from './extensions.generated.js'
import {
  AllocateMiningJobToken,
  type AllocateMiningJobTokenFields,
  AllocateMiningJobTokenSuccess,
  type AllocateMiningJobTokenSuccessFields,
  DeclareMiningJob,
  DeclareMiningJobError,
  type DeclareMiningJobErrorFields,
  type DeclareMiningJobFields,
  DeclareMiningJobSuccess,
  type DeclareMiningJobSuccessFields,
  ProvideMissingTransactions,
  type ProvideMissingTransactionsFields,
  ProvideMissingTransactionsSuccess,
  type ProvideMissingTransactionsSuccessFields,
  PushSolution,
  type PushSolutionFields,
} from './job-declaration.generated.js'
import {
  CloseChannel,
  type CloseChannelFields,
  NewExtendedMiningJob,
  type NewExtendedMiningJobFields,
  NewMiningJob,
  type NewMiningJobFields,
  OpenExtendedMiningChannel,
  type OpenExtendedMiningChannelFields,
  OpenExtendedMiningChannelSuccess,
  type OpenExtendedMiningChannelSuccessFields,
  OpenMiningChannelError,
  type OpenMiningChannelErrorFields,
  OpenStandardMiningChannel,
  type OpenStandardMiningChannelFields,
  OpenStandardMiningChannelSuccess,
  type OpenStandardMiningChannelSuccessFields,
  SetCustomMiningJob,
  SetCustomMiningJobError,
  type SetCustomMiningJobErrorFields,
  type SetCustomMiningJobFields,
  SetCustomMiningJobSuccess,
  type SetCustomMiningJobSuccessFields,
  SetExtranoncePrefix,
  type SetExtranoncePrefixFields,
  SetGroupChannel,
  type SetGroupChannelFields,
  SetNewPrevHash,
  type SetNewPrevHashFields,
  SetTarget,
  type SetTargetFields,
  SubmitSharesError,
  type SubmitSharesErrorFields,
  SubmitSharesExtended,
  type SubmitSharesExtendedFields,
  SubmitSharesStandard,
  type SubmitSharesStandardFields,
  SubmitSharesSuccess,
  type SubmitSharesSuccessFields,
  UpdateChannel,
  UpdateChannelError,
  type UpdateChannelErrorFields,
  type UpdateChannelFields,
} from './mining.generated.js'
import {
  CoinbaseOutputConstraints,
  type CoinbaseOutputConstraintsFields,
  NewTemplate,
  type NewTemplateFields,
  RequestTransactionData,
  RequestTransactionDataError,
  type RequestTransactionDataErrorFields,
  type RequestTransactionDataFields,
  RequestTransactionDataSuccess,
  type RequestTransactionDataSuccessFields,
  SubmitSolution,
  type SubmitSolutionFields,
  TemplateSetNewPrevHash,
  type TemplateSetNewPrevHashFields,
} from './template-distribution.generated.js'

/** Fields of every message, by the message's name. */
export interface MessageFields {
  /** Fields of `SetupConnection`. */
  SetupConnection: SetupConnectionFields
  /** Fields of `SetupConnectionSuccess`. */
  SetupConnectionSuccess: SetupConnectionSuccessFields
  /** Fields of `SetupConnectionError`. */
  SetupConnectionError: SetupConnectionErrorFields
  /** Fields of `ChannelEndpointChanged`. */
  ChannelEndpointChanged: ChannelEndpointChangedFields
  /** Fields of `Reconnect`. */
  Reconnect: ReconnectFields
  /** Fields of `OpenStandardMiningChannel`. */
  OpenStandardMiningChannel: OpenStandardMiningChannelFields
  /** Fields of `OpenStandardMiningChannelSuccess`. */
  OpenStandardMiningChannelSuccess: OpenStandardMiningChannelSuccessFields
  /** Fields of `OpenMiningChannelError`. */
  OpenMiningChannelError: OpenMiningChannelErrorFields
  /** Fields of `OpenExtendedMiningChannel`. */
  OpenExtendedMiningChannel: OpenExtendedMiningChannelFields
  /** Fields of `OpenExtendedMiningChannelSuccess`. */
  OpenExtendedMiningChannelSuccess: OpenExtendedMiningChannelSuccessFields
  /** Fields of `NewMiningJob`. */
  NewMiningJob: NewMiningJobFields
  /** Fields of `UpdateChannel`. */
  UpdateChannel: UpdateChannelFields
  /** Fields of `UpdateChannelError`. */
  UpdateChannelError: UpdateChannelErrorFields
  /** Fields of `CloseChannel`. */
  CloseChannel: CloseChannelFields
  /** Fields of `SetExtranoncePrefix`. */
  SetExtranoncePrefix: SetExtranoncePrefixFields
  /** Fields of `SubmitSharesStandard`. */
  SubmitSharesStandard: SubmitSharesStandardFields
  /** Fields of `SubmitSharesExtended`. */
  SubmitSharesExtended: SubmitSharesExtendedFields
  /** Fields of `SubmitSharesSuccess`. */
  SubmitSharesSuccess: SubmitSharesSuccessFields
  /** Fields of `SubmitSharesError`. */
  SubmitSharesError: SubmitSharesErrorFields
  /** Fields of `NewExtendedMiningJob`. */
  NewExtendedMiningJob: NewExtendedMiningJobFields
  /** Fields of `SetNewPrevHash`. */
  SetNewPrevHash: SetNewPrevHashFields
  /** Fields of `SetTarget`. */
  SetTarget: SetTargetFields
  /** Fields of `SetCustomMiningJob`. */
  SetCustomMiningJob: SetCustomMiningJobFields
  /** Fields of `SetCustomMiningJobSuccess`. */
  SetCustomMiningJobSuccess: SetCustomMiningJobSuccessFields
  /** Fields of `SetCustomMiningJobError`. */
  SetCustomMiningJobError: SetCustomMiningJobErrorFields
  /** Fields of `SetGroupChannel`. */
  SetGroupChannel: SetGroupChannelFields
  /** Fields of `AllocateMiningJobToken`. */
  AllocateMiningJobToken: AllocateMiningJobTokenFields
  /** Fields of `AllocateMiningJobTokenSuccess`. */
  AllocateMiningJobTokenSuccess: AllocateMiningJobTokenSuccessFields
  /** Fields of `ProvideMissingTransactions`. */
  ProvideMissingTransactions: ProvideMissingTransactionsFields
  /** Fields of `ProvideMissingTransactionsSuccess`. */
  ProvideMissingTransactionsSuccess: ProvideMissingTransactionsSuccessFields
  /** Fields of `DeclareMiningJob`. */
  DeclareMiningJob: DeclareMiningJobFields
  /** Fields of `DeclareMiningJobSuccess`. */
  DeclareMiningJobSuccess: DeclareMiningJobSuccessFields
  /** Fields of `DeclareMiningJobError`. */
  DeclareMiningJobError: DeclareMiningJobErrorFields
  /** Fields of `PushSolution`. */
  PushSolution: PushSolutionFields
  /** Fields of `CoinbaseOutputConstraints`. */
  CoinbaseOutputConstraints: CoinbaseOutputConstraintsFields
  /** Fields of `NewTemplate`. */
  NewTemplate: NewTemplateFields
  /** Fields of `TemplateSetNewPrevHash`. */
  TemplateSetNewPrevHash: TemplateSetNewPrevHashFields
  /** Fields of `RequestTransactionData`. */
  RequestTransactionData: RequestTransactionDataFields
  /** Fields of `RequestTransactionDataSuccess`. */
  RequestTransactionDataSuccess: RequestTransactionDataSuccessFields
  /** Fields of `RequestTransactionDataError`. */
  RequestTransactionDataError: RequestTransactionDataErrorFields
  /** Fields of `SubmitSolution`. */
  SubmitSolution: SubmitSolutionFields
  /** Fields of `RequestExtensions`. */
  RequestExtensions: RequestExtensionsFields
  /** Fields of `RequestExtensionsSuccess`. */
  RequestExtensionsSuccess: RequestExtensionsSuccessFields
  /** Fields of `RequestExtensionsError`. */
  RequestExtensionsError: RequestExtensionsErrorFields
}

/** All messages, by protocol and type. */
export const messages: readonly [
  typeof SetupConnection,
  typeof SetupConnectionSuccess,
  typeof SetupConnectionError,
  typeof ChannelEndpointChanged,
  typeof Reconnect,
  typeof OpenStandardMiningChannel,
  typeof OpenStandardMiningChannelSuccess,
  typeof OpenMiningChannelError,
  typeof OpenExtendedMiningChannel,
  typeof OpenExtendedMiningChannelSuccess,
  typeof NewMiningJob,
  typeof UpdateChannel,
  typeof UpdateChannelError,
  typeof CloseChannel,
  typeof SetExtranoncePrefix,
  typeof SubmitSharesStandard,
  typeof SubmitSharesExtended,
  typeof SubmitSharesSuccess,
  typeof SubmitSharesError,
  typeof NewExtendedMiningJob,
  typeof SetNewPrevHash,
  typeof SetTarget,
  typeof SetCustomMiningJob,
  typeof SetCustomMiningJobSuccess,
  typeof SetCustomMiningJobError,
  typeof SetGroupChannel,
  typeof AllocateMiningJobToken,
  typeof AllocateMiningJobTokenSuccess,
  typeof ProvideMissingTransactions,
  typeof ProvideMissingTransactionsSuccess,
  typeof DeclareMiningJob,
  typeof DeclareMiningJobSuccess,
  typeof DeclareMiningJobError,
  typeof PushSolution,
  typeof CoinbaseOutputConstraints,
  typeof NewTemplate,
  typeof TemplateSetNewPrevHash,
  typeof RequestTransactionData,
  typeof RequestTransactionDataSuccess,
  typeof RequestTransactionDataError,
  typeof SubmitSolution,
  typeof RequestExtensions,
  typeof RequestExtensionsSuccess,
  typeof RequestExtensionsError,
] = /* @__PURE__ */ Object.freeze([
  SetupConnection,
  SetupConnectionSuccess,
  SetupConnectionError,
  ChannelEndpointChanged,
  Reconnect,
  OpenStandardMiningChannel,
  OpenStandardMiningChannelSuccess,
  OpenMiningChannelError,
  OpenExtendedMiningChannel,
  OpenExtendedMiningChannelSuccess,
  NewMiningJob,
  UpdateChannel,
  UpdateChannelError,
  CloseChannel,
  SetExtranoncePrefix,
  SubmitSharesStandard,
  SubmitSharesExtended,
  SubmitSharesSuccess,
  SubmitSharesError,
  NewExtendedMiningJob,
  SetNewPrevHash,
  SetTarget,
  SetCustomMiningJob,
  SetCustomMiningJobSuccess,
  SetCustomMiningJobError,
  SetGroupChannel,
  AllocateMiningJobToken,
  AllocateMiningJobTokenSuccess,
  ProvideMissingTransactions,
  ProvideMissingTransactionsSuccess,
  DeclareMiningJob,
  DeclareMiningJobSuccess,
  DeclareMiningJobError,
  PushSolution,
  CoinbaseOutputConstraints,
  NewTemplate,
  TemplateSetNewPrevHash,
  RequestTransactionData,
  RequestTransactionDataSuccess,
  RequestTransactionDataError,
  SubmitSolution,
  RequestExtensions,
  RequestExtensionsSuccess,
  RequestExtensionsError,
] as const)
