//! One direction of an encrypted connection: a key, and a nonce that never repeats.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::sv2::error::Error;
use crate::sv2::frame::TAG;

/// A key that is erased when it is dropped.
pub(super) type Key = Zeroizing<[u8; 32]>;

/// A key and the number of messages under it.
///
/// The cipher's own form of the key is made for each message. That costs a nanosecond. Kept, it could not be erased and
/// would need 17 times the memory.
pub(crate) struct CipherState {
    key: Key,
    /// Nonce of the next message, in range `0 ..= u64::MAX`. The last value is never used.
    nonce: u64,
}

impl CipherState {
    pub(super) fn new(key: Key) -> Self {
        Self { key, nonce: 0 }
    }

    /// Encrypts `message` in place and returns its tag.
    ///
    /// Returns [`Error::Aead`] if every nonce has been used.
    pub(crate) fn seal(&mut self, associated: &[u8], message: &mut [u8]) -> Result<[u8; TAG], Error> {
        let (key, nonce, next) = self.next()?;
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(associated), message).map_err(|_| Error::Aead)?;
        self.nonce = next;
        tag.as_ref().try_into().map_err(|_| Error::Aead)
    }

    /// Decrypts a message, which ends with its tag, in place.
    ///
    /// Returns [`Error::Aead`] if the peer has not sealed it, or if every nonce has been used. The nonce is then
    /// unchanged, and the content of `sealed` is useless.
    pub(crate) fn open(&mut self, associated: &[u8], sealed: &mut [u8]) -> Result<(), Error> {
        let (key, nonce, next) = self.next()?;
        key.open_in_place(nonce, Aad::from(associated), sealed).map_err(|_| Error::Aead)?;
        self.nonce = next;
        Ok(())
    }

    /// Returns the key, the nonce of this message, and the number of the next.
    fn next(&self) -> Result<(LessSafeKey, Nonce, u64), Error> {
        // The framework keeps the last number for other uses, and nonces would repeat after it.
        let next = self.nonce.checked_add(1).ok_or(Error::Aead)?;
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&self.nonce.to_le_bytes());
        let key = UnboundKey::new(&CHACHA20_POLY1305, &*self.key).map_err(|_| Error::Aead)?;
        Ok((LessSafeKey::new(key), Nonce::assume_unique_for_key(nonce), next))
    }

    /// Sets the nonce, as if `nonce` messages had been sealed or opened.
    #[cfg(test)]
    pub(crate) fn skip_to(&mut self, nonce: u64) {
        self.nonce = nonce;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns two ends of one direction after `nonce` messages.
    fn pair(nonce: u64) -> (CipherState, CipherState) {
        let [mut sealing, mut opening] = [(); 2].map(|()| CipherState::new(Zeroizing::new([7; 32])));
        sealing.skip_to(nonce);
        opening.skip_to(nonce);
        (sealing, opening)
    }

    fn sealed(cipher: &mut CipherState, message: &[u8]) -> Result<Vec<u8>, Error> {
        let mut bytes = message.to_vec();
        let tag = cipher.seal(b"", &mut bytes)?;
        bytes.extend(tag);
        Ok(bytes)
    }

    #[test]
    fn the_last_nonce_is_never_used_and_none_comes_after_it() {
        let (mut sealing, mut opening) = pair(u64::MAX - 2);
        for _ in 0..2 {
            let mut bytes = sealed(&mut sealing, b"message").expect("a nonce is left");
            opening.open(b"", &mut bytes).expect("the same nonce");
            assert_eq!(bytes[..7], *b"message");
        }
        for _ in 0..3 {
            assert_eq!(sealed(&mut sealing, b"message"), Err(Error::Aead));
            assert_eq!(opening.open(b"", &mut [0; 23]), Err(Error::Aead));
            assert_eq!((sealing.nonce, opening.nonce), (u64::MAX, u64::MAX));
        }
    }

    #[test]
    fn no_two_messages_have_a_nonce_in_common() {
        // The counter's low half overflows on the way.
        let (mut sealing, _) = pair(u64::from(u32::MAX) - 5);
        let mut all: Vec<_> = (0..10).map(|_| sealed(&mut sealing, &[0; 32]).expect("nonces are left")).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 10);
    }

    #[test]
    fn a_refused_message_leaves_the_nonce() {
        let (mut sealing, mut opening) = pair(0);
        let mut good = sealed(&mut sealing, b"good").expect("nonces are left");
        for bad in [&[][..], &[0; 15], &[0; 16], &[0; 40]] {
            assert_eq!(opening.open(b"", &mut bad.to_vec()), Err(Error::Aead));
        }
        assert_eq!(opening.open(b"other", &mut good.clone()), Err(Error::Aead));
        assert_eq!(opening.open(b"", &mut good), Ok(()));
    }
}
