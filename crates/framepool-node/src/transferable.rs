//! What can change isolates: how it leaves one and arrives in another, by whatever it travels.
//!
//! An object that leaves takes the memory that it owns along. The `ArrayBuffer` over that memory is detached first; where
//! JavaScript can see the memory all the same, whoever frees the object keeps it for that: see `external`.

use framepool::buddy;
use framepool::budget::{Allocation, BudgetPool};
use framepool::channel::{Receiver, Sender};
use framepool::handle::Handle;
use framepool::shown::{Memory, Shown};
use framepool::slot::{Region, Slice};

use crate::boundary::Call;
use crate::control::{Control, Word};
use crate::env::EnvState;
use crate::errors::{Code, Fault};
use crate::ring::{EitherHalf, RingHalf};
use crate::{buddy_pool, budget_pool, regions};

/// What kind of object leaves, or has arrived. `src/boundary.ts` has the same list; `transferableKinds()` lets a test compare the
/// two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Kind {
    /// Only leaving: a slice that this isolate names by its pool and slot.
    Slot,
    Slice,
    Allocation,
    BuddyBuffer,
    Producer,
    Consumer,
    BudgetPool,
    BuddyPool,
    Sender,
    Receiver,
}

/// The kinds, by number.
pub(crate) const KINDS: [Kind; 10] = [
    Kind::Slot,
    Kind::Slice,
    Kind::Allocation,
    Kind::BuddyBuffer,
    Kind::Producer,
    Kind::Consumer,
    Kind::BudgetPool,
    Kind::BuddyPool,
    Kind::Sender,
    Kind::Receiver,
];

/// An object between two isolates. Dropped, it goes where it came from.
pub(crate) enum Transferable {
    /// On the heap, or in a slot of a pool.
    Slice(Slice),
    Allocation(Shown<Allocation>),
    /// And its logical length.
    BuddyBuffer(Shown<buddy::Buffer>, u32),
    Half(EitherHalf),
    BudgetPool(BudgetPool),
    BuddyPool(buddy::BuddyPool),
    Sender(Sender<Self>),
    Receiver(Receiver<Self>),
}

impl Transferable {
    /// In bytes. Pools themselves do not move, and a channel's ends hold none of their own.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Slice(slice) => slice.len(),
            Self::Allocation(allocation) => allocation.allocated_bytes(),
            Self::BuddyBuffer(buffer, _) => buffer.capacity(),
            Self::Half(half) => half.size(),
            Self::BudgetPool(_) | Self::BuddyPool(_) | Self::Sender(_) | Self::Receiver(_) => 0,
        }
    }

    /// True for a slice of that memory.
    pub(crate) fn is_in(&self, region: &Region) -> bool {
        matches!(self, Self::Slice(slice) if slice.is_of(region))
    }

    /// True for a budget or buddy pool that is closed, and its members.
    pub(crate) fn is_of_closed(&self) -> bool {
        match self {
            Self::Allocation(allocation) => allocation.pool_is_closed(),
            Self::BuddyBuffer(buffer, _) => buffer.pool().is_closed(),
            Self::BudgetPool(pool) => pool.is_closed(),
            Self::BuddyPool(pool) => pool.is_closed(),
            Self::Slice(_) | Self::Half(_) | Self::Sender(_) | Self::Receiver(_) => false,
        }
    }

    /// True for a budget pool and its allocations.
    pub(crate) fn is_of_budget(&self, pool: &BudgetPool) -> bool {
        match self {
            Self::Allocation(allocation) => allocation.is_of(pool),
            Self::BudgetPool(own) => own.is(pool),
            _ => false,
        }
    }

    /// True for a buddy pool and its buffers.
    pub(crate) fn is_of_buddy(&self, pool: &buddy::BuddyPool) -> bool {
        match self {
            Self::BuddyBuffer(buffer, _) => buffer.pool().id() == pool.id(),
            Self::BuddyPool(own) => own.id() == pool.id(),
            _ => false,
        }
    }
}

/// Takes the object that the call names out of this isolate: its `Kind` and its handle; of a slice in a slot its pool,
/// with what that has to catch up with, and its `Slot`; of a buddy buffer its logical length in `Size`. On a failure nothing
/// has left, and views of it are as they were.
pub(crate) fn depart(call: &mut Call<'_>) -> Result<Transferable, Fault> {
    let (kind, handle) = departing(call)?;
    check_open(call.state, kind, handle)?;
    let size = call.get(Word::Size);
    let EnvState { slot_pools, slices, budget_allocations, budget_pools, buddy_buffers, buddy_pools, .. } = call.state;
    Ok(match kind {
        Kind::Slot => {
            let pool = slot_pools.get_mut(handle).ok_or_else(Fault::released)?;
            Transferable::Slice(pool.lend(&call.state.control)?)
        }
        Kind::Slice => {
            let mut slice = slices.remove(handle).ok_or_else(Fault::released)?;
            slice.conceal();
            Transferable::Slice(slice)
        }
        Kind::Allocation => Transferable::Allocation(concealed(budget_allocations.remove(handle))?),
        Kind::BuddyBuffer => Transferable::BuddyBuffer(concealed(buddy_buffers.remove(handle))?, size),
        Kind::Producer | Kind::Consumer => {
            let halves = &mut call.state.ring_halves;
            let mut half = halves.get_mut(handle).ok_or_else(Fault::released)?.take()?;
            halves.remove(handle);
            half.conceal();
            Transferable::Half(half)
        }
        Kind::BudgetPool => Transferable::BudgetPool(budget_pools.get(handle).ok_or_else(Fault::released)?.clone()),
        Kind::BuddyPool => Transferable::BuddyPool(buddy_pools.get(handle).ok_or_else(Fault::released)?.pool().clone()),
        Kind::Sender => Transferable::Sender(call.state.senders.remove(handle).ok_or_else(Fault::released)?),
        Kind::Receiver => Transferable::Receiver(call.state.receivers.remove(handle).ok_or_else(Fault::released)?),
    })
}

