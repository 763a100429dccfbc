//! Code that the tests of sessions share.
#![allow(dead_code, reason = "each test file is a crate of its own and uses its own part of this")]

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use buffer_sv2::{Buffer, BufferFromSystemMemory};
use framepool::relay::{Hooks, Limits, RelayOptions, Threads};
use framepool::slot::TryBuffer;
use framepool::sv2::{Batch, Error, FrameHeader, Identity, Options, Session, State, generate_authority_keypair};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

/// The public key of the reference implementation's example pair.
pub(crate) const PUBLIC: &str = "9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";
pub(crate) const SECRET: &str = "mkDLTBBRxdBv998612qipDYoTK3YUrqLe8uWw7gu3iXbSrn2n";

pub(crate) const HOUR: Duration = Duration::from_hours(1);

/// Sizes around every boundary of the framing.
pub(crate) const SIZES: [usize; 9] = [0, 1, 65_518, 65_519, 65_520, 131_038, 200_000, 1_000_000, 16_777_215];

pub(crate) type Owned = (FrameHeader, Vec<u8>);

/// Makes a generator with the seed in `FRAMEPOOL_SEED`, or with a new one, and prints the seed.
pub(crate) fn rng() -> StdRng {
    let seed = std::env::var("FRAMEPOOL_SEED")
        .map_or_else(|_| rand::thread_rng().next_u64(), |text| text.parse().expect("FRAMEPOOL_SEED is a decimal u64"));
    println!("FRAMEPOOL_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

pub(crate) fn pool() -> BufferFromSystemMemory {
    BufferFromSystemMemory::new(0)
}

/// Returns options that accept every frame of the protocol.
pub(crate) fn options() -> Options {
    Options { max_frame_size: 16_777_215, ..Options::default() }
}

pub(crate) fn initiator() -> Session {
    Session::initiator(options(), Some(PUBLIC)).expect("the key is good")
}

pub(crate) fn responder() -> Session {
    Session::responder(options(), &identity(HOUR)).expect("memory")
}

/// Returns the identity of a server whose certificates are valid for so long.
pub(crate) fn identity(certificate_validity: Duration) -> Identity {
    Identity::new(PUBLIC, SECRET, certificate_validity).expect("the keys are good")
}

/// Returns options of a relay with keys of its own.
pub(crate) fn relay_options(upstream: SocketAddr, threads: usize) -> RelayOptions {
    let (public_key, secret_key) = generate_authority_keypair();
    RelayOptions {
        threads: Threads::Number(NonZeroUsize::new(threads).expect("a number")),
        upstream: vec![upstream],
        upstream_key: None,
        identity: Identity::new(&public_key, &secret_key, HOUR).expect("a pair of keys"),
        session: options(),
        hooks: Hooks::None,
        limits: Limits::default(),
        has_memory: || true,
    }
}

/// Makes an initiator and a responder after their handshake.
pub(crate) fn connected() -> (Session, Session) {
    connected_with(options(), options())
}

pub(crate) fn connected_with(initiator: Options, responder: Options) -> (Session, Session) {
    let mut initiator = Session::initiator(initiator, Some(PUBLIC)).expect("the key is good");
    let mut responder = Session::responder(responder, &identity(HOUR)).expect("memory");
    assert!(receive(&mut responder, &drain(&mut initiator)).expect("act 1 is good").is_empty());
    assert!(receive(&mut initiator, &drain(&mut responder)).expect("act 2 is good").is_empty());
    assert_eq!((initiator.state(), responder.state()), (State::Transport, State::Transport));
    (initiator, responder)
}

/// Returns everything that is pending in the output.
pub(crate) fn drain(session: &mut Session) -> Vec<u8> {
    let output = session.output();
    let mut bytes = vec![0; output.pending()];
    assert_eq!(output.read(&mut bytes), bytes.len());
    assert_eq!(output.pending(), 0);
    bytes
}

/// Returns the frames of one `receive`.
pub(crate) fn receive(session: &mut Session, chunk: &[u8]) -> Result<Vec<Owned>, Error> {
    receive_in(session, chunk, &mut pool())
}

pub(crate) fn receive_in<B: TryBuffer>(session: &mut Session, chunk: &[u8], pool: &mut B) -> Result<Vec<Owned>, Error> {
    let batch = session.receive(chunk, pool)?;
    assert_eq!(Buffer::len(pool), 0, "receive takes what it writes");
    Ok(batch.as_ref().map_or_else(Vec::new, owned))
}

/// Copies a batch's frames, after checking that its layout is the documented one.
pub(crate) fn owned<S: AsRef<[u8]>>(batch: &Batch<S>) -> Vec<Owned> {
    let bytes = batch.slice.as_ref();
    assert_ne!(batch.frames, 0);
    assert_eq!(bytes.len(), batch.table + 12 * batch.frames);
    let mut frames = Vec::new();
    let mut end = 0;
    for entry in bytes[batch.table..].chunks(12) {
        let offset = u32::from_le_bytes(entry[0..4].try_into().unwrap()) as usize;
        let length = u32::from_le_bytes(entry[4..8].try_into().unwrap()) as usize;
        let header = FrameHeader {
            extension_type: u16::from_le_bytes(entry[8..10].try_into().unwrap()),
            message_type: entry[10],
        };
        assert_eq!((offset, entry[11]), (end, 0));
        end = offset + length;
        let frame = batch.frame(frames.len()).expect("a frame for every entry");
        assert_eq!((frame.header, frame.payload), (header, &bytes[offset..end]));
        frames.push((header, frame.payload.to_vec()));
    }
    assert_eq!(end, batch.table);
    assert_eq!(batch.frame(batch.frames), None);
    frames
}

/// Feeds `wire` in pieces that `cut` chooses. Returns all frames.
pub(crate) fn receive_cut(
    session: &mut Session,
    wire: &[u8],
    mut cut: impl FnMut() -> usize,
) -> Result<Vec<Owned>, Error> {
    let mut pool = pool();
    let mut frames = Vec::new();
    let mut rest = wire;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(cut().min(rest.len()));
        frames.append(&mut receive_in(session, chunk, &mut pool)?);
        rest = after;
    }
    Ok(frames)
}

pub(crate) fn frame(rng: &mut StdRng, length: usize) -> Owned {
    let mut payload = vec![0; length];
    rng.fill_bytes(&mut payload);
    (FrameHeader { extension_type: rng.r#gen(), message_type: rng.r#gen() }, payload)
}

pub(crate) fn send(session: &mut Session, frames: &[Owned]) {
    for (header, payload) in frames {
        session.send(*header, payload).expect("a frame of legal size can be sent in transport");
    }
}

/// Returns the wire bytes of `frames`.
pub(crate) fn wire(session: &mut Session, frames: &[Owned]) -> Vec<u8> {
    send(session, frames);
    drain(session)
}

/// Compares frames. `assert_eq!` would print megabytes.
pub(crate) fn assert_same(received: &[Owned], sent: &[Owned]) {
    assert_eq!(received.len(), sent.len(), "number of frames");
    for (index, (received, sent)) in received.iter().zip(sent).enumerate() {
        assert_eq!(received.0, sent.0, "header of frame {index}");
        assert!(received.1 == sent.1, "payload of frame {index}: {} for {} B", received.1.len(), sent.1.len());
    }
}
