//! The thread on which operations wait for their descriptors.
//!
//! An operation owns everything that it works on, including a duplicate of its descriptor, until it is over. It then
//! passes that to its `done`, which runs on this thread and must be short.

use std::collections::{BTreeMap, LinkedList};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};

use super::bell::Bell;
use super::descriptor::Descriptor;
use super::port::Port;
use crate::system_error::SystemError;

/// The process's thread for operations that wait. It starts with the first operation and never ends, because there may
/// always be another one.
#[derive(Clone)]
pub struct Poller(Arc<Shared>);

impl Poller {
    /// Returns the poller of this process. Starts its thread if there is none yet.
    ///
    /// Returns an error if the system refuses the thread or its bell.
    pub fn shared() -> Result<Self, SystemError> {
        static POLLER: Mutex<Option<Poller>> = Mutex::new(None);

        let mut poller = POLLER.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(poller) = &*poller {
            return Ok(poller.clone());
        }
        let shared = Arc::new(Shared { bell: Bell::new()?, requests: Mutex::default(), last: AtomicU64::new(0) });
        let own = Arc::clone(&shared);
        thread::Builder::new()
            .name("framepool-poll".into())
            .spawn(move || own.run())
            .map_err(|error| SystemError::new("clone", error))?;
        Ok(poller.insert(Self(shared)).clone())
    }

    /// Moves bytes between `port` and `descriptor` once, as soon as that is possible. Waits for the ring first, then
    /// for the descriptor.
    ///
    /// Passes the port to `done`, with the result of [`Port::transfer`], or with `None` if the operation was canceled
    /// before any byte moved.
    pub fn transfer<P: Port + 'static>(
        &self,
        port: P,
        descriptor: Descriptor<'static>,
        done: impl FnOnce(P, Result<Option<usize>, SystemError>) + Send + 'static,
    ) -> Operation {
        self.start(Box::new(Transfer { port, descriptor, done }))
    }

    /// Wakes `waker` as soon as a call on `descriptor` may do something.
    pub fn when_ready(&self, descriptor: Arc<Descriptor<'static>>, waker: Waker) -> Operation {
        self.start(Box::new(Readiness { descriptor, waker, has_waited: false }))
    }

    fn start(&self, task: Box<dyn Task>) -> Operation {
        let id = self.0.last.fetch_add(1, Ordering::Relaxed);
        self.0.ask(Request::Start(id, task));
        Operation { id, poller: Arc::clone(&self.0) }
    }
}

/// An operation that may still run. Dropping it cancels the operation without waiting for that.
pub struct Operation {
    id: u64,
    poller: Arc<Shared>,
}

impl Drop for Operation {
    fn drop(&mut self) {
        self.poller.ask(Request::Cancel(self.id));
    }
}

/// An operation on the poller's thread.
trait Task: Send {
    /// Does what is possible now. If the operation is not over, returns it and what it waits for.
    fn attempt(self: Box<Self>, waker: &Waker) -> Option<(Box<dyn Task>, WaitsFor)>;

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
        // The descriptor is closed before the end is reported, so that nothing of the operation is open by then.
        drop(descriptor);
        done(port, outcome);
    }
}

impl<P, F> Task for Transfer<P, F>
where
    P: Port + 'static,
    F: FnOnce(P, Result<Option<usize>, SystemError>) + Send + 'static,
{
    fn attempt(mut self: Box<Self>, waker: &Waker) -> Option<(Box<dyn Task>, WaitsFor)> {
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

struct Readiness {
    descriptor: Arc<Descriptor<'static>>,
    waker: Waker,
    has_waited: bool,
}

impl Task for Readiness {
    fn attempt(mut self: Box<Self>, _: &Waker) -> Option<(Box<dyn Task>, WaitsFor)> {
        if self.has_waited {
            let Self { descriptor, waker, .. } = *self;
            drop(descriptor);
            waker.wake();
            return None;
        }
        self.has_waited = true;
        Some((self, WaitsFor::Descriptor))
    }

    fn descriptor(&self) -> &Descriptor<'static> {
        &self.descriptor
    }

    fn cancel(self: Box<Self>, _: &Waker) {}
}

enum Request {
    Start(u64, Box<dyn Task>),
    /// The ring that a task waits for has changed.
    Wake(u64),
    Cancel(u64),
}

/// State that the poller's thread shares with others.
struct Shared {
    bell: Bell,
    /// A list of pieces, because a queue in one piece could not grow without memory.
    requests: Mutex<LinkedList<Request>>,
    last: AtomicU64,
}

impl Shared {
    fn ask(&self, request: Request) {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push_back(request);
        self.bell.ring();
    }

    fn run(self: &Arc<Self>) {
        let mut pending = BTreeMap::new();
        loop {
            let requests = std::mem::take(&mut *self.requests.lock().unwrap_or_else(PoisonError::into_inner));
            for request in requests {
                match request {
                    Request::Start(id, task) => {
                        let waker = Waker::from(Arc::new(RingWaker { id, poller: Arc::clone(self) }));
                        attempt(&mut pending, id, task, waker);
                    }
                    Request::Wake(id) => attempt_again(&mut pending, id),
                    Request::Cancel(id) => {
                        if let Some(Pending { task, waker, .. }) = pending.remove(&id) {
                            task.cancel(&waker);
                        }
                    }
                }
            }
            for id in self.wait(&pending) {
                attempt_again(&mut pending, id);
            }
        }
    }

    /// Waits until the bell rings or descriptors are ready. Returns the tasks that waited for those descriptors.
    fn wait(&self, pending: &BTreeMap<u64, Pending>) -> Vec<u64> {
        let (mut ids, mut fds) = (Vec::<u64>::new(), Vec::<PollFd<'_>>::new());
        let reserved = ids.try_reserve(pending.len()).and_then(|()| fds.try_reserve(pending.len() + 1));
        let waiting = pending.iter().filter(|(_, pending)| pending.waits_for == WaitsFor::Descriptor);
        if reserved.is_ok() {
            for (&id, pending) in waiting {
                ids.push(id);
                fds.push(pending.task.descriptor().poll_fd());
            }
            fds.push(PollFd::new(&self.bell, PollFlags::IN));
        }
        if reserved.is_err() || rustix::io::retry_on_intr(|| rustix::event::poll(&mut fds, None)).is_err() {
            // The system has no memory for the call. It may have some a little later.
            thread::sleep(Duration::from_millis(10));
            return Vec::new();
        }
        if fds.pop().is_some_and(|bell| !bell.revents().is_empty()) {
            self.bell.heard();
        }
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
        ids.retain(|_| ready.next() == Some(true));
        ids
    }
}

/// A task that is not over. Only the poller's thread has it.
struct Pending {
    task: Box<dyn Task>,
    waits_for: WaitsFor,
    /// Each task has its own waker, because a ring tells waiters apart by their wakers.
    waker: Waker,
}

fn attempt(pending: &mut BTreeMap<u64, Pending>, id: u64, task: Box<dyn Task>, waker: Waker) {
    if let Some((task, waits_for)) = task.attempt(&waker) {
        pending.insert(id, Pending { task, waits_for, waker });
    }
}

fn attempt_again(pending: &mut BTreeMap<u64, Pending>, id: u64) {
    if let Some(Pending { task, waker, .. }) = pending.remove(&id) {
        attempt(pending, id, task, waker);
    }
}

struct RingWaker {
    id: u64,
    poller: Arc<Shared>,
}

impl Wake for RingWaker {
    fn wake(self: Arc<Self>) {
        self.poller.ask(Request::Wake(self.id));
    }
}
