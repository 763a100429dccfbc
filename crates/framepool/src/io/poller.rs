//! The thread on which operations wait for their descriptors.
//!
//! An operation owns what it works on, a duplicate of its descriptor included, until it is over: then it hands it to its
//! `done`, which runs on this thread and must be short.

use std::collections::HashMap;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};

use super::bell::Bell;
use super::{Descriptor, Port};
use crate::SystemError;

/// Moves bytes between `port` and `fd` once, as soon as that can be done: first waits for the ring, then for the
/// descriptor. `done` gets the port back and what [`Port::transfer`] gave, or `None` if the operation was cancelled before
/// any byte was moved.
///
/// An operation that cannot be started gives the port back at once.
pub fn start<P: Port + 'static>(
    port: P,
    fd: BorrowedFd<'_>,
    done: impl FnOnce(P, Result<Option<usize>, SystemError>) + Send + 'static,
) -> Result<Cancel, (P, SystemError)> {
    let prepared = Descriptor::duplicate(fd, P::DIRECTION).and_then(|descriptor| Ok((descriptor, Poller::shared()?)));
    match prepared {
        Ok((descriptor, poller)) => Ok(poller.start(Box::new(Transfer { port, descriptor, done }))),
        Err(error) => Err((port, error)),
    }
}

/// Gives `descriptor` back when a call on it may do something, or when the wait is cancelled.
pub fn when_ready(
    descriptor: Descriptor<'static>,
    done: impl FnOnce(Descriptor<'static>) + Send + 'static,
) -> Result<Cancel, SystemError> {
    let operation = Readiness { descriptor, done, waited: false };
    Ok(Poller::shared()?.start(Box::new(operation)))
}

/// Asks for the end of an operation. Never waits: its `done` tells when it has ended.
pub struct Cancel {
    id: u64,
    poller: Arc<Poller>,
}

impl Cancel {
    /// Does nothing if the operation is over.
    pub fn cancel(&self) {
        self.poller.ask(Request::Cancel(self.id));
    }
}

/// What the poller's thread works on.
trait Operation: Send {
    /// Does what can be done; gives itself back if it is not over, and says what it waits for.
    fn attempt(self: Box<Self>, waker: &Waker) -> Option<(Box<dyn Operation>, WaitsFor)>;

    fn descriptor(&self) -> &Descriptor<'static>;

    fn cancel(self: Box<Self>, waker: &Waker);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum WaitsFor {
    Ring,
    Descriptor,
}

struct Transfer<P, F> {
    port: P,
    descriptor: Descriptor<'static>,
    done: F,
}

impl<P: Port, F: FnOnce(P, Result<Option<usize>, SystemError>)> Transfer<P, F> {
    fn end(self, outcome: Result<Option<usize>, SystemError>) {
        let Self { port, descriptor, done } = self;
        // Before anybody hears of the end: then nothing of the operation is open any more.
        drop(descriptor);
        done(port, outcome);
    }
}

impl<P, F> Operation for Transfer<P, F>
where
    P: Port + 'static,
    F: FnOnce(P, Result<Option<usize>, SystemError>) + Send + 'static,
{
    fn attempt(mut self: Box<Self>, waker: &Waker) -> Option<(Box<dyn Operation>, WaitsFor)> {
        if self.port.poll(1, waker).is_pending() {
            return Some((self, WaitsFor::Ring));
        }
        match self.port.transfer(&self.descriptor, usize::MAX) {
            Ok(None) => Some((self, WaitsFor::Descriptor)),
            outcome => {
                self.end(outcome);
                None
            }
        }
    }

    fn descriptor(&self) -> &Descriptor<'static> {
        &self.descriptor
    }

    fn cancel(mut self: Box<Self>, waker: &Waker) {
        self.port.forget(waker);
        self.end(Ok(None));
    }
}

struct Readiness<F> {
    descriptor: Descriptor<'static>,
    done: F,
    waited: bool,
}

impl<F: FnOnce(Descriptor<'static>) + Send + 'static> Operation for Readiness<F> {
    fn attempt(mut self: Box<Self>, waker: &Waker) -> Option<(Box<dyn Operation>, WaitsFor)> {
        if self.waited {
            self.cancel(waker);
            return None;
        }
        self.waited = true;
        Some((self, WaitsFor::Descriptor))
    }

    fn descriptor(&self) -> &Descriptor<'static> {
        &self.descriptor
    }

    fn cancel(self: Box<Self>, _: &Waker) {
        let Self { descriptor, done, .. } = *self;
        done(descriptor);
    }
}

enum Request {
    Start(u64, Box<dyn Operation>),
    /// The ring that an operation waits for has changed.
    Wake(u64),
    Cancel(u64),
}

/// What other threads see of the poller's.
struct Poller {
    bell: Bell,
    requests: Mutex<Vec<Request>>,
    last: AtomicU64,
}

/// The process's poller, started when it is first needed. It never ends: there is no last time.
static POLLER: Mutex<Option<Arc<Poller>>> = Mutex::new(None);

impl Poller {
    fn shared() -> Result<Arc<Self>, SystemError> {
        let mut shared = POLLER.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(poller) = &*shared {
            return Ok(Arc::clone(poller));
        }
        let poller = Arc::new(Self { bell: Bell::new()?, requests: Mutex::default(), last: AtomicU64::new(0) });
        let own = Arc::clone(&poller);
        thread::Builder::new()
            .name("framepool-poll".into())
            .spawn(move || own.run())
            .map_err(|error| SystemError::new("clone", error))?;
        Ok(Arc::clone(shared.insert(poller)))
    }

    fn start(self: Arc<Self>, operation: Box<dyn Operation>) -> Cancel {
        let id = self.last.fetch_add(1, Ordering::Relaxed);
        self.ask(Request::Start(id, operation));
        Cancel { id, poller: self }
    }

    fn ask(&self, request: Request) {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        self.bell.ring();
    }

    fn run(self: &Arc<Self>) {
        let mut pending = HashMap::new();
        loop {
            let requests = std::mem::take(&mut *self.requests.lock().unwrap_or_else(PoisonError::into_inner));
            for request in requests {
                match request {
                    Request::Start(id, operation) => {
                        let waker = Waker::from(Arc::new(RingWaker { id, poller: Arc::clone(self) }));
                        attempt(&mut pending, id, operation, waker);
                    }
                    Request::Wake(id) => attempt_again(&mut pending, id),
                    Request::Cancel(id) => {
                        if let Some(Pending { operation, waker, .. }) = pending.remove(&id) {
                            operation.cancel(&waker);
                        }
                    }
                }
            }
            for id in self.wait(&pending) {
                attempt_again(&mut pending, id);
            }
        }
    }

    /// Waits until the bell rings or descriptors are ready; gives the operations that waited for them.
    fn wait(&self, pending: &HashMap<u64, Pending>) -> Vec<u64> {
        let waiting = pending.iter().filter(|(_, pending)| pending.waits_for == WaitsFor::Descriptor);
        let (ids, mut fds): (Vec<u64>, Vec<PollFd<'_>>) =
            waiting.map(|(&id, pending)| (id, pending.operation.descriptor().poll_fd())).unzip();
        fds.push(PollFd::new(&self.bell, PollFlags::IN));
        if rustix::io::retry_on_intr(|| rustix::event::poll(&mut fds, None)).is_err() {
            // The system has no memory for the call: perhaps a little later.
            thread::sleep(Duration::from_millis(10));
            return Vec::new();
        }
        if fds.pop().is_some_and(|bell| !bell.revents().is_empty()) {
            self.bell.heard();
        }
        ids.into_iter().zip(fds).filter(|(_, fd)| !fd.revents().is_empty()).map(|(id, _)| id).collect()
    }
}

/// An operation that is not over. Only the poller's thread has it.
struct Pending {
    operation: Box<dyn Operation>,
    waits_for: WaitsFor,
    /// Of its own: a ring knows waiters apart by their wakers.
    waker: Waker,
}

fn attempt(pending: &mut HashMap<u64, Pending>, id: u64, operation: Box<dyn Operation>, waker: Waker) {
    if let Some((operation, waits_for)) = operation.attempt(&waker) {
        pending.insert(id, Pending { operation, waits_for, waker });
    }
}

fn attempt_again(pending: &mut HashMap<u64, Pending>, id: u64) {
    if let Some(Pending { operation, waker, .. }) = pending.remove(&id) {
        attempt(pending, id, operation, waker);
    }
}

struct RingWaker {
    id: u64,
    poller: Arc<Poller>,
}

impl Wake for RingWaker {
    fn wake(self: Arc<Self>) {
        self.poller.ask(Request::Wake(self.id));
    }
}
