//! All objects of an isolate.
//!
//! A new type of object costs one line here, its `Listed` in `kinds`, and its own code.

use std::sync::Arc;

use framepool::buddy;
use framepool::budget::{Allocation, BudgetPool};
use framepool::framing;
use framepool::handle::Handle;
use framepool::memory_budget::{MemoryBudget, Reservation};
#[cfg(unix)]
use framepool::ring::io::Pump;
use framepool::shown::Shown;
use framepool::slot::{Slice, SystemMemory};
use framepool::sv2::Session;
use framepool::threads::channel::{Receiver, Sender};

use crate::buddy::entry::BuddyPools;
use crate::errors::Fault;
use crate::inspect::listing::Isolate;
use crate::inspect::table::{Store, Table};
use crate::relay::entry::Relays;
use crate::ring::entry::RingHalf;
use crate::slice::regions::Regions;
use crate::slot::entry::SlotPoolEntry;
use crate::threads::transferable::Transferable;

/// Calls a method of a store, if objects of other isolates arrive in it; else gives the default.
macro_rules! if_arrives {
    ($default:expr; $store:expr, $method:ident) => {
        $default
    };
    ($default:expr; $store:expr, $method:ident, arrives) => {
        $store.$method()
    };
}

/// Declares the stores of an isolate, in the order in which `inspect()` lists them. `arrives` marks those into which objects of
/// other isolates can come.
macro_rules! tables {
    ($($(#[doc = $doc:literal])* $(#[cfg($when:meta)])? $field:ident: $store:ty $(, $arrives:ident)?;)+) => {
        /// An isolate's objects. Only its own thread touches them.
        pub(crate) struct Tables {
            $($(#[doc = $doc])* $(#[cfg($when)])? pub(crate) $field: $store,)+
        }

        impl Tables {
            pub(crate) fn new(isolate: &mut Isolate) -> Self {
                Self { $($(#[cfg($when)])? $field: Store::new(isolate),)+ }
            }

            /// Returns what `inspect()` calls the objects. Objects that this platform does not have are left out.
            pub(crate) fn kinds() -> impl Iterator<Item = &'static str> {
                [$($(#[cfg($when)])? <$store>::KINDS,)+].into_iter().flatten().copied()
            }

            /// Notes the stack of the call that acquired an object. Returns false if no object is of this kind.
            pub(crate) fn trace(&mut self, kind: &str, handle: Handle, stack: Arc<str>) -> bool {
                $(
                    $(#[cfg($when)])?
                    if <$store>::KINDS.contains(&kind) {
                        self.$field.trace(handle, stack);
                        return true;
                    }
                )+
                false
            }

            /// Returns whether an object of any kind can arrive without memory.
            #[inline]
            pub(crate) fn has_room(&self) -> bool {
                $(
                    $(#[cfg($when)])?
                    if !if_arrives!(true; self.$field, has_room $(, $arrives)?) {
                        return false;
                    }
                )+
                true
            }

            /// Makes sure that an object of any kind can arrive. Without memory for it nothing changes.
            #[inline]
            pub(crate) fn make_room(&mut self) -> Result<(), Fault> {
                if self.has_room() { Ok(()) } else { self.make_more_room() }
            }

            #[cold]
            fn make_more_room(&mut self) -> Result<(), Fault> {
                $($(#[cfg($when)])? if_arrives!(Ok::<(), Fault>(()); self.$field, make_room $(, $arrives)?)?;)+
                Ok(())
            }

            /// Drops everything, in the reverse of the order of declaration.
            pub(crate) fn clear(&mut self) {
                let stores: &[fn(&mut Self)] = &[$($(#[cfg($when)])? |tables| tables.$field.clear(),)+];
                stores.iter().rev().for_each(|clear| clear(self));
            }
        }
    };
}

tables! {
    slot_pools: Table<SlotPoolEntry>;
    system_memories: Table<SystemMemory>;
    /// The memory of other isolates' slot pools. It is declared before the slices in it, which go first.
    regions: Regions, arrives;
    /// Slices that JavaScript names by a handle: those on the heap, and those of other isolates' slot pools.
    slices: Table<Slice>, arrives;
    relays: Relays;
    sessions: Table<Session>;
    memory_budgets: Table<MemoryBudget>, arrives;
    reservations: Table<Reservation>;
    frame_readers: Table<framing::Reader>;
    budget_pools: Table<BudgetPool>, arrives;
    budget_allocations: Table<Shown<Allocation>>, arrives;
    buddy_pools: BuddyPools, arrives;
    buddy_buffers: Table<Shown<buddy::Buffer>>, arrives;
    ring_halves: Table<RingHalf>, arrives;
    senders: Table<Sender<Transferable>>, arrives;
    receivers: Table<Receiver<Transferable>>, arrives;
    #[cfg(unix)]
    pumps: Table<Pump>;
}
