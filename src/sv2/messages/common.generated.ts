// Generated from schema.json by `npm run generate:messages`; do not edit.
import { STR0_255, U8, U16, U32 } from './field-type.js'
import { type Message, message } from './message.js'
import { checkEnd, checkPayload, endOf, offsetOf, text, u8, u16, u32 } from './read.js'
import { checkFields, checkText, isTarget, notNumber, putCounted, putU8, putU16, putU32 } from './write.js'

// Common messages, which every connection uses.

/** Fields of {@link SetupConnection}. */
export interface SetupConnectionFields {
  /** Protocol that the connection is for: 0 mining, 1 job declaration, 2 template distribution. U8. */
  protocol: number
  /** Lowest version of the protocol that the client speaks; 2 today. U16. */
  minVersion: number
  /** Highest version of the protocol that the client speaks; 2 today. U16. */
  maxVersion: number
  /** Features, by bits that each protocol names: see `SetupConnectionFlags`. U32. */
  flags: number
  /** Name or address that the client has connected to. STR0_255: 0 to 255 bytes. */
  endpointHost: string
  /** Port that the client has connected to. U16. */
  endpointPort: number
  /** Maker of the device. STR0_255: 0 to 255 bytes. */
  vendor: string
  /** Model of the device. STR0_255: 0 to 255 bytes. */
  hardwareVersion: string
  /** Firmware or program of the device. STR0_255: 0 to 255 bytes. */
  firmware: string
  /** Serial number or another identity of the device; may be empty. STR0_255: 0 to 255 bytes. */
  deviceId: string
}

/**
 * Begins every connection: says which protocol and versions the client speaks.
 *
 * Type 0x00, channel bit 0; client to server; 03 §3.6.1. The first 9 bytes are of fixed length.
 */
export const SetupConnection: Message<
  'SetupConnection',
  SetupConnectionFields,
  'protocol' | 'minVersion' | 'maxVersion' | 'flags' | 'endpointPort'
> = /* @__PURE__ */ message(
  {
    name: 'SetupConnection',
    specName: 'SetupConnection',
    protocol: 'common',
    extensionType: 0,
    messageType: 0x00,
    channelMessage: false,
  },
  {
    protocol: U8,
    minVersion: U16,
    maxVersion: U16,
    flags: U32,
    endpointHost: STR0_255,
    endpointPort: U16,
    vendor: STR0_255,
    hardwareVersion: STR0_255,
    firmware: STR0_255,
    deviceId: STR0_255,
  },
  {
    decode: (payload) => {
      checkPayload(payload, SetupConnection)
      const end5 = endOf(payload, 9, STR0_255)
      const end7 = endOf(payload, end5 + 2, STR0_255)
      const end8 = endOf(payload, end7, STR0_255)
      const end9 = endOf(payload, end8, STR0_255)
      const end10 = endOf(payload, end9, STR0_255)
      checkEnd(payload, end10, SetupConnection)
      return {
        protocol: u8(payload, 0, SetupConnection),
        minVersion: u16(payload, 1, SetupConnection),
        maxVersion: u16(payload, 3, SetupConnection),
        flags: u32(payload, 5, SetupConnection),
        endpointHost: text(payload, 9, STR0_255, SetupConnection),
        endpointPort: u16(payload, end5, SetupConnection),
        vendor: text(payload, end5 + 2, STR0_255, SetupConnection),
        hardwareVersion: text(payload, end7, STR0_255, SetupConnection),
        firmware: text(payload, end8, STR0_255, SetupConnection),
        deviceId: text(payload, end9, STR0_255, SetupConnection),
      }
    },
    pack: (fields, into, extra) => {
      const {
        protocol,
        minVersion,
        maxVersion,
        flags,
        endpointHost,
        endpointPort,
        vendor,
        hardwareVersion,
        firmware,
        deviceId,
      } = checkFields(fields, SetupConnection)
      if ((protocol & 0xff) !== protocol) throw notNumber(protocol, SetupConnection, 0)
      if ((minVersion & 0xffff) !== minVersion) throw notNumber(minVersion, SetupConnection, 1)
      if ((maxVersion & 0xffff) !== maxVersion) throw notNumber(maxVersion, SetupConnection, 2)
      if (flags >>> 0 !== flags) throw notNumber(flags, SetupConnection, 3)
      const endpointHostText = checkText(endpointHost, 255, SetupConnection, 4)
      if ((endpointPort & 0xffff) !== endpointPort) throw notNumber(endpointPort, SetupConnection, 5)
      const vendorText = checkText(vendor, 255, SetupConnection, 6)
      const hardwareVersionText = checkText(hardwareVersion, 255, SetupConnection, 7)
      const firmwareText = checkText(firmware, 255, SetupConnection, 8)
      const deviceIdText = checkText(deviceId, 255, SetupConnection, 9)
      const size =
        16 +
        endpointHostText.length +
        vendorText.length +
        hardwareVersionText.length +
        firmwareText.length +
        deviceIdText.length
      if (!isTarget(into, size, extra, SetupConnection)) return size
      putU8(into, 0, protocol)
      putU16(into, 1, minVersion)
      putU16(into, 3, maxVersion)
      putU32(into, 5, flags)
      let at = putCounted(into, 9, endpointHostText, 1)
      at = putU16(into, at, endpointPort)
      at = putCounted(into, at, vendorText, 1)
      at = putCounted(into, at, hardwareVersionText, 1)
      at = putCounted(into, at, firmwareText, 1)
      putCounted(into, at, deviceIdText, 1)
      return size
    },
    get: {
      protocol: (payload) => u8(payload, 0, SetupConnection),
      minVersion: (payload) => u16(payload, 1, SetupConnection),
      maxVersion: (payload) => u16(payload, 3, SetupConnection),
      flags: (payload) => u32(payload, 5, SetupConnection),
      endpointHost: (payload) => text(payload, 9, STR0_255, SetupConnection),
      endpointPort: (payload) => u16(payload, offsetOf(payload, SetupConnection, 5), SetupConnection),
      vendor: (payload) => text(payload, offsetOf(payload, SetupConnection, 6), STR0_255, SetupConnection),
      hardwareVersion: (payload) => text(payload, offsetOf(payload, SetupConnection, 7), STR0_255, SetupConnection),
      firmware: (payload) => text(payload, offsetOf(payload, SetupConnection, 8), STR0_255, SetupConnection),
      deviceId: (payload) => text(payload, offsetOf(payload, SetupConnection, 9), STR0_255, SetupConnection),
    },
  },
)

