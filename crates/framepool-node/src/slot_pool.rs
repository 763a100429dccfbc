//! Slot pools: `SlotPool` of the facade.

use std::sync::Arc;

use framepool::handle::Handle;
use framepool::quarantine::Quarantine;
use framepool::shown::Shown;
use framepool::slot::{Mode, Place, Region, Slice, SlotPool, Taken};
use framepool::sv2::Batch;
use napi::Env;
use napi_derive::napi;

use crate::allocator;
use crate::boundary::{Call, ObjectHandle, Reply};
use crate::control::{Control, Word};
use crate::env::EnvState;
use crate::errors::{Fault, Result};
use crate::external::array_buffer;
use crate::inspect::{Kind, Listed, Window};
use crate::ticket;

/// A pool. It holds the slots of the slices that this isolate's JavaScript has, which names them by slot.
pub(crate) struct SlotPoolEntry {
    pub(crate) pool: SlotPool,
    /// The isolate's share of the pool's memory.
    region: Shown<Arc<Region>>,
    /// Of a pool in debug mode: every slice is guarded, and JavaScript has it as a heap slice.
    quarantine: Option<Arc<Quarantine>>,
}

impl SlotPoolEntry {
    /// Catches up with what JavaScript did without calling, in order: slices released; slices that came and went alone, and one
    /// that came alone; slices taken where they were predicted to go; bytes written likewise; slices released since.
    #[inline]
    pub(crate) fn catch_up(&mut self, control: &Control) -> std::result::Result<(), Fault> {
        self.pool.give_back(control.get(Word::Before) as u8);
        let came_and_went = control.get(Word::CameAndWent);
        if came_and_went != 0 {
            self.pool.replay_lone(came_and_went, control.get(Word::LastLength) as usize);
        }
        let alone = control.get(Word::Alone) as usize;
        if alone != 0 {
            self.replay_taken(alone, 1, 0)?;
        }
        if control.get(Word::Taken) != 0 {
            let (mut slot, mut offset) = (control.get(Word::TakenSlot) as u8, control.get(Word::TakenStart) as usize);
            for len in control.taken_lengths() {
                self.replay_taken(len as usize, slot, offset)?;
                slot += 1;
                offset += len as usize;
            }
        }
        let written = control.get(Word::Pending) as usize;
        if written != 0 {
            let predicted = control.get(Word::Offset) as usize;
            self.pool.try_get_writable(written)?;
            match self.pool.place() {
                Place::Region(offset) if offset == predicted => {}
                // The core's tests prove that this does not happen; if it did, bytes of a live slice could be lost.
                place => {
                    return Err(Fault::internal(&format!("bytes predicted at {predicted} belong at {place:?}")));
                }
            }
        }
        self.pool.give_back(control.get(Word::After) as u8);
        // Not before: what JavaScript has predicted, it has predicted with these slots taken.
        let returned = self.pool.collect();
        if returned != 0 {
            control.set(Word::Returned, returned.into());
        }
        Ok(())
    }

    /// Takes a slice of `len` bytes, which was predicted to be there.
    fn replay_taken(&mut self, len: usize, slot: u8, offset: usize) -> std::result::Result<(), Fault> {
        self.pool.try_get_writable(len)?;
        match self.pool.take_held() {
            Taken::Held { slot: own, offset: begin, .. } if (own, begin) == (slot, offset) => Ok(()),
            taken => Err(Fault::internal(&format!("a slice predicted in slot {slot} at {offset} is {taken:?}"))),
        }
    }

    /// See [`SlotPool::forget_empty`].
    pub(crate) fn forget_empty(&mut self) {
        self.pool.forget_empty();
    }

    /// Catches up, and makes a slice of the slot `Slot` that may leave this isolate.
    pub(crate) fn lend(&mut self, control: &Control) -> std::result::Result<Slice, Fault> {
        self.catch_up(control)?;
        let slice = self.pool.lend(control.get(Word::Slot) as usize).ok_or_else(Fault::released)?;
        self.report(control);
        Ok(slice)
    }

    /// Reports where the next messages would go. Out: `NextSlot`, `LastSlot`, `Next`, `Room`.
    #[inline]
    pub(crate) fn report(&self, control: &Control) {
        let room = self.pool.room();
        control.set(Word::NextSlot, room.slot as u32);
        control.set(Word::LastSlot, room.last_slot as u32);
        control.set(Word::Next, room.offset as u32);
        control.set(Word::Room, room.bytes as u32);
    }

