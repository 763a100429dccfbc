//! Blocks of 64 MiB, and the crate's hook through which they are learned.

use std::{
    cell::Cell,
    fmt, io,
    ptr::NonNull,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ruapc_bufpool::{AlignedMemory, Devices, MemoryKey, Registration};
use tokio::sync::Notify;

use crate::shown::Memory;

use super::options::BlockPolicy;

/// Bytes of a block, and of the largest buffer.
pub const BLOCK_SIZE: usize = 64 << 20;

/// The memory of one block. It lives as long as its pool or anyone who holds a share of it.
///
/// NB: the `Devices` contract wants the memory kept only for a registration. Whoever keeps a share beyond the pool, as
/// the `ArrayBuffer`s of a closed pool do, keeps it from being unmapped and does no more than that: nothing is allocated
/// from it then. Whoever reads or writes through [`base`](Self::base) must do so within buffers that it holds.
#[derive(Debug)]
pub struct Block {
    memory: Arc<AlignedMemory>,
}

impl Block {
    /// The first byte.
    pub fn base(&self) -> NonNull<u8> {
        NonNull::new(self.memory.as_mut_ptr()).expect("a mapping")
    }
}

// SAFETY: a share of the block keeps its memory, which never moves and is as long as any block.
unsafe impl Memory for Arc<Block> {
    fn span(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.base(), BLOCK_SIZE)
    }
}

/// A pool's blocks, as the crate's hook tells them.
#[derive(Debug)]
pub(super) struct Blocks {
    policy: BlockPolicy,
    known: Mutex<Vec<Arc<Block>>>,
    /// There is one more, or something that a closed pool waited for has ended.
    pub(super) changed: Notify,
}

impl Blocks {
    pub(super) fn new(policy: BlockPolicy) -> Self {
        Self { policy, known: Mutex::default(), changed: Notify::new() }
    }

    /// In the order of their indices. The crate never gives a block back.
    pub(super) fn known(&self) -> MutexGuard<'_, Vec<Arc<Block>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets a buffer say in which block it lies.
#[derive(Debug)]
struct BlockIndex(u32);

impl Registration for BlockIndex {
    fn memory_key(&self) -> MemoryKey {
        MemoryKey { lkey: self.0, rkey: 0 }
    }
}

// SAFETY: the memory is written only here, before the crate has it and so before any buffer lies in it. After that it is
// kept and its address told; see the note on `Block`. Dropping a `BlockIndex` uses no memory.
unsafe impl Devices for Blocks {
    fn len(&self) -> usize {
        1
    }

    fn register(&self, memory: &Arc<AlignedMemory>) -> io::Result<Vec<Box<dyn Registration>>> {
        if GROWTH_REFUSED.get() {
            return Err(io::Error::other(GrowthRefused));
        }
        self.policy.apply(memory)?;
        let mut known = self.known();
        let index = known.len();
        known.push(Arc::new(Block { memory: Arc::clone(memory) }));
        drop(known);
        self.changed.notify_waiters();
        Ok(vec![Box::new(BlockIndex(index as u32))])
    }
}

/// The crate would have grown on a thread that must not stall.
#[derive(Debug)]
pub(super) struct GrowthRefused;

impl fmt::Display for GrowthRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("growth is refused on this thread")
    }
}

impl std::error::Error for GrowthRefused {}

thread_local! {
    /// The crate grows on the thread that asks it, and cannot be asked not to: only the hook can refuse.
    static GROWTH_REFUSED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `call`; the crate does not grow meanwhile on this thread, and fails with [`GrowthRefused`] where it would.
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
