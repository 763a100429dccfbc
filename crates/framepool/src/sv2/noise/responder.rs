//! The server's side of the handshake.

use secp256k1::ellswift::{ElligatorSwift, Party};
use secp256k1::rand::{CryptoRng, Rng};
use secp256k1::{SecretKey, XOnlyPublicKey};

use super::key_pair::{AuthorityPair, KeyPair};
use super::shape::{ACT_1, ACT_2, ENCODED_KEY};
use super::symmetric_state::SymmetricState;
use super::transport::Transport;
use super::{certificate, curve};
use crate::sv2::error::Error;
use crate::sv2::frame::TAG;

/// The accepting end, which waits for act 1.
///
/// It makes its keys only when act 1 has come, so a silent connection costs no work on the curve.
pub(crate) struct Responder {
    authority: AuthorityPair,
    /// Validity of its certificate, in seconds.
    validity: u32,
}

impl Responder {
    /// Makes a responder. Returns `None` if the authority's keys are not a pair.
    pub(crate) fn new(public: &XOnlyPublicKey, secret: &SecretKey, validity: u32) -> Option<Self> {
        let authority = AuthorityPair(curve::key_pair(secret));
        let (own_public, _) = authority.0.x_only_public_key();
        (own_public == *public).then_some(Self { authority, validity })
    }

    /// Answers `act_1`, whatever its bytes are. Returns act 2, with a certificate that is valid from `now` in Unix
    /// seconds, and the ciphers of the connection.
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
        let (ephemeral, fixed) = (KeyPair::generate(rng), KeyPair::generate(rng));

        let mut act_2 = [0; ACT_2];
        let (own_ephemeral, rest) = act_2.split_at_mut(ENCODED_KEY);
        let (own_static, certificate) = rest.split_at_mut(ENCODED_KEY + TAG);

        own_ephemeral.copy_from_slice(&ephemeral.to_bytes());
        symmetric.mix_hash(own_ephemeral);
        symmetric.mix_key(&ephemeral.shared_secret(their_ephemeral, Party::Responder))?;

        seal(&mut symmetric, &fixed.to_bytes(), own_static)?;
        symmetric.mix_key(&fixed.shared_secret(their_ephemeral, Party::Responder))?;

        let signed = certificate::sign(&fixed.x_only, now, self.validity, &self.authority.0, rng);
        seal(&mut symmetric, &signed, certificate)?;

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
