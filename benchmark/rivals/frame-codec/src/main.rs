//! The work of `benchmark/frame-reader.ts` in Rust: frames out of chunks by tokio-util's `LengthDelimitedCodec`, one byte of each
//! read. Reads the name of a file with the stream. For each line on stdin it does the work once, and prints nanoseconds a frame.

use std::io::stdin;
use std::time::Instant;
use std::{env, fs};

use bytes::BytesMut;
use tokio_util::codec::{Decoder, LengthDelimitedCodec};

/// Size of a chunk in bytes.
const CHUNK: usize = 65_536;
/// By how many bytes each chunk but the last ends too early, so that frames are cut.
const CUT: usize = 17;

fn main() {
    let path = env::args().nth(1).expect("the name of a file with the stream");
    let stream = fs::read(path).expect("the stream");
    for line in stdin().lines() {
        line.expect("a line");
        let start = Instant::now();
        let frames = decode(&stream);
        println!("{}", start.elapsed().as_nanos() as f64 / frames as f64);
    }
}

/// Returns the number of frames. The first byte of each payload is 1.
fn decode(stream: &[u8]) -> usize {
    let mut codec = LengthDelimitedCodec::builder().max_frame_length(1024).new_codec();
    let mut buffer = BytesMut::with_capacity(2 * CHUNK);
    let (mut frames, mut sum) = (0, 0);
    let (first, rest) = stream.split_at(CHUNK - CUT);
    for chunk in std::iter::once(first).chain(rest.chunks(CHUNK)) {
        buffer.extend_from_slice(chunk);
        while let Some(frame) = codec.decode(&mut buffer).expect("a good stream") {
            frames += 1;
            sum += usize::from(frame[0]);
        }
    }
    assert_eq!(sum, frames);
    frames
}
