//! Sv2 sessions: `Sv2Session` of `framepool/sv2`.

pub(crate) mod output;

use std::borrow::Cow;
use std::ops::Range;
use std::ptr::NonNull;
use std::time::Duration;

use framepool::allocator::{WORTH_TRIMMING, trim};
use framepool::handle::Handle;
use framepool::slot::OutOfMemory;
use framepool::sv2::{FrameHeader, Identity, Options, Session, State, generate_authority_keypair as generate};
use napi::bindgen_prelude::FromNapiValue;
use napi::{Env, sys};
use napi_derive::napi;

use crate::allocator;
use crate::call::control::{Control, length_word};
use crate::call::numbered::numbered;
use crate::call::words::Word;
use crate::call::{Call, Reply};
use crate::errors::{Fault, FaultDetails, Result};
use crate::handle::ObjectHandle;
use crate::state::EnvState;
use crate::tables::Tables;

numbered! {
    /// The phase of a session.
    Phase: u32 {
        /// Waits for the peer's handshake message.
        Handshake,
        /// Frames can go in both directions.
        Transport,
        /// Ended, in order or by an error.
        Closed,
    }
}

/// Reports a session's state and output. Out: `State`, `Available`, `Pending`, `Over`, `RingGeneration`, `RingSize`.
#[inline]
pub(crate) fn report(session: &mut Session, control: &Control) {
    let phase = match session.state() {
        State::Handshake => Phase::Handshake,
        State::Transport => Phase::Transport,
        State::Closed => Phase::Closed,
    };
    control.set(Word::State, phase as u32);
    let output = session.output();
    control.set(Word::Available, output.available() as u32);
    control.set(Word::Pending, u32::try_from(output.pending()).unwrap_or(u32::MAX));
    control.set(Word::Over, u32::from(output.is_over_high_water()));
    control.set(Word::RingGeneration, output.generation());
    control.set(Word::RingSize, output.size() as u32);
}

/// Returns `bytes`, copied if they lie in memory that the call is about to write.
pub(crate) fn apart<'a>(bytes: &'a [u8], written: &[Range<usize>]) -> std::result::Result<Cow<'a, [u8]>, Fault> {
    let start = bytes.as_ptr().addr();
    let end = start + bytes.len();
    if !written.iter().any(|memory| start < memory.end && memory.start < end) {
        return Ok(bytes.into());
    }
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len()).map_err(|_| OutOfMemory { bytes: bytes.len() })?;
    copy.extend_from_slice(bytes);
    Ok(copy.into())
}

pub(crate) fn span(base: NonNull<u8>, length: usize) -> Range<usize> {
    base.addr().get()..base.addr().get() + length
}

