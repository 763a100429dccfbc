//! The handshake of a session: one message in, at most one message out.

use std::mem;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use secp256k1::rand;

use super::identity::Identity;
use super::input::Input;
use super::keys;
use super::output::Output;
use crate::sv2::error::Error;
use crate::sv2::noise::{ACT_1, ACT_2, Initiator, Responder, Transport};

/// A handshake that waits for the peer's one message.
pub(super) enum Handshake {
    /// An initiator that has sent act 1 and waits for act 2. Boxed, because its state is large and short-lived.
    Initiator(Box<Initiator>),
    /// A responder that waits for act 1.
    Responder(Responder),
}

impl Handshake {
    /// Begins a handshake and puts act 1 into `output`. Without an authority key every server is accepted.
    ///
    /// Returns [`Error::Key`] for a bad key, [`Error::NoMemory`] or [`Error::MemoryLimit`].
    pub(super) fn initiator(authority: Option<&str>, output: &mut Output) -> Result<Self, Error> {
        let authority = authority.map(keys::parse_public).transpose()?;
        output.reserve(ACT_1, ACT_1)?;
        let (initiator, act_1) = Initiator::new(authority, &mut rand::rng());
        output.push(&act_1);
        Ok(Self::Initiator(Box::new(initiator)))
    }

    pub(super) fn responder(identity: &Identity) -> Self {
        Self::Responder(Responder::new(Arc::clone(&identity.0)))
    }

    /// Returns the length of the peer's message, in bytes.
    pub(super) fn awaits(&self) -> usize {
        match self {
            Self::Initiator(_) => ACT_2,
            Self::Responder(_) => ACT_1,
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Initiator(initiator) => mem::size_of_val(&**initiator),
            // The identity is its owner's, and may have others.
            Self::Responder(_) => 0,
        }
    }

    /// Reads the peer's message, which must be complete in `input`. Puts the answer, if there is one, into `output`.
    /// `now` is in Unix seconds.
    pub(super) fn finish(self, input: &mut Input<'_>, output: &mut Output, now: u32) -> Result<Transport, Error> {
        match self {
            Self::Initiator(initiator) => {
                let mut act_2 = [0; ACT_2];
                input.read(&mut act_2);
                initiator.finish(&mut act_2, now)
            }
            Self::Responder(responder) => {
                let mut act_1 = [0; ACT_1];
                input.read(&mut act_1);
                output.reserve(ACT_2, ACT_2)?;
                let (act_2, transport) = responder.answer(&act_1, now, &mut rand::rng())?;
                output.push(&act_2);
                Ok(transport)
            }
        }
    }
}

/// Returns the time in Unix seconds. A clock before 1970 counts as 1970.
pub(super) fn now() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as u32)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sv2::error::CertificateFault::{self, Expired, NotYetValid};

    fn refused(fault: CertificateFault) -> Result<(), Error> {
        Err(Error::Certificate(fault))
    }

    /// Runs a handshake in which the responder's clock shows `signed` and the initiator's clock shows `checked`.
    fn shake_hands(validity: u64, signed: u32, checked: u32) -> Result<(), Error> {
        let (public_key, secret_key) = keys::generate_authority_keypair();
        let (mut to_responder, mut to_initiator) = (Output::new(256, 256)?, Output::new(256, 256)?);
        let initiator = Handshake::initiator(Some(&public_key), &mut to_responder)?;
        let identity = Identity::new(&public_key, &secret_key, Duration::from_secs(validity))?;
        let responder = Handshake::responder(&identity);

        let mut act_1 = [0; ACT_1];
        assert_eq!(to_responder.read(&mut act_1), act_1.len());
        let mut input = Input::new(&[], &act_1);
        assert_eq!(responder.awaits(), input.len());
        responder.finish(&mut input, &mut to_initiator, signed)?;

        let mut act_2 = [0; ACT_2];
        assert_eq!(to_initiator.read(&mut act_2), act_2.len());
        let mut input = Input::new(&[], &act_2);
        assert_eq!(initiator.awaits(), input.len());
        initiator.finish(&mut input, &mut to_responder, checked).map(|_| ())
    }

    #[test]
    fn certificate_is_valid_from_ten_seconds_before_to_ten_after() {
        let signed = 1_800_000_000;
        assert_eq!(shake_hands(0, signed, signed), Ok(()));
        assert_eq!(shake_hands(0, signed, signed + 10), Ok(()));
        assert_eq!(shake_hands(0, signed, signed + 11), refused(Expired { ago: 11 }));
        assert_eq!(shake_hands(0, signed, signed - 10), Ok(()));
        assert_eq!(shake_hands(0, signed, signed - 11), refused(NotYetValid { ahead: 11 }));
        assert_eq!(shake_hands(3600, signed, signed + 3610), Ok(()));
        assert_eq!(shake_hands(3600, signed, signed + 3611), refused(Expired { ago: 11 }));
    }

    #[test]
    fn handshakes_of_one_identity_share_its_keys() -> Result<(), Error> {
        let (public_key, secret_key) = keys::generate_authority_keypair();
        let identity = Identity::new(&public_key, &secret_key, Duration::from_mins(1))?;
        let handshakes = [Handshake::responder(&identity), Handshake::responder(&identity.clone())];
        assert_eq!(Arc::strong_count(&identity.0), 1 + handshakes.len());
        drop(handshakes);
        assert_eq!(Arc::strong_count(&identity.0), 1);
        Ok(())
    }

    #[test]
    fn a_validity_beyond_32_bits_does_not_wrap() {
        let signed = 1_800_000_000;
        assert_eq!(shake_hands(1 << 32, signed, signed + 1_000_000_000), Ok(()));
    }
}
