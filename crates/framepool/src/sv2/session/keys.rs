//! Authority keys: base58check strings, as the reference implementation prints them.
//!
//! Secrets are erased after use, and no error contains any part of a key.

use secp256k1::{SecretKey, XOnlyPublicKey, rand};
use zeroize::Zeroizing;

use crate::sv2::error::Error;

/// The first bytes of a public key: version 1, in little-endian order.
const VERSION: [u8; 2] = [1, 0];

/// Makes an authority key pair. Returns the public and the secret key as base58check strings.
pub fn generate_authority_keypair() -> (String, String) {
    let mut secret = SecretKey::new(&mut rand::rng());
    let (public, _) = secret.x_only_public_key();
    let texts = (
        bs58::encode([&VERSION[..], &public.to_byte_array()].concat()).with_check().into_string(),
        bs58::encode(secret.as_secret_bytes()).with_check().into_string(),
    );
    secret.non_secure_erase();
    texts
}

pub(super) fn parse_public(text: &str) -> Result<XOnlyPublicKey, Error> {
    public_key(text).map_err(|fault| Error::Key(format!("the authority public key {fault}")))
}

pub(super) fn parse_secret(text: &str) -> Result<SecretKey, Error> {
    secret_key(text).map_err(|fault| Error::Key(format!("the authority secret key {fault}")))
}

fn public_key(text: &str) -> Result<XOnlyPublicKey, &'static str> {
    let bytes = decode::<34>(text)?;
    let [v0, v1, ref key @ ..] = *bytes;
    if [v0, v1] != VERSION {
        return Err("has an unknown version: expected version 1");
    }
    XOnlyPublicKey::from_byte_array(*key).map_err(|_| NO_KEY)
}

fn secret_key(text: &str) -> Result<SecretKey, &'static str> {
    SecretKey::from_secret_bytes(*decode(text)?).map_err(|_| NO_KEY)
}

const LENGTH: &str = "has the wrong length";
const NO_KEY: &str = "is not a secp256k1 key";

/// The longest text that is decoded, in bytes. No key is that long, and decoding it takes no noticeable time.
const LONGEST: usize = 128;

/// Decodes the `N` bytes that `text` stands for, without their checksum. The result is erased when it is dropped.
///
/// The errors of the crate quote characters of the text. They are replaced, because a secret must not reach a log.
fn decode<const N: usize>(text: &str) -> Result<Zeroizing<[u8; N]>, &'static str> {
    if text.len() > LONGEST {
        return Err(LENGTH);
    }
    let mut buffer = Zeroizing::new([0; LONGEST]);
    let length = bs58::decode(text)
        .with_check(None)
        .onto(&mut buffer[..])
        .map_err(|_| "is not base58check, or was mistyped: its checksum does not match")?;
    if length != N {
        return Err(LENGTH);
    }
    let mut bytes = Zeroizing::new([0; N]);
    bytes.copy_from_slice(&buffer[..N]);
    Ok(bytes)
}
