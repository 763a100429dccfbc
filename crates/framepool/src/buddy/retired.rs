//! Memory of buffers that were released, in quarantine.

use std::{
    ptr::NonNull,
    sync::{Arc, Weak},
};

use crate::quarantine::Keep;

use super::pool::Shared;

/// What was a buffer's. Dropped, it is free, and the pool hears of it.
pub(super) struct Retired {
    // The order matters: as in `Buffer`.
    bytes: ruapc_bufpool::Buffer,
    notice: Notice,
}

/// Does not keep the pool, which keeps the quarantine.
struct Notice {
    pool: Weak<Shared>,
    capacity: usize,
}

impl Retired {
    pub(super) fn new(bytes: ruapc_bufpool::Buffer, pool: &Arc<Shared>) -> Self {
        let notice = Notice { pool: Arc::downgrade(pool), capacity: bytes.capacity() };
        Self { bytes, notice }
    }
}

impl Drop for Notice {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.help_beside_chunk(self.capacity);
        }
    }
}

// SAFETY: the crate's buffer has its memory, which does not move, to itself until it is dropped.
unsafe impl Keep for Retired {
    fn span(&mut self) -> NonNull<[u8]> {
        NonNull::from(self.bytes.as_mut_slice())
    }

    fn pool(&self) -> Option<usize> {
        Some(self.notice.pool.as_ptr().addr())
    }
}
