//! Waits for conditions that must be polled, such as a future.
//!
//! The isolate polls on its own thread: once at first, then each time that it is woken. The thread that wakes it, for
//! example by the release of a buffer or a write into a ring, only rings the isolate.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::call::words::Word;
use crate::call::{Call, Reply};
use crate::errors::Fault;
use crate::state::{Cancel, EnvState, Wait};
use crate::wait::settle;

/// Asks whether what is waited for is there, and takes it in if it is.
type Ask = Box<dyn FnMut(&mut EnvState, &Waker) -> Poll<Result<(), Fault>> + Send>;

struct Task {
    wait: Wait,
    /// `None` when the wait is over or was cancelled. Only the isolate's thread takes it.
    ask: Mutex<Option<Ask>>,
    /// Whether the isolate has been rung and has not yet begun to ask.
    rung: AtomicBool,
}

impl Task {
    fn take(&self) -> Option<Ask> {
        self.ask.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn poll(self: &Arc<Self>, state: &mut EnvState) -> Poll<Result<(), Fault>> {
        // Before asking: what wakes the task from here on has to be looked at again.
        self.rung.store(false, Ordering::SeqCst);
        let Some(mut ask) = self.take() else { return Poll::Pending };
        let outcome = ask(state, &Waker::from(Arc::clone(self)));
        if outcome.is_pending() {
            *self.ask.lock().unwrap_or_else(PoisonError::into_inner) = Some(ask);
        }
        outcome
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if !self.rung.swap(true, Ordering::SeqCst) {
            let task = Arc::clone(&self);
            self.wait.push(Box::new(move |state| task.poll(state)));
        }
    }
}

/// Waits until `ask` succeeds. If it does at once, `Wait` is 0. Otherwise `Wait` is the number of the wait, and the callback
/// of `call` is called at its end.
///
/// If the wait is cancelled, `give_up` gets the waker that `ask` was given.
pub(crate) fn begin(
    call: &mut Call<'_>,
    ask: impl FnMut(&mut EnvState, &Waker) -> Poll<Result<(), Fault>> + Send + 'static,
    give_up: impl FnOnce(&mut EnvState, &Waker) + 'static,
) -> Reply {
    settle::begin(call, move |state, wait| start(state, wait, ask, give_up))
}

fn start(
    state: &mut EnvState,
    wait: Wait,
    ask: impl FnMut(&mut EnvState, &Waker) -> Poll<Result<(), Fault>> + Send + 'static,
    give_up: impl FnOnce(&mut EnvState, &Waker) + 'static,
) -> Result<Option<Cancel>, Fault> {
    let task = Arc::new(Task { wait, ask: Mutex::new(Some(Box::new(ask))), rung: AtomicBool::new(false) });
    match task.poll(state) {
        Poll::Ready(outcome) => outcome.map(|()| None),
        Poll::Pending => Ok(Some(Box::new(move |state| {
            drop(task.take());
            give_up(state, &Waker::from(task));
        }))),
    }
}

/// Calls `deliver` with the output of `future`, sooner or later. Unlike a wait this does not keep the event loop alive.
pub(crate) fn watch<T: Send + 'static>(
    call: &mut Call<'_>,
    future: impl Future<Output = T> + Send + 'static,
    mut deliver: impl FnMut(&EnvState, T) + Send + 'static,
) -> Reply {
    let mut future = Box::pin(future);
    let ask = move |state: &mut EnvState, waker: &Waker| {
        let value = std::task::ready!(future.as_mut().poll(&mut Context::from_waker(waker)));
        deliver(state, value);
        Poll::Ready(Ok(()))
    };
    settle::watch(call, move |state, wait| start(state, wait, ask, |_, _| {}))
}

/// Calls `deliver` with the output of `future`: at once, or at the end of a wait. Out: `Wait`, 0 if it was at once.
pub(crate) fn future<T: Send + 'static>(
    call: &mut Call<'_>,
    future: impl Future<Output = T> + Send + 'static,
    deliver: impl FnOnce(&mut EnvState, T) -> Result<(), Fault> + Send + 'static,
) -> Reply {
    let mut future = Box::pin(future);
    // Most futures are ready at once, and need no wait at all.
    if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        deliver(call.state, value)?;
        call.set(Word::Wait, 0);
        return Ok(None);
    }
    let mut deliver = Some(deliver);
    begin(
        call,
        move |state, waker| {
            let value = std::task::ready!(future.as_mut().poll(&mut Context::from_waker(waker)));
            Poll::Ready(deliver.take().map_or(Ok(()), |deliver| deliver(state, value)))
        },
        |_, _| {},
    )
}
