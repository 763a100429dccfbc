//! A slot pool as an isolate's table holds it.

use std::sync::Arc;

use framepool::quarantine::Quarantine;
use framepool::shown::Shown;
use framepool::slot::{Place, Region, Slice, SlotPool, Taken};

use crate::call::control::Control;
use crate::call::words::Word;
use crate::errors::Fault;
use crate::inspect::table::Table;

/// A slot pool of this isolate. It holds the slots of the slices that the isolate's JavaScript names by slot.
pub(crate) struct SlotPoolEntry {
    pub(crate) pool: SlotPool,
    /// The isolate's share of the pool's memory.
    pub(super) region: Shown<Arc<Region>>,
    /// Set in debug mode: every slice is guarded, and JavaScript has it as a heap slice.
    pub(super) quarantine: Option<Arc<Quarantine>>,
}

impl SlotPoolEntry {
    /// Catches up with what JavaScript did without a call, in order: slices released; slices that came and went alone, and one
    /// that came alone; slices taken where they were predicted to go; bytes written likewise; slices released since.
    #[inline]
    pub(crate) fn catch_up(&mut self, control: &Control) -> Result<(), Fault> {
        self.pool.give_back(control.get(Word::Before));
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
        self.pool.give_back(control.get(Word::After));
        // Not before: what JavaScript has predicted, it has predicted with these slots taken.
        let returned = self.pool.collect();
        if returned != 0 {
            control.set(Word::Returned, returned);
        }
        Ok(())
    }

    /// Takes a slice of `len` bytes, which JavaScript has predicted to be there.
    fn replay_taken(&mut self, len: usize, slot: u8, offset: usize) -> Result<(), Fault> {
        self.pool.try_get_writable(len)?;
        match self.pool.take_held() {
            Taken::Held { slot: own, offset: begin, .. } if (own, begin) == (slot, offset) => Ok(()),
            taken => Err(Fault::internal(&format!("a slice predicted in slot {slot} at {offset} is {taken:?}"))),
        }
    }

    /// Forgets a message of no bytes: see [`SlotPool::forget_empty`].
    pub(crate) fn forget_empty(&mut self) {
        self.pool.forget_empty();
    }

    /// Catches up, and makes a slice of the slot `Slot` that may leave this isolate.
    pub(crate) fn lend(&mut self, control: &Control) -> Result<Slice, Fault> {
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

    /// Hands a slice to JavaScript: by its slot if it has one, else as a heap slice. Out: `Slot`, `Offset`, `Length`, or `Heap`.
    #[inline]
    pub(crate) fn hand_over(taken: Taken, heap: &mut Table<Slice>, control: &Control) -> Result<(), Fault> {
        match taken {
            Taken::Held { slot, offset, len } => {
                control.set(Word::Slot, u32::from(slot));
                control.set(Word::Offset, offset as u32);
                control.set(Word::Length, len as u32);
            }
            Taken::Heap(slice) => {
                // A guarded slice has a slot.
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

    /// Hands a batch of frames to JavaScript, as `hand_over` does with a slice. Out: `Table`, `Frames`.
    pub(crate) fn hand_over_batch(
        &mut self,
        slice: Slice,
        table: usize,
        frames: usize,
        heap: &mut Table<Slice>,
        control: &Control,
    ) -> Result<(), Fault> {
        control.set(Word::Table, table as u32);
        control.set(Word::Frames, frames as u32);
        let taken = match &self.quarantine {
            None => self.pool.hold(slice),
            Some(quarantine) => Taken::Heap(slice.guarded(quarantine)?),
        };
        Self::hand_over(taken, heap, control)
    }
}
