//! Waits that block the thread: the methods of the facade whose names end in `Sync`.
//!
//! A thread that is blocked in native code cannot be ended: V8 notices only in JavaScript that it is to stop. So a wait blocks
//! for a moment at a time, and JavaScript calls again until it is over. Between two moments [`Blocked`] keeps what the wait has,
//! such as a place in a queue. If JavaScript is cut off there, the isolate's next call or its end gives the wait up.

use std::time::{Duration, Instant};

use framepool::budget::Request;

use crate::call::words::Word;
use crate::call::{Call, Reply};
use crate::errors::{Code, Fault};
use crate::state::EnvState;
use crate::wait::pending::Blocked;

/// Time for which JavaScript does not run.
const MOMENT: Duration = Duration::from_millis(10);

/// Blocks until `attempt` has taken in what is waited for, but at most for `Timeout` milliseconds.
///
/// `attempt` may block for the time that it is given. `begin` returns a place in a queue, if there is one. In: `Wait`, 0 to
/// begin, 1 to go on. Out: `Wait`, 1 when the function has to be called again.
pub(crate) fn wait(
    call: &mut Call<'_>,
    begin: impl FnOnce() -> Result<Option<Request>, Fault>,
    attempt: impl FnOnce(&mut EnvState, Option<&Request>, Duration) -> Result<bool, Fault>,
    timed_out: impl FnOnce(u32) -> Fault,
) -> Reply {
    let timeout = call.get(Word::Timeout);
    let blocked = match call.state.blocked.take() {
        Some(blocked) if call.get(Word::Wait) == 1 => blocked,
        _ => Blocked::new(Duration::from_millis(timeout.into()), begin()?),
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

/// Returns the fault of a wait for bytes, room or objects that never came.
pub(crate) fn nothing_came(timeout: u32) -> Fault {
    Fault::new(Code::TIMEOUT, format_args!("nothing came in {timeout} ms"))
}