/** Fields of {@link SetupConnectionSuccess}. */
export interface SetupConnectionSuccessFields {
  /** Version of the protocol that the server has chosen. U16. */
  usedVersion: number
  /** Features that the server requires: see `SetupConnectionSuccessFlags`. U32. */
  flags: number
}

/**
 * `SetupConnection.Success`: Accepts the connection.
 *
 * Type 0x01, channel bit 0; server to client; 03 §3.6.2. 6 bytes.
 */
export const SetupConnectionSuccess: Message<'SetupConnectionSuccess', SetupConnectionSuccessFields> =
  /* @__PURE__ */ message(
    {
      name: 'SetupConnectionSuccess',
      specName: 'SetupConnection.Success',
      protocol: 'common',
      extensionType: 0,
      messageType: 0x01,
      channelMessage: false,
    },
    {
      usedVersion: U16,
      flags: U32,
    },
    {
      decode: (payload) => {
        checkEnd(payload, 6, SetupConnectionSuccess)
        return { usedVersion: u16(payload, 0, SetupConnectionSuccess), flags: u32(payload, 2, SetupConnectionSuccess) }
      },
      pack: (fields, into, extra) => {
        const { usedVersion, flags } = checkFields(fields, SetupConnectionSuccess)
        if ((usedVersion & 0xffff) !== usedVersion) throw notNumber(usedVersion, SetupConnectionSuccess, 0)
        if (flags >>> 0 !== flags) throw notNumber(flags, SetupConnectionSuccess, 1)
        const size = 6
        if (!isTarget(into, size, extra, SetupConnectionSuccess)) return size
        putU16(into, 0, usedVersion)
        putU32(into, 2, flags)
        return size
      },
      get: {
        usedVersion: (payload) => u16(payload, 0, SetupConnectionSuccess),
        flags: (payload) => u32(payload, 2, SetupConnectionSuccess),
      },
    },
  )

/** Fields of {@link SetupConnectionError}. */
export interface SetupConnectionErrorFields {
  /** Features that the server does not support; 0: another reason. U32. */
  flags: number
  /** Reason in printable ASCII, see `SetupConnectionErrorCode`; unknown codes are only logged. STR0_255: 0 to 255 bytes. */
  errorCode: string
}

/**
 * `SetupConnection.Error`: Refuses the connection, which is closed after it.
 *
 * Type 0x02, channel bit 0; server to client; 03 §3.6.3. The first 4 bytes are of fixed length.
 */
