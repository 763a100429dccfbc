//! Stratum V2 sessions: Noise handshake and encrypted framing, without I/O.
//!
//! A [`Session`] is one end of a connection. Wire bytes enter with [`Session::receive`] and leave as batches of frames.
//! Frames enter with [`Session::send`] or [`Session::forward`] and leave as wire bytes in the [`Output`]. `secp256k1`
//! provides the handshake's curve, `ring` hash and cipher, and `framing_sv2` the header. [`RelayMemory`] limits the
//! memory of all sessions of a relay.
//!
//! After a handshake of 64 bytes and 234 bytes back, frames look like this on the wire:
//!
//! ```text
//!    22 B                  up to 65,519 + 16 B       the rest, likewise
//! ┌──────────────────────┬─────────────────────────┬─────────────────────────┬─
//! │ header 6 B + tag     │ payload chunk + tag     │ payload chunk + tag     │ …
//! └──────────────────────┴─────────────────────────┴─────────────────────────┴─
//!   extension u16, type u8, length u24: little-endian; extension bit 15 marks a channel message
//! ```

mod allowance;
mod error;
mod frame;
mod link_memory;
mod noise;
mod session;
mod spare;

pub use error::{CertificateFault, Error};
pub use frame::{FrameHeader, MAX_PAYLOAD};
pub use link_memory::{Direction, Grant, LinkMemory, RelayMemory, RelayMemoryStats, Step};
pub use session::{
    Batch, ENTRY, Frame, Identity, Options, Output, Partial, Session, State, Stats, generate_authority_keypair,
};
pub use spare::spare_bytes;
