//! ChaCha20-Poly1305 of `ring` and of `aws-lc-rs`: which of the two should a session use?
//!
//! Sealing is in place. Opening takes the message from one place to another, as a session does: `ring` needs a copy for
//! that, and `aws-lc-rs` does not. `ring` makes its key for each message, as a session does. `aws-lc-rs` would allocate
//! for that, so its key is made once. Prints one line of JSON: nanoseconds per message, the median of rounds that take
//! turns.

mod support;

use std::hint::black_box;
use std::time::Instant;

use support::{measures, median};

const SIZES: [usize; 5] = [6, 64, 1_024, 16_384, 65_519];
const KEY: [u8; 32] = [7; 32];
const NONCE: [u8; 12] = [1; 12];
const TAG: usize = 16;

fn ring_key() -> ring::aead::LessSafeKey {
    let key = ring::aead::UnboundKey::new(&ring::aead::CHACHA20_POLY1305, black_box(&KEY)).expect("32 bytes");
    ring::aead::LessSafeKey::new(key)
}

fn ring_seal(message: &mut [u8]) -> ring::aead::Tag {
    let nonce = ring::aead::Nonce::assume_unique_for_key(NONCE);
    ring_key().seal_in_place_separate_tag(nonce, ring::aead::Aad::empty(), message).expect("short enough")
}

fn ring_open(sealed: &[u8], target: &mut [u8]) {
    target.copy_from_slice(sealed);
    let nonce = ring::aead::Nonce::assume_unique_for_key(NONCE);
    ring_key().open_in_place(nonce, ring::aead::Aad::empty(), target).expect("sealed with this key");
}

fn aws_key() -> aws_lc_rs::aead::LessSafeKey {
    let key = aws_lc_rs::aead::UnboundKey::new(&aws_lc_rs::aead::CHACHA20_POLY1305, &KEY).expect("32 bytes");
    aws_lc_rs::aead::LessSafeKey::new(key)
}

fn aws_seal(key: &aws_lc_rs::aead::LessSafeKey, message: &mut [u8]) -> aws_lc_rs::aead::Tag {
    let nonce = aws_lc_rs::aead::Nonce::assume_unique_for_key(NONCE);
    key.seal_in_place_separate_tag(nonce, aws_lc_rs::aead::Aad::empty(), message).expect("short enough")
}

fn aws_open(key: &aws_lc_rs::aead::LessSafeKey, sealed: &[u8], target: &mut [u8]) {
    let (message, tag) = sealed.split_at(sealed.len() - TAG);
    let target = &mut target[..message.len()];
    let nonce = aws_lc_rs::aead::Nonce::assume_unique_for_key(NONCE);
    key.open_separate_gather(nonce, aws_lc_rs::aead::Aad::empty(), message, tag, target).expect("sealed with this key");
}

/// Returns nanoseconds per message.
fn round(messages: u32, mut message: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..messages {
        message();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(messages)
}

fn main() {
    let (rounds, bytes) = if measures() { (21, 4 << 20) } else { (1, 0) };
    let aws = aws_key();
    let sizes = SIZES.map(|size| {
        let messages = (bytes / (size + 500)).max(1) as u32;
        let mut message = vec![3; size];
        let mut sealed = message.clone();
        let tag = ring_seal(&mut sealed);
        sealed.extend(tag.as_ref());
        let mut target = vec![0; sealed.len()];
        let mut times: [Vec<f64>; 4] = Default::default();
        for _ in 0..rounds {
            times[0].push(round(messages, || {
                let _ = black_box(ring_seal(&mut message));
            }));
            times[1].push(round(messages, || {
                let _ = black_box(aws_seal(&aws, &mut message));
            }));
            times[2].push(round(messages, || ring_open(black_box(&sealed), black_box(&mut target))));
            times[3].push(round(messages, || aws_open(&aws, black_box(&sealed), black_box(&mut target))));
        }
        let [ring_seal, aws_seal, ring_open, aws_open] = times.map(median);
        serde_json::json!({
            "bytes": size,
            "seal": { "ring": ring_seal, "aws-lc-rs": aws_seal },
            "open": { "ring": ring_open, "aws-lc-rs": aws_open },
        })
    });
    println!("{}", serde_json::json!({ "bench": "aead", "unit": "ns/message", "rounds": rounds, "sizes": sizes }));
}
