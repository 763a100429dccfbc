//! Blocks of 64 MiB, and the hook by which the crate announces them.
//!
//! A block is listed before the first buffer lies in it, and stays in place while anything holds it.

use std::{
    cell::Cell,
    fmt, io,
    ptr::NonNull,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ruapc_bufpool::{AlignedMemory, Devices, MemoryKey, Registration};
use tokio::sync::Notify;

use crate::shown::Memory;

use super::backend::{Backend, Backing};
use super::options::BlockPolicy;

/// Bytes of a block, and of the largest buffer.
pub const BLOCK_SIZE: usize = 64 << 20;

/// The memory of one block. It lives as long as its pool, or as long as anything holds a share of it.
///
/// NB: the `Devices` contract intends the memory to be kept for a registration only. A share that outlives the pool, as
/// the `ArrayBuffer`s of a closed pool do, only keeps the memory mapped: nothing is allocated from it any more. Code
/// that reads or writes through [`base`](Self::base) must stay within buffers that it holds.
#[derive(Debug)]
pub struct Block {
    memory: Arc<AlignedMemory>,
    /// Bytes that may be accessed: [`BLOCK_SIZE`], or 0 if the memory lies elsewhere.
    size: usize,
}

impl Block {
    /// Returns the address of the first byte, which is not accessible if the memory lies elsewhere
    /// ([`Backend::Lent`]).
    pub fn base(&self) -> NonNull<u8> {
        NonNull::new(self.memory.as_mut_ptr()).expect("a mapping")
    }
}

// SAFETY: a share of the block keeps its memory mapped, which never moves. `size` bytes of it are accessible.
unsafe impl Memory for Arc<Block> {
    fn span(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.base(), self.size)
    }
}

/// The blocks of a pool, in the order in which the crate announced them.
#[derive(Debug)]
pub(super) struct Blocks {
    policy: BlockPolicy,
    backing: Backing,
    known: Mutex<Vec<Arc<Block>>>,
    /// Notified when there is one more block, or when something ended that a closed pool waits for.
    pub(super) changed: Notify,
}

impl Blocks {
    pub(super) fn new(policy: BlockPolicy, backend: Backend) -> Self {
        let backing = Backing::new(backend);
        Self { policy, backing, known: Mutex::default(), changed: Notify::new() }
    }

    /// Returns whether the memory of the blocks lies elsewhere. Such a pool grows only when a block is lent to it.
    pub(super) fn are_lent(&self) -> bool {
        self.backing.is_lent()
    }

    /// Locks and returns the blocks, in the order of their indices. The crate never gives a block back.
    pub(super) fn known(&self) -> MutexGuard<'_, Vec<Arc<Block>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The registration of a block, which tells a buffer the index of its block.
#[derive(Debug)]
struct BlockIndex(u32);

impl Registration for BlockIndex {
    fn memory_key(&self) -> MemoryKey {
        MemoryKey { lkey: self.0, rkey: 0 }
    }
}

// SAFETY: the memory is written only here, before the crate has it, and so before any buffer lies in it. After that
// only its share and its address are kept: see the note on `Block`. Dropping a `BlockIndex` accesses no memory of the
// block.
unsafe impl Devices for Blocks {
    fn len(&self) -> usize {
        1
    }

    fn register(&self, memory: &Arc<AlignedMemory>) -> io::Result<Vec<Box<dyn Registration>>> {
        if GROWTH_REFUSED.get() {
            return Err(io::Error::other(GrowthRefused));
        }
        // Locked until the block is listed: the place of a block in a file follows from its index.
        let mut known = self.known();
        let index = known.len();
        self.backing.apply(memory, index)?;
        self.policy.apply(memory)?;
        let size = if self.are_lent() { 0 } else { BLOCK_SIZE };
        known.push(Arc::new(Block { memory: Arc::clone(memory), size }));
        drop(known);
        self.changed.notify_waiters();
        Ok(vec![Box::new(BlockIndex(index as u32))])
    }
}

/// The error for a growth on a thread that must not stall.
#[derive(Debug)]
pub(super) struct GrowthRefused;

impl fmt::Display for GrowthRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("growth is refused on this thread")
    }
}

impl std::error::Error for GrowthRefused {}

thread_local! {
    /// Whether this thread refuses growth. The crate grows on the thread that asks it and has no option against that,
    /// so the hook refuses.
    static GROWTH_REFUSED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `call` without growth on this thread. If the crate would have to grow, it fails with [`GrowthRefused`].
pub(super) fn without_growth<T>(call: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            GROWTH_REFUSED.set(self.0);
        }
    }
    let _restore = Restore(GROWTH_REFUSED.replace(true));
    call()
}