    /// Hands a slice to JavaScript: by its slot if it has one, else as a heap slice of its own.
    #[inline]
    fn hand_over(
        taken: Taken,
        heap: &mut crate::heap_slice::Table,
        control: &Control,
    ) -> std::result::Result<(), Fault> {
        match taken {
            Taken::Held { slot, offset, len } => {
                control.set(Word::Slot, u32::from(slot));
                control.set(Word::Offset, offset as u32);
                control.set(Word::Length, len as u32);
            }
            Taken::Heap(slice) => {
                // A guarded slice has one.
                control.set(Word::Slot, slice.slot().map_or(0, u32::from));
                control.set(Word::Offset, 0);
                control.set(Word::Length, slice.len() as u32);
                let handle = heap.insert(slice)?;
                control.set(Word::Heap, handle.index);
                control.set(Word::HeapGeneration, handle.generation);
            }
        }
        Ok(())
    }

    /// The same for a batch of frames.
    pub(crate) fn hand_over_batch(
        &mut self,
        batch: Batch<Slice>,
        heap: &mut crate::heap_slice::Table,
        control: &Control,
    ) -> std::result::Result<(), Fault> {
        control.set(Word::Table, batch.table as u32);
        control.set(Word::Frames, batch.frames as u32);
        let taken = match &self.quarantine {
            None => self.pool.hold(batch.slice),
            Some(quarantine) => Taken::Heap(batch.slice.guarded(quarantine)?),
        };
        Self::hand_over(taken, heap, control)
    }
}

impl Listed for SlotPoolEntry {
    fn kind(&self) -> Kind {
        Kind::SlotPool
    }

    fn bytes(&self) -> usize {
        self.pool.capacity()
    }

    const HAS_WINDOW: bool = true;

    fn window(&self) -> Option<Window> {
        Some(Window::Slots(Arc::clone(self.pool.region())))
    }
}

fn entry(state: &mut EnvState) -> std::result::Result<&mut SlotPoolEntry, Fault> {
    let handle = state.handle(Word::Handle, Word::Generation);
    state.slot_pools.get_mut(handle).ok_or_else(Fault::released)
}

/// `Length` more bytes after what is written. Out: `Slot` (0 for the heap) and `Offset`.
pub(crate) fn writable(call: &mut Call<'_>) -> Reply {
    let control = call.state.control.clone();
    let entry = entry(call.state)?;
    // JavaScript forgets its backlog whether or not the rest fails.
    entry.catch_up(&control)?;
    allocator::check()?;
    let (written, place) = (entry.pool.len(), entry.pool.heap_sight().map(|sight| sight.span().cast::<u8>()));
    if let Some(quarantine) = &entry.quarantine {
        // Whoever still writes through an earlier view is to be caught.
        entry.pool.move_heap_on(quarantine)?;
    }
    entry.pool.try_get_writable(control.get(Word::Length) as usize)?;
    let (slot, offset) = match entry.pool.place() {
        Place::Region(offset) => (1, offset + written),
        Place::Heap => (0, written),
    };
    let moved = entry.pool.heap_sight().map(|sight| sight.span().cast()) != place;
    control.set(Word::Moved, u32::from(moved));
    control.set(Word::Slot, slot);
    control.set(Word::Offset, offset as u32);
    Ok(None)
}

/// What is written, as a slice. Out: `Slot`, `Offset`, `Length`, or `Heap`; what `report` says.
#[inline]
pub(crate) fn take(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let EnvState { slot_pools, slices, control, .. } = call.state;
    let entry = slot_pools.get_mut(handle).ok_or_else(Fault::released)?;
    // JavaScript forgets its backlog whether or not the rest fails.
    entry.catch_up(control)?;
    entry.report(control);
    allocator::check()?;
    slices.make_room()?;
    let taken = match &entry.quarantine {
        None => entry.pool.take_held(),
        Some(quarantine) => Taken::Heap(entry.pool.take_guarded(quarantine)?),
    };
    SlotPoolEntry::hand_over(taken, slices, control)?;
    entry.report(control);
    Ok(None)
}

/// Catches up, so that what is reported next is exact. Out: what `report` says.
pub(crate) fn settle(call: &mut Call<'_>) -> Reply {
    let control = call.state.control.clone();
    let entry = entry(call.state)?;
    entry.catch_up(&control)?;
    entry.report(&control);
    Ok(None)
}

