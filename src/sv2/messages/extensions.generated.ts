// Generated from schema.json by `npm run generate:messages`; do not edit.
import { byTable } from './by-table.js'
import { SEQ0_64K_U16, U16 } from './field-type.js'
import { type Message, message } from './message.js'

// Extension 0x0001: negotiation of extensions.

/** Fields of {@link RequestExtensions}. */
export interface RequestExtensionsFields {
  /** Number that the client has chosen; the answer carries it, too. U16. */
  requestId: number
  /** Extensions that the client wants to use. SEQ0_64K[U16]: at most 65,535. */
  requestedExtensions: readonly number[]
}

/**
 * Asks for extensions, right after SetupConnection.Success.
 *
 * Type 0x00 of extension 0x0001, channel bit 0; client to server; extensions/0x0001 §2. The first 2 bytes are of fixed length.
 */
export const RequestExtensions: Message<'RequestExtensions', RequestExtensionsFields, 'requestId'> =
  /* @__PURE__ */ message(
    {
      name: 'RequestExtensions',
      protocol: 'extensions',
      extensionType: 1,
      messageType: 0x00,
      channelMessage: false,
    },
    {
      requestId: U16,
      requestedExtensions: SEQ0_64K_U16,
    },
    byTable,
  )

/** Fields of {@link RequestExtensionsSuccess}. */
export interface RequestExtensionsSuccessFields {
  /** Number that the client has chosen; the answer carries it, too. U16. */
  requestId: number
  /** Extensions of the request that the server supports. SEQ0_64K[U16]: at most 65,535. */
  supportedExtensions: readonly number[]
}

/**
 * `RequestExtensions.Success`: Says which extensions are on from now on.
 *
 * Type 0x01 of extension 0x0001, channel bit 0; server to client; extensions/0x0001 §2. The first 2 bytes are of fixed length.
 */
export const RequestExtensionsSuccess: Message<
  'RequestExtensionsSuccess',
  RequestExtensionsSuccessFields,
  'requestId'
> = /* @__PURE__ */ message(
  {
    name: 'RequestExtensionsSuccess',
    specName: 'RequestExtensions.Success',
    protocol: 'extensions',
    extensionType: 1,
    messageType: 0x01,
    channelMessage: false,
  },
  {
    requestId: U16,
    supportedExtensions: SEQ0_64K_U16,
  },
  byTable,
)

/** Fields of {@link RequestExtensionsError}. */
export interface RequestExtensionsErrorFields {
  /** Number that the client has chosen; the answer carries it, too. U16. */
  requestId: number
  /** Extensions of the request that the server does not support. SEQ0_64K[U16]: at most 65,535. */
  unsupportedExtensions: readonly number[]
  /** Extensions that the server requires and the request left out. SEQ0_64K[U16]: at most 65,535. */
  requiredExtensions: readonly number[]
}

/**
 * `RequestExtensions.Error`: Refuses a request for extensions.
 *
 * Type 0x02 of extension 0x0001, channel bit 0; server to client; extensions/0x0001 §2. The first 2 bytes are of fixed length.
 */
export const RequestExtensionsError: Message<'RequestExtensionsError', RequestExtensionsErrorFields, 'requestId'> =
  /* @__PURE__ */ message(
    {
      name: 'RequestExtensionsError',
      specName: 'RequestExtensions.Error',
      protocol: 'extensions',
      extensionType: 1,
      messageType: 0x02,
      channelMessage: false,
    },
    {
      requestId: U16,
      unsupportedExtensions: SEQ0_64K_U16,
      requiredExtensions: SEQ0_64K_U16,
    },
    byTable,
  )
