//! The Noise handshake of Stratum V2: `Noise_NX_Secp256k1+EllSwift_ChaChaPoly_SHA256`.
//!
//! It follows the protocol's specification (chapter 4, Protocol Security), in the terms of the Noise framework:
//!
//! ```text
//!           initiator                                    responder
//! act 1     e                       64 B  ────────────▶
//! act 2                            234 B  ◀────────────  e, ee, s, es, certificate
//! ```
//!
//! A [`CipherState`] counts nonces under one key. A `SymmetricState` turns the messages into keys. The roles,
//! [`Initiator`] and [`Responder`], are consumed by the one message that each waits for. `secp256k1` provides the
//! curve, and `ring` hash and cipher. Only these two libraries compare secrets (tags and signatures).

mod certificate;
mod certifier;
mod cipher_state;
mod curve;
mod initiator;
mod key_pair;
mod responder;
mod shape;
mod symmetric_state;
mod transport;

pub(super) use certifier::Certifier;
pub(super) use cipher_state::CipherState;
pub(super) use initiator::Initiator;
pub(super) use responder::Responder;
pub(super) use shape::{ACT_1, ACT_2};
pub(super) use transport::Transport;

#[cfg(test)]
mod tests;
