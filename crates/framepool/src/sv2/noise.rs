//! The Noise handshake of Stratum V2: `Noise_NX_Secp256k1+EllSwift_ChaChaPoly_SHA256`.
//!
//! Written from the protocol's specification (chapter 4, Protocol Security) in the terms of the Noise framework:
//!
//! ```text
//!           initiator                                    responder
//! act 1     e                       64 B  ────────────▶
//! act 2                            234 B  ◀────────────  e, ee, s, es, certificate
//! ```
//!
//! A [`CipherState`] counts nonces under one key, a `SymmetricState` turns what is exchanged into keys, and the two roles
//! of the handshake, [`Initiator`] and [`Responder`], are used up by the one message that each waits for. The curve is the
//! business of `secp256k1`, hash and cipher that of `ring`. Their comparisons (of tags, of signatures) are the only ones
//! made of secrets.

mod certificate;
mod cipher_state;
mod curve;
mod initiator;
mod key_pair;
mod responder;
mod shape;
mod symmetric_state;
mod transport;

pub(super) use cipher_state::CipherState;
pub(super) use initiator::Initiator;
pub(super) use responder::Responder;
pub(super) use shape::{ACT_1, ACT_2};
pub(super) use transport::Transport;

#[cfg(test)]
mod tests;
