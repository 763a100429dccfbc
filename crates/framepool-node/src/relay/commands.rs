//! Commands to the links of a relay. They are collected, and go to the relay's threads together.
//!
//! In, for all of them: the relay in `Handle`, and for a link its number in `Low` and `High`.

use std::ops::Range;

use framepool::relay::Operation;
use framepool::slot::OutOfMemory;
use framepool::sv2::Direction;
use framepool::sv2::FrameHeader;

use crate::call::words::Word;
use crate::call::{Call, Reply};
use crate::errors::Fault;
use crate::relay::entry::RelayEntry;
use crate::relay::way::Way;

fn entry<'a>(call: &'a mut Call<'_>) -> Result<&'a mut RelayEntry, Fault> {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    call.state.tables.relays.get(handle)
}

fn link(call: &Call<'_>) -> u64 {
    u64::from(call.get(Word::High)) << 32 | u64::from(call.get(Word::Low))
}

fn way(call: &Call<'_>) -> Direction {
    if call.get(Word::Direction) == Way::Upstream as u32 { Direction::Upstream } else { Direction::Downstream }
}

fn add(call: &mut Call<'_>, operation: Operation) -> Reply {
    let link = link(call);
    entry(call)?.add(link, operation);
    Ok(None)
}

/// Returns a copy of the bytes that the call carries.
fn payload(call: &Call<'_>) -> Result<Vec<u8>, Fault> {
    // SAFETY: nothing runs before the bytes are copied.
    let bytes = unsafe { call.bytes()? };
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len()).map_err(|_| OutOfMemory { bytes: bytes.len() })?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

/// Returns the `Frames` frames from `First` on.
fn frames(call: &Call<'_>) -> Range<usize> {
    let from = call.get(Word::First) as usize;
    from..from + call.get(Word::Frames) as usize
}

/// Forwards `Frames` frames from `First` on of the batch that waits in `Direction`.
pub(crate) fn forward(call: &mut Call<'_>) -> Reply {
    let (way, Range { start: from, end: to }) = (way(call), frames(call));
    add(call, Operation::Forward { way, from, to })
}

/// Forwards frame `First` of the batch that waits in `Direction`, with the payload that the call carries.
pub(crate) fn replace(call: &mut Call<'_>) -> Reply {
    let (way, frame, payload) = (way(call), call.get(Word::First) as usize, payload(call)?);
    add(call, Operation::Replace { way, frame, payload })
}

/// Forwards `Frames` frames from `First` on of the batch that waits in `Direction`, and ends its wait.
pub(crate) fn done(call: &mut Call<'_>) -> Reply {
    let (way, Range { start: from, end: to }) = (way(call), frames(call));
    add(call, Operation::Done { way, from, to })
}

/// Sends a frame in `Direction`, with the payload that the call carries. In: `Extension`, `MessageType`.
pub(crate) fn send(call: &mut Call<'_>) -> Reply {
    let header = FrameHeader {
        extension_type: call.get(Word::Extension) as u16,
        message_type: call.get(Word::MessageType) as u8,
    };
    let (way, payload) = (way(call), payload(call)?);
    add(call, Operation::Send { way, header, payload })
}

/// Asks for a record when `Direction` is drained.
pub(crate) fn watch(call: &mut Call<'_>) -> Reply {
    let way = way(call);
    add(call, Operation::Watch { way })
}

/// Ends the link when what was sent has gone out.
pub(crate) fn close(call: &mut Call<'_>) -> Reply {
    add(call, Operation::Close)
}

/// Gives the commands to the relay's threads.
pub(crate) fn flush(call: &mut Call<'_>) -> Reply {
    entry(call)?.flush();
    Ok(None)
}
