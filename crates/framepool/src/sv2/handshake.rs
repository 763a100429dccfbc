use std::mem;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use noise_sv2::{ELLSWIFT_ENCODING_SIZE, INITIATOR_EXPECTED_HANDSHAKE_MESSAGE_SIZE, Initiator, NoiseEngine, Responder};
use secp256k1::rand::thread_rng;

use super::input::Input;
use super::{Error, Output, keys};

/// A Noise NX handshake that waits for the peer's one message.
pub(super) enum Handshake {
    /// Has sent act 1, waits for act 2.
    Initiator(Box<Initiator>),
    /// Waits for act 1.
    Responder(Box<Responder>),
}

impl Handshake {
    /// Puts act 1 into `output`. Without an authority key any server is accepted.
    pub(super) fn initiator(authority: Option<&str>, output: &mut Output) -> Result<Self, Error> {
        let authority = authority.map(keys::parse_public).transpose()?;
        let mut initiator = Initiator::new(authority.map(|key| key.0));
        let act1 = initiator.step_0().map_err(|_| Error::Handshake)?;
        output.reserve(act1.len())?;
        output.push(&act1);
        Ok(Self::Initiator(initiator))
    }

    pub(super) fn responder(public_key: &str, secret_key: &str, validity: Duration) -> Result<Self, Error> {
        let public_key = keys::parse_public(public_key)?.into_bytes();
        let secret_key = keys::parse_secret(secret_key)?.into_bytes();
        // noise_sv2 would wrap a longer one: certificates count their seconds in 32 bits.
        let validity = validity.min(Duration::from_secs(u32::MAX.into()));
        Responder::from_authority_kp(&public_key, &secret_key, validity)
            .map(Self::Responder)
            .map_err(|_| Error::Key("the authority public key does not belong to the secret key".into()))
    }

    /// Reads the peer's message and puts the answer, if there is one, into `output`; `None` until the message is whole.
    /// `now` in Unix seconds.
    pub(super) fn advance(
        &mut self,
        input: &mut Input<'_>,
        output: &mut Output,
        now: u32,
    ) -> Result<Option<NoiseEngine>, Error> {
        match self {
            Self::Initiator(initiator) => {
                let mut act2 = [0; INITIATOR_EXPECTED_HANDSHAKE_MESSAGE_SIZE];
                if input.len() < act2.len() {
                    return Ok(None);
                }
                input.read(&mut act2);
                initiator.step_2_with_now(act2, now).map(Some).map_err(|error| match error {
                    noise_sv2::Error::InvalidCertificate(_) => Error::Certificate,
                    _ => Error::Handshake,
                })
            }
            Self::Responder(responder) => {
                let mut act1 = [0; ELLSWIFT_ENCODING_SIZE];
                if input.len() < act1.len() {
                    return Ok(None);
                }
                input.read(&mut act1);
                output.reserve(INITIATOR_EXPECTED_HANDSHAKE_MESSAGE_SIZE)?;
                let (act2, engine) =
                    responder.step_1_with_now_rng(act1, now, &mut thread_rng()).map_err(|_| Error::Handshake)?;
                output.push(&act2);
                Ok(Some(engine))
            }
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Initiator(_) => mem::size_of::<Initiator>(),
            Self::Responder(_) => mem::size_of::<Responder>(),
        }
    }
}

/// Unix seconds; a clock before 1970 counts as 1970.
pub(super) fn now() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a handshake in which the responder's clock shows `signed` and the initiator's shows `checked`.
    fn shake_hands(validity: u64, signed: u32, checked: u32) -> Result<(), Error> {
        let (public_key, secret_key) = keys::generate_authority_keypair();
        let (mut to_responder, mut to_initiator) = (Output::new(256)?, Output::new(256)?);
        let mut initiator = Handshake::initiator(Some(&public_key), &mut to_responder)?;
        let mut responder = Handshake::responder(&public_key, &secret_key, Duration::from_secs(validity))?;

        let mut act1 = [0; ELLSWIFT_ENCODING_SIZE];
        assert_eq!(to_responder.read(&mut act1), act1.len());
        let engine = responder.advance(&mut Input::new(&[], &act1), &mut to_initiator, signed)?;
        assert!(engine.is_some());

        let mut act2 = [0; INITIATOR_EXPECTED_HANDSHAKE_MESSAGE_SIZE];
        assert_eq!(to_initiator.read(&mut act2), act2.len());
        initiator.advance(&mut Input::new(&[], &act2), &mut to_responder, checked).map(|engine| {
            assert!(engine.is_some());
        })
    }

    #[test]
    fn certificate_is_valid_from_ten_seconds_before_to_ten_after() {
        let signed = 1_800_000_000;
        assert_eq!(shake_hands(0, signed, signed), Ok(()));
        assert_eq!(shake_hands(0, signed, signed + 10), Ok(()));
        assert_eq!(shake_hands(0, signed, signed + 11), Err(Error::Certificate));
        assert_eq!(shake_hands(0, signed, signed - 10), Ok(()));
        assert_eq!(shake_hands(0, signed, signed - 11), Err(Error::Certificate));
        assert_eq!(shake_hands(3600, signed, signed + 3610), Ok(()));
        assert_eq!(shake_hands(3600, signed, signed + 3611), Err(Error::Certificate));
    }

    #[test]
    fn a_validity_beyond_32_bits_does_not_wrap() {
        let signed = 1_800_000_000;
        assert_eq!(shake_hands(1 << 32, signed, signed + 1_000_000_000), Ok(()));
    }
}
