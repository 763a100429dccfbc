//! Sv2 sessions: `Sv2Session` of `framepool/sv2`.

use std::borrow::Cow;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::time::Duration;

use framepool::allocator::{WORTH_TRIMMING, trim};
use framepool::handle::Handle;
use framepool::sv2::{FrameHeader, Options, Session, State, generate_authority_keypair as generate};
use napi::Env;
use napi_derive::napi;

use crate::boundary::{Call, FaultDetails, ObjectHandle, Reply};
use crate::control::{Control, Word};
use crate::env::EnvState;
use crate::errors::{Code, Fault, Result};
use crate::external::{Exposure, Shown};
use crate::inspect::{Kind, Listed};

impl Listed for Shown<Session> {
    fn kind(&self) -> Kind {
        Kind::Sv2Session
    }

    /// At first; a session grows with what waits in its output.
    fn bytes(&self) -> usize {
        self.stats().memory_bytes
    }
}

/// Reports a session's state and output.
#[inline]
pub(crate) fn report(session: &mut Shown<Session>, control: &Control) {
    // JavaScript may still look at a ring that the call has replaced; the one in its place has not been shown.
    if let Some(rings) = session.output().take_replaced() {
        session.exposure.leave(rings);
    }
    control.set(
        Word::State,
        match session.state() {
            State::Handshake => 0,
            State::Transport => 1,
            State::Closed => 2,
        },
    );
    let output = session.output();
    control.set(Word::Available, output.available() as u32);
    control.set(Word::Pending, u32::try_from(output.pending()).unwrap_or(u32::MAX));
    control.set(Word::Over, u32::from(output.is_over_high_water()));
    control.set(Word::RingGeneration, output.generation());
    control.set(Word::RingSize, output.size() as u32);
}

/// `bytes`, copied if they lie in memory that the call is about to write.
fn apart<'a>(bytes: &'a [u8], written: &[Range<usize>]) -> Cow<'a, [u8]> {
    let start = bytes.as_ptr().addr();
    let end = start + bytes.len();
    if written.iter().any(|memory| start < memory.end && memory.start < end) {
        bytes.to_vec().into()
    } else {
        bytes.into()
    }
}

fn span(base: NonNull<u8>, length: usize) -> Range<usize> {
    base.addr().get()..base.addr().get() + length
}

/// Takes the wire bytes that the call carries. Out: `Frames`, and with any the slice and `Table`; the pool's `Next` and
/// `Room`; the session's words.
pub(crate) fn receive(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let pool = call.state.handle(Word::Pool, Word::PoolGeneration);
    {
        // First of all, so that JavaScript may forget its backlog whether or not the rest fails.
        let entry = call.state.slot_pools.get_mut(pool).ok_or_else(Fault::released)?;
        entry.catch_up(&call.state.control)?;
        entry.report(&call.state.control);
    }
    // SAFETY: nothing below runs JavaScript. The chunk may be a view of the memory that is written below, the pool's
    // region or the output ring: then it is copied first.
    let chunk = unsafe { call.bytes()? };
    let EnvState { sessions, slot_pools, slices, control, .. } = call.state;
    let session = sessions.get_mut(handle).ok_or_else(Fault::released)?;
    let entry = slot_pools.get_mut(pool).ok_or_else(Fault::released)?;
    let region = span(entry.pool.region().base(), entry.pool.capacity());
    let chunk = apart(chunk, &[region, ring_span(session)]);
    // The pool panics where the system has no memory for a batch. The session has lost its place in the stream then.
    let outcome = catch_unwind(AssertUnwindSafe(|| session.receive(&chunk, &mut entry.pool)));
    if outcome.is_err() {
        session.close();
    }
    report(session, control);
    // Also on failure: the pool may have changed its mode for frames that turned out to be bad.
    entry.report(control);
    let outcome = outcome.map_err(|_| Fault::new(Code::NO_MEMORY, "no memory for the frames received"))?;
    let Some(batch) = outcome? else {
        control.set(Word::Frames, 0);
        return Ok(None);
    };
    entry.hand_over_batch(batch, slices, control).inspect_err(|_| {
        session.close();
        report(session, control);
    })?;
    Ok(None)
}

