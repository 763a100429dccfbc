//! The server's side of the handshake.

use std::sync::Arc;

use secp256k1::ellswift::{ElligatorSwift, Party};
use secp256k1::rand::{CryptoRng, Rng};

use super::certifier::Certifier;
use super::key_pair::KeyPair;
use super::shape::{ACT_1, ACT_2, ENCODED_KEY};
use super::symmetric_state::SymmetricState;
use super::transport::Transport;
use crate::sv2::error::Error;
use crate::sv2::frame::TAG;

/// The accepting end, which waits for act 1.
///
/// It makes its key only when act 1 has come, so a silent connection costs no work on the curve.
pub(crate) struct Responder {
    certifier: Arc<Certifier>,
}

impl Responder {
    pub(crate) fn new(certifier: Arc<Certifier>) -> Self {
        Self { certifier }
    }

    /// Answers `act_1`, whatever its bytes are. Returns act 2, with a certificate that is valid at `now` in Unix seconds, and the ciphers
    /// of the connection.
    pub(crate) fn answer(
        self,
        act_1: &[u8; ACT_1],
        now: u32,
        rng: &mut (impl Rng + CryptoRng),
    ) -> Result<([u8; ACT_2], Transport), Error> {
        let mut symmetric = SymmetricState::new();
        symmetric.mix_hash(act_1);
        // Every message of the framework has a payload; this one is empty.
        symmetric.mix_hash(b"");
        let their_ephemeral = ElligatorSwift::from_byte_array(*act_1);
        let ephemeral = KeyPair::generate(rng);
        let certified = self.certifier.certified_key(now, rng);

        let mut act_2 = [0; ACT_2];
        let (own_ephemeral, rest) = act_2.split_at_mut(ENCODED_KEY);
        let (own_static, certificate) = rest.split_at_mut(ENCODED_KEY + TAG);

        own_ephemeral.copy_from_slice(&ephemeral.to_bytes());
        symmetric.mix_hash(own_ephemeral);
        symmetric.mix_key(&ephemeral.shared_secret(their_ephemeral, Party::Responder))?;

        seal(&mut symmetric, &certified.pair.to_bytes(), own_static)?;
        symmetric.mix_key(&certified.pair.shared_secret(their_ephemeral, Party::Responder))?;

        seal(&mut symmetric, &certified.certificate, certificate)?;

        let Transport { sealing, opening } = symmetric.split()?;
        Ok((act_2, Transport { sealing: opening, opening: sealing }))
    }
}

/// Writes `plain` sealed into `target`, which is longer by a tag.
fn seal(symmetric: &mut SymmetricState, plain: &[u8], target: &mut [u8]) -> Result<(), Error> {
    let (message, tag) = target.split_at_mut(plain.len());
    message.copy_from_slice(plain);
    tag.copy_from_slice(&symmetric.encrypt_and_hash(message)?);
    Ok(())
}
