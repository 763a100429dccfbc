//! The state that both ends of a handshake derive from its messages.

use ring::digest::{Context, SHA256};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::{Zeroize, Zeroizing};

use super::cipher_state::{CipherState, Key};
use super::transport::Transport;
use crate::sv2::error::Error;
use crate::sv2::frame::TAG;

const PROTOCOL_NAME: &[u8] = b"Noise_NX_Secp256k1+EllSwift_ChaChaPoly_SHA256";

/// A chaining key of the shared secrets, and a hash of everything that was sent.
pub(super) struct SymmetricState {
    chaining_key: Key,
    hash: [u8; 32],
    /// `None` until the first secret is mixed in. Messages before that are not encrypted.
    cipher: Option<CipherState>,
}

impl SymmetricState {
    /// Makes the state of a handshake that has not begun. There is no prologue.
    pub(super) fn new() -> Self {
        // The name is longer than a hash, so its hash stands for it.
        let name = sha256(&[PROTOCOL_NAME]);
        let mut state = Self { chaining_key: Zeroizing::new(name), hash: name, cipher: None };
        state.mix_hash(b"");
        state
    }

    pub(super) fn mix_hash(&mut self, data: &[u8]) {
        self.hash = sha256(&[&self.hash, data]);
    }

    /// Mixes in a shared secret, which is needed to open everything that is sealed after this.
    pub(super) fn mix_key(&mut self, secret: &[u8; 32]) -> Result<(), Error> {
        let (chaining_key, key) = self.derive(secret)?;
        self.chaining_key = chaining_key;
        self.cipher = Some(CipherState::new(key));
        Ok(())
    }

    /// Seals `message` in place and returns its tag.
    ///
    /// Returns [`Error::Handshake`] if no secret has been mixed in.
    pub(super) fn encrypt_and_hash(&mut self, message: &mut [u8]) -> Result<[u8; TAG], Error> {
        let cipher = self.cipher.as_mut().ok_or(Error::Handshake)?;
        let tag = cipher.seal(&self.hash, message)?;
        self.hash = sha256(&[&self.hash, message, &tag]);
        Ok(tag)
    }

    /// Opens `sealed`, which ends with its tag, in place.
    ///
    /// Returns [`Error::Handshake`] if no secret has been mixed in, and [`Error::Aead`] if the tag does not match.
    pub(super) fn decrypt_and_hash(&mut self, sealed: &mut [u8]) -> Result<(), Error> {
        let cipher = self.cipher.as_mut().ok_or(Error::Handshake)?;
        let hash = sha256(&[&self.hash, sealed]);
        cipher.open(&self.hash, sealed)?;
        self.hash = hash;
        Ok(())
    }

    /// Returns the ciphers as the initiator uses them. The responder swaps them.
    pub(super) fn split(self) -> Result<Transport, Error> {
        let (sealing, opening) = self.derive(&[])?;
        Ok(Transport { sealing: CipherState::new(sealing), opening: CipherState::new(opening) })
    }

    /// Derives two keys from the chaining key and `secret`.
    fn derive(&self, secret: &[u8]) -> Result<(Key, Key), Error> {
        let mut output = Zeroizing::new([0; 64]);
        Salt::new(HKDF_SHA256, &*self.chaining_key)
            .extract(secret)
            .expand(&[], TwoKeys)
            .and_then(|keys| keys.fill(&mut *output))
            .map_err(|_| Error::Handshake)?;
        let (mut first, mut second) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
        first.copy_from_slice(&output[..32]);
        second.copy_from_slice(&output[32..]);
        Ok((first, second))
    }
}

impl Drop for SymmetricState {
    fn drop(&mut self) {
        self.hash.zeroize();
    }
}

/// Tells `ring` the length of the derived output.
struct TwoKeys;

impl KeyType for TwoKeys {
    fn len(&self) -> usize {
        64
    }
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}
