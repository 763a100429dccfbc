//! Curve functions that need precomputed tables: public keys of secret keys, and signatures.
//!
//! `secp256k1` has safe functions for them, but they randomize the library's context again after each call. That takes
//! longer than the call itself, and would cost a responder that makes its own static key a third of its handshakes. These functions use a context
//! that is randomized once, when it is made. The randomization protects secrets from an attacker who measures time or
//! power.

use std::sync::LazyLock;

use secp256k1::ffi::{self, CPtr};
use secp256k1::schnorr::Signature;
use secp256k1::{Keypair, Parity, PublicKey, Secp256k1, SecretKey, SignOnly};

static CONTEXT: LazyLock<Secp256k1<SignOnly>> = LazyLock::new(Secp256k1::signing_only);

pub(super) fn public_key(secret: &SecretKey) -> PublicKey {
    // SAFETY: the type is plain bytes. The value is only passed as an out-pointer, and not read before the function has
    // written a key.
    let mut public = unsafe { ffi::PublicKey::new() };
    // SAFETY: the context was made for signing, lives forever and is never changed. The pointers lead to a public key
    // that may be written and to the 32 bytes of a secret key.
    let done = unsafe { ffi::secp256k1_ec_pubkey_create(CONTEXT.ctx().as_ptr(), &raw mut public, secret.as_c_ptr()) };
    assert_eq!(done, 1, "a SecretKey has a public key");
    PublicKey::from(public)
}

pub(super) fn key_pair(secret: &SecretKey) -> Keypair {
    let (x_only, parity) = public_key(secret).x_only_public_key();
    let mut even = if parity == Parity::Odd { secret.negate() } else { *secret };
    // SAFETY: `x_only` is the x coordinate of the public key of `secret`. Of the two secret keys with that x, `even` is
    // the one whose public key has an even y, as a key pair of an x-only key must have.
    let pair = unsafe { Keypair::from_key_parts(x_only, &even) };
    even.non_secure_erase();
    pair
}

/// Signs `message` with Schnorr's scheme. `random` must be fresh random bytes.
pub(super) fn sign(message: &[u8; 32], pair: &Keypair, random: &[u8; 32]) -> Signature {
    let mut signature = [0; 64];
    // SAFETY: the context was made for signing, lives forever and is never changed. The pointers lead to 64 bytes that
    // may be written, the 32 bytes of the message, a key pair, and 32 random bytes.
    let done = unsafe {
        ffi::secp256k1_schnorrsig_sign32(
            CONTEXT.ctx().as_ptr(),
            signature.as_mut_ptr(),
            message.as_ptr(),
            pair.as_c_ptr(),
            random.as_ptr(),
        )
    };
    assert_eq!(done, 1, "a Keypair can sign");
    Signature::from_byte_array(signature)
}