export const SetupConnectionError: Message<'SetupConnectionError', SetupConnectionErrorFields, 'flags'> =
  /* @__PURE__ */ message(
    {
      name: 'SetupConnectionError',
      specName: 'SetupConnection.Error',
      protocol: 'common',
      extensionType: 0,
      messageType: 0x02,
      channelMessage: false,
    },
    {
      flags: U32,
      errorCode: STR0_255,
    },
    {
      decode: (payload) => {
        checkPayload(payload, SetupConnectionError)
        const end2 = endOf(payload, 4, STR0_255)
        checkEnd(payload, end2, SetupConnectionError)
        return {
          flags: u32(payload, 0, SetupConnectionError),
          errorCode: text(payload, 4, STR0_255, SetupConnectionError),
        }
      },
      pack: (fields, into, extra) => {
        const { flags, errorCode } = checkFields(fields, SetupConnectionError)
        if (flags >>> 0 !== flags) throw notNumber(flags, SetupConnectionError, 0)
        const errorCodeText = checkText(errorCode, 255, SetupConnectionError, 1)
        const size = 5 + errorCodeText.length
        if (!isTarget(into, size, extra, SetupConnectionError)) return size
        putU32(into, 0, flags)
        putCounted(into, 4, errorCodeText, 1)
        return size
      },
      get: {
        flags: (payload) => u32(payload, 0, SetupConnectionError),
        errorCode: (payload) => text(payload, 4, STR0_255, SetupConnectionError),
      },
    },
  )

/** Fields of {@link ChannelEndpointChanged}. */
export interface ChannelEndpointChangedFields {
  /** Channel, or group of channels, that the message is for. U32. */
  channelId: number
}

/**
 * Says that a channel has another endpoint, with which the channel's extensions must be negotiated anew.
 *
 * Type 0x03, channel bit 1; server to client; 03 §3.6.4. 4 bytes.
 */
export const ChannelEndpointChanged: Message<'ChannelEndpointChanged', ChannelEndpointChangedFields> =
  /* @__PURE__ */ message(
    {
      name: 'ChannelEndpointChanged',
      specName: 'ChannelEndpointChanged',
      protocol: 'common',
      extensionType: 0,
      messageType: 0x03,
      channelMessage: true,
    },
    {
      channelId: U32,
    },
    {
      decode: (payload) => {
        checkEnd(payload, 4, ChannelEndpointChanged)
        return { channelId: u32(payload, 0, ChannelEndpointChanged) }
      },
      pack: (fields, into, extra) => {
        const { channelId } = checkFields(fields, ChannelEndpointChanged)
        if (channelId >>> 0 !== channelId) throw notNumber(channelId, ChannelEndpointChanged, 0)
        const size = 4
        if (!isTarget(into, size, extra, ChannelEndpointChanged)) return size
        putU32(into, 0, channelId)
        return size
      },
      get: {
        channelId: (payload) => u32(payload, 0, ChannelEndpointChanged),
      },
    },
  )

/** Fields of {@link Reconnect}. */
export interface ReconnectFields {
  /** Host to connect to; empty: the present one. STR0_255: 0 to 255 bytes. */
  newHost: string
  /** Port to connect to; 0: the present one. U16. */
  newPort: number
}

/**
 * Asks the client to connect elsewhere, to a server of the same authority key. A proxy never passes it on.
 *
 * Type 0x04, channel bit 0; server to client; 03 §3.6.5. The first 0 bytes are of fixed length.
 */
export const Reconnect: Message<'Reconnect', ReconnectFields, 'newPort'> = /* @__PURE__ */ message(
  {
    name: 'Reconnect',
    specName: 'Reconnect',
    protocol: 'common',
    extensionType: 0,
    messageType: 0x04,
    channelMessage: false,
  },
  {
    newHost: STR0_255,
    newPort: U16,
  },
  {
    decode: (payload) => {
      checkPayload(payload, Reconnect)
      const end1 = endOf(payload, 0, STR0_255)
      checkEnd(payload, end1 + 2, Reconnect)
      return { newHost: text(payload, 0, STR0_255, Reconnect), newPort: u16(payload, end1, Reconnect) }
    },
    pack: (fields, into, extra) => {
      const { newHost, newPort } = checkFields(fields, Reconnect)
      const newHostText = checkText(newHost, 255, Reconnect, 0)
      if ((newPort & 0xffff) !== newPort) throw notNumber(newPort, Reconnect, 1)
      const size = 3 + newHostText.length
      if (!isTarget(into, size, extra, Reconnect)) return size
      const at = putCounted(into, 0, newHostText, 1)
      putU16(into, at, newPort)
      return size
    },
    get: {
      newHost: (payload) => text(payload, 0, STR0_255, Reconnect),
      newPort: (payload) => u16(payload, offsetOf(payload, Reconnect, 1), Reconnect),
    },
  },
)
