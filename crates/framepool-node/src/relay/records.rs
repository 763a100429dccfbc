//! Records of a relay on their way to JavaScript.
//!
//! Frames go through the words of the control block, as the batches of a session do. All else is rare, and goes as objects.

use std::io::ErrorKind;

use framepool::Coded;
use framepool::handle::Handle;
use framepool::relay::{Cause, Disconnected, Record, SystemFault};
use napi::Env;
use napi_derive::napi;

use crate::call::numbered::numbered;
use crate::call::words::Word;
use crate::call::{Call, Reply};
use crate::errors::{Fault, Result};
use crate::handle::ObjectHandle;
use crate::relay::way::{self, Way};
use crate::slice::borrowed;
use crate::state::EnvState;
use crate::wait::settle;

numbered! {
    /// The record that a call has taken from a relay.
    RecordKind: u32 {
        /// There was none.
        Nothing,
        /// Frames that wait for verdicts.
        Frames,
        /// Anything else: `relayEvent()` returns it.
        Event,
    }
}

/// Takes the next record. Out: `Kind`, a [`RecordKind`]. For frames: the link in `Low` and `High`, `Direction`, `Table`, `Frames`, `First`,
/// and their slice as a slice that arrives.
pub(crate) fn next(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    // Before a record is taken: it would be lost.
    call.state.tables.make_room()?;
    let entry = call.state.tables.relays.get(handle)?;
    match entry.relay.take_record() {
        None => call.set(Word::Kind, RecordKind::Nothing as u32),
        Some(Record::Frames { id, way, slice, table, frames, first, .. }) => {
            borrowed::take_in(call.state, slice)?;
            let control = &call.state.control;
            control.set_wide(id);
            control.set(Word::Direction, Way::from(way) as u32);
            control.set(Word::Table, table as u32);
            control.set(Word::Frames, frames as u32);
            control.set(Word::First, first as u32);
            control.set(Word::Kind, RecordKind::Frames as u32);
        }
        Some(event) => {
            entry.event = Some(event);
            call.set(Word::Kind, RecordKind::Event as u32);
        }
    }
    Ok(None)
}

/// Waits for records, without keeping the event loop alive. Out: `Wait`.
pub(crate) fn watch(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    settle::watch(call, move |state, wait| {
        state.tables.relays.get(handle)?.relay.on_records(move || wait.settle(|_| Ok(())));
        Ok(Some(Box::new(move |state| {
            if let Ok(entry) = state.tables.relays.get(handle) {
                entry.relay.ignore_records();
            }
        })))
    })
}

/// An error on one side of a link.
#[napi(object)]
#[derive(Default)]
pub struct RelayFault {
    /// Code of an error of framepool, or the name of a system's error if it has one on all systems.
    pub code: Option<String>,
    /// Message for people.
    pub message: String,
    /// System call that failed.
    pub syscall: Option<String>,
    /// Number of the system's error.
    pub errno: Option<i32>,
    /// IP address that the connection was for.
    pub address: Option<String>,
    /// Port that the connection was for.
    pub port: Option<u32>,
}

impl From<SystemFault> for RelayFault {
    fn from(fault: SystemFault) -> Self {
        Self {
            code: name_of(fault.kind).map(str::to_owned),
            message: fault.message,
            syscall: Some(fault.syscall.to_owned()),
            errno: Some(fault.errno),
            address: fault.address.map(|address| address.ip().to_string()),
            port: fault.address.map(|address| address.port().into()),
        }
    }
}

/// Returns the name that Node has for an error.
fn name_of(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::AddrInUse => "EADDRINUSE",
        ErrorKind::AddrNotAvailable => "EADDRNOTAVAIL",
        ErrorKind::BrokenPipe => "EPIPE",
        ErrorKind::ConnectionAborted => "ECONNABORTED",
        ErrorKind::ConnectionRefused => "ECONNREFUSED",
        ErrorKind::ConnectionReset => "ECONNRESET",
        ErrorKind::HostUnreachable => "EHOSTUNREACH",
        ErrorKind::NetworkUnreachable => "ENETUNREACH",
        ErrorKind::NotConnected => "ENOTCONN",
        ErrorKind::PermissionDenied => "EACCES",
        ErrorKind::TimedOut => "ETIMEDOUT",
        _ => return None,
    })
}

/// Something that has happened on a relay.
#[napi(object)]
#[derive(Default)]
pub struct RelayEvent {
    /// What has happened.
    #[napi(ts_type = "'connected' | 'wanted' | 'drained' | 'disconnected' | 'refused' | 'failed' | 'closed'")]
    pub kind: String,
    /// Number of the connection.
    pub id: f64,
    /// IP address that the miner connected from.
    pub address: String,
    /// TCP port that it connected from.
    pub port: u32,
    /// The direction that was drained.
    #[napi(ts_type = "'upstream' | 'downstream'")]
    pub direction: Option<String>,
    /// Number of refusals.
    pub count: f64,
    /// Reason of a refusal, or of a failure.
    pub reason: String,
    /// The end of a link.
    pub end: Option<RelayEnd>,
}

