use secp256k1::ellswift::{ElligatorSwift, ElligatorSwiftParty};
use secp256k1::rand::{CryptoRng, Rng};
use secp256k1::{Keypair, Parity, SECP256K1, SecretKey, XOnlyPublicKey};
use zeroize::Zeroizing;

use super::ENCODED_KEY;

/// A key pair of one handshake, ephemeral or static. Its secret is erased when it is dropped.
pub(super) struct KeyPair {
    secret: SecretKey,
    pub(super) encoded: ElligatorSwift,
    pub(super) x_only: XOnlyPublicKey,
}

impl KeyPair {
    /// A new pair. Of the two secrets that have the public key's x coordinate it is the one with an even y, as for
    /// signatures, so that x alone stands for the key.
    pub(super) fn generate(rng: &mut (impl Rng + CryptoRng)) -> Self {
        let (mut secret, mut public) = SECP256K1.generate_keypair(rng);
        let (x_only, parity) = public.x_only_public_key();
        if parity == Parity::Odd {
            secret = secret.negate();
            public = public.negate(SECP256K1);
        }
        Self { secret, encoded: ElligatorSwift::from_pubkey(public), x_only }
    }

    /// The public key as it is sent.
    pub(super) fn to_bytes(&self) -> [u8; ENCODED_KEY] {
        self.encoded.to_array()
    }

    /// The secret that this end's pair shares with the other end's public key.
    pub(super) fn shared_secret(&self, theirs: ElligatorSwift, role: ElligatorSwiftParty) -> Zeroizing<[u8; 32]> {
        // The hash takes both keys, the initiator's first.
        let (initiators, responders) = match role {
            ElligatorSwiftParty::A => (self.encoded, theirs),
            ElligatorSwiftParty::B => (theirs, self.encoded),
        };
        let shared = ElligatorSwift::shared_secret(initiators, responders, self.secret, role, None);
        Zeroizing::new(shared.to_secret_bytes())
    }
}

impl Drop for KeyPair {
    fn drop(&mut self) {
        self.secret.non_secure_erase();
    }
}

/// An authority's pair, with which certificates are signed. It is erased when it is dropped.
pub(super) struct AuthorityPair(pub(super) Keypair);

impl Drop for AuthorityPair {
    fn drop(&mut self) {
        self.0.non_secure_erase();
    }
}
