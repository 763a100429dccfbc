//! One end of a Stratum V2 connection.
//!
//! A session's memory grows with the bytes that have come, and never with a length that an unauthenticated peer claims.

mod batch;
mod handshake;
mod identity;
mod input;
mod keys;
mod opener;
mod output;
mod queue;
mod sealer;

use std::mem;
use std::ops::Range;

use buffer_sv2::Buffer;

use self::batch::frame_at;
pub use self::batch::{Batch, ENTRY, Frame};
use self::handshake::Handshake;
pub use self::identity::Identity;
use self::input::Input;
pub use self::keys::generate_authority_keypair;
use self::opener::Opener;
pub use self::output::Output;
use self::sealer::Sealer;
use super::allowance::Allowance;
use super::error::Error;
use super::frame::{CHUNK, FrameHeader, MAX_PAYLOAD, SEALED_HEADER, sealed_payload};
use super::noise;
use crate::slot::TryBuffer;

/// Options of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The longest payload that is accepted from the peer, in bytes. Numbers above [`MAX_PAYLOAD`], the protocol's
    /// limit, mean that limit. Sent frames are limited by the protocol alone.
    pub max_frame_size: usize,
    /// The largest size of the output ring, in bytes, which must be a power of two. It is also the high-water mark.
    pub output_size: usize,
    /// The first size of the output ring, in bytes, which must be a power of two. Numbers above `output_size` mean
    /// `output_size`; the ring is then never replaced.
    pub output_start: usize,
}

impl Default for Options {
    /// Returns options for frames up to 1 MiB, and an output that grows from 1 KiB to 64 KiB.
    fn default() -> Self {
        Self { max_frame_size: 1 << 20, output_size: 1 << 16, output_start: 1 << 10 }
    }
}

/// The state of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Waits for the peer's handshake message.
    Handshake,
    /// Frames can go in both directions.
    Transport,
    /// Ended by [`Session::close`] or by an error. The output can still be drained.
    Closed,
}

/// Figures of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Frames received.
    pub frames_in: u64,
    /// Frames sent and forwarded.
    pub frames_out: u64,
    /// Wire bytes given to `receive`.
    pub bytes_in: u64,
    /// Wire bytes put into the output, drained or not.
    pub bytes_out: u64,
    /// Memory of the session, in bytes: output ring and queue, held input, and the session itself. Batches do not
    /// count.
    pub memory_bytes: usize,
}

/// One end of a Stratum V2 connection, without I/O: wire bytes in, frames out; frames in, wire bytes out.
///
/// An error in what the peer sent closes the session. [`error`](Self::error) keeps it, and every later call returns it.
/// The errors of a wrong call ([`Error::State`], [`Error::Busy`], [`Error::Internal`], a payload too large to send)
/// change nothing.
pub struct Session {
    phase: Phase,
    error: Option<Error>,
    max_frame_size: usize,
    /// Incomplete input: part of a handshake message, a sealed header or a sealed payload.
    held: Vec<u8>,
    output: Output,
    frames_in: u64,
    frames_out: u64,
    bytes_in: u64,
}

/// A message that is not complete yet: of the handshake, or a frame. Before its header has come, a frame counts as a
/// sealed header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partial {
    /// Length of the message on the wire, in bytes. 0 if the session is closed.
    pub wire: usize,
    /// Bytes of the message that have come.
    pub come: usize,
    /// Length of the frame's payload in bytes, once its header has come.
    pub payload: Option<usize>,
    /// Whether the handshake is done.
    pub transport: bool,
}

enum Phase {
    Handshake(Handshake),
    Transport(Transport),
    Closed,
}

struct Transport {
    opener: Opener,
    sealer: Sealer,
}

/// The longest chunk that `receive` takes, in bytes. With it, and a frame held before it, offsets in a batch fit in 32
/// bits.
const MAX_CHUNK: usize = 1 << 31;

impl Session {
    /// Makes the server's end. `identity` proves who the server is.
    ///
    /// Returns [`Error::OutputSize`] or [`Error::NoMemory`].
    pub fn responder(options: Options, identity: &Identity) -> Result<Self, Error> {
        let output = Output::new(options.output_start, options.output_size)?;
        Ok(Self::new(options, Handshake::responder(identity), output))
    }

