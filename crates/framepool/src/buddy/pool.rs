//! The pool.

use std::{
    fmt,
    future::Future,
    io::{self, ErrorKind},
    mem, ptr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use ruapc_bufpool::{BufferPool, BufferPoolBuilder, Devices};

use crate::quarantine::Quarantine;

use super::{
    BLOCK_SIZE, Block, Buffer, Error, Options,
    block::{Blocks, GrowthRefused},
    growth::Growth,
    retired::Retired,
    wait::{self, Retries},
};

/// Buffers of 16 KiB to 64 MiB. Clones are the same pool. (`ruapc_bufpool::BufferPool`)
#[derive(Clone, Debug)]
pub struct BuddyPool(pub(super) Arc<Shared>);

/// What has become of a pool: see [`BuddyPool::change`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It has so many blocks.
    Grown(usize),
    /// It is closed, and nothing of it is in use any more.
    Drained,
}

/// What the pool reports of itself. Sizes are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Memory of the blocks there are, and of those that are being mapped.
    pub allocated_memory: usize,
    /// The limit: whole blocks.
    pub max_memory: usize,
    /// Blocks there are.
    pub blocks: usize,
    /// Buffers alive.
    pub live_buffers: usize,
    /// Waits that have not ended.
    pub waiting: usize,
    /// Free buffers of 1, 4, 16 and 64 MiB. Slabs, and memory set aside for a wait, are not free.
    pub free_counts: [usize; 4],
    /// Buffers of 1, 4, 16 and 64 MiB that could be merged out of four free ones, and were not yet. The first is 0.
    pub pending_counts: [usize; 4],
    /// Free chunks of 16, 64 and 256 KiB in slabs, without those in thread caches.
    pub slab_free_counts: [usize; 3],
}

/// What the pool, its buffers and its waits have in common.
pub(super) struct Shared {
    /// The crate's pool.
    pub(super) crates: Arc<BufferPool>,
    blocks: Arc<Blocks>,
    pub(super) growth: Growth,
    pub(super) retries: Retries,
    pub(super) live: AtomicUsize,
    pub(super) waiting: AtomicUsize,
    /// Of a pool in debug mode: where released buffers go first.
    quarantine: Option<Arc<Quarantine>>,
    closed: AtomicBool,
}

impl BuddyPool {
    /// A pool without blocks: the first allocation maps one.
    pub fn new(options: Options) -> Self {
        Self::make(options, None)
    }

    /// The same for debug mode: released buffers go into `quarantine`, and come back from there as soon as the pool would
    /// otherwise have none, or is closed.
    pub fn guarded(options: Options, quarantine: &Arc<Quarantine>) -> Self {
        Self::make(options, Some(quarantine))
    }

    fn make(options: Options, quarantine: Option<&Arc<Quarantine>>) -> Self {
        let blocks = Arc::new(Blocks::new(options.policy));
        let devices: Arc<dyn Devices> = blocks.clone();
        let crates = BufferPoolBuilder::new(devices)
            .max_memory((options.max_memory / BLOCK_SIZE).max(1) * BLOCK_SIZE)
            .merge_watermarks(options.merge_watermarks)
            .starvation_timeout(options.starvation_timeout)
            .slab_empty_watermark(options.slab_empty_watermark)
            .thread_cache(options.thread_cache)
            .build();
        Self(Arc::new(Shared {
            crates,
            blocks,
            growth: Growth::default(),
            retries: Retries::default(),
            live: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            quarantine: quarantine.cloned(),
            closed: AtomicBool::new(false),
        }))
    }

    /// Bytes that a request of `size` bytes gets; `None` for 0 and above [`BLOCK_SIZE`].
    pub fn capacity_for(size: usize) -> Option<usize> {
        BufferPool::allocation_capacity(size).ok()
    }

    /// The limit in bytes: whole blocks.
    pub fn max_memory(&self) -> usize {
        self.0.crates.max_memory()
    }

