//! Memory of a budget pool: reserved, then allocated.

use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::Arc;

use frozen_core::bufpool::BufPoolAllocation;

use crate::allocator::set_aside;
use crate::quarantine::{FILL, Guarded};
use crate::shown::{self, Shown};

use super::error::BudgetError;
use super::shared::Shared;

/// A part of the budget, not allocated yet. Dropped, it goes back.
pub struct Reservation {
    pub(super) shared: Arc<Shared>,
    pub(super) count: usize,
}

impl Reservation {
    /// Allocates what is reserved: cleared with `zero`, else with what was there before. [`BudgetError::NoMemory`] when the
    /// system has none; the reservation is given back then.
    pub fn allocate(self, zero: bool) -> Result<Allocation, BudgetError> {
        let bytes = self.count * self.shared.buffer_size();
        if let Some(quarantine) = &self.shared.quarantine {
            let fill = if zero { 0 } else { FILL };
            let memory = Guarded::filled(fill, bytes, quarantine).map_err(|_| BudgetError::NoMemory { bytes })?;
            return Ok(Allocation { memory: Memory::Guarded(memory), reservation: self });
        }
        // The crate, which asks for this layout, ends the process when there is no memory.
        let layout = Layout::array::<u8>(bytes).map_err(|_| BudgetError::NoMemory { bytes })?;
        let _memory = set_aside(layout).ok_or(BudgetError::NoMemory { bytes })?;
        // The ledger never grants more than the crate's own budget, so this does not wait.
        let memory = self.shared.backing.allocate(self.count);
        if zero {
            // SAFETY: the allocation is that many bytes long, and nothing else knows of it.
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

/// Equal buffers in one contiguous region, freed when it is dropped. It keeps its pool alive. (`BufPoolAllocation`)
pub struct Allocation {
    /// Dropped before the reservation: the budget has room only when the memory is gone, and the crate's drop reads the
    /// pool, of which the reservation holds a share.
    memory: Memory,
    reservation: Reservation,
}

enum Memory {
    Crate(BufPoolAllocation),
    /// Not the crate's: quarantine keeps memory for longer than the budget may be kept from others.
    Guarded(Guarded),
}

impl Allocation {
    /// How many buffers: 1 to [`MAX_COUNT`](super::MAX_COUNT).
    pub fn count(&self) -> usize {
        self.reservation.count
    }

    /// All of it, in bytes.
    pub fn allocated_bytes(&self) -> usize {
        match &self.memory {
            Memory::Crate(memory) => memory.allocated_bytes(),
            Memory::Guarded(memory) => memory.len(),
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.reservation.shared
    }

    /// Whether its pool is closed.
    pub fn pool_is_closed(&self) -> bool {
        self.reservation.shared.ledger.is_closed()
    }

    /// Start of the memory: [`allocated_bytes`](Self::allocated_bytes) bytes, valid for reads and writes until this is
    /// dropped, wherever it is moved. They are not initialized unless they were allocated with `zero`.
    pub fn base(&self) -> NonNull<u8> {
        match &self.memory {
            Memory::Crate(memory) => NonNull::new(memory.first()).expect("the crate allocates or ends the process"),
            Memory::Guarded(memory) => memory.base(),
        }
    }

    /// Says who acquired it, if it is guarded: see [`Guarded::set_origin`].
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
    /// Says who acquired it: see [`Allocation::set_origin`].
    pub fn set_origin(&mut self, origin: Arc<str>) {
        self.owner_mut().set_origin(origin);
    }
}