    /// Makes the client's end. `authority` is the public key that must have signed the server's certificate, as a
    /// base58check string. Without it every server is accepted, and the session is encrypted but not authenticated. The
    /// first handshake message is in the output at once.
    ///
    /// Returns [`Error::Key`] for a bad key, [`Error::OutputSize`] or [`Error::NoMemory`].
    pub fn initiator(options: Options, authority: Option<&str>) -> Result<Self, Error> {
        let mut output = Output::new(options.output_start, options.output_size)?;
        let handshake = Handshake::initiator(authority, &mut output)?;
        Ok(Self::new(options, handshake, output))
    }

    fn new(options: Options, handshake: Handshake, output: Output) -> Self {
        Self {
            phase: Phase::Handshake(handshake),
            error: None,
            max_frame_size: options.max_frame_size,
            held: Vec::new(),
            output,
            frames_in: 0,
            frames_out: 0,
            bytes_in: 0,
        }
    }

    /// Returns the state of the session.
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Handshake(_) => State::Handshake,
            Phase::Transport(_) => State::Transport,
            Phase::Closed => State::Closed,
        }
    }

    /// Returns the error that closed the session, if one did.
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    /// Takes wire bytes, cut anywhere, and decrypts the complete frames among them into one slice of `pool`. Returns
    /// `None`, and takes no slice, if no frame is complete yet.
    ///
    /// Frames before a bad one are still returned. The session is then closed, and the next call returns the error. If
    /// there is no frame before it, this call returns the error: [`Error::Handshake`], [`Error::Certificate`],
    /// [`Error::Aead`], [`Error::FrameTooLarge`], [`Error::PoolLimit`] or [`Error::NoMemory`]. Returns [`Error::State`] after
    /// [`close`](Self::close).
    ///
    /// Two errors take nothing in, and the session goes on: [`Error::Busy`] if the pool has bytes that were written and
    /// not taken, and [`Error::NoMemory`] for a chunk above 2 GiB.
    pub fn receive<B: TryBuffer>(&mut self, chunk: &[u8], pool: &mut B) -> Result<Option<Batch<B::Slice>>, Error> {
        if let Phase::Closed = self.phase {
            return Err(self.refusal());
        }
        if Buffer::len(pool) != 0 {
            return Err(Error::Busy);
        }
        if chunk.len() > MAX_CHUNK {
            return Err(Error::NoMemory);
        }
        self.bytes_in += chunk.len() as u64;

        let held = mem::take(&mut self.held);
        let mut input = Input::new(&held, chunk);
        let (batch, result) = self.read(&mut input, pool);
        let (held_unread, chunk_unread) = input.unread();
        let result = result.and_then(|()| self.hold(held, held_unread, &chunk[chunk.len() - chunk_unread..]));

        self.frames_in += batch.as_ref().map_or(0, |batch| batch.frames as u64);
        match result {
            Err(error) => {
                self.fail(error.clone());
                batch.map(Some).ok_or(error)
            }
            Ok(()) => Ok(batch),
        }
    }

    /// Encrypts a frame into the output. Returns false if the output is now over its high-water mark: send no more
    /// until it is drained.
    ///
    /// Returns [`Error::FrameTooLarge`] above [`MAX_PAYLOAD`], [`Error::State`] outside transport,
    /// [`Error::MemoryLimit`] or [`Error::NoMemory`]. Nothing is sent then, and the session goes on.
    pub fn send(&mut self, header: FrameHeader, payload: &[u8]) -> Result<bool, Error> {
        self.seal(std::iter::once(Ok(Frame { header, payload })))
    }

    /// Encrypts received frames again, into the output. `batch` is the content of a batch's slice, `table` the offset
    /// of its table, and `frames` selects frames. Any session may have received the batch. Returns false as
    /// [`send`](Self::send) does.
    ///
    /// Returns [`Error::Internal`] if an entry of the table lies outside the batch or describes bytes outside its
    /// payloads, [`Error::State`] outside transport, [`Error::MemoryLimit`] or [`Error::NoMemory`]. Nothing is sent
    /// then, and the session goes on.
    pub fn forward(&mut self, batch: &[u8], table: usize, frames: Range<usize>) -> Result<bool, Error> {
        self.seal(frames.map(|index| frame_at(batch, table, index).ok_or(Error::Internal)))
    }

    /// Restores the first size of the output ring if the ring is empty. Call it for a connection that has fallen
    /// silent: with traffic the ring would only grow again. All other memory is freed by itself.
    pub fn shrink(&mut self) {
        self.output.shrink();
    }

    /// Returns the outgoing wire bytes. They can be drained even if the session is closed.
    pub fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    /// Drops the session without ending the sights of its output: see [`Shown::abandon`](crate::shown::Shown::abandon).
    pub fn abandon(self) {
        self.output.abandon();
    }

    /// Returns the figures of the session.
    pub fn stats(&self) -> Stats {
        let phase = match &self.phase {
            Phase::Handshake(handshake) => handshake.memory_bytes(),
            Phase::Transport(_) | Phase::Closed => 0,
        };
        Stats {
            frames_in: self.frames_in,
            frames_out: self.frames_out,
            bytes_in: self.bytes_in,
            bytes_out: self.output.position().wrapping_add(self.output.pending() as u64),
            memory_bytes: mem::size_of::<Self>() + self.held.capacity() + self.output.memory_bytes() + phase,
        }
    }

    /// Ends the session: erases its keys and frees held input. The output can still be drained. An earlier error is
    /// kept. Further calls do nothing.
    pub fn close(&mut self) {
        self.phase = Phase::Closed;
        self.held = Vec::new();
    }

    fn fail(&mut self, error: Error) {
        self.error = Some(error);
        self.close();
    }

    /// Returns the error for a call that this state refuses.
    fn refusal(&self) -> Error {
        self.error.clone().unwrap_or(Error::State)
    }

    /// Reads what is complete in `input`. The batch has the frames before an error.
    fn read<B: TryBuffer>(
        &mut self,
        input: &mut Input<'_>,
        pool: &mut B,
    ) -> (Option<Batch<B::Slice>>, Result<(), Error>) {
        if let Phase::Handshake(handshake) = &self.phase
            && input.len() >= handshake.awaits()
            && let Phase::Handshake(handshake) = mem::replace(&mut self.phase, Phase::Closed)
        {
            match handshake.finish(input, &mut self.output, handshake::now()) {
                Ok(ciphers) => self.phase = Phase::Transport(Transport::new(ciphers, self.max_frame_size)),
                Err(error) => return (None, Err(error)),
            }
        }
        match &mut self.phase {
            Phase::Transport(transport) => transport.opener.open(input, pool),
            Phase::Handshake(_) | Phase::Closed => (None, Ok(())),
        }
    }

    /// Keeps incomplete input for the next chunk: the last `unread` bytes of `held`, then `rest`.
    fn hold(&mut self, mut held: Vec<u8>, unread: usize, rest: &[u8]) -> Result<(), Error> {
        // The held bytes belong to one message, header or payload, so they were read completely or not at all.
        if unread == 0 {
            self.output.allowance().keep(mem::take(&mut held));
        }
        let total = unread + rest.len();
        if held.capacity() < total {
            // Room for the whole message, so that the next chunks are not copied again and again. It is not far beyond
            // the frame, whose length was authenticated and checked.
            let mut larger = self.output.allowance().buffer(total, Some(self.awaits()))?;
            larger.extend_from_slice(&held);
            self.output.allowance().keep(mem::replace(&mut held, larger));
        }
        held.extend_from_slice(rest);
        self.held = held;
        Ok(())
    }

    /// Sets the memory that the session may have.
    pub(super) fn limit(&mut self, allowance: Allowance) {
        self.output.limit(allowance);
    }

    /// Returns the message that is not complete yet, with what has come of it.
    pub fn partial(&self) -> Partial {
        let begun = match &self.phase {
            Phase::Transport(transport) => transport.opener.begun(),
            Phase::Handshake(_) | Phase::Closed => None,
        };
        // A sealed header is opened as soon as it has come, and not held after that.
        let header = begun.map_or(0, |_| SEALED_HEADER);
        Partial {
            wire: header + self.awaits(),
            come: header + self.held.len(),
            payload: begun,
            transport: self.state() == State::Transport,
        }
    }

    /// Returns the number of input bytes that the next step needs.
    fn awaits(&self) -> usize {
        match &self.phase {
            Phase::Handshake(handshake) => handshake.awaits(),
            Phase::Transport(transport) => transport.opener.awaits(),
            Phase::Closed => 0,
        }
    }

    /// Seals all of `frames`, or none if one of them is an error or if there is no memory for them.
    fn seal<'a>(&mut self, frames: impl Iterator<Item = Result<Frame<'a>, Error>> + Clone) -> Result<bool, Error> {
        let Phase::Transport(Transport { sealer, .. }) = &mut self.phase else {
            return Err(self.refusal());
        };
        let (mut count, mut longest, mut wire) = (0, 0, 0_usize);
        for frame in frames.clone() {
            let length = frame?.payload.len();
            if length > MAX_PAYLOAD {
                return Err(Error::FrameTooLarge { length, max: MAX_PAYLOAD });
            }
            count += 1;
            longest = longest.max(length);
            wire = wire.saturating_add(SEALED_HEADER + sealed_payload(length));
        }
        self.output.reserve(wire, SEALED_HEADER + sealed_payload(longest.min(CHUNK)))?;
        if let Err(error) = frames.flatten().try_for_each(|frame| sealer.seal(frame, &mut self.output)) {
            self.fail(error.clone());
            return Err(error);
        }
        self.output.release_unused();
        self.frames_out += count;
        Ok(!self.output.is_over_high_water())
    }
}

