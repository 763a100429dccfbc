//! A server's static key, certified by its authority.

use std::sync::{Arc, Mutex, PoisonError};

use secp256k1::rand::{CryptoRng, Rng};
use secp256k1::{SecretKey, XOnlyPublicKey};

use super::key_pair::{AuthorityPair, KeyPair};
use super::{certificate, curve};

/// The most seconds for which a static key is used. It is used for half the validity of its certificate if that is less.
const LONGEST_USE: u32 = 3600;

/// Certifies static keys with the authority's keys.
///
/// Several handshakes use one static key: a new one with its certificate would cost a responder a third of a handshake. Each has an
/// ephemeral key of its own, which keeps its connection secret if the static key becomes known later.
pub(crate) struct Certifier {
    authority: AuthorityPair,
    /// Validity of certificates, in seconds.
    validity: u32,
    current: Mutex<Option<Arc<CertifiedKey>>>,
}

/// A static key with its certificate.
pub(super) struct CertifiedKey {
    pub(super) pair: KeyPair,
    pub(super) certificate: [u8; certificate::SIZE],
    /// Time from which on the certificate is valid, in Unix seconds.
    from: u32,
}

impl Certifier {
    /// Makes a certifier. Returns `None` if the authority's keys are not a pair.
    pub(crate) fn new(public: &XOnlyPublicKey, secret: &SecretKey, validity: u32) -> Option<Self> {
        let authority = AuthorityPair(curve::key_pair(secret));
        let (own_public, _) = authority.0.x_only_public_key();
        (own_public == *public).then_some(Self { authority, validity, current: Mutex::default() })
    }

    /// Returns a static key whose certificate is valid at `now`, in Unix seconds, and for half its validity or more from then on.
    pub(super) fn certified_key(&self, now: u32, rng: &mut (impl Rng + CryptoRng)) -> Arc<CertifiedKey> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let longest_use = LONGEST_USE.min(self.validity / 2);
        // A clock may have been set back.
        let is_in_use = |key: &CertifiedKey| now.checked_sub(key.from).is_some_and(|age| age <= longest_use);
        if let Some(key) = &*current
            && is_in_use(key)
        {
            return Arc::clone(key);
        }
        let pair = KeyPair::generate(rng);
        let certificate = certificate::sign(&pair.x_only, now, self.validity, &self.authority.0, rng);
        Arc::clone(current.insert(Arc::new(CertifiedKey { pair, certificate, from: now })))
    }
}
