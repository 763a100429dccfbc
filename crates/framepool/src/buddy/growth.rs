//! Growing on a thread of its own.

use std::{
    collections::LinkedList,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use tokio::sync::oneshot;

use super::pool::{Failure, Shared};
use crate::SystemError;

type Grown = Result<ruapc_bufpool::Buffer, Failure>;

/// Allocations that need the pool to grow. One thread serves them in turn, and ends when there are none.
#[derive(Default)]
pub(super) struct Growth(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    jobs: LinkedList<Job>,
    /// Whether there is a thread.
    running: bool,
}

struct Job {
    size: usize,
    done: oneshot::Sender<Grown>,
}

impl Growth {
    /// Asks for `size` bytes, growing if need be. If nobody waits for it any more, the buffer goes back.
    pub(super) fn allocate(pool: &Arc<Shared>, size: usize) -> Result<oneshot::Receiver<Grown>, SystemError> {
        let (done, receiver) = oneshot::channel();
        let mut queue = pool.growth.queue();
        queue.jobs.push_back(Job { size, done });
        if !queue.running {
            let serving = Arc::clone(pool);
            thread::Builder::new().name("framepool-grow".into()).spawn(move || serve(&serving)).map_err(|error| {
                queue.jobs.clear();
                let message = format!("the system refused a thread to grow a pool on: {error}");
                SystemError { syscall: "clone", errno: error.raw_os_error().unwrap_or(0), message }
            })?;
            queue.running = true;
        }
        Ok(receiver)
    }

    /// False while the thread runs: it may hold a buffer.
    pub(super) fn is_idle(&self) -> bool {
        !self.queue().running
    }

    fn next(&self) -> Option<Job> {
        let mut queue = self.queue();
        let job = queue.jobs.pop_front();
        queue.running = job.is_some();
        job
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(pool: &Arc<Shared>) {
    while let Some(Job { size, done }) = pool.growth.next() {
        if !done.is_closed() {
            // If nobody waits any more, what comes back is dropped here.
            let _ = done.send(pool.judge(pool.crates.allocate(size)));
        }
    }
    pool.notify_if_closed();
}