fn ring_span(session: &mut Session) -> Range<usize> {
    let output = session.output();
    span(output.base(), output.size())
}

/// Encrypts the payload that the call carries into the output. In: `Extension`, `MessageType`.
pub(crate) fn send(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let header = FrameHeader {
        extension_type: call.get(Word::Extension) as u16,
        message_type: call.get(Word::MessageType) as u8,
    };
    // SAFETY: nothing below runs JavaScript. The payload may be a view of the output ring, which is written below: then
    // it is copied first.
    let payload = unsafe { call.bytes()? };
    let EnvState { sessions, control, .. } = call.state;
    let session = sessions.get_mut(handle).ok_or_else(Fault::released)?;
    let payload = apart(payload, &[ring_span(session)]);
    let outcome = session.send(header, &payload);
    report(session, control);
    outcome?;
    Ok(None)
}

/// Re-encrypts frames `First` … `First + Frames` of a batch (`Slot` of `Pool`, or `Heap`; `Table`) into the output of
/// `Target`.
pub(crate) fn forward(call: &mut Call<'_>) -> Reply {
    let target = call.state.handle(Word::Target, Word::TargetGeneration);
    let pool = call.state.handle(Word::Pool, Word::PoolGeneration);
    let heap = call.state.handle(Word::Heap, Word::HeapGeneration);
    let EnvState { sessions, slot_pools, slices, control, .. } = call.state;
    let target = sessions.get_mut(target).ok_or_else(Fault::released)?;
    let batch = match control.get(Word::Slot) {
        0 => slices.get(heap).map(|slice| AsRef::<[u8]>::as_ref(&**slice)),
        slot => slot_pools.get(pool).and_then(|entry| entry.pool.held(slot as usize)),
    }
    .ok_or_else(Fault::released)?;
    let first = control.get(Word::First) as usize;
    let frames = first..first + control.get(Word::Frames) as usize;
    let outcome = target.forward(batch, control.get(Word::Table) as usize, frames);
    report(target, control);
    outcome?;
    Ok(None)
}

/// The `ArrayBuffer` over the output ring.
pub(crate) fn output_region(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let env = call.env;
    let session = call.state.sessions.get_mut(handle).ok_or_else(Fault::released)?;
    let output = session.output();
    let (base, length) = (output.show(), output.size());
    // SAFETY: a ring's memory is as long as the ring and does not move. It lives as long as the session, or as what
    // `report` leaves to the exposure when the ring, having been shown, is replaced.
    Ok(Some(unsafe { session.exposure.array_buffer(env, base, length)? }))
}

/// `Length` bytes of the output are on their way; the ring is refilled from the queue.
pub(crate) fn output_consume(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let EnvState { sessions, control, .. } = call.state;
    let session = sessions.get_mut(handle).ok_or_else(Fault::released)?;
    let length = control.get(Word::Length) as usize;
    session.output().consume(length)?;
    report(session, control);
    Ok(None)
}

/// Frees the session. `Hidden`: its ring's `ArrayBuffer` is detached.
pub(crate) fn close(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let mut session = call.state.sessions.remove(handle).ok_or_else(Fault::released)?;
    session.close();
    if call.get(Word::Hidden) == 1 {
        session.exposure.revoke();
    }
    Ok(None)
}

/// A session's sizes, in bytes.
#[napi(object)]
pub struct SessionSizes {
    /// The largest payload that is received.
    pub max_frame_size: u32,
    /// The largest output ring, and the high-water mark: a power of two.
    pub output_size: u32,
}

impl From<SessionSizes> for Options {
    fn from(sizes: SessionSizes) -> Self {
        Self {
            max_frame_size: sizes.max_frame_size as usize,
            output_size: sizes.output_size as usize,
            ..Self::default()
        }
    }
}

