//! Objects that can change isolates, and objects in transit between two.

use std::sync::LazyLock;

use framepool::buddy;
use framepool::budget::{Allocation, BudgetPool};
use framepool::memory_budget::MemoryBudget;
use framepool::shown::Shown;
use framepool::slot::{Region, Slice};
use framepool::threads::channel::{Receiver, Sender};
use framepool::threads::ticket::Registry;

use crate::call::numbered::numbered;
use crate::ring::entry::EitherHalf;

numbered! {
    /// The kind of an object that leaves this isolate, or has arrived.
    Kind: u32 {
        /// A slice that this isolate names by its pool and slot. It arrives as a `Slice`.
        Slot,
        /// A slice that has a handle.
        Slice,
        /// An allocation of a budget pool.
        Allocation,
        /// A buffer of a buddy pool.
        BuddyBuffer,
        /// The half of a ring that writes.
        Producer,
        /// The half of a ring that reads.
        Consumer,
        /// A share of a budget pool.
        BudgetPool,
        /// A share of a buddy pool.
        BuddyPool,
        /// A share of a memory budget.
        MemoryBudget,
        /// The end of a channel that sends.
        Sender,
        /// The end of a channel that receives.
        Receiver,
    }
}

/// Kind, in `inspect()`, of an object that waits for its ticket to be used.
pub(crate) const TICKET: &str = "ticket";

/// The objects that have left an isolate of this process by ticket and have not arrived in another.
pub(crate) static PARKED: LazyLock<Registry<Transferable>> = LazyLock::new(Registry::default);

/// An object between two isolates. When it is dropped, its memory goes back where it came from.
pub(crate) enum Transferable {
    /// A slice on the heap, or in a slot of a pool.
    Slice(Slice),
    Allocation(Shown<Allocation>),
    /// A buffer and its logical length.
    BuddyBuffer(Shown<buddy::Buffer>, u32),
    Half(EitherHalf),
    BudgetPool(BudgetPool),
    BuddyPool(buddy::BuddyPool),
    Sender(Sender<Self>),
    Receiver(Receiver<Self>),
    MemoryBudget(MemoryBudget),
    Batch(Box<FramedBatch>),
    /// An object that is sent with a number.
    Tagged(Box<(Self, f64)>),
}

/// A batch of frames between two isolates.
pub(crate) struct FramedBatch {
    pub(crate) slice: Slice,
    /// Offset of the table in the slice, in bytes.
    pub(crate) table: u32,
    pub(crate) frames: u32,
    /// Bytes before the payload of each frame.
    pub(crate) header: u32,
    /// Bytes after the payload of each frame.
    pub(crate) trailer: u32,
    pub(crate) tag: f64,
}

impl Transferable {
    /// Returns how many bytes move. Pools themselves do not move, and a channel's ends hold no bytes of their own.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Slice(slice) => slice.len(),
            Self::Allocation(allocation) => allocation.allocated_bytes(),
            Self::BuddyBuffer(buffer, _) => buffer.capacity(),
            Self::Half(half) => half.size(),
            Self::Batch(batch) => batch.slice.len(),
            Self::Tagged(tagged) => tagged.0.bytes(),
            Self::BudgetPool(_) | Self::BuddyPool(_) | Self::MemoryBudget(_) | Self::Sender(_) | Self::Receiver(_) => 0,
        }
    }

    /// Asks the processor to fetch the bytes of a slice, since this thread will soon use them: see [`Slice::prefetch`].
    #[inline]
    pub(crate) fn prefetch(&self) {
        if let Self::Slice(slice) = self {
            slice.prefetch();
        }
    }

    /// Returns whether this is a slice of that memory.
    pub(crate) fn is_in(&self, region: &Region) -> bool {
        match self {
            Self::Slice(slice) => slice.is_of(region),
            Self::Batch(batch) => batch.slice.is_of(region),
            _ => false,
        }
    }

    /// Returns whether this is a closed budget or buddy pool, or a member of one.
    pub(crate) fn is_of_closed(&self) -> bool {
        match self {
            Self::Allocation(allocation) => allocation.pool_is_closed(),
            Self::BuddyBuffer(buffer, _) => buffer.pool().is_closed(),
            Self::BudgetPool(pool) => pool.is_closed(),
            Self::BuddyPool(pool) => pool.is_closed(),
            Self::Slice(_)
            | Self::Batch(_)
            | Self::Tagged(_)
            | Self::Half(_)
            | Self::MemoryBudget(_)
            | Self::Sender(_)
            | Self::Receiver(_) => false,
        }
    }

    /// Returns whether this is that budget pool, or an allocation of it.
    pub(crate) fn is_of_budget(&self, pool: &BudgetPool) -> bool {
        match self {
            Self::Allocation(allocation) => allocation.is_of(pool),
            Self::BudgetPool(own) => own.is(pool),
            _ => false,
        }
    }

    /// Returns whether this is that buddy pool, or a buffer of it.
    pub(crate) fn is_of_buddy(&self, pool: &buddy::BuddyPool) -> bool {
        match self {
            Self::BuddyBuffer(buffer, _) => buffer.pool().id() == pool.id(),
            Self::BuddyPool(own) => own.id() == pool.id(),
            _ => false,
        }
    }
}
