//! Waits that block the thread: the methods of the facade whose names end in `Sync`.
//!
//! A thread that is blocked in native code cannot be ended: only in JavaScript does V8 notice that it is to stop. So a wait blocks
//! for a moment at a time, and JavaScript calls again until it is over. What the wait has meanwhile, such as a place in a queue,
//! is kept here. Where JavaScript is cut off between two moments, the next call of the isolate gives it up, or the isolate's end.

use std::time::{Duration, Instant};

use framepool::budget::Request;

use crate::boundary::{Call, Reply};
use crate::control::Word;
use crate::env::EnvState;
use crate::errors::Fault;

/// How long JavaScript does not run.
const MOMENT: Duration = Duration::from_millis(10);

/// A wait that goes on with the next call.
pub(crate) struct Blocked {
    deadline: Instant,
    place: Option<Request>,
}

/// Blocks until `attempt`, which may block for the time that it is given, has taken in what is waited for; at most for `Timeout`
/// milliseconds. `begin` gives a place in a queue, if there is one. In: `Wait`, 0 to begin, 1 to go on. Out: `Wait`, 1 when it has
/// to be called again.
pub(crate) fn wait(
    call: &mut Call<'_>,
    begin: impl FnOnce() -> Result<Option<Request>, Fault>,
    attempt: impl FnOnce(&mut EnvState, Option<&Request>, Duration) -> Result<bool, Fault>,
    timed_out: impl FnOnce(u32) -> Fault,
) -> Reply {
    let timeout = call.get(Word::Timeout);
    let blocked = match call.state.blocked.take() {
        Some(blocked) if call.get(Word::Wait) == 1 => blocked,
        _ => Blocked { deadline: Instant::now() + Duration::from_millis(timeout.into()), place: begin()? },
    };
    let left = blocked.deadline.saturating_duration_since(Instant::now());
    let is_over = attempt(call.state, blocked.place.as_ref(), left.min(MOMENT))?;
    if !is_over && left <= MOMENT {
        return Err(timed_out(timeout));
    }
    call.set(Word::Wait, u32::from(!is_over));
    if !is_over {
        call.state.blocked = Some(blocked);
        call.state.realm.entrance.waiting.set(true);
    }
    Ok(None)
}
