//! A buffer of a buddy pool.
//!
//! Its memory belongs to it alone until it is dropped.

use std::{
    ptr::NonNull,
    sync::{Arc, atomic::Ordering},
};

use ruapc_bufpool::DeviceIndex;

use crate::shown::{Memory, Shown};

use super::block::Block;
use super::error::Error;
use super::retired;
use super::shared::Shared;

/// Exclusive memory of [`capacity`](Self::capacity) bytes in one block. Dropping it returns the memory to its pool. A
/// new buffer contains what was there before.
#[derive(Debug)]
pub struct Buffer {
    // Dropped first: the bytes must be free before the pool is told.
    bytes: ruapc_bufpool::Buffer,
    held: Held,
    /// Boxed, so that it adds little to the size of a buffer.
    origin: Option<Box<Origin>>,
}

/// Place at which a buffer was acquired.
#[derive(Debug)]
struct Origin(Arc<str>);

impl Buffer {
    /// Counts `bytes` as a buffer of the pool. Returns [`Error::Closed`] if the pool was closed meanwhile.
    pub(super) fn new(bytes: ruapc_bufpool::Buffer, pool: &Arc<Shared>) -> Result<Self, Error> {
        let held = Held::new(pool, bytes.capacity())?;
        Ok(Self { bytes, held, origin: None })
    }

    /// Returns the size in bytes: 16, 64 or 256 KiB, or 1, 4, 16 or 64 MiB.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Returns all bytes of the buffer.
    ///
    /// # Panics
    /// If the blocks of the pool were [lent](super::Backend::Lent): the bytes lie elsewhere.
    pub fn as_slice(&self) -> &[u8] {
        self.check_here();
        self.bytes.as_slice()
    }

    /// Returns all bytes of the buffer.
    ///
    /// # Panics
    /// If the blocks of the pool were [lent](super::Backend::Lent): the bytes lie elsewhere.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        self.check_here();
        self.bytes.as_mut_slice()
    }

    fn check_here(&self) {
        assert!(!self.shared().blocks.are_lent(), "the pool does not have the bytes of blocks that were lent");
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.held.pool
    }

    /// Notes where the buffer was acquired, for the report of a [`Disturbance`](crate::quarantine::Disturbance).
    pub fn set_origin(&mut self, origin: Arc<str>) {
        self.origin = Some(Box::new(Origin(origin)));
    }

    /// Returns the index of the block that holds the buffer: see [`BuddyPool::blocks`](super::BuddyPool::blocks).
    pub fn block(&self) -> usize {
        let key = self.bytes.memory_key(&DeviceIndex::default()).expect("every block is registered");
        key.lkey as usize
    }

    /// Returns the offset of the buffer in `block`, in bytes. The buffer must lie in that block.
    pub fn offset_from(&self, block: &Block) -> usize {
        self.bytes.as_slice().as_ptr().addr() - block.base().addr().get()
    }
}

// SAFETY: a buffer has its memory until it is dropped, and moving it does not move the memory. Of memory that lies
// elsewhere it shows no byte.
unsafe impl Memory for Buffer {
    fn span(&self) -> NonNull<[u8]> {
        let start = NonNull::new(self.bytes.as_slice().as_ptr().cast_mut()).expect("it lies in a mapping");
        let length = if self.shared().blocks.are_lent() { 0 } else { self.capacity() };
        NonNull::slice_from_raw_parts(start, length)
    }
}

impl Shown<Buffer> {
    /// Notes where the buffer was acquired: see [`Buffer::set_origin`].
    pub fn set_origin(&mut self, origin: Arc<str>) {
        self.owner_mut().set_origin(origin);
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let origin = self.origin.take().map(|origin| origin.0);
        retired::keep_back(&self.held.pool, &mut self.bytes, origin);
    }
}

/// Counts one buffer in its pool until it is dropped.
#[derive(Debug)]
struct Held {
    pool: Arc<Shared>,
    capacity: usize,
}

impl Held {
    fn new(pool: &Arc<Shared>, capacity: usize) -> Result<Self, Error> {
        // Counted before the check: `close` sets its flag before it looks at the count.
        pool.live.fetch_add(1, Ordering::SeqCst);
        let held = Self { pool: Arc::clone(pool), capacity };
        pool.check_open()?;
        Ok(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.pool.help_beside_chunk(self.capacity);
        self.pool.leave(&self.pool.live);
    }
}
