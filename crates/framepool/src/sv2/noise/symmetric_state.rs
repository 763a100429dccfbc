use ring::digest::{Context, SHA256};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::{Zeroize, Zeroizing};

use super::cipher_state::{CipherState, Key};
use super::transport::Transport;
use crate::sv2::error::Error;
use crate::sv2::frame::TAG;

const PROTOCOL_NAME: &[u8] = b"Noise_NX_Secp256k1+EllSwift_ChaChaPoly_SHA256";

/// What both ends make of the messages so far: a chaining key of the secrets, a hash of all that was sent.
pub(super) struct SymmetricState {
    chaining_key: Key,
    hash: [u8; 32],
    /// `None` until the first secret is mixed in: until then messages are in the clear.
    cipher: Option<CipherState>,
}

impl SymmetricState {
    /// The state of a handshake that has not begun. There is no prologue.
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

    /// Mixes a shared secret in: what is sealed from here on needs it.
    pub(super) fn mix_key(&mut self, secret: &[u8; 32]) -> Result<(), Error> {
        let (chaining_key, key) = self.derive(secret)?;
        self.chaining_key = chaining_key;
        self.cipher = Some(CipherState::new(key));
        Ok(())
    }

    /// Seals `message` in place if there is a key by now; returns its tag.
    pub(super) fn encrypt_and_hash(&mut self, message: &mut [u8]) -> Result<[u8; TAG], Error> {
        let cipher = self.cipher.as_mut().ok_or(Error::Handshake)?;
        let tag = cipher.seal(&self.hash, message)?;
        self.hash = sha256(&[&self.hash, message, &tag]);
        Ok(tag)
    }

    /// Opens `sealed`, which ends with its tag, in place.
    pub(super) fn decrypt_and_hash(&mut self, sealed: &mut [u8]) -> Result<(), Error> {
        let cipher = self.cipher.as_mut().ok_or(Error::Handshake)?;
        let hash = sha256(&[&self.hash, sealed]);
        cipher.open(&self.hash, sealed)?;
        self.hash = hash;
        Ok(())
    }

    /// The ciphers that the initiator seals and opens with; the responder uses them the other way round.
    pub(super) fn split(self) -> Result<Transport, Error> {
        let (sealing, opening) = self.derive(&[])?;
        Ok(Transport { sealing: CipherState::new(sealing), opening: CipherState::new(opening) })
    }

    /// Two keys of the chaining key and `secret`.
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

/// Tells `ring` how long the output of the key derivation is.
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
