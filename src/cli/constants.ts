/** The only version of the Stratum V2 protocol. */
export const PROTOCOL_VERSION = 2

/** Largest payload that a frame can have, in bytes. */
export const MAX_PAYLOAD = 0xff_ffff

/** Bytes that may wait for a slow reader of a standard stream. Beyond them, output is left out and counted. */
export const MAX_BACKLOG = 1 << 20

/** Time that a relay which closes gives to frames under way, in milliseconds. */
export const DRAIN_MS = 5_000
