//! State that a buddy pool shares with its buffers and its waits.
//!
//! It counts them, and helps the waits that the crate would forget.

use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, ptr, thread};

use ruapc_bufpool::{BufferPool, BufferPoolBuilder, Devices};
use tokio::sync::oneshot;

use super::block::{BLOCK_SIZE, Blocks, GrowthRefused, without_growth};
use super::error::{Error, Failure};
use super::growth::{Grown, Growth, Job};
use super::lent::Lent;
use super::options::Options;
use super::retries::{CHUNKS, Retries};
use crate::quarantine::Quarantine;
use crate::system_error::SystemError;

/// State of a pool.
pub(super) struct Shared {
    /// The crate's pool.
    pub(super) backing: Arc<BufferPool>,
    pub(super) blocks: Arc<Blocks>,
    /// The memory of each block that was lent.
    lent: Mutex<Vec<Lent>>,
    growth: Growth,
    pub(super) retries: Retries,
    pub(super) live: AtomicUsize,
    pub(super) waiting: AtomicUsize,
    /// Quarantine of released buffers, in debug mode.
    pub(super) quarantine: Option<Arc<Quarantine>>,
    closed: AtomicBool,
}

impl Shared {
    pub(super) fn new(options: Options, quarantine: Option<&Arc<Quarantine>>) -> Arc<Self> {
        let blocks = Arc::new(Blocks::new(options.policy, options.backend));
        let blocks_are_lent = blocks.are_lent();
        let devices: Arc<dyn Devices> = blocks.clone();
        let backing = BufferPoolBuilder::new(devices)
            .max_memory((options.max_memory / BLOCK_SIZE).max(1) * BLOCK_SIZE)
            .merge_watermarks(options.merge_watermarks)
            .starvation_timeout(options.starvation_timeout)
            .slab_empty_watermark(options.slab_empty_watermark)
            .thread_cache(options.thread_cache)
            .build();
        Arc::new(Self {
            backing,
            blocks,
            lent: Mutex::default(),
            growth: Growth::default(),
            retries: Retries::default(),
            live: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            // It would write into released memory, which a pool of blocks that were lent does not have.
            quarantine: quarantine.filter(|_| !blocks_are_lent).cloned(),
            closed: AtomicBool::new(false),
        })
    }

    pub(super) fn lent(&self) -> MutexGuard<'_, Vec<Lent>> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.empty_quarantine();
        self.retries.all();
        self.notify_if_closed();
    }

    pub(super) fn check_open(&self) -> Result<(), Error> {
        if self.closed.load(Ordering::SeqCst) { Err(Error::Closed) } else { Ok(()) }
    }

    /// Takes back the memory in quarantine. Returns false if there was none.
    pub(super) fn empty_quarantine(&self) -> bool {
        self.quarantine.as_ref().is_some_and(|quarantine| quarantine.give_back(ptr::from_ref(self).addr()))
    }

    /// Translates an answer of the crate. After a failed growth, wakes the waits that counted on it.
    pub(super) fn judge<T>(&self, answer: io::Result<T>) -> Result<T, Failure> {
        let error = match answer {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let limit = error.kind() == ErrorKind::OutOfMemory && error.raw_os_error().is_none();
        if limit {
            return Err(Failure::Error(self.limit()));
        }
        self.retries.all();
        if error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<GrowthRefused>) {
            return Err(Failure::Refused);
        }
        let refused = error.downcast::<Error>().unwrap_or(Error::NoMemory);
        Err(Failure::Error(refused))
    }

    /// Returns the error of a request for which there is nothing free.
    pub(super) fn limit(&self) -> Error {
        Error::Limit { max_memory: self.backing.max_memory() }
    }

    /// Lowers `live` or `waiting` by one. Tells a closed pool when the last one is gone.
    pub(super) fn leave(&self, count: &AtomicUsize) {
        if count.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.notify_if_closed();
        }
    }

    pub(super) fn notify_if_closed(&self) {
        if self.closed.load(Ordering::SeqCst) {
            self.blocks.changed.notify_waiters();
        }
    }

    pub(super) fn is_drained(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
            && self.live.load(Ordering::SeqCst) == 0
            && self.waiting.load(Ordering::SeqCst) == 0
            && self.growth.is_idle()
    }

    /// Helps waits after a buffer of this size came or went. A wait that is not counted yet finds free memory by
    /// itself.
    pub(super) fn help_beside_chunk(&self, size: usize) {
        if size > CHUNKS[2] || self.waiting.load(Ordering::SeqCst) == 0 {
            return;
        }
        self.retries.of(size).notify_one();
        // Below the limit, waits need a growth and not memory.
        if self.backing.allocated_memory() == self.backing.max_memory() {
            // With no free block, this empties the caches and fails.
            self.allocate_and_drop(BLOCK_SIZE);
        }
    }

    pub(super) fn allocate_and_drop(&self, size: usize) {
        drop(self.judge(without_growth(|| self.backing.allocate(size))));
    }

    /// Allocates `size` bytes on the growth thread. If the request no longer waits, the buffer goes back.
    ///
    /// Returns an error if the system refuses the thread.
    pub(super) fn grow(self: &Arc<Self>, size: usize) -> Result<oneshot::Receiver<Grown>, SystemError> {
        self.growth.submit(size, || {
            let serving = Arc::clone(self);
            let spawned = thread::Builder::new().name("framepool-grow".into()).spawn(move || serving.serve_growth());
            spawned.map(drop).map_err(|error| {
                let message = format!("the system refused a thread to grow a pool on: {error}");
                SystemError::of("clone", &error, message)
            })
        })
    }

    fn serve_growth(&self) {
        while let Some(Job { size, done }) = self.growth.next() {
            if !done.is_closed() {
                // The answer is dropped here if the request no longer waits.
                let _ = done.send(self.judge(self.backing.allocate(size)));
            }
        }
        self.notify_if_closed();
    }
}

impl Drop for Shared {
    /// Frees the memory in quarantine, which keeps blocks alive.
    fn drop(&mut self) {
        self.empty_quarantine();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("backing", &self.backing).finish_non_exhaustive()
    }
}

pub(super) fn check_size(size: usize) -> Result<(), Error> {
    if (1..=BLOCK_SIZE).contains(&size) { Ok(()) } else { Err(Error::Size(size)) }
}
