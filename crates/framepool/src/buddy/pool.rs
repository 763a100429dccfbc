//! The buddy pool's public face: allocation, figures and closing.

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ruapc_bufpool::BufferPool;

use super::block::{BLOCK_SIZE, Block, without_growth};
use super::buffer::Buffer;
use super::error::{Error, Failure};
use super::lent::Lent;
use super::options::Options;
use super::shared::{Shared, check_size};
use super::wait;
use crate::quarantine::Quarantine;

/// A pool of buffers of 16 KiB to 64 MiB (`ruapc_bufpool::BufferPool`). Clones are the same pool.
#[derive(Clone, Debug)]
pub struct BuddyPool(Arc<Shared>);

/// A change of a pool: see [`BuddyPool::change`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The pool has this number of blocks.
    Grown(usize),
    /// The pool is closed, and nothing of it is in use any more.
    Drained,
}

/// Figures of a pool. Sizes are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Memory of the blocks, including blocks that are being mapped.
    pub allocated_memory: usize,
    /// Limit of the pool, in whole blocks.
    pub max_memory: usize,
    /// Number of blocks.
    pub blocks: usize,
    /// Number of buffers alive.
    pub live_buffers: usize,
    /// Number of waits that have not ended.
    pub waiting: usize,
    /// Free buffers of 1, 4, 16 and 64 MiB. Slabs, and memory that is set aside for a wait, do not count.
    pub free_counts: [usize; 4],
    /// Buffers of 1, 4, 16 and 64 MiB that could be merged from four free ones and were not yet. The first number is 0.
    pub pending_counts: [usize; 4],
    /// Free chunks of 16, 64 and 256 KiB in slabs, without the chunks in thread caches.
    pub slab_free_counts: [usize; 3],
}

impl BuddyPool {
    /// Makes a pool without blocks. The first allocation maps one.
    pub fn new(options: Options) -> Self {
        Self(Shared::new(options, None))
    }

    /// Makes a pool for debug mode: released buffers go into `quarantine`. They come back as soon as the pool would
    /// otherwise have no buffer, or is closed.
    pub fn guarded(options: Options, quarantine: &Arc<Quarantine>) -> Self {
        Self(Shared::new(options, Some(quarantine)))
    }

    /// Returns the capacity that a request of `size` bytes gets, or `None` for 0 and above
    /// [`BLOCK_SIZE`].
    pub fn capacity_for(size: usize) -> Option<usize> {
        BufferPool::allocation_capacity(size).ok()
    }

    /// Returns the limit in bytes, which is a number of whole blocks.
    pub fn max_memory(&self) -> usize {
        self.0.backing.max_memory()
    }

    /// Returns the identity of the pool. Clones have the same, and no other living pool has it.
    pub fn id(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Returns true if [`close`](Self::close) was called.
    pub fn is_closed(&self) -> bool {
        self.0.check_open().is_err()
    }

    /// Returns a buffer of at least `size` bytes without waiting. May map a block on this thread.
    ///
    /// Returns [`Error::Limit`] if nothing is free and the pool may not grow, or another error if the size is wrong,
    /// the pool is closed or the system refuses.
    pub fn try_allocate(&self, size: usize) -> Result<Buffer, Error> {
        check_size(size)?;
        self.0.check_open()?;
        let allocate = || {
            let allocate = || self.0.backing.allocate(size);
            self.0.judge(if self.0.blocks.are_lent() { without_growth(allocate) } else { allocate() })
        };
        let mut answer = allocate();
        if answer.is_err() && self.0.empty_quarantine() {
            answer = allocate();
        }
        match answer {
            Ok(buffer) => {
                self.0.help_beside_chunk(size);
                Buffer::new(buffer, &self.0)
            }
            Err(Failure::Error(error)) => Err(error),
            Err(Failure::Refused) => Err(self.0.limit()),
        }
    }

    /// Grows a pool with [`Backend::Lent`](super::Backend::Lent) by one block, whose memory lies at `addresses`. Returns false if the pool
    /// needs none: a whole block is free, or the limit is reached. The memory is not accessed. It is lent until
    /// [`give_back`](Self::give_back), or until the pool is gone.
    ///
    /// Returns [`Error::Unfit`] for memory that cannot be a block, or is lent already, and other errors as
    /// [`try_allocate`](Self::try_allocate) does. The pool has not grown then.
    pub fn lend(&self, addresses: Range<usize>) -> Result<bool, Error> {
        self.0.check_open()?;
        let lent = Lent::new(addresses).map_err(Error::Unfit)?;
        let before = self.0.blocks.known().len();
        let grown = self.0.judge(self.0.backing.allocate(BLOCK_SIZE));
        if self.0.blocks.known().len() == before {
            return match grown {
                Ok(_) | Err(Failure::Refused | Failure::Error(Error::Limit { .. })) => Ok(false),
                Err(Failure::Error(error)) => Err(error),
            };
        }
        self.0.lent().push(lent);
        Ok(true)
    }

    /// Ends the lending of all blocks. Nothing of the pool may be in use any more.
    pub fn give_back(&self) {
        self.0.lent().clear();
    }

    /// Waits for a buffer of at least `size` bytes. The future needs no runtime, and never grows the pool on the thread
    /// that polls it. Dropping it ends the wait, and a buffer that was granted goes back.
    ///
    /// Smaller waits are served first, and waits for the same size in their order; see [`Options::starvation_timeout`].
    /// Returns an error if the size is wrong, the pool is closed or the system refuses.
    pub fn allocate(&self, size: usize) -> impl Future<Output = Result<Buffer, Error>> + Send + use<> {
        wait::allocate(Arc::clone(&self.0), size)
    }

    /// Returns the blocks from index `from` on. Indices count from 0 in the order in which the pool grew.
    pub fn blocks(&self, from: usize) -> Vec<Arc<Block>> {
        self.0.blocks.known().iter().skip(from).cloned().collect()
    }

    /// Returns the figures of the pool. They are read one by one, and other threads may change the pool meanwhile.
    pub fn stats(&self) -> Stats {
        let Shared { backing, blocks, live, waiting, .. } = &*self.0;
        Stats {
            allocated_memory: backing.allocated_memory(),
            max_memory: backing.max_memory(),
            blocks: blocks.known().len(),
            live_buffers: live.load(Ordering::SeqCst),
            waiting: waiting.load(Ordering::SeqCst),
            free_counts: backing.free_counts(),
            pending_counts: backing.pending_counts(),
            slab_free_counts: backing.slab_free_counts(),
        }
    }

    /// Closes the pool: new requests and waits fail with [`Error::Closed`]. Buffers remain usable.
    pub fn close(&self) {
        self.0.close();
    }

    /// Waits until the pool is closed and nothing of it is in use: no buffer, no wait, no growth.
    pub fn drained(&self) -> impl Future<Output = ()> + Send + use<> {
        let change = self.change(usize::MAX);
        async move {
            change.await;
        }
    }

    /// Waits until the pool has more than `known` blocks, or until it is [`drained`](Self::drained).
    pub fn change(&self, known: usize) -> impl Future<Output = Change> + Send + use<> {
        let pool = Arc::clone(&self.0);
        async move {
            loop {
                // Registered before the checks, so that no change between them is missed.
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

impl Buffer {
    /// Returns the pool that the buffer belongs to.
    pub fn pool(&self) -> BuddyPool {
        BuddyPool(Arc::clone(self.shared()))
    }
}
