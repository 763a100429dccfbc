// Generated from schema.json by `npm run generate:messages`; do not edit.
import { byTable } from './by-table.js'
import { STR0_255, U8, U16, U32 } from './field-type.js'
import { type Message, message } from './message.js'

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
  byTable,
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
    byTable,
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
    byTable,
  )

/** Fields of {@link ChannelEndpointChanged}. */
export interface ChannelEndpointChangedFields {
  /** Channel, or group of channels, that the message is for. U32. */
  channelId: number
}

/**
 * Says that a channel has another endpoint, with which the channel's extensions must be negotiated again.
 *
 * Type 0x03, channel bit 1; server to client; 03 §3.6.4. 4 bytes.
 */
export const ChannelEndpointChanged: Message<'ChannelEndpointChanged', ChannelEndpointChangedFields> =
  /* @__PURE__ */ message(
    {
      name: 'ChannelEndpointChanged',
      protocol: 'common',
      extensionType: 0,
      messageType: 0x03,
      channelMessage: true,
    },
    {
      channelId: U32,
    },
    byTable,
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
 * Type 0x04, channel bit 0; server to client; 03 §3.6.5.
 */
export const Reconnect: Message<'Reconnect', ReconnectFields, 'newPort'> = /* @__PURE__ */ message(
  {
    name: 'Reconnect',
    protocol: 'common',
    extensionType: 0,
    messageType: 0x04,
    channelMessage: false,
  },
  {
    newHost: STR0_255,
    newPort: U16,
  },
  byTable,
)
