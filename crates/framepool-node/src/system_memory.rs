//! Buffers on the heap: `SystemMemoryBuffer` of the facade.

use framepool::buffer_sv2::Buffer;
use framepool::quarantine::Guarded;
use framepool::slot::SystemMemory;

use crate::boundary::{Call, Reply};
use crate::control::Word;
use crate::env::EnvState;
use crate::errors::Fault;
use crate::external::{Exposure, Shown};
use crate::inspect::{Kind, Listed};

impl Listed for Shown<SystemMemory> {
    fn kind(&self) -> Kind {
        Kind::SystemMemoryBuffer
    }

    /// Nothing yet, when it is listed.
    fn bytes(&self) -> usize {
        self.len()
    }
}

fn entry(state: &mut EnvState) -> std::result::Result<&mut Shown<SystemMemory>, Fault> {
    let handle = state.handle(Word::Handle, Word::Generation);
    state.system_memories.get_mut(handle).ok_or_else(Fault::released)
}

/// New memory, for one message. Out: `Handle`.
pub(crate) fn create(call: &mut Call<'_>) -> Reply {
    let handle = call.state.system_memories.insert(Shown::new(SystemMemory::default(), Exposure::default()))?;
    call.set(Word::Handle, handle.index);
    call.set(Word::Generation, handle.generation);
    Ok(None)
}

/// `Length` more bytes after what is written. Out: `Offset`.
pub(crate) fn writable(call: &mut Call<'_>) -> Reply {
    let length = call.get(Word::Length) as usize;
    let quarantine = call.state.debug.general_quarantine().cloned();
    let entry = entry(call.state)?;
    let written = entry.len();
    if entry.exposure.is_shown() {
        // JavaScript could not take its view back, so the memory under it must stay.
        let old = entry.relocate()?;
        entry.exposure.leave(old);
    } else if let Some(quarantine) = quarantine {
        // Whoever still writes through an earlier view is to be caught.
        drop(Guarded::new(entry.relocate()?.get_data_owned(), &quarantine));
    }
    entry.try_get_writable(length)?;
    call.set(Word::Offset, written as u32);
    Ok(None)
}

/// What is written, as a heap slice; the memory ends. Out: `Heap`, `Length`.
pub(crate) fn take(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    call.state.slices.make_room()?;
    let mut entry = call.state.system_memories.remove(handle).ok_or_else(Fault::released)?;
    let mut slice = entry.get_data_owned();
    if let Some(quarantine) = call.state.debug.general_quarantine() {
        slice = slice.guarded(quarantine)?;
    }
    let exposure = std::mem::take(&mut entry.exposure);
    call.set(Word::Length, slice.len() as u32);
    let handle = call.state.slices.insert(Shown::new(slice, exposure))?;
    call.set(Word::Heap, handle.index);
    call.set(Word::HeapGeneration, handle.generation);
    Ok(None)
}

/// Keeps the first `Length` bytes that are not hidden; `Offset` of them, from the start, are.
pub(crate) fn truncate(call: &mut Call<'_>) -> Reply {
    let (length, hidden) = (call.get(Word::Length) as usize, call.get(Word::Offset) as usize);
    let entry = entry(call.state)?;
    entry.try_set_start(hidden)?;
    entry.try_truncate(length)?;
    Ok(None)
}

/// The `ArrayBuffer` over what is written.
pub(crate) fn view(call: &mut Call<'_>) -> Reply {
    let env = call.env;
    let entry = entry(call.state)?;
    let length = entry.len();
    let bytes = entry.get_data_by_ref(length);
    let (base, length) = (std::ptr::NonNull::from(&mut *bytes).cast::<u8>(), bytes.len());
    // SAFETY: the buffer neither moves nor shrinks before `writable`, which relocates it while it is shown, or `take`,
    // which moves its memory into the slice together with the exposure.
    Ok(Some(unsafe { entry.exposure.array_buffer(env, base, length)? }))
}

/// JavaScript has detached what `view` gave it.
pub(crate) fn hidden(call: &mut Call<'_>) -> Reply {
    entry(call.state)?.exposure.revoke();
    Ok(None)
}