/// Takes in the wire bytes that the call carries. Out: `Frames`, and with any frame its slice and `Table`; what the pool and the
/// session report.
pub(crate) fn receive(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let pool = call.state.handle(Word::Pool, Word::PoolGeneration);
    {
        // First of all, so that JavaScript may forget its backlog whether or not the rest fails.
        let entry = call.state.tables.slot_pools.get_mut(pool).ok_or_else(Fault::released)?;
        entry.catch_up(&call.state.control)?;
        // An empty message on the heap may have been shown. It must go before the chunk is looked at.
        entry.forget_empty();
        entry.report(&call.state.control);
    }
    // SAFETY: nothing below runs JavaScript. The chunk may be a view of the memory that is written below, the pool's
    // region or the output ring: then it is copied first.
    let chunk = unsafe { call.bytes()? };
    let EnvState { tables: Tables { sessions, slot_pools, slices, .. }, control, .. } = call.state;
    let session = sessions.get_mut(handle).ok_or_else(Fault::released)?;
    let entry = slot_pools.get_mut(pool).ok_or_else(Fault::released)?;
    let region = span(entry.pool.region().base(), entry.pool.capacity());
    let ring = ring_span(session);
    // A failure here has changed nothing. The places of frames in a batch have 32 bits.
    let ready = allocator::check().and_then(|()| length_word(chunk.len())).and_then(|_| slices.make_room());
    let chunk = ready.and_then(|()| apart(chunk, &[region, ring])).inspect_err(|_| report(session, control))?;
    let outcome = session.receive(&chunk, &mut entry.pool);
    report(session, control);
    // Also on failure: the pool may have changed its mode for frames that turned out to be bad.
    entry.report(control);
    let Some(batch) = outcome? else {
        control.set(Word::Frames, 0);
        return Ok(None);
    };
    entry.hand_over_batch(batch.slice, batch.table, batch.frames, slices, control).inspect_err(|_| {
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
    let EnvState { tables: Tables { sessions, .. }, control, .. } = call.state;
    let session = sessions.get_mut(handle).ok_or_else(Fault::released)?;
    let outcome = allocator::check().and_then(|()| {
        let payload = apart(payload, &[ring_span(session)])?;
        Ok(session.send(header, &payload)?)
    });
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
    let EnvState { tables: Tables { sessions, slot_pools, slices, .. }, control, .. } = call.state;
    let target = sessions.get_mut(target).ok_or_else(Fault::released)?;
    let batch = match control.get(Word::Slot) {
        0 => slices.get(heap).map(AsRef::<[u8]>::as_ref),
        slot => slot_pools.get(pool).and_then(|entry| entry.pool.held(slot as usize)),
    }
    .ok_or_else(Fault::released)?;
    let first = control.get(Word::First) as usize;
    let frames = first..first + control.get(Word::Frames) as usize;
    let outcome =
        allocator::check().and_then(|()| Ok(target.forward(batch, control.get(Word::Table) as usize, frames)?));
    report(target, control);
    outcome?;
    Ok(None)
}

/// Frees the session, or abandons it.
pub(crate) fn close(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let mut session = call.state.tables.sessions.remove(handle).ok_or_else(Fault::released)?;
    session.close();
    if call.get(Word::Abandoned) == 1 {
        session.abandon();
    }
    Ok(None)
}

/// A session's sizes, in bytes.
#[napi(object)]
pub struct SessionSizes {
    /// The largest payload that the session receives.
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
    Ok(state.tables.sessions.insert(session)?.into())
}

/// The text of an authority key. A text that is longer than any key is cut off, and is then not a key.
pub struct KeyText {
    bytes: [u8; 256],
    length: usize,
}

impl AsRef<str> for KeyText {
    fn as_ref(&self) -> &str {
        // A text that is cut off within a character is not a text.
        str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl FromNapiValue for KeyText {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        let mut text = Self { bytes: [0; 256], length: 0 };
        let (bytes, room) = (text.bytes.as_mut_ptr().cast(), text.bytes.len());
        // SAFETY: both are of the running call, and Node checks the value's type; there is room for `room` bytes.
        let status = unsafe { sys::napi_get_value_string_utf8(env, value, bytes, room, &raw mut text.length) };
        if status == sys::Status::napi_ok { Ok(text) } else { Err(napi::Error::from_reason("a key is not text")) }
    }
}

/// Makes the session of the end that accepts a connection. Keys are base58check strings.
#[napi(catch_unwind)]
pub fn session_responder(
    env: Env,
    sizes: SessionSizes,
    #[napi(ts_arg_type = "string")] public_key: KeyText,
    #[napi(ts_arg_type = "string")] secret_key: KeyText,
    certificate_validity_seconds: u32,
) -> Result<ObjectHandle> {
    EnvState::of(env)?;
    let validity = Duration::from_secs(u64::from(certificate_validity_seconds));
    let identity = Identity::new(public_key.as_ref(), secret_key.as_ref(), validity).map_err(Fault::from)?;
    adopt(env, Session::responder(sizes.into(), &identity).map_err(Fault::from)?)
}

/// Makes the session of the end that connects. Without a key it accepts any server.
#[napi(catch_unwind)]
pub fn session_initiator(
    env: Env,
    sizes: SessionSizes,
    #[napi(ts_arg_type = "string | undefined | null")] authority: Option<KeyText>,
) -> Result<ObjectHandle> {
    EnvState::of(env)?;
    adopt(env, Session::initiator(sizes.into(), authority.as_ref().map(AsRef::as_ref)).map_err(Fault::from)?)
}

/// Counters of a session.
#[napi(object)]
pub struct SessionReport {
    /// Frames that were opened.
    pub frames_in: f64,
    /// Frames that were sealed.
    pub frames_out: f64,
    /// Wire bytes that were taken in.
    pub bytes_in: f64,
    /// Wire bytes that were put out.
    pub bytes_out: f64,
    /// Native memory of the session, in bytes.
    pub memory_bytes: f64,
    /// Number of bytes that the output ring holds.
    pub available: u32,
    /// State of the session: a `Phase`.
    pub state: u32,
}

/// Returns what the session reports of itself.
#[napi(catch_unwind)]
pub fn session_report(env: Env, handle: ObjectHandle) -> Result<SessionReport> {
    let state = EnvState::of_any(env)?;
    let session = state.tables.sessions.get_mut(Handle::from(handle)).ok_or_else(Fault::released)?;
    report(session, &state.control);
    let counters = session.stats();
    Ok(SessionReport {
        frames_in: counters.frames_in as f64,
        frames_out: counters.frames_out as f64,
        bytes_in: counters.bytes_in as f64,
        bytes_out: counters.bytes_out as f64,
        memory_bytes: counters.memory_bytes as f64,
        available: state.control.get(Word::Available),
        state: state.control.get(Word::State),
    })
}

/// Gives back the memory that a session's recent traffic needed and that is empty now. The ring may be replaced.
#[napi(catch_unwind)]
pub fn session_shrink(env: Env, handle: ObjectHandle) -> Result<()> {
    let state = EnvState::of_any(env)?;
    let session = state.tables.sessions.get_mut(Handle::from(handle)).ok_or_else(Fault::released)?;
    session.shrink();
    report(session, &state.control);
    Ok(())
}

/// Returns memory to the system after `freed` bytes of rings were freed, if that is worth while.
#[napi(catch_unwind)]
pub fn trim_after(freed: f64) {
    if freed >= WORTH_TRIMMING as f64 {
        trim();
    }
}

/// Returns why the session closed by itself, if it did.
#[napi(catch_unwind)]
pub fn session_error(env: Env, handle: ObjectHandle) -> Result<Option<FaultDetails>> {
    let session = EnvState::of_any(env)?.tables.sessions.get(Handle::from(handle)).ok_or_else(Fault::released)?;
    Ok(session.error().map(|error| Fault::from(error.clone()).into()))
}

/// An authority's keys, as base58check strings.
#[napi(object)]
pub struct AuthorityKeypair {
    /// The key that clients are given.
    pub public_key: String,
    /// The key that the server keeps.
    pub secret_key: String,
}

/// Makes an authority keypair.
#[napi(catch_unwind)]
pub fn generate_authority_keypair() -> Result<AuthorityKeypair> {
    allocator::check()?;
    let (public_key, secret_key) = generate();
    Ok(AuthorityKeypair { public_key, secret_key })
}
