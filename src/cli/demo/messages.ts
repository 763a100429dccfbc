import type { FrameHeader } from '../../sv2/index.js'
import { b032, type Field, f32, optionU32, Reader, str0255, u8, u16, u32, u64, u256 } from './fields.js'

/** The fields of a message, in the order of the wire. */
export type Fields = Record<string, Field<unknown>>
/** The values of a message, by field name. */
export type Values<F extends Fields> = { [Name in keyof F]: F[Name] extends Field<infer T> ? T : never }

/** A message of the mining protocol. It is also the header of the frames that carry it. */
export class Message<F extends Fields> implements FrameHeader {
  readonly name: string
  readonly messageType: number
  readonly channelMessage: boolean
  readonly #fields: [name: string, field: Field<unknown>][]

  constructor(name: string, messageType: number, channelMessage: boolean, fields: F) {
    this.name = name
    this.messageType = messageType
    this.channelMessage = channelMessage
    this.#fields = Object.entries(fields)
  }

  /** Returns the payload that carries `values`. Throws a RangeError if a value does not fit its field. */
  encode(values: Values<F>): Uint8Array {
    const named: Record<string, unknown> = values
    let size = 0
    for (const [name, field] of this.#fields) size += field.size(named[name])
    const payload = Buffer.alloc(size)
    let offset = 0
    for (const [name, field] of this.#fields) {
      const value = named[name]
      field.write(value, payload, offset)
      offset += field.size(value)
    }
    return payload
  }

  /** Returns a copy of the values that `payload` carries. Throws an Error that names the malformed field. */
  decode(payload: Uint8Array): Values<F> {
    const reader = new Reader(payload)
    const values: Record<string, unknown> = {}
    for (const [name, field] of this.#fields) {
      try {
        values[name] = field.read(reader)
      } catch (error) {
        throw new Error(`${this.name}.${name}: ${(error as Error).message}`, { cause: error })
      }
    }
    if (reader.left > 0) throw new Error(`${this.name}: ${reader.left} bytes too many`)
    return values as Values<F>
  }
}

/** `SetupConnection.protocol` of the mining protocol. */
export const MINING_PROTOCOL = 0
/** The only protocol version. */
export const PROTOCOL_VERSION = 2
/** Bit of `SetupConnection.flags` that says that the miner can only work on standard jobs. */
export const REQUIRES_STANDARD_JOBS = 0b1

// Names, numbers, channel bits and layouts of common_messages_sv2 9.0.0.

export const SetupConnection = new Message('SetupConnection', 0x00, false, {
  protocol: u8,
  minVersion: u16,
  maxVersion: u16,
  flags: u32,
  endpointHost: str0255,
  endpointPort: u16,
  vendor: str0255,
  hardwareVersion: str0255,
  firmware: str0255,
  deviceId: str0255,
})

export const SetupConnectionSuccess = new Message('SetupConnectionSuccess', 0x01, false, {
  usedVersion: u16,
  flags: u32,
})

export const SetupConnectionError = new Message('SetupConnectionError', 0x02, false, {
  flags: u32,
  errorCode: str0255,
})

// Names, numbers, channel bits and layouts of mining_sv2 12.0.0.

export const OpenStandardMiningChannel = new Message('OpenStandardMiningChannel', 0x10, false, {
  requestId: u32,
  userIdentity: str0255,
  nominalHashRate: f32,
  maxTarget: u256,
})

export const OpenStandardMiningChannelSuccess = new Message('OpenStandardMiningChannelSuccess', 0x11, false, {
  requestId: u32,
  channelId: u32,
  target: u256,
  extranoncePrefix: b032,
  groupChannelId: u32,
})

export const OpenMiningChannelError = new Message('OpenMiningChannelError', 0x12, false, {
  requestId: u32,
  errorCode: str0255,
})

export const NewMiningJob = new Message('NewMiningJob', 0x15, true, {
  channelId: u32,
  jobId: u32,
  minNtime: optionU32,
  version: u32,
  merkleRoot: u256,
})

export const SubmitSharesStandard = new Message('SubmitSharesStandard', 0x1a, true, {
  channelId: u32,
  sequenceNumber: u32,
  jobId: u32,
  nonce: u32,
  ntime: u32,
  version: u32,
})

export const SubmitSharesSuccess = new Message('SubmitSharesSuccess', 0x1c, true, {
  channelId: u32,
  lastSequenceNumber: u32,
  newSubmitsAcceptedCount: u32,
  newSharesSum: u64,
})

export const SubmitSharesError = new Message('SubmitSharesError', 0x1d, true, {
  channelId: u32,
  sequenceNumber: u32,
  errorCode: str0255,
})

export const SetNewPrevHash = new Message('SetNewPrevHash', 0x20, true, {
  channelId: u32,
  jobId: u32,
  prevHash: u256,
  minNtime: u32,
  nbits: u32,
})
