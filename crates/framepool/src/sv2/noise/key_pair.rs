//! Key pairs of the handshake. Their secrets are erased when they are dropped.

use secp256k1::ellswift::{ElligatorSwift, Party};
use secp256k1::rand::{CryptoRng, Rng};
use secp256k1::{Keypair, SecretKey, XOnlyPublicKey};
use zeroize::Zeroizing;

use super::curve;
use super::shape::ENCODED_KEY;

/// A key pair of one handshake, ephemeral or static.
pub(super) struct KeyPair {
    secret: SecretKey,
    pub(super) encoded: ElligatorSwift,
    pub(super) x_only: XOnlyPublicKey,
}

impl KeyPair {
    /// Makes a pair whose encoding cannot be told from 64 random bytes.
    ///
    /// A public key has about 2^256 encodings, and one of them is drawn here. An encoding that followed from the key
    /// could be recognized by decoding it and encoding the result again. The key may have an odd y, which is the parity
    /// of the encoding's last byte. The shared secret and the certificate use only its x.
    pub(super) fn generate(rng: &mut (impl Rng + CryptoRng)) -> Self {
        let secret = SecretKey::new(rng);
        let public = curve::public_key(&secret);
        let mut choice = [0; 32];
        rng.fill_bytes(&mut choice);
        let encoded = ElligatorSwift::from_pubkey_with_rnd(public, choice);
        Self { secret, encoded, x_only: public.x_only_public_key().0 }
    }

    /// Returns the public key as it is sent.
    pub(super) fn to_bytes(&self) -> [u8; ENCODED_KEY] {
        self.encoded.to_byte_array()
    }

    /// Returns the secret that this pair shares with the public key of the other end.
    pub(super) fn shared_secret(&self, theirs: ElligatorSwift, role: Party) -> Zeroizing<[u8; 32]> {
        // The hash covers both keys, the initiator's first.
        let (initiators, responders) = match role {
            Party::Initiator => (self.encoded, theirs),
            Party::Responder => (theirs, self.encoded),
        };
        let mut shared = ElligatorSwift::shared_secret(initiators, responders, self.secret, role);
        let bytes = Zeroizing::new(shared.to_secret_bytes());
        shared.non_secure_erase();
        bytes
    }
}

impl Drop for KeyPair {
    fn drop(&mut self) {
        self.secret.non_secure_erase();
    }
}

/// An authority's key pair, which signs certificates.
pub(super) struct AuthorityPair(pub(super) Keypair);

impl Drop for AuthorityPair {
    fn drop(&mut self) {
        self.0.non_secure_erase();
    }
}
