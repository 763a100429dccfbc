//! What of the curve needs precomputed tables: public keys of secret ones, and signatures.
//!
//! `secp256k1` has safe functions for them, but randomizes its context anew after each call, which takes longer than the
//! call: a responder would answer a third fewer handshakes. These take the library's own functions and a context that is
//! randomized once, when it is made, which is what guards the secrets from whoever measures times or power.

use std::sync::LazyLock;

use secp256k1::ffi::{self, CPtr};
use secp256k1::schnorr::Signature;
use secp256k1::{Keypair, Parity, PublicKey, Secp256k1, SecretKey, SignOnly};

static CONTEXT: LazyLock<Secp256k1<SignOnly>> = LazyLock::new(Secp256k1::signing_only);

pub(super) fn public_key(secret: &SecretKey) -> PublicKey {
    // SAFETY: a `PublicKey` of the library is plain bytes, and those that this makes are only looked at once the function
    // has written a key there.
    let mut public = unsafe { ffi::PublicKey::new() };
    // SAFETY: the context can make keys and is alive, and nothing changes it; the pointers are to a public key that may be
    // written and to the 32 bytes of a secret one.
    let done = unsafe { ffi::secp256k1_ec_pubkey_create(CONTEXT.ctx().as_ptr(), &raw mut public, secret.as_c_ptr()) };
    assert_eq!(done, 1, "a SecretKey has a public key");
    PublicKey::from(public)
}

pub(super) fn key_pair(secret: &SecretKey) -> Keypair {
    let (x_only, parity) = public_key(secret).x_only_public_key();
    let mut even = if parity == Parity::Odd { secret.negate() } else { *secret };
    // SAFETY: `x_only` was derived from `secret`. Of the two secret keys that have it, `even` is the one with an even y.
    let pair = unsafe { Keypair::from_key_parts(x_only, &even) };
    even.non_secure_erase();
    pair
}

/// A Schnorr signature of `message`, for which `random` was drawn.
pub(super) fn sign(message: &[u8; 32], pair: &Keypair, random: &[u8; 32]) -> Signature {
    let mut signature = [0; 64];
    // SAFETY: the context can sign and is alive, and nothing changes it; the pointers are to 64 bytes that may be written,
    // to the 32 bytes of the message, to a key pair, and to 32 random bytes.
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
