//! The queue of allocations that need the pool to grow.
//!
//! At most one thread serves it, and it ends when the queue is empty.

use std::collections::LinkedList;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::error::Failure;
use crate::system_error::SystemError;

pub(super) type Grown = Result<ruapc_bufpool::Buffer, Failure>;

/// Allocations that need the pool to grow. One thread serves them in turn.
#[derive(Default)]
pub(super) struct Growth(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    jobs: LinkedList<Job>,
    /// Whether a thread serves the queue.
    running: bool,
}

pub(super) struct Job {
    pub(super) size: usize,
    pub(super) done: oneshot::Sender<Grown>,
}

impl Growth {
    /// Queues an allocation of `size` bytes. Calls `start_thread` if no thread serves the queue.
    ///
    /// Returns the error of `start_thread`; nothing is queued then.
    pub(super) fn submit(
        &self,
        size: usize,
        start_thread: impl FnOnce() -> Result<(), SystemError>,
    ) -> Result<oneshot::Receiver<Grown>, SystemError> {
        let (done, receiver) = oneshot::channel();
        let mut queue = self.queue();
        queue.jobs.push_back(Job { size, done });
        if !queue.running {
            start_thread().inspect_err(|_| queue.jobs.clear())?;
            queue.running = true;
        }
        Ok(receiver)
    }

    /// Returns false while the thread runs, because it may hold a buffer.
    pub(super) fn is_idle(&self) -> bool {
        !self.queue().running
    }

    pub(super) fn next(&self) -> Option<Job> {
        let mut queue = self.queue();
        let job = queue.jobs.pop_front();
        queue.running = job.is_some();
        job
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
