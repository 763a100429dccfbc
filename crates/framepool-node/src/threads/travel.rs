//! The departure of an object from one isolate, and its arrival in another, by ticket or channel.
//!
//! An object that leaves takes the memory that it owns along. The `ArrayBuffer` over that memory is detached first. Where
//! JavaScript can see the memory all the same, the memory is kept for that when the object is freed: see `shown::external`.

use framepool::budget::BudgetPool;
use framepool::handle::Handle;
use framepool::shown::{Memory, Shown};

use crate::buddy::{buffer as buddy_buffer, pool as buddy_pool};
use crate::budget::allocation as budget_allocation;
use crate::call::Call;
use crate::call::words::Word;
use crate::errors::{Code, Fault};
use crate::ring::entry::{EitherHalf, RingHalf};
use crate::slice::borrowed;
use crate::state::EnvState;
use crate::tables::Tables;
use crate::threads::transferable::{FramedBatch, Kind, Transferable};

/// Takes an object out of this isolate. On a failure nothing has left, and views of the object are as they were.
///
/// In: `Kind`, and the object in `Handle`. For a slice in a slot `Handle` is its pool, with what the pool has to catch up with,
/// and `Slot`. For a buddy buffer `Size` is its logical length. For a batch `Batch` is 1, and `Table`, `Frames`, `Header` and
/// `Trailer` describe its slice. With `Tagged` the number in `TagLow` and `TagHigh` goes along.
pub(crate) fn depart(call: &mut Call<'_>) -> Result<Transferable, Fault> {
    let (is_batch, is_tagged) = (call.get(Word::Batch) == 1, call.get(Word::Tagged) == 1);
    if !is_batch && !is_tagged {
        // Most objects go by themselves. Each copy of an object costs time, and the match below makes some.
        return take_out(call);
    }
    let object = take_out(call)?;
    let tag = f64::from_bits(u64::from(call.get(Word::TagHigh)) << 32 | u64::from(call.get(Word::TagLow)));
    Ok(match object {
        Transferable::Slice(slice) if is_batch => Transferable::Batch(Box::new(FramedBatch {
            slice,
            table: call.get(Word::Table),
            frames: call.get(Word::Frames),
            header: call.get(Word::Header),
            trailer: call.get(Word::Trailer),
            tag,
        })),
        object if is_tagged => Transferable::Tagged(Box::new((object, tag))),
        object => object,
    })
}

fn take_out(call: &mut Call<'_>) -> Result<Transferable, Fault> {
    let (kind, handle) = departing(call)?;
    check_open(&call.state.tables, kind, handle)?;
    let size = call.get(Word::Size);
    let tables = &mut call.state.tables;
    Ok(match kind {
        Kind::Slot => {
            let pool = tables.slot_pools.get_mut(handle).ok_or_else(Fault::released)?;
            Transferable::Slice(pool.lend(&call.state.control)?)
        }
        Kind::Slice => {
            let mut slice = tables.slices.remove(handle).ok_or_else(Fault::released)?;
            slice.conceal();
            Transferable::Slice(slice)
        }
        Kind::Allocation => Transferable::Allocation(concealed(tables.budget_allocations.remove(handle))?),
        Kind::BuddyBuffer => Transferable::BuddyBuffer(concealed(tables.buddy_buffers.remove(handle))?, size),
        Kind::Producer | Kind::Consumer => {
            let halves = &mut tables.ring_halves;
            let mut half = halves.get_mut(handle).ok_or_else(Fault::released)?.take()?;
            halves.remove(handle);
            half.conceal();
            Transferable::Half(half)
        }
        Kind::BudgetPool => {
            Transferable::BudgetPool(tables.budget_pools.get(handle).ok_or_else(Fault::released)?.clone())
        }
        Kind::BuddyPool => {
            Transferable::BuddyPool(tables.buddy_pools.get(handle).ok_or_else(Fault::released)?.pool().clone())
        }
        Kind::MemoryBudget => {
            Transferable::MemoryBudget(tables.memory_budgets.get(handle).ok_or_else(Fault::released)?.clone())
        }
        Kind::Sender => Transferable::Sender(tables.senders.remove(handle).ok_or_else(Fault::released)?),
        Kind::Receiver => Transferable::Receiver(tables.receivers.remove(handle).ok_or_else(Fault::released)?),
    })
}

fn departing(call: &Call<'_>) -> Result<(Kind, Handle), Fault> {
    let kind = Kind::ALL.get(call.get(Word::Kind) as usize).ok_or_else(|| Fault::internal("no such kind"))?;
    Ok((*kind, call.state.handle(Word::Handle, Word::Generation)))
}

