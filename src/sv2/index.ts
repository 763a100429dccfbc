/// <reference types="node" preserve="true" />
/**
 * Stratum V2 (Sv2) sessions, and a relay between miners and a mining pool.
 *
 * @module framepool/sv2
 */
export type { Disconnection, DisconnectSide, Ending } from './relay/disconnection.js'
export type { RelayLinkHandle } from './relay/link-handle.js'
export type { RelayOptions, Verdict } from './relay/options.js'
export { createRelay, Relay, type RelayEvents } from './relay/relay.js'
export type { RelayBudget, RelayConnection, RelayRefusals, RelayStats } from './relay/stats.js'
export type { ChooseUpstream, Upstream, UpstreamRequest } from './relay/upstream.js'
export type { SessionStats } from './session/core.js'
export type { SendableMessage } from './session/encoded.js'
export type { Frame, FrameBatch } from './session/frame-batch.js'
export { generateAuthorityKeypair } from './session/keys.js'
export type { FrameHeader, InitiatorOptions, ResponderOptions, SessionOptions } from './session/session.js'
export { Sv2Session } from './session/session.js'