    /// What tells pools apart: as long as one of them is there, no other has the same. Clones have the same.
    pub fn id(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Whether [`close`](Self::close) was called.
    pub fn is_closed(&self) -> bool {
        self.0.check_open().is_err()
    }

    /// A buffer of at least `size` bytes, now. May map a block, on this thread; never waits: `Error::Limit` then.
    pub fn try_allocate(&self, size: usize) -> Result<Buffer, Error> {
        check_size(size)?;
        self.0.check_open()?;
        let mut answer = self.0.judge(self.0.crates.allocate(size));
        if answer.is_err() && self.0.empty_quarantine() {
            answer = self.0.judge(self.0.crates.allocate(size));
        }
        match answer {
            Ok(buffer) => {
                self.0.help_beside_chunk(size);
                Buffer::new(buffer, &self.0)
            }
            Err(Failure::Error(error)) => Err(error),
            Err(Failure::Refused) => unreachable!("growth is refused only within a wait"),
        }
    }

    /// A buffer of at least `size` bytes, as soon as there is one. The future needs no runtime and never grows on the
    /// thread that polls it; dropped, it stops waiting and what it was given goes back. Waits for the smallest size are
    /// served first, and among equals the first; see [`Options::starvation_timeout`].
    pub fn allocate(&self, size: usize) -> impl Future<Output = Result<Buffer, Error>> + Send + use<> {
        wait::allocate(Arc::clone(&self.0), size)
    }

    /// The blocks from index `from` on. They are counted from 0, in the order in which the pool grew.
    pub fn blocks(&self, from: usize) -> Vec<Arc<Block>> {
        self.0.blocks.known().iter().skip(from).cloned().collect()
    }

    /// What the pool reports of itself. Taken piece by piece: other threads may change it meanwhile.
    pub fn stats(&self) -> Stats {
        let Shared { crates, blocks, live, waiting, .. } = &*self.0;
        Stats {
            allocated_memory: crates.allocated_memory(),
            max_memory: crates.max_memory(),
            blocks: blocks.known().len(),
            live_buffers: live.load(Ordering::SeqCst),
            waiting: waiting.load(Ordering::SeqCst),
            free_counts: crates.free_counts(),
            pending_counts: crates.pending_counts(),
            slab_free_counts: crates.slab_free_counts(),
        }
    }

    /// Refuses all that is asked from here on, and all that wait, with `Error::Closed`. Buffers stay what they are.
    pub fn close(&self) {
        self.0.closed.store(true, Ordering::SeqCst);
        self.0.empty_quarantine();
        self.0.retries.all();
        self.0.notify_if_closed();
    }

    /// Ends when the pool was closed and nothing of it is in use any more: no buffer, no wait, no growth.
    pub fn drained(&self) -> impl Future<Output = ()> + Send + use<> {
        let change = self.change(usize::MAX);
        async move {
            change.await;
        }
    }

    /// Ends when the pool has more than `known` blocks, or when it is [`drained`](Self::drained).
    pub fn change(&self, known: usize) -> impl Future<Output = Change> + Send + use<> {
        let pool = Arc::clone(&self.0);
        async move {
            loop {
                // Made before the looks, so that nothing is missed in between.
                let changed = pool.blocks.changed.notified();
                if pool.is_drained() {
                    return Change::Drained;
                }
                let blocks = pool.blocks.known().len();
                if blocks > known {
                    return Change::Grown(blocks);
                }
                changed.await;
            }
        }
    }
}

pub(super) fn check_size(size: usize) -> Result<(), Error> {
    if (1..=BLOCK_SIZE).contains(&size) { Ok(()) } else { Err(Error::Size(size)) }
}

/// How the crate failed.
pub(super) enum Failure {
    /// It would have had to grow where it must not.
    Refused,
    Error(Error),
}

impl Shared {
    pub(super) fn check_open(&self) -> Result<(), Error> {
        if self.closed.load(Ordering::SeqCst) { Err(Error::Closed) } else { Ok(()) }
    }

    /// Keeps memory that a buffer leaves from being used again at once, if that is wanted and nobody needs it.
    pub(super) fn keep_back(self: &Arc<Self>, bytes: &mut ruapc_bufpool::Buffer, origin: Option<Arc<str>>) {
        let Some(quarantine) = &self.quarantine else { return };
        let bytes = mem::replace(bytes, ruapc_bufpool::Buffer::empty(&self.crates));
        quarantine.admit(Retired::new(bytes, self), origin);
        // Who waits, and who closes the pool, says so before it empties the quarantine: so either it finds this, or we find
        // it.
        if self.waiting.load(Ordering::SeqCst) > 0 || self.check_open().is_err() {
            self.empty_quarantine();
        }
    }

    /// The pool has back what of it is in quarantine; false if that is nothing.
    pub(super) fn empty_quarantine(&self) -> bool {
        self.quarantine.as_ref().is_some_and(|quarantine| quarantine.give_back(ptr::from_ref(self).addr()))
    }

    /// What the crate's answer means. If it failed to grow, those ask again that waited because it tried.
    pub(super) fn judge<T>(&self, answer: io::Result<T>) -> Result<T, Failure> {
        let error = match answer {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let limit = error.kind() == ErrorKind::OutOfMemory && error.raw_os_error().is_none();
        if limit {
            return Err(Failure::Error(Error::Limit { max_memory: self.crates.max_memory() }));
        }
        self.retries.all();
        if error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<GrowthRefused>) {
            return Err(Failure::Refused);
        }
        let refused = error.downcast::<Error>().unwrap_or(Error::NoMemory);
        Err(Failure::Error(refused))
    }

    /// One of `live` or `waiting` less.
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

    fn is_drained(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
            && self.live.load(Ordering::SeqCst) == 0
            && self.waiting.load(Ordering::SeqCst) == 0
            && self.growth.is_idle()
    }
}

impl Drop for Shared {
    /// What is in quarantine keeps the pool's blocks.
    fn drop(&mut self) {
        self.empty_quarantine();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("crates", &self.crates).finish_non_exhaustive()
    }
}
