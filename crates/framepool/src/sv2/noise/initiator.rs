//! The client's side of the handshake.

use secp256k1::ellswift::{ElligatorSwift, Party};
use secp256k1::rand::{CryptoRng, Rng};
use secp256k1::{PublicKey, XOnlyPublicKey};

use super::certificate;
use super::key_pair::KeyPair;
use super::shape::{ACT_1, ACT_2, ENCODED_KEY};
use super::symmetric_state::SymmetricState;
use super::transport::Transport;
use crate::sv2::error::Error;
use crate::sv2::frame::TAG;

/// The connecting end, which has sent act 1.
pub(crate) struct Initiator {
    symmetric: SymmetricState,
    ephemeral: KeyPair,
    /// The key that must have signed the server's certificate; `None` accepts every server.
    authority: Option<XOnlyPublicKey>,
}

impl Initiator {
    /// Begins a handshake. Returns it with act 1.
    pub(crate) fn new(authority: Option<XOnlyPublicKey>, rng: &mut (impl Rng + CryptoRng)) -> (Self, [u8; ACT_1]) {
        let mut symmetric = SymmetricState::new();
        let ephemeral = KeyPair::generate(rng);
        let act_1 = ephemeral.to_bytes();
        symmetric.mix_hash(&act_1);
        // Every message of the framework has a payload; this one is empty.
        symmetric.mix_hash(b"");
        (Self { symmetric, ephemeral, authority }, act_1)
    }

    /// Reads the server's answer, decrypting it in place. `now` is in Unix seconds.
    ///
    /// Returns [`Error::Handshake`] if no server has sent it in answer to this act 1, and [`Error::Certificate`] if it
    /// has no certificate of the authority that is valid now.
    pub(crate) fn finish(mut self, act_2: &mut [u8; ACT_2], now: u32) -> Result<Transport, Error> {
        let (their_ephemeral, rest) = act_2.split_first_chunk_mut::<ENCODED_KEY>().ok_or(Error::Handshake)?;
        let (their_static, certificate) = rest.split_at_mut(ENCODED_KEY + TAG);

        self.symmetric.mix_hash(their_ephemeral);
        self.mix_shared_secret(ElligatorSwift::from_byte_array(*their_ephemeral))?;

        self.symmetric.decrypt_and_hash(their_static).map_err(|_| Error::Handshake)?;
        let their_static = their_static.first_chunk().ok_or(Error::Handshake)?;
        let their_static = ElligatorSwift::from_byte_array(*their_static);
        self.mix_shared_secret(their_static)?;

        self.symmetric.decrypt_and_hash(certificate).map_err(|_| Error::Handshake)?;
        let certificate = certificate.first_chunk().ok_or(Error::Handshake)?;
        let (server_key, _) = PublicKey::from_ellswift(their_static).x_only_public_key();
        certificate::verify(certificate, &server_key, now, self.authority.as_ref())?;
        self.symmetric.split()
    }

    fn mix_shared_secret(&mut self, theirs: ElligatorSwift) -> Result<(), Error> {
        self.symmetric.mix_key(&self.ephemeral.shared_secret(theirs, Party::Initiator))
    }
}