/// Keeps the first `Length` bytes that are not hidden; `Offset` of them, from the start, are.
pub(crate) fn truncate(call: &mut Call<'_>) -> Reply {
    let length = call.get(Word::Length) as usize;
    let hidden = call.get(Word::Offset) as usize;
    let entry = entry(call.state)?;
    entry.pool.try_set_start(hidden)?;
    entry.pool.try_truncate(length)?;
    Ok(None)
}

/// The `ArrayBuffer` over the pool's region.
pub(crate) fn region(call: &mut Call<'_>) -> Reply {
    let realm = Arc::clone(&call.state.realm);
    Ok(Some(array_buffer(&realm, entry(call.state)?.region.sight())?))
}

/// The `ArrayBuffer` over the heap buffer in which a message is being written.
pub(crate) fn heap(call: &mut Call<'_>) -> Reply {
    let realm = Arc::clone(&call.state.realm);
    let sight = entry(call.state)?.pool.heap_sight();
    let sight = sight.ok_or_else(|| Fault::internal("no message is being written on the heap"))?;
    Ok(Some(array_buffer(&realm, sight)?))
}

/// Ends the views of the region, for debug mode, in which they are good until the next call.
pub(crate) fn conceal(call: &mut Call<'_>) -> Reply {
    // Where that cannot be done, the views stay: they show memory that the pool has.
    entry(call.state)?.region.conceal();
    Ok(None)
}

/// Drops the slices of the pool that have left this isolate and not arrived in another.
pub(crate) fn revoke(call: &mut Call<'_>) -> Reply {
    let region = Arc::clone(entry(call.state)?.pool.region());
    ticket::PARKED.revoke(|object| object.is_in(&region));
    Ok(None)
}

/// Drops what is written.
pub(crate) fn discard(call: &mut Call<'_>) -> Reply {
    let pool = &mut entry(call.state)?.pool;
    pool.try_set_start(0)?;
    pool.try_truncate(0)?;
    pool.forget_empty();
    Ok(None)
}

/// Frees the pool, or abandons it.
pub(crate) fn close(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let entry = call.state.slot_pools.remove(handle).ok_or_else(Fault::released)?;
    if call.get(Word::Abandoned) == 1 {
        entry.region.abandon();
        entry.pool.abandon();
    }
    Ok(None)
}

/// A new pool of `capacity` bytes. `debug`: its slices are guarded.
#[napi(catch_unwind)]
pub fn slot_pool_create(env: Env, capacity: u32, debug: bool) -> Result<ObjectHandle> {
    let state = EnvState::of(env)?;
    let pool = SlotPool::new(capacity as usize).map_err(Fault::from)?;
    let quarantine = debug.then(|| Arc::clone(state.debug.quarantine()));
    if let Some(quarantine) = &quarantine {
        pool.region().guard().set(quarantine);
    }
    let region = Shown::new(Arc::clone(pool.region()));
    Ok(state.slot_pools.insert(SlotPoolEntry { pool, region, quarantine })?.into())
}

/// `SlotPoolStats` as far as the core knows them, and the line that the pool prints.
#[napi(object)]
pub struct SlotPoolReport {
    /// back, front or alloc.
    pub mode: String,
    /// One character a slot.
    pub slots: String,
    /// Slices taken from the heap.
    pub heap_fallbacks: f64,
    /// Times that the pool began anew with nothing alive.
    pub resets: f64,
    /// Times that the mode changed.
    pub mode_changes: f64,
    /// `slots` and mode, as in the description.
    pub line: String,
}

/// What the pool reports of itself.
#[napi(catch_unwind)]
pub fn slot_pool_report(env: Env, handle: ObjectHandle) -> Result<SlotPoolReport> {
    let handle = Handle::from(handle);
    let entry = EnvState::of_any(env)?.slot_pools.get(handle).ok_or_else(Fault::released)?;
    let stats = entry.pool.stats();
    Ok(SlotPoolReport {
        mode: match stats.mode {
            Mode::Back => "back",
            Mode::Front => "front",
            Mode::Alloc => "alloc",
        }
        .to_owned(),
        slots: stats.slots.iter().map(|&digit| char::from(digit)).collect(),
        heap_fallbacks: stats.heap_fallbacks as f64,
        resets: stats.resets as f64,
        mode_changes: stats.mode_changes as f64,
        line: entry.pool.to_string(),
    })
}
