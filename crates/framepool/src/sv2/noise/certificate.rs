//! Certificates: an authority's signature of a server's static key, for a span of time.

use ring::digest::{SHA256, digest};
use secp256k1::rand::{CryptoRng, Rng};
use secp256k1::schnorr::{self, Signature};
use secp256k1::{Keypair, XOnlyPublicKey};

use super::curve;
use crate::sv2::error::{CertificateFault, Error};

/// Length of a certificate, in bytes: version u16, valid from u32, not valid after u32, signature.
pub(super) const SIZE: usize = TERMS + 64;

/// Length of the signed part, in bytes. The server's static key is signed with it.
const TERMS: usize = 2 + 4 + 4;

const VERSION: u16 = 0;

/// The most that the clocks of the two ends may differ, in seconds.
const LEEWAY: u32 = 10;

/// Certifies `server_key` from `now` to `now + validity`. Both count Unix seconds.
pub(super) fn sign(
    server_key: &XOnlyPublicKey,
    now: u32,
    validity: u32,
    authority: &Keypair,
    rng: &mut (impl Rng + CryptoRng),
) -> [u8; SIZE] {
    let mut certificate = [0; SIZE];
    certificate[..2].copy_from_slice(&VERSION.to_le_bytes());
    certificate[2..6].copy_from_slice(&now.to_le_bytes());
    certificate[6..TERMS].copy_from_slice(&now.saturating_add(validity).to_le_bytes());
    let message = signed_message(&certificate, server_key);
    let mut random = [0; 32];
    rng.fill_bytes(&mut random);
    let signature = curve::sign(&message, authority, &random);
    certificate[TERMS..].copy_from_slice(signature.as_byte_array());
    certificate
}

/// Returns [`Error::Certificate`] unless `authority` has certified `server_key` for `now`. Without an authority, checks
/// only the version.
///
/// The signature is checked before the time, because nothing that another key signed can be relied on.
pub(super) fn verify(
    certificate: &[u8; SIZE],
    server_key: &XOnlyPublicKey,
    now: u32,
    authority: Option<&XOnlyPublicKey>,
) -> Result<(), Error> {
    let &[v0, v1, f0, f1, f2, f3, a0, a1, a2, a3, ref signature @ ..] = certificate;
    let version = u16::from_le_bytes([v0, v1]);
    if version != VERSION {
        return Err(Error::Certificate(CertificateFault::Version(version)));
    }
    let Some(authority) = authority else { return Ok(()) };
    let message = signed_message(certificate, server_key);
    schnorr::verify(&Signature::from_byte_array(*signature), &message, authority)
        .map_err(|_| Error::Certificate(CertificateFault::Signature))?;
    let ahead = u32::from_le_bytes([f0, f1, f2, f3]).saturating_sub(now);
    let ago = now.saturating_sub(u32::from_le_bytes([a0, a1, a2, a3]));
    if ahead > LEEWAY {
        return Err(Error::Certificate(CertificateFault::NotYetValid { ahead }));
    }
    if ago > LEEWAY {
        return Err(Error::Certificate(CertificateFault::Expired { ago }));
    }
    Ok(())
}

fn signed_message(certificate: &[u8; SIZE], server_key: &XOnlyPublicKey) -> [u8; 32] {
    let mut bytes = [0; TERMS + 32];
    bytes[..TERMS].copy_from_slice(&certificate[..TERMS]);
    bytes[TERMS..].copy_from_slice(&server_key.to_byte_array());
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, &bytes).as_ref());
    hash
}
