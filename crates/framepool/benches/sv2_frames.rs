//! Encoding and decoding frames in one thread, one by one: our session, and `codec_sv2` with its buffer pool.
//!
//! Both take a payload, make wire bytes of it, receive these at the other end and return the payload. Prints one line
//! of JSON: nanoseconds per frame, by rounds that take turns.

mod support;
#[path = "../tests/sv2_support/mod.rs"]
mod sv2_support;

use std::hint::black_box;
use std::time::Instant;

use codec_sv2::{
    Decrypted, Handshake, NoiseDecoder, NoiseEncoder, Transport, TransportDecryptState, TransportEncryptState,
};
use framepool::slot::SlotPool;
use framepool::sv2::{FrameHeader, Session};
use framing_sv2::framing::SerializedFrame;
use support::measures;

const SIZES: [usize; 2] = [64, 16_384];
const HEADER: FrameHeader = FrameHeader { extension_type: 0x8000, message_type: 0x1a };

struct Ours {
    client: Session,
    server: Session,
    pool: SlotPool,
    wire: Vec<u8>,
}

impl Ours {
    fn new() -> Self {
        let (client, server) = sv2_support::connected();
        Self { client, server, pool: SlotPool::new(1 << 18).expect("memory"), wire: vec![0; 1 << 17] }
    }

    fn frame(&mut self, payload: &[u8]) {
        self.client.send(HEADER, payload).expect("in transport");
        let length = self.client.output().read(&mut self.wire);
        let batch = self.server.receive(&self.wire[..length], &mut self.pool).expect("good").expect("whole");
        black_box(batch.frame(0).expect("one frame").payload);
    }
}

struct Theirs {
    encoder: NoiseEncoder,
    decoder: NoiseDecoder,
    encrypt: TransportEncryptState,
    /// `None` while the decoder has it.
    decrypt: Option<TransportDecryptState>,
}

impl Theirs {
    fn new() -> Self {
        let (client, server) = transports();
        let (encoder, decoder) = (NoiseEncoder::new(), NoiseDecoder::new());
        Self { encoder, decoder, encrypt: client.split().0, decrypt: Some(server.split().1) }
    }

    fn frame(&mut self, frame: SerializedFrame<Vec<u8>>) {
        let sealed = self.encoder.encode_transport(frame, &mut self.encrypt).expect("legal");
        let mut wire = sealed.as_ref();
        while !wire.is_empty() {
            let window = self.decoder.writable();
            let (bytes, rest) = wire.split_at(window.len());
            window.copy_from_slice(bytes);
            wire = rest;
            let state = self.decrypt.take().expect("given back after every round");
            match self.decoder.next_transport_frame(state).expect("good") {
                Decrypted::Incomplete(_, state) => self.decrypt = Some(state),
                Decrypted::Frame(mut frame, state) => {
                    self.decrypt = Some(state);
                    black_box(frame.payload());
                }
            }
        }
    }
}

/// Makes both ends of a connection of `codec_sv2`.
fn transports() -> (Transport, Transport) {
    let public: key_utils::Secp256k1PublicKey = sv2_support::PUBLIC.parse().expect("a key");
    let secret: key_utils::Secp256k1SecretKey = sv2_support::SECRET.parse().expect("a key");
    let initiator = noise_sv2::Initiator::from_raw_k(public.into_bytes()).expect("a key");
    let responder =
        noise_sv2::Responder::from_authority_kp(&public.into_bytes(), &secret.into_bytes(), sv2_support::HOUR);
    let (act_1, initiator) = Handshake::initiator(initiator).step_0().expect("act 1");
    let act_1 = act_1.payload().try_into().expect("64 bytes");
    let (act_2, server) = Handshake::responder(responder.expect("a pair")).step_1(act_1).expect("act 2");
    let act_2 = act_2.payload().try_into().expect("234 bytes");
    (initiator.step_2(act_2).expect("the end"), server)
}

/// Returns header and payload in the form that `codec_sv2` takes.
fn serialized(payload: &[u8]) -> SerializedFrame<Vec<u8>> {
    let mut bytes = HEADER.extension_type.to_le_bytes().to_vec();
    bytes.push(HEADER.message_type);
    bytes.extend(&(payload.len() as u32).to_le_bytes()[..3]);
    bytes.extend(payload);
    SerializedFrame::from_bytes(bytes).expect("header and payload agree")
}

fn main() {
    let (rounds, bytes) = if measures() { (15, 16_u32 << 20) } else { (1, 0) };
    let sizes = SIZES.map(|size| {
        let count = (bytes / (size as u32 + 1000)).max(1);
        let payload = vec![5; size];
        let (mut ours, mut theirs) = (Ours::new(), Theirs::new());
        let mut times: [Vec<f64>; 2] = Default::default();
        for _ in 0..rounds {
            let start = Instant::now();
            for _ in 0..count {
                ours.frame(black_box(&payload));
            }
            times[0].push(start.elapsed().as_secs_f64() * 1e9 / f64::from(count));

            // The frames are made before the measurement, as they are for our session.
            let frames: Vec<_> = (0..count).map(|_| serialized(&payload)).collect();
            let start = Instant::now();
            for frame in frames {
                theirs.frame(frame);
            }
            times[1].push(start.elapsed().as_secs_f64() * 1e9 / f64::from(count));
        }
        let [ours, theirs] = &times;
        serde_json::json!({ "bytes": size, "framepool": ours, "codec_sv2": theirs })
    });
    println!("{}", serde_json::json!({ "bench": "sv2_frames", "unit": "ns/frame", "rounds": rounds, "sizes": sizes }));
}
