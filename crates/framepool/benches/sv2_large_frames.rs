//! Frames of 16 MiB, sent, drained and received, compared with sealing and opening alone.
//!
//! Alone means that the same chunks are sealed from the payload's memory into the wire's, and opened from there into
//! the payload's, with the same cipher and nothing else. Wire bytes come in one chunk, or in reads of a socket (64
//! KiB). Prints one line of JSON: milliseconds per frame and the ratio, the median of rounds that take turns.

mod support;
#[path = "../tests/sv2_support/mod.rs"]
mod sv2_support;

use std::time::Instant;

use framepool::slot::SlotPool;
use framepool::sv2::{FrameHeader, MAX_PAYLOAD, Session};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use support::{measures, median};

const HEADER: FrameHeader = FrameHeader { extension_type: 0, message_type: 1 };
const CHUNK: usize = 65_519;
const TAG: usize = 16;

fn alone(key: &LessSafeKey, payload: &[u8], wire: &mut [u8], target: &mut [u8]) {
    let nonce = || Nonce::assume_unique_for_key([0; 12]);
    for (plain, sealed) in payload.chunks(CHUNK).zip(wire.chunks_mut(CHUNK + TAG)) {
        let (message, tag) = sealed.split_at_mut(plain.len());
        message.copy_from_slice(plain);
        let sealed = key.seal_in_place_separate_tag(nonce(), Aad::empty(), message).expect("short enough");
        tag.copy_from_slice(sealed.as_ref());
    }
    let mut rest = target;
    for sealed in wire.chunks(CHUNK + TAG) {
        let room = &mut rest[..sealed.len()];
        room.copy_from_slice(sealed);
        key.open_in_place(nonce(), Aad::empty(), room).expect("sealed with this key");
        rest = &mut rest[sealed.len() - TAG..];
    }
}

fn through(
    client: &mut Session,
    server: &mut Session,
    pool: &mut SlotPool,
    payload: &[u8],
    wire: &mut [u8],
    cut: usize,
) {
    client.send(HEADER, payload).expect("in transport");
    let length = client.output().read(wire);
    let mut frames = 0;
    for chunk in wire[..length].chunks(cut) {
        frames += server.receive(chunk, pool).expect("good").map_or(0, |batch| batch.frames);
    }
    assert_eq!(frames, 1);
}

fn main() {
    let (rounds, size) = if measures() { (15, MAX_PAYLOAD) } else { (1, 200_000) };
    let payload = vec![5; size];
    let mut wire = vec![0; size + size / 1000];
    let mut target = vec![0; size + TAG];
    let sealed = size + size.div_ceil(CHUNK) * TAG;
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &[7; 32]).expect("32 bytes"));
    let (mut client, mut server) = sv2_support::connected();
    let mut pool = SlotPool::new(1 << 25).expect("memory");
    let mut times: [Vec<f64>; 3] = Default::default();
    for _ in 0..rounds {
        let start = Instant::now();
        alone(&key, &payload, &mut wire[..sealed], &mut target);
        times[0].push(start.elapsed().as_secs_f64() * 1e3);
        for (index, cut) in [(1, usize::MAX), (2, 1 << 16)] {
            let start = Instant::now();
            through(&mut client, &mut server, &mut pool, &payload, &mut wire, cut);
            times[index].push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    let [whole, cut] =
        [1, 2].map(|index| median(times[index].iter().zip(&times[0]).map(|(time, alone)| time / alone).collect()));
    let [alone, whole_time, cut_time] = times.map(median);
    println!(
        "{}",
        serde_json::json!({
            "bench": "sv2_large_frames", "unit": "ms/frame", "rounds": rounds, "bytes": size, "alone": alone,
            "in one chunk": { "time": whole_time, "ratio": whole },
            "in chunks of 64 KiB": { "time": cut_time, "ratio": cut },
        })
    );
}