/// Refuses the members of a closed pool. The pool waits for its last member, which must not be left on its way for ever.
fn check_open(tables: &Tables, kind: Kind, handle: Handle) -> Result<(), Fault> {
    let closed = match kind {
        Kind::Allocation => tables.budget_allocations.get(handle).map(|allocation| allocation.pool_is_closed()),
        Kind::BuddyBuffer => tables.buddy_buffers.get(handle).map(|buffer| buffer.pool().is_closed()),
        Kind::BudgetPool => tables.budget_pools.get(handle).map(BudgetPool::is_closed),
        Kind::BuddyPool => tables.buddy_pools.get(handle).map(|entry| entry.pool().is_closed()),
        Kind::Slot
        | Kind::Slice
        | Kind::Producer
        | Kind::Consumer
        | Kind::MemoryBudget
        | Kind::Sender
        | Kind::Receiver => Some(false),
    };
    if closed.ok_or_else(Fault::released)? { Err(Fault::new(Code::CLOSED, "the pool is closed")) } else { Ok(()) }
}

fn set_tag(state: &EnvState, tag: f64) {
    let bits = tag.to_bits();
    state.control.set(Word::TagLow, bits as u32);
    state.control.set(Word::TagHigh, (bits >> 32) as u32);
}

fn concealed<T: Memory>(owner: Option<Shown<T>>) -> Result<Shown<T>, Fault> {
    let mut owner = owner.ok_or_else(Fault::released)?;
    owner.conceal();
    Ok(owner)
}

/// Takes an object into this isolate, for which [room was made](Tables::make_room). Out: its `Kind`, and what the object's room
/// says of it.
pub(crate) fn arrive(state: &mut EnvState, object: Transferable) -> Result<(), Fault> {
    state.control.set(Word::Came, 0);
    let kind = match object {
        Transferable::Slice(slice) => {
            borrowed::take_in(state, slice)?;
            Kind::Slice
        }
        Transferable::Batch(batch) => {
            let FramedBatch { slice, table, frames, header, trailer, tag } = *batch;
            borrowed::take_in(state, slice)?;
            state.control.set(Word::Table, table);
            state.control.set(Word::Frames, frames);
            state.control.set(Word::Header, header);
            state.control.set(Word::Trailer, trailer);
            set_tag(state, tag);
            state.control.set(Word::Came, 3);
            Kind::Slice
        }
        Transferable::Tagged(tagged) => {
            let (object, tag) = *tagged;
            arrive(state, object)?;
            set_tag(state, tag);
            state.control.set(Word::Came, 2);
            return Ok(());
        }
        Transferable::MemoryBudget(budget) => {
            state.control.set_wide(budget.limit() as u64);
            let handle = state.tables.memory_budgets.insert(budget)?;
            state.set_handle(Word::Handle, Word::Generation, handle);
            Kind::MemoryBudget
        }
        Transferable::Allocation(allocation) => {
            state.control.set(Word::Size, (allocation.allocated_bytes() / allocation.count()) as u32);
            budget_allocation::hand_over(state, allocation)?;
            Kind::Allocation
        }
        Transferable::BuddyBuffer(buffer, length) => {
            state.control.set(Word::Size, length);
            let pool = buddy_pool::take_in(state, buffer.pool())?;
            buddy_buffer::hand_over(state, pool, buffer)?;
            Kind::BuddyBuffer
        }
        Transferable::Half(mut half) => {
            let kind = match half {
                EitherHalf::Producer(_) => Kind::Producer,
                EitherHalf::Consumer(_) => Kind::Consumer,
            };
            let control = &state.control;
            control.set(Word::Size, half.size() as u32);
            control.set_wide(half.position());
            control.set(Word::Available, half.available() as u32);
            control.set(Word::Ended, u32::from(half.has_ended()));
            let handle = state.tables.ring_halves.insert(RingHalf::new(half))?;
            state.set_handle(Word::Handle, Word::Generation, handle);
            kind
        }
        Transferable::BudgetPool(pool) => {
            state.control.set(Word::Size, pool.buffer_size() as u32);
            state.control.set_wide(pool.max_memory() as u64);
            let handle = state.tables.budget_pools.insert(pool)?;
            state.set_handle(Word::Handle, Word::Generation, handle);
            Kind::BudgetPool
        }
        Transferable::BuddyPool(pool) => {
            buddy_pool::take_in(state, pool)?;
            Kind::BuddyPool
        }
        Transferable::Sender(sender) => {
            let handle = state.tables.senders.insert(sender)?;
            state.set_handle(Word::Handle, Word::Generation, handle);
            Kind::Sender
        }
        Transferable::Receiver(receiver) => {
            let handle = state.tables.receivers.insert(receiver)?;
            state.set_handle(Word::Handle, Word::Generation, handle);
            Kind::Receiver
        }
    };
    state.control.set(Word::Kind, kind as u32);
    Ok(())
}