fn adopt(env: Env, mut session: Session) -> Result<ObjectHandle> {
    let state = EnvState::of(env)?;
    if let Some(quarantine) = state.debug.general_quarantine() {
        session.output().guard().set(quarantine);
    }
    Ok(state.sessions.insert(Shown::new(session, Exposure::default())).into())
}

/// The end that is connected to. Keys are base58check strings.
#[napi(catch_unwind)]
pub fn session_responder(
    env: Env,
    sizes: SessionSizes,
    public_key: String,
    secret_key: String,
    certificate_validity_seconds: u32,
) -> Result<ObjectHandle> {
    let validity = Duration::from_secs(u64::from(certificate_validity_seconds));
    let session = Session::responder(sizes.into(), &public_key, &secret_key, validity).map_err(Fault::from)?;
    adopt(env, session)
}

/// The end that connects. Without a key any server is accepted.
#[napi(catch_unwind)]
pub fn session_initiator(env: Env, sizes: SessionSizes, authority: Option<String>) -> Result<ObjectHandle> {
    adopt(env, Session::initiator(sizes.into(), authority.as_deref()).map_err(Fault::from)?)
}

/// Counters of a session.
#[napi(object)]
pub struct SessionReport {
    /// Frames opened.
    pub frames_in: f64,
    /// Frames sealed.
    pub frames_out: f64,
    /// Wire bytes taken in.
    pub bytes_in: f64,
    /// Wire bytes put out.
    pub bytes_out: f64,
    /// Native memory that the session holds.
    pub memory_bytes: f64,
    /// Bytes that have come of a message that is not whole yet.
    pub partial: f64,
    /// Bytes that the output ring holds.
    pub available: u32,
    /// 0 handshake, 1 transport, 2 closed.
    pub state: u32,
}

/// What the session reports of itself.
#[napi(catch_unwind)]
pub fn session_report(env: Env, handle: ObjectHandle) -> Result<SessionReport> {
    let state = EnvState::of(env)?;
    let session = state.sessions.get_mut(Handle::from(handle)).ok_or_else(Fault::released)?;
    report(session, &state.control);
    let counters = session.stats();
    Ok(SessionReport {
        frames_in: counters.frames_in as f64,
        frames_out: counters.frames_out as f64,
        bytes_in: counters.bytes_in as f64,
        bytes_out: counters.bytes_out as f64,
        memory_bytes: counters.memory_bytes as f64,
        partial: session.partial().come as f64,
        available: state.control.get(Word::Available),
        state: state.control.get(Word::State),
    })
}

/// Gives back the memory that a session's recent traffic needed and that is empty now. The ring may be replaced.
#[napi(catch_unwind)]
pub fn session_shrink(env: Env, handle: ObjectHandle) -> Result<()> {
    let state = EnvState::of(env)?;
    let session = state.sessions.get_mut(Handle::from(handle)).ok_or_else(Fault::released)?;
    session.shrink();
    report(session, &state.control);
    Ok(())
}

/// Lets the system have memory that `freed` bytes of rings have left, if that is worth while.
#[napi(catch_unwind)]
pub fn trim_after(freed: f64) {
    if freed >= WORTH_TRIMMING as f64 {
        trim();
    }
}

/// Why the session closed by itself, if it did.
#[napi(catch_unwind)]
pub fn session_error(env: Env, handle: ObjectHandle) -> Result<Option<FaultDetails>> {
    let session = EnvState::of(env)?.sessions.get(Handle::from(handle)).ok_or_else(Fault::released)?;
    Ok(session.error().map(|error| FaultDetails {
        code: error.code().to_owned(),
        message: error.to_string(),
        syscall: None,
        errno: None,
    }))
}

/// An authority's keys, as base58check strings.
#[napi(object)]
pub struct AuthorityKeypair {
    /// What clients are given.
    pub public_key: String,
    /// What the server keeps.
    pub secret_key: String,
}

/// A new authority keypair.
#[napi(catch_unwind)]
pub fn generate_authority_keypair() -> AuthorityKeypair {
    let (public_key, secret_key) = generate();
    AuthorityKeypair { public_key, secret_key }
}
