//! Memory of a budget pool: first reserved, then allocated.
//!
//! A part of the budget is free again only after its memory is.

use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::Arc;

use frozen_core::bufpool::BufPoolAllocation;

use crate::allocator::set_aside;
use crate::quarantine::{FILL, Guarded};
use crate::shown::{self, Shown};

use super::error::BudgetError;
use super::shared::Shared;

/// A part of the budget that is not allocated yet. Dropping it returns it to the budget.
pub struct Reservation {
    pub(super) shared: Arc<Shared>,
    pub(super) count: usize,
}

impl Reservation {
    /// Allocates the reserved buffers. The bytes are 0 if `zero` is true; otherwise they are not initialized.
    ///
    /// Returns [`BudgetError::NoMemory`], and the reservation to the budget, if the system has no memory.
    pub fn allocate(self, zero: bool) -> Result<Allocation, BudgetError> {
        let bytes = self.count * self.shared.buffer_size();
        if let Some(quarantine) = &self.shared.quarantine {
            let fill = if zero { 0 } else { FILL };
            let memory = Guarded::filled(fill, bytes, quarantine).map_err(|_| BudgetError::NoMemory { bytes })?;
            return Ok(Allocation { memory: Memory::Guarded(memory), reservation: self });
        }
        // The crate asks for this layout, and ends the process if there is no memory.
        let layout = Layout::array::<u8>(bytes).map_err(|_| BudgetError::NoMemory { bytes })?;
        let _memory = set_aside(layout).ok_or(BudgetError::NoMemory { bytes })?;
        // The ledger never grants more than the crate's own budget, so this does not wait.
        let memory = self.shared.backing.allocate(self.count);
        if zero {
            // SAFETY: the allocation has `bytes` bytes that are valid for writes, and nothing else knows of it yet.
            unsafe { memory.first().write_bytes(0, bytes) };
        }
        Ok(Allocation { memory: Memory::Crate(memory), reservation: self })
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shared.ledger.release(self.count);
    }
}

/// Buffers in one contiguous region (`BufPoolAllocation`). Dropping it frees them. It keeps its pool alive.
pub struct Allocation {
    /// Dropped before the reservation. The budget must have room only after the memory is gone, and the crate's drop
    /// reads the pool, which the reservation keeps alive.
    memory: Memory,
    reservation: Reservation,
}

enum Memory {
    Crate(BufPoolAllocation),
    /// Memory of our own in debug mode: the quarantine keeps memory for longer than the budget may be withheld.
    Guarded(Guarded),
}

impl Allocation {
    /// Returns the number of buffers, in range `1 ..=` [`MAX_COUNT`](super::MAX_COUNT).
    pub fn count(&self) -> usize {
        self.reservation.count
    }

    /// Returns the size of all buffers together, in bytes.
    pub fn allocated_bytes(&self) -> usize {
        match &self.memory {
            Memory::Crate(memory) => memory.allocated_bytes(),
            Memory::Guarded(memory) => memory.len(),
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.reservation.shared
    }

    /// Returns true if the pool of this allocation is closed.
    pub fn pool_is_closed(&self) -> bool {
        self.reservation.shared.ledger.is_closed()
    }

    /// Returns the start of [`allocated_bytes`](Self::allocated_bytes) bytes. They are valid for reads and writes until
    /// this value is dropped, even if it is moved. They are initialized only if they were allocated with `zero`.
    pub fn base(&self) -> NonNull<u8> {
        match &self.memory {
            Memory::Crate(memory) => NonNull::new(memory.first()).expect("the crate allocates or ends the process"),
            Memory::Guarded(memory) => memory.base(),
        }
    }

    /// Notes where the allocation was acquired, in debug mode: see [`Guarded::set_origin`].
    pub fn set_origin(&mut self, origin: Arc<str>) {
        if let Memory::Guarded(memory) = &mut self.memory {
            memory.set_origin(origin);
        }
    }
}

// SAFETY: an allocation has its memory until it is dropped, and moving it does not move the memory.
unsafe impl shown::Memory for Allocation {
    fn span(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.base(), self.allocated_bytes())
    }
}

impl Shown<Allocation> {
    /// Notes where the allocation was acquired: see [`Allocation::set_origin`].
    pub fn set_origin(&mut self, origin: Arc<str>) {
        self.owner_mut().set_origin(origin);
    }
}
