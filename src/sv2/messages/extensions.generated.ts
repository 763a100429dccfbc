// Generated from schema.json by `npm run generate:messages`; do not edit.
import { SEQ0_64K_U16, U16 } from './field-type.js'
import { type Message, message } from './message.js'
import { checkEnd, checkPayload, endOf, numbers, offsetOf, u16 } from './read.js'
import { checkFields, checkNumbers, isTarget, notNumber, putNumbers, putU16 } from './write.js'

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
      specName: 'RequestExtensions',
      protocol: 'extensions',
      extensionType: 1,
      messageType: 0x00,
      channelMessage: false,
    },
    {
      requestId: U16,
      requestedExtensions: SEQ0_64K_U16,
    },
    {
      decode: (payload) => {
        checkPayload(payload, RequestExtensions)
        const end2 = endOf(payload, 2, SEQ0_64K_U16)
        checkEnd(payload, end2, RequestExtensions)
        return {
          requestId: u16(payload, 0, RequestExtensions),
          requestedExtensions: numbers(payload, 2, SEQ0_64K_U16, RequestExtensions),
        }
      },
      pack: (fields, into, extra) => {
        const { requestId, requestedExtensions } = checkFields(fields, RequestExtensions)
        const requestedExtensionsList = checkNumbers(requestedExtensions, SEQ0_64K_U16, RequestExtensions, 1)
        if ((requestId & 0xffff) !== requestId) throw notNumber(requestId, RequestExtensions, 0)
        const size = 2 + 2 + requestedExtensionsList.length * 2
        if (!isTarget(into, size, extra, RequestExtensions)) return size
        putU16(into, 0, requestId)
        putNumbers(into, 2, requestedExtensionsList, SEQ0_64K_U16)
        return size
      },
      get: {
        requestId: (payload) => u16(payload, 0, RequestExtensions),
        requestedExtensions: (payload) => numbers(payload, 2, SEQ0_64K_U16, RequestExtensions),
      },
    },
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
  {
    decode: (payload) => {
      checkPayload(payload, RequestExtensionsSuccess)
      const end2 = endOf(payload, 2, SEQ0_64K_U16)
      checkEnd(payload, end2, RequestExtensionsSuccess)
      return {
        requestId: u16(payload, 0, RequestExtensionsSuccess),
        supportedExtensions: numbers(payload, 2, SEQ0_64K_U16, RequestExtensionsSuccess),
      }
    },
    pack: (fields, into, extra) => {
      const { requestId, supportedExtensions } = checkFields(fields, RequestExtensionsSuccess)
      const supportedExtensionsList = checkNumbers(supportedExtensions, SEQ0_64K_U16, RequestExtensionsSuccess, 1)
      if ((requestId & 0xffff) !== requestId) throw notNumber(requestId, RequestExtensionsSuccess, 0)
      const size = 2 + 2 + supportedExtensionsList.length * 2
      if (!isTarget(into, size, extra, RequestExtensionsSuccess)) return size
      putU16(into, 0, requestId)
      putNumbers(into, 2, supportedExtensionsList, SEQ0_64K_U16)
      return size
    },
    get: {
      requestId: (payload) => u16(payload, 0, RequestExtensionsSuccess),
      supportedExtensions: (payload) => numbers(payload, 2, SEQ0_64K_U16, RequestExtensionsSuccess),
    },
  },
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
    {
      decode: (payload) => {
        checkPayload(payload, RequestExtensionsError)
        const end2 = endOf(payload, 2, SEQ0_64K_U16)
        const end3 = endOf(payload, end2, SEQ0_64K_U16)
        checkEnd(payload, end3, RequestExtensionsError)
        return {
          requestId: u16(payload, 0, RequestExtensionsError),
          unsupportedExtensions: numbers(payload, 2, SEQ0_64K_U16, RequestExtensionsError),
          requiredExtensions: numbers(payload, end2, SEQ0_64K_U16, RequestExtensionsError),
        }
      },
      pack: (fields, into, extra) => {
        const { requestId, unsupportedExtensions, requiredExtensions } = checkFields(fields, RequestExtensionsError)
        const unsupportedExtensionsList = checkNumbers(unsupportedExtensions, SEQ0_64K_U16, RequestExtensionsError, 1)
        const requiredExtensionsList = checkNumbers(requiredExtensions, SEQ0_64K_U16, RequestExtensionsError, 2)
        if ((requestId & 0xffff) !== requestId) throw notNumber(requestId, RequestExtensionsError, 0)
        const size = 2 + 2 + unsupportedExtensionsList.length * 2 + 2 + requiredExtensionsList.length * 2
        if (!isTarget(into, size, extra, RequestExtensionsError)) return size
        putU16(into, 0, requestId)
        const at = putNumbers(into, 2, unsupportedExtensionsList, SEQ0_64K_U16)
        putNumbers(into, at, requiredExtensionsList, SEQ0_64K_U16)
        return size
      },
      get: {
        requestId: (payload) => u16(payload, 0, RequestExtensionsError),
        unsupportedExtensions: (payload) => numbers(payload, 2, SEQ0_64K_U16, RequestExtensionsError),
        requiredExtensions: (payload) =>
          numbers(payload, offsetOf(payload, RequestExtensionsError, 2), SEQ0_64K_U16, RequestExtensionsError),
      },
    },
  )