fn departing(call: &Call<'_>) -> Result<(Kind, Handle), Fault> {
    let kind = KINDS.get(call.get(Word::Kind) as usize).ok_or_else(|| Fault::internal("no such kind"))?;
    Ok((*kind, call.state.handle(Word::Handle, Word::Generation)))
}

/// Of a closed pool that waits for its last member, none must be left where nobody may ever take it.
fn check_open(state: &EnvState, kind: Kind, handle: Handle) -> Result<(), Fault> {
    let closed = match kind {
        Kind::Allocation => state.budget_allocations.get(handle).map(|allocation| allocation.pool_is_closed()),
        Kind::BuddyBuffer => state.buddy_buffers.get(handle).map(|buffer| buffer.pool().is_closed()),
        Kind::BudgetPool => state.budget_pools.get(handle).map(BudgetPool::is_closed),
        Kind::BuddyPool => state.buddy_pools.get(handle).map(|entry| entry.pool().is_closed()),
        Kind::Slot | Kind::Slice | Kind::Producer | Kind::Consumer | Kind::Sender | Kind::Receiver => Some(false),
    };
    if closed.ok_or_else(Fault::released)? { Err(Fault::new(Code::CLOSED, "the pool is closed")) } else { Ok(()) }
}

fn concealed<T: Memory>(owner: Option<Shown<T>>) -> Result<Shown<T>, Fault> {
    let mut owner = owner.ok_or_else(Fault::released)?;
    owner.conceal();
    Ok(owner)
}

/// Makes sure that an object of any kind can be taken in. Without memory for it nothing changes.
#[inline]
pub(crate) fn make_room(state: &mut EnvState) -> Result<(), Fault> {
    let has_room = state.slices.has_room()
        && state.regions.has_room()
        && state.budget_allocations.has_room()
        && state.buddy_buffers.has_room()
        && state.buddy_pools.has_room()
        && state.ring_halves.has_room()
        && state.budget_pools.has_room()
        && state.senders.has_room()
        && state.receivers.has_room();
    if has_room { Ok(()) } else { make_more_room(state) }
}

#[cold]
fn make_more_room(state: &mut EnvState) -> Result<(), Fault> {
    state.slices.make_room()?;
    state.regions.make_room()?;
    state.budget_allocations.make_room()?;
    state.buddy_buffers.make_room()?;
    state.buddy_pools.make_room()?;
    state.ring_halves.make_room()?;
    state.budget_pools.make_room()?;
    state.senders.make_room()?;
    state.receivers.make_room()
}

/// Takes an object into this isolate, for which [room was made](make_room). Out: its `Kind` and what the object's module
/// says of it.
pub(crate) fn arrive(state: &mut EnvState, object: Transferable) -> Result<(), Fault> {
    let kind = match object {
        Transferable::Slice(slice) => {
            regions::take_in(state, slice)?;
            Kind::Slice
        }
        Transferable::Allocation(allocation) => {
            state.control.set(Word::Size, (allocation.allocated_bytes() / allocation.count()) as u32);
            budget_pool::hand_over(state, allocation)?;
            Kind::Allocation
        }
        Transferable::BuddyBuffer(buffer, length) => {
            state.control.set(Word::Size, length);
            let pool = buddy_pool::take_in(state, buffer.pool())?;
            buddy_pool::hand_over(state, pool, buffer)?;
            Kind::BuddyBuffer
        }
        Transferable::Half(mut half) => {
            let kind = match half {
                EitherHalf::Producer(_) => Kind::Producer,
                EitherHalf::Consumer(_) => Kind::Consumer,
            };
            let control = &state.control;
            control.set(Word::Size, half.size() as u32);
            set_wide(control, half.position());
            control.set(Word::Available, half.available() as u32);
            control.set(Word::Ended, u32::from(half.has_ended()));
            let handle = state.ring_halves.insert(RingHalf::new(half))?;
            state.set_handle(Word::Handle, Word::Generation, handle);
            kind
        }
        Transferable::BudgetPool(pool) => {
            state.control.set(Word::Size, pool.buffer_size() as u32);
            set_wide(&state.control, pool.max_memory() as u64);
            let handle = state.budget_pools.insert(pool)?;
            state.set_handle(Word::Handle, Word::Generation, handle);
            Kind::BudgetPool
        }
        Transferable::BuddyPool(pool) => {
            buddy_pool::take_in(state, pool)?;
            Kind::BuddyPool
        }
        Transferable::Sender(sender) => {
            let handle = state.senders.insert(sender)?;
            state.set_handle(Word::Handle, Word::Generation, handle);
            Kind::Sender
        }
        Transferable::Receiver(receiver) => {
            let handle = state.receivers.insert(receiver)?;
            state.set_handle(Word::Handle, Word::Generation, handle);
            Kind::Receiver
        }
    };
    state.control.set(Word::Kind, kind as u32);
    Ok(())
}

/// A number of more than 32 bits.
fn set_wide(control: &Control, value: u64) {
    control.set(Word::Low, value as u32);
    control.set(Word::High, (value >> 32) as u32);
}