impl Transport {
    fn new(ciphers: noise::Transport, max_frame_size: usize) -> Self {
        Self { opener: Opener::new(ciphers.opening, max_frame_size), sealer: Sealer::new(ciphers.sealing) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use buffer_sv2::BufferFromSystemMemory;

    use super::*;

    const HEADER: FrameHeader = FrameHeader { extension_type: 0, message_type: 1 };

    /// Makes two ends of a connection on which `nonce` messages have gone from the first to the second.
    fn worn(nonce: u64) -> (Session, Session) {
        let mut one = Session::initiator(Options::default(), None).expect("memory");
        let (public_key, secret_key) = generate_authority_keypair();
        let identity = Identity::new(&public_key, &secret_key, Duration::ZERO).expect("a pair");
        let mut other = Session::responder(Options::default(), &identity).expect("memory");
        for _ in 0..2 {
            pass(&mut one, &mut other).expect("the handshake is good");
            pass(&mut other, &mut one).expect("the handshake is good");
        }
        let (Phase::Transport(sending), Phase::Transport(receiving)) = (&mut one.phase, &mut other.phase) else {
            panic!("the handshake is done");
        };
        sending.sealer.cipher().skip_to(nonce);
        receiving.opener.cipher().skip_to(nonce);
        (one, other)
    }

    /// Passes everything in the output of `from` to `to`. Returns the received payloads.
    fn pass(from: &mut Session, to: &mut Session) -> Result<Vec<Vec<u8>>, Error> {
        let mut wire = vec![0; from.output().pending()];
        from.output().read(&mut wire);
        let batch = to.receive(&wire, &mut BufferFromSystemMemory::new(0))?;
        let frames = batch.iter().flat_map(|batch| (0..batch.frames).filter_map(|index| batch.frame(index)));
        Ok(frames.map(|frame| frame.payload.to_vec()).collect())
    }

    #[test]
    fn a_session_ends_before_its_nonces_do() {
        // A frame uses two nonces. Two frames can go; of the third only the header could, or nothing.
        for left in [4, 5] {
            let (mut one, mut other) = worn(u64::MAX - left);
            for text in [b"first", b"other"] {
                assert_eq!(one.send(HEADER, text), Ok(true));
            }
            let pending = one.output().pending();
            assert_eq!(one.send(HEADER, b"third"), Err(Error::Aead));
            assert_eq!((one.state(), one.error()), (State::Closed, Some(&Error::Aead)));
            assert_eq!(one.output().pending(), pending);
            assert_eq!(one.send(HEADER, b"again"), Err(Error::Aead));
            assert_eq!(pass(&mut one, &mut other), Ok(vec![b"first".to_vec(), b"other".to_vec()]));
        }
    }

    #[test]
    fn nothing_unsealed_goes_out_through_the_queue_either() {
        let (mut one, mut other) = worn(u64::MAX - 5);
        let large = vec![3; 100_000];
        // The frame uses three nonces, and is more than the ring holds.
        assert_eq!(one.send(HEADER, &large), Ok(false));
        let pending = one.output().pending();
        assert_eq!(one.send(HEADER, &large), Err(Error::Aead));
        // The piece with header and first chunk is there, and the last chunk is not.
        assert_eq!(one.output().pending(), pending + SEALED_HEADER + sealed_payload(CHUNK));
        assert_eq!(pass(&mut one, &mut other), Ok(vec![large]));
        assert_eq!(other.state(), State::Transport, "the rest of the frame never comes");
    }

    #[test]
    fn nothing_is_opened_with_a_nonce_that_has_been_used_up() {
        let (mut one, mut other) = worn(u64::MAX - 4);
        let Phase::Transport(sending) = &mut one.phase else { panic!("in transport") };
        sending.sealer.cipher().skip_to(0);
        one.send(HEADER, b"any").expect("nonces are left");
        let Phase::Transport(receiving) = &mut other.phase else { panic!("in transport") };
        receiving.opener.cipher().skip_to(u64::MAX);
        assert_eq!(pass(&mut one, &mut other), Err(Error::Aead));
        assert_eq!(other.error(), Some(&Error::Aead));
    }
}
