//! The pool.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ruapc_bufpool::BufferPool;

use super::block::Block;
use super::buffer::Buffer;
use super::error::{Error, Failure};
use super::options::Options;
use super::shared::{Shared, check_size};
use super::wait;
use crate::quarantine::Quarantine;

/// Buffers of 16 KiB to 64 MiB. Clones are the same pool. (`ruapc_bufpool::BufferPool`)
#[derive(Clone, Debug)]
pub struct BuddyPool(Arc<Shared>);

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

impl BuddyPool {
    /// A pool without blocks: the first allocation maps one.
    pub fn new(options: Options) -> Self {
        Self(Shared::new(options, None))
    }

    /// The same for debug mode: released buffers go into `quarantine`, and come back from there as soon as the pool would
    /// otherwise have none, or is closed.
    pub fn guarded(options: Options, quarantine: &Arc<Quarantine>) -> Self {
        Self(Shared::new(options, Some(quarantine)))
    }

    /// Bytes that a request of `size` bytes gets; `None` for 0 and above [`BLOCK_SIZE`].
    pub fn capacity_for(size: usize) -> Option<usize> {
        BufferPool::allocation_capacity(size).ok()
    }

    /// The limit in bytes: whole blocks.
    pub fn max_memory(&self) -> usize {
        self.0.backing.max_memory()
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
        let mut answer = self.0.judge(self.0.backing.allocate(size));
        if answer.is_err() && self.0.empty_quarantine() {
            answer = self.0.judge(self.0.backing.allocate(size));
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

    /// Refuses all that is asked from here on, and all that wait, with `Error::Closed`. Buffers stay what they are.
    pub fn close(&self) {
        self.0.close();
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

impl Buffer {
    /// Its pool.
    pub fn pool(&self) -> BuddyPool {
        BuddyPool(Arc::clone(self.shared()))
    }
}
