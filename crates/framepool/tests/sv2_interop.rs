//! Our session against the reference implementation, `codec_sv2`, in both roles.

mod sv2_support;

use codec_sv2::{
    Decrypted, Handshake, NoiseDecoder, NoiseEncoder, Transport, TransportDecryptState, TransportEncryptState,
};
use framepool::sv2::{FrameHeader, Session, State};
use framing_sv2::framing::SerializedFrame;
use key_utils::{Secp256k1PublicKey, Secp256k1SecretKey};
use noise_sv2::{Initiator, Responder};
use rand::Rng;
use sv2_support::{
    HOUR, Owned, PUBLIC, SECRET, assert_same, drain, frame, initiator, receive, receive_cut, responder, rng, wire,
};

/// Sizes around every boundary at which both implementations cut, and one megabyte.
const SIZES: [usize; 8] = [0, 1, 65_518, 65_519, 65_520, 131_038, 200_000, 1_000_000];

/// The reference implementation after its handshake.
struct Reference {
    encoder: NoiseEncoder,
    decoder: NoiseDecoder,
    encrypt: TransportEncryptState,
    /// `None` while the decoder has it.
    decrypt: Option<TransportDecryptState>,
}

impl Reference {
    fn new(transport: Transport) -> Self {
        let (encrypt, decrypt) = transport.split();
        Self { encoder: NoiseEncoder::new(), decoder: NoiseDecoder::new(), encrypt, decrypt: Some(decrypt) }
    }

    fn encode(&mut self, frames: &[Owned]) -> Vec<u8> {
        let mut wire = Vec::new();
        for (header, payload) in frames {
            let mut bytes = header.extension_type.to_le_bytes().to_vec();
            bytes.push(header.message_type);
            bytes.extend(&(payload.len() as u32).to_le_bytes()[..3]);
            bytes.extend(payload);
            let frame = SerializedFrame::from_bytes(bytes).expect("header and payload agree");
            let sealed = self.encoder.encode_transport(frame, &mut self.encrypt).expect("the frame is legal");
            wire.extend_from_slice(sealed.as_ref());
        }
        wire
    }

    fn decode(&mut self, mut wire: &[u8]) -> Vec<Owned> {
        let mut frames = Vec::new();
        while !wire.is_empty() {
            let window = self.decoder.writable();
            let (bytes, rest) = wire.split_at(window.len());
            window.copy_from_slice(bytes);
            wire = rest;
            let state = self.decrypt.take().expect("given back after every round");
            match self.decoder.next_transport_frame(state).expect("the frame is good") {
                Decrypted::Incomplete(_, state) => self.decrypt = Some(state),
                Decrypted::Frame(mut frame, state) => {
                    self.decrypt = Some(state);
                    let header = frame.header();
                    let header = FrameHeader { extension_type: header.ext_type(), message_type: header.msg_type() };
                    frames.push((header, frame.payload().to_vec()));
                }
            }
        }
        frames
    }
}

fn our_initiator() -> (Session, Reference) {
    let public: Secp256k1PublicKey = PUBLIC.parse().unwrap();
    let secret: Secp256k1SecretKey = SECRET.parse().unwrap();
    let peer = Responder::from_authority_kp(&public.into_bytes(), &secret.into_bytes(), HOUR).unwrap();

    let mut session = initiator();
    let act1 = drain(&mut session).try_into().expect("64 bytes");
    let (act2, transport) = Handshake::responder(peer).step_1(act1).unwrap();
    receive_cut(&mut session, act2.payload(), || 1).unwrap();
    assert_eq!(session.state(), State::Transport);
    (session, Reference::new(transport))
}

fn our_responder() -> (Session, Reference) {
    let public: Secp256k1PublicKey = PUBLIC.parse().unwrap();
    let peer = Initiator::from_raw_k(public.into_bytes()).unwrap();

    let mut session = responder();
    let (act1, peer) = Handshake::initiator(peer).step_0().unwrap();
    receive_cut(&mut session, act1.payload(), || 1).unwrap();
    assert_eq!(session.state(), State::Transport);
    let act2 = drain(&mut session).try_into().expect("234 bytes");
    (session, Reference::new(peer.step_2(act2).unwrap()))
}

fn every_size_both_ways((mut session, mut reference): (Session, Reference)) {
    let mut rng = rng();
    for size in SIZES {
        let sent = [frame(&mut rng, size)];
        assert_same(&reference.decode(&wire(&mut session, &sent)), &sent);
        assert_same(&receive(&mut session, &reference.encode(&sent)).unwrap(), &sent);
    }
    // All at once, and again in random cuts, so that the ciphers stay in step across sizes.
    let sent: Vec<Owned> = SIZES.iter().rev().map(|size| frame(&mut rng, *size)).collect();
    assert_same(&reference.decode(&wire(&mut session, &sent)), &sent);
    assert_same(&receive(&mut session, &reference.encode(&sent)).unwrap(), &sent);
    let bytes = reference.encode(&sent);
    assert_same(&receive_cut(&mut session, &bytes, || rng.gen_range(1..100_000)).unwrap(), &sent);
}

fn every_size_byte_by_byte((mut session, mut reference): (Session, Reference)) {
    let mut rng = rng();
    for size in SIZES {
        let sent = [frame(&mut rng, size)];
        let bytes = reference.encode(&sent);
        assert_same(&receive_cut(&mut session, &bytes, || 1).unwrap(), &sent);

        sv2_support::send(&mut session, &sent);
        let mut bytes = Vec::new();
        let mut byte = [0];
        while session.output().read(&mut byte) == 1 {
            bytes.push(byte[0]);
        }
        assert_same(&reference.decode(&bytes), &sent);
    }
}

#[test]
fn initiator_every_size_both_ways() {
    every_size_both_ways(our_initiator());
}

#[test]
fn responder_every_size_both_ways() {
    every_size_both_ways(our_responder());
}

#[test]
fn initiator_every_size_byte_by_byte() {
    every_size_byte_by_byte(our_initiator());
}

#[test]
fn responder_every_size_byte_by_byte() {
    every_size_byte_by_byte(our_responder());
}
