/**
 * The messages of Stratum V2 (Sv2): 44 codecs that work on payloads where they lie. The module loads nothing native and
 * uses nothing of Node, so it runs in browsers, too.
 *
 * @module framepool/sv2/messages
 */
export { type MessageFields, messages } from './catalogue.generated.js'
export { type AnyMessage, type MessageName, messageByName, messageOf } from './catalogue.js'
export * from './common.generated.js'
export * from './constants.js'
export { describe } from './describe.js'
export { type DispatchedFrame, dispatcher, type MessageHandlers } from './dispatcher.js'
export * from './extensions.generated.js'
export type { MessageType } from './frame-type.js'
export * from './job-declaration.generated.js'
export type { FieldType, MessageField } from './layout.js'
export type { EncodableFields, FieldValue, Message, Protocol, TextField } from './message.js'
export * from './mining.generated.js'
export * from './template-distribution.generated.js'
export type { Tlv } from './tlv.js'
