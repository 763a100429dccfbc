//! The identity of a server.

use std::sync::Arc;
use std::time::Duration;

use super::keys;
use crate::sv2::error::Error;
use crate::sv2::noise::Certifier;

/// The keys with which a server proves who it is.
///
/// Clones share them. Use one identity for all sessions of a server: each new one makes a static key and a certificate at its first
/// handshake. Secrets are erased when the last clone and the last handshake with it are gone.
#[derive(Clone)]
pub struct Identity(pub(super) Arc<Certifier>);

impl Identity {
    /// Makes an identity of the authority's keys, which are base58check strings. A certificate is valid for `certificate_validity`, in whole
    /// seconds, and clients allow ten seconds more. Handshakes use it for the first half of its validity, and at most for an hour.
    ///
    /// Returns [`Error::Key`] for a bad key or for keys that are not a pair.
    pub fn new(public_key: &str, secret_key: &str, certificate_validity: Duration) -> Result<Self, Error> {
        let public_key = keys::parse_public(public_key)?;
        let mut secret_key = keys::parse_secret(secret_key)?;
        // Certificates count their seconds in 32 bits.
        let validity = u32::try_from(certificate_validity.as_secs()).unwrap_or(u32::MAX);
        let certifier = Certifier::new(&public_key, &secret_key, validity);
        secret_key.non_secure_erase();
        certifier
            .map(|certifier| Self(Arc::new(certifier)))
            .ok_or_else(|| Error::Key("the authority public key does not belong to the secret key".into()))
    }
}
