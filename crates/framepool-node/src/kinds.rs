//! Properties of objects for `inspect()`: their kinds, names and sizes.

use std::sync::Arc;

use framepool::buddy;
use framepool::budget::{Allocation, BudgetPool};
use framepool::framing;
use framepool::memory_budget::{MemoryBudget, Reservation};
#[cfg(unix)]
use framepool::ring::io::Pump;
use framepool::shown::Shown;
use framepool::slot::{Slice, SystemMemory};
use framepool::sv2::Session;
use framepool::threads::channel::{Receiver, Sender};

use crate::buddy::entry::BuddyPoolEntry;
use crate::inspect::listing::{Listed, Window};
use crate::ring::entry::RingHalf;
use crate::slot::entry::SlotPoolEntry;
use crate::threads::transferable::Transferable;

impl Listed for SlotPoolEntry {
    const KINDS: &'static [&'static str] = &["slot-pool"];
    const HAS_WINDOW: bool = true;

    fn bytes(&self) -> usize {
        self.pool.capacity()
    }

    fn window(&self) -> Option<Window> {
        Some(Window::Slots(Arc::clone(self.pool.region())))
    }

    fn note_origin(&mut self, stack: &Arc<str>) {
        self.pool.region().guard().set_origin(Arc::clone(stack));
    }
}

impl Listed for Slice {
    const KINDS: &'static [&'static str] = &["slice"];

    fn bytes(&self) -> usize {
        self.len()
    }

    fn note_origin(&mut self, stack: &Arc<str>) {
        self.set_origin(Arc::clone(stack));
    }
}

impl Listed for SystemMemory {
    const KINDS: &'static [&'static str] = &["system-memory-buffer"];

    /// Returns the written bytes: none when the memory is listed.
    fn bytes(&self) -> usize {
        framepool::buffer_sv2::Buffer::len(self)
    }
}

impl Listed for BudgetPool {
    const KINDS: &'static [&'static str] = &["budget-pool"];

    /// Returns 0: its allocations are listed themselves.
    fn bytes(&self) -> usize {
        0
    }
}

impl Listed for Shown<Allocation> {
    const KINDS: &'static [&'static str] = &["allocation"];

    fn bytes(&self) -> usize {
        self.allocated_bytes()
    }

    fn note_origin(&mut self, stack: &Arc<str>) {
        self.set_origin(Arc::clone(stack));
    }
}

impl Listed for BuddyPoolEntry {
    const KINDS: &'static [&'static str] = &["buddy-pool"];
    const HAS_WINDOW: bool = true;

    /// Returns 0: the window tells the size of the blocks, of which there are none when the pool is listed.
    fn bytes(&self) -> usize {
        0
    }

    fn window(&self) -> Option<Window> {
        Some(Window::Blocks(self.pool().clone()))
    }
}

impl Listed for Shown<buddy::Buffer> {
    const KINDS: &'static [&'static str] = &["buddy-buffer"];

    fn bytes(&self) -> usize {
        self.capacity()
    }

    fn note_origin(&mut self, stack: &Arc<str>) {
        self.set_origin(Arc::clone(stack));
    }
}

impl Listed for RingHalf {
    const KINDS: &'static [&'static str] = &["producer", "consumer"];

    fn kind(&self) -> u8 {
        u8::from(self.is_consumer())
    }

    /// Returns the size of the ring, which both halves share.
    fn bytes(&self) -> usize {
        self.ring_size()
    }

    fn note_origin(&mut self, stack: &Arc<str>) {
        if let Ok(half) = self.here() {
            half.guard().set_origin(Arc::clone(stack));
        }
    }
}

impl Listed for Sender<Transferable> {
    const KINDS: &'static [&'static str] = &["slice-sender"];

    fn bytes(&self) -> usize {
        0
    }
}

impl Listed for Receiver<Transferable> {
    const KINDS: &'static [&'static str] = &["slice-receiver"];

    fn bytes(&self) -> usize {
        0
    }
}

impl Listed for Session {
    const KINDS: &'static [&'static str] = &["sv2-session"];

    /// Returns the size at first. A session grows with what waits in its output.
    fn bytes(&self) -> usize {
        self.stats().memory_bytes
    }

    fn note_origin(&mut self, stack: &Arc<str>) {
        self.output().guard().set_origin(Arc::clone(stack));
    }
}

impl Listed for MemoryBudget {
    const KINDS: &'static [&'static str] = &["memory-budget"];

    /// Returns 0: memory that counts towards the budget is listed itself.
    fn bytes(&self) -> usize {
        0
    }
}

impl Listed for Reservation {
    const KINDS: &'static [&'static str] = &["reservation"];

    /// Returns the bytes at first. A reservation may change.
    fn bytes(&self) -> usize {
        self.bytes()
    }
}

impl Listed for framing::Reader {
    const KINDS: &'static [&'static str] = &["frame-reader"];

    /// Returns the held bytes: none when the reader is made.
    fn bytes(&self) -> usize {
        self.pending()
    }
}

const PUMP: &str = "pump";

/// The kinds of objects that this platform does not have.
pub(crate) const ELSEWHERE: &[&str] = if cfg!(unix) { &[] } else { &[PUMP] };

#[cfg(unix)]
impl Listed for Pump {
    const KINDS: &'static [&'static str] = &[PUMP];

    fn bytes(&self) -> usize {
        self.ring_size()
    }
}
