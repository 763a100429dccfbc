//! The beginning of waits, and the delivery of their ends.
//!
//! A wait begins in a bound function that carries a callback ([`begin`]). The code that has what is waited for calls
//! [`Wait::settle`](crate::wait::pending::Wait::settle) on whichever thread it runs, with a delivery. The delivery runs on the
//! isolate's thread: it puts what was granted into the isolate's tables and its words into the control block. Then the
//! callback is called without arguments. Waits end in the order in which they were settled.
//!
//! One threadsafe function per isolate does the waking. It keeps the event loop alive while a wait is pending.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::task::Poll;

use napi::sys;

use crate::call::words::Word;
use crate::call::{Call, Reply};
use crate::errors::Fault;
use crate::state::{Cancel, Delivery, EnvState, Wait};
use crate::wait::pending::{Callback, Pending};

/// Begins a wait, at whose end the function that `call` carries is called. Out: `Wait`, 0 if it is over.
///
/// `start` puts a waiter into some queue and returns how to take it out again. If it fails, nothing has begun. If it returns
/// nothing, the wait is over already.
pub(crate) fn begin(
    call: &mut Call<'_>,
    start: impl FnOnce(&mut EnvState, Wait) -> Result<Option<Cancel>, Fault>,
) -> Reply {
    keep(call, true, start)
}

/// Begins a wait as [`begin`] does, but one that does not keep the event loop alive.
pub(crate) fn watch(
    call: &mut Call<'_>,
    start: impl FnOnce(&mut EnvState, Wait) -> Result<Option<Cancel>, Fault>,
) -> Reply {
    keep(call, false, start)
}

fn keep(
    call: &mut Call<'_>,
    awaited: bool,
    start: impl FnOnce(&mut EnvState, Wait) -> Result<Option<Cancel>, Fault>,
) -> Reply {
    let env = call.env;
    // SAFETY: both are of the running call.
    let callback = unsafe { Callback::keep(env, call.argument)? };
    let state = ptr::from_mut(call.state);
    let waits = &mut call.state.waits;
    // SAFETY: the state is what `deliver` expects, and outlives its environment.
    unsafe { waits.open_alarm(env, state.cast::<c_void>(), deliver)? };
    let (id, wait) = waits.next();
    match start(call.state, wait)? {
        Some(cancel) => {
            // The wait may have been settled by now; that is delivered on a later turn.
            call.state.waits.add(env, id, Pending { callback, cancel, awaited });
            call.set(Word::Wait, id);
        }
        None => call.set(Word::Wait, 0),
    }
    Ok(None)
}

/// Ends the wait `Wait`, if it is not over: its callback will not be called. A grant in transit is dropped here, not
/// when the isolate would reach it.
pub(crate) fn cancel(call: &mut Call<'_>) -> Reply {
    let id = call.get(Word::Wait);
    if let Some(pending) = call.state.waits.remove(call.env, id) {
        (pending.cancel)(call.state);
        call.state.waits.drop_delivery(id);
    }
    Ok(None)
}

/// Delivers what was settled so far. Node calls it on the isolate's thread after the alarm has rung.
unsafe extern "C" fn deliver(env: sys::napi_env, _: sys::napi_value, state: *mut c_void, _: *mut c_void) {
    // Without an environment Node only empties its queue.
    if env.is_null() {
        return;
    }
    let state = state.cast::<EnvState>();
    // SAFETY: the state outlives its environment, and no bound function is running: this is a turn of the event loop.
    let settled = unsafe {
        // A wait that blocked the thread was cut off.
        (*state).blocked = None;
        (*state).waits.take_settled()
    };
    for (id, delivery) in settled {
        // SAFETY: as above. The reference ends before JavaScript runs.
        let callback = catch_unwind(AssertUnwindSafe(|| unsafe { deliver_one(env, &mut *state, id, delivery) }));
        if let Ok(Some(callback)) = callback {
            let mut scope = ptr::null_mut();
            // SAFETY: a turn of the event loop can run JavaScript; the scope is closed where it was opened.
            unsafe {
                sys::napi_open_handle_scope(env, &raw mut scope);
                callback.call();
                sys::napi_close_handle_scope(env, scope);
            }
        }
    }
}

/// Takes one outcome in. Returns the callback to be called, unless the wait was cancelled.
fn deliver_one(env: sys::napi_env, state: &mut EnvState, id: u32, delivery: Delivery) -> Option<Callback> {
    if !state.waits.has(id) {
        return None;
    }
    let outcome = match catch_unwind(AssertUnwindSafe(|| delivery(state))) {
        Ok(Poll::Pending) => return None,
        Ok(Poll::Ready(outcome)) => Ok(outcome),
        Err(panic) => Err(panic),
    };
    let Pending { callback, .. } = state.waits.remove(env, id)?;
    state.conclude(outcome);
    Some(callback)
}
