//! What a budget pool shares with its allocations.

use std::sync::Arc;

use frozen_core::bufpool::BufPool;
use frozen_core::utils::BufferSize;

use crate::allocator::{self, WORTH_TRIMMING};
use crate::ledger::Ledger;
use crate::quarantine::Quarantine;

/// The most buffers of one allocation: the limit that the crate documents.
pub const MAX_COUNT: usize = u16::MAX as usize;

/// The crate's pool and our ledger, at an address that the crate's allocations point to.
pub(super) struct Shared {
    pub(super) backing: BufPool,
    pub(super) ledger: Ledger,
    pub(super) buffer_size: BufferSize,
    pub(super) max_memory: usize,
    /// Of a pool in debug mode: where the memory of its allocations goes.
    pub(super) quarantine: Option<Arc<Quarantine>>,
}

impl Shared {
    pub(super) fn buffer_size(&self) -> usize {
        self.buffer_size.bytes()
    }
}

impl Drop for Shared {
    /// Nothing is allocated any more. The allocator keeps what was freed for later, which after a pool of some size may be
    /// most of the process; so it is told to let the system have it.
    fn drop(&mut self) {
        if self.ledger.accounts().peak * self.buffer_size() >= WORTH_TRIMMING {
            allocator::trim();
        }
    }
}