/// The end of a link.
#[napi(object)]
pub struct RelayEnd {
    /// The side that has ended the link, or that made the relay end it.
    #[napi(ts_type = "'downstream' | 'upstream' | 'relay'")]
    pub side: String,
    /// Why it has ended.
    #[napi(
        ts_type = "'departed' | 'silent' | 'foreign' | 'broken' | 'unreachable' | 'idle' | 'refused' | 'closed' | 'user' | 'internal'"
    )]
    pub cause: String,
    /// Reason for which a side was refused more.
    pub refused: Option<String>,
    /// Errors that were met.
    pub faults: Vec<RelayFault>,
    /// Wire bytes that came from the side.
    pub bytes_in: f64,
    /// Frames that came from it.
    pub frames_in: f64,
    /// Bytes that came of an incomplete message.
    pub partial: u32,
    /// Whether its handshake is done.
    pub transport: bool,
    /// Whether there was no connection yet.
    pub connecting: bool,
    /// The first bytes that came, in hexadecimal digits.
    pub head: String,
    /// Type of the mining pool's last message that it will not go on.
    pub told: Option<u32>,
    /// Payload of that message, in hexadecimal digits.
    pub told_payload: String,
    /// Frames passed on to the mining pool.
    pub frames_upstream: f64,
    /// Frames passed on to the miner.
    pub frames_downstream: f64,
    /// Time for which the miner was connected, in milliseconds.
    pub duration_ms: f64,
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn fault(code: &str, message: String) -> Vec<RelayFault> {
    vec![RelayFault { code: Some(code.to_owned()), message, ..RelayFault::default() }]
}

impl From<Disconnected> for RelayEnd {
    fn from(end: Disconnected) -> Self {
        let (mut refused, mut faults) = (None, Vec::new());
        let cause = match end.ending.cause {
            Cause::Departed(error) => {
                faults.extend(error.map(RelayFault::from));
                "departed"
            }
            Cause::Silent => "silent",
            Cause::Foreign => "foreign",
            Cause::Broken(error) => {
                faults = fault(error.code(), error.to_string());
                "broken"
            }
            Cause::Unreachable(errors) => {
                faults.extend(errors.into_iter().map(RelayFault::from));
                "unreachable"
            }
            Cause::Idle => "idle",
            Cause::Refused(reason) => {
                refused = Some(reason.name().to_owned());
                "refused"
            }
            Cause::Closed => "closed",
            Cause::User => "user",
            Cause::Internal(message) => {
                faults = fault("ERR_INTERNAL", message);
                "internal"
            }
        };
        let side = end.ending.side.map_or("relay", way::name);
        let facts = end.ending.facts;
        let [frames_upstream, frames_downstream] = end.frames;
        Self {
            side: side.to_owned(),
            cause: cause.to_owned(),
            refused,
            faults,
            bytes_in: facts.bytes_in as f64,
            frames_in: facts.frames_in as f64,
            partial: facts.partial as u32,
            transport: facts.transport,
            connecting: facts.connecting,
            head: hexadecimal(&facts.head),
            told: end.told.as_ref().map(|(kind, _)| u32::from(*kind)),
            told_payload: end.told.map(|(_, payload)| hexadecimal(&payload)).unwrap_or_default(),
            frames_upstream: frames_upstream as f64,
            frames_downstream: frames_downstream as f64,
            duration_ms: end.duration.as_secs_f64() * 1000.0,
        }
    }
}

/// Returns the event that was [taken](next) last.
#[napi(catch_unwind)]
pub fn relay_event(env: Env, relay: ObjectHandle) -> Result<RelayEvent> {
    let entry = EnvState::of_any(env)?.tables.relays.get(Handle::from(relay))?;
    let event = entry.event.take().ok_or_else(|| Fault::internal("no event was taken"))?;
    let kind = |kind: &str| RelayEvent { kind: kind.to_owned(), ..RelayEvent::default() };
    Ok(match event {
        Record::Connected { id, address } => RelayEvent {
            id: id as f64,
            address: address.ip().to_canonical().to_string(),
            port: address.port().into(),
            ..kind("connected")
        },
        Record::Wanted { id, address } => RelayEvent {
            id: id as f64,
            address: address.ip().to_canonical().to_string(),
            port: address.port().into(),
            ..kind("wanted")
        },
        Record::Drained { id, way } => {
            RelayEvent { id: id as f64, direction: Some(way::name(way).to_owned()), ..kind("drained") }
        }
        Record::Disconnected(end) => RelayEvent {
            id: end.id as f64,
            address: end.address.ip().to_canonical().to_string(),
            port: end.address.port().into(),
            end: Some(RelayEnd::from(*end)),
            ..kind("disconnected")
        },
        Record::Refused { reason, count } => {
            RelayEvent { reason: reason.name().to_owned(), count: count as f64, ..kind("refused") }
        }
        Record::Failed(reason) => RelayEvent { reason, ..kind("failed") },
        Record::Closed => kind("closed"),
        Record::Frames { .. } => return Err(Fault::internal("frames are no event").into()),
    })
}
