//! Waits for a future.
//!
//! The isolate polls it, on its own thread: once at first, then whenever something has woken it. Whoever wakes it, for
//! example by releasing a buffer, does no more than to ring the isolate.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::boundary::{Call, Reply};
use crate::control::Word;
use crate::env::EnvState;
use crate::errors::Fault;
use crate::settle::{self, Wait};

type Polled = Pin<Box<dyn Future<Output = Outcome> + Send>>;
type Outcome = Box<dyn FnOnce(&mut EnvState) -> Result<(), Fault> + Send>;

struct Task {
    wait: Wait,
    /// `None` when it is over or was cancelled. Only the isolate's thread takes it.
    future: Mutex<Option<Polled>>,
    /// Whether the isolate has been asked to poll and has not yet begun.
    asked: AtomicBool,
}

impl Task {
    fn take(&self) -> Option<Polled> {
        self.future.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn poll(self: &Arc<Self>, state: &mut EnvState) -> Poll<Result<(), Fault>> {
        // Before polling: what wakes it from here on has to be looked at again.
        self.asked.store(false, Ordering::SeqCst);
        let Some(mut future) = self.take() else { return Poll::Pending };
        let waker = Waker::from(Arc::clone(self));
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => Poll::Ready(outcome(state)),
            Poll::Pending => {
                *self.future.lock().unwrap_or_else(PoisonError::into_inner) = Some(future);
                Poll::Pending
            }
        }
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if !self.asked.swap(true, Ordering::SeqCst) {
            let task = Arc::clone(&self);
            self.wait.push(Box::new(move |state| task.poll(state)));
        }
    }
}

/// What `deliver` makes of what comes of `future`: at once, or at the end of a wait, of which the function that `call`
/// carries hears. Out: `Wait`, 0 if it was at once.
pub(crate) fn begin<T: Send + 'static>(
    call: &mut Call<'_>,
    future: impl Future<Output = T> + Send + 'static,
    deliver: impl FnOnce(&mut EnvState, T) -> Result<(), Fault> + Send + 'static,
) -> Reply {
    let mut future: Polled = Box::pin(async move {
        let value = future.await;
        Box::new(move |state: &mut EnvState| deliver(state, value)) as Outcome
    });
    if let Poll::Ready(outcome) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        outcome(call.state)?;
        call.set(Word::Wait, 0);
        return Ok(None);
    }
    settle::begin(call, move |wait| {
        let task = Arc::new(Task { wait, future: Mutex::new(Some(future)), asked: AtomicBool::new(false) });
        // Nothing can wake it before it is polled with a waker of its own.
        Arc::clone(&task).wake();
        Ok(Box::new(move || drop(task.take())))
    })
}
