//! State that a budget pool shares with its allocations.

use std::sync::Arc;

use frozen_core::bufpool::BufPool;
use frozen_core::utils::BufferSize;

use crate::allocator::{self, WORTH_TRIMMING};
use crate::ledger::Ledger;
use crate::quarantine::Quarantine;

/// The most buffers of one allocation, which is the limit that the crate documents.
pub const MAX_COUNT: usize = u16::MAX as usize;

/// The crate's pool and our ledger. The address is stable, because the crate's allocations point to its pool.
pub(super) struct Shared {
    pub(super) backing: BufPool,
    pub(super) ledger: Ledger,
    pub(super) buffer_size: BufferSize,
    pub(super) max_memory: usize,
    /// Quarantine of the memory of allocations, in debug mode.
    pub(super) quarantine: Option<Arc<Quarantine>>,
}

impl Shared {
    pub(super) fn buffer_size(&self) -> usize {
        self.buffer_size.bytes()
    }
}

impl Drop for Shared {
    /// Returns freed memory to the system if the pool was large. The allocator would keep it for later, and it may be
    /// most of the process.
    fn drop(&mut self) {
        if self.ledger.accounts().peak * self.buffer_size() >= WORTH_TRIMMING {
            allocator::trim();
        }
    }
}
