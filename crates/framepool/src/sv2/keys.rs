//! Authority keys: base58check strings, as the reference implementation prints them.

use key_utils::{Secp256k1PublicKey, Secp256k1SecretKey};
use secp256k1::rand::thread_rng;

use super::Error;

/// A new authority key pair as base58check strings: (public, secret).
pub fn generate_authority_keypair() -> (String, String) {
    let secret = Secp256k1SecretKey(secp256k1::SecretKey::new(&mut thread_rng()));
    (Secp256k1PublicKey::from(secret).to_string(), secret.to_string())
}

pub(super) fn parse_public(text: &str) -> Result<Secp256k1PublicKey, Error> {
    text.parse().map_err(|error| Error::Key(format!("the authority public key {}", fault(&error))))
}

pub(super) fn parse_secret(text: &str) -> Result<Secp256k1SecretKey, Error> {
    text.parse().map_err(|error| Error::Key(format!("the authority secret key {}", fault(&error))))
}

/// The crate's own texts quote characters of the key; a secret must not reach a log that way.
fn fault(error: &key_utils::Error) -> &'static str {
    match error {
        key_utils::Error::Bs58Decode(_) => "is not base58check, or was mistyped: its checksum does not match",
        key_utils::Error::KeyVersion(_) => "has an unknown version: expected version 1",
        key_utils::Error::KeyLength => "has the wrong length",
        key_utils::Error::Secp256k1(_) | key_utils::Error::Custom(_) => "is not a secp256k1 key",
    }
}
