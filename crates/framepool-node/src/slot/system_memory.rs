//! Buffers on the heap: `SystemMemoryBuffer` of the facade.

use framepool::buffer_sv2::Buffer;
use framepool::slot::SystemMemory;

use crate::call::words::Word;
use crate::call::{Call, Reply};
use crate::errors::Fault;
use crate::shown::external::array_buffer;
use crate::state::EnvState;
use crate::tables::Tables;

fn entry(state: &mut EnvState) -> Result<&mut SystemMemory, Fault> {
    let handle = state.handle(Word::Handle, Word::Generation);
    state.tables.system_memories.get_mut(handle).ok_or_else(Fault::released)
}

/// Stands in `Handle` for memory that is still to be made.
const NEW: u32 = u32::MAX;

/// Makes `Length` more bytes writable, in new memory if `Handle` is [`NEW`]. Out: `Handle` of new memory, `Offset`, `Moved`.
pub(crate) fn writable(call: &mut Call<'_>) -> Reply {
    let length = call.get(Word::Length) as usize;
    let new = call.get(Word::Handle) == NEW;
    if new {
        let handle = call.state.tables.system_memories.insert(SystemMemory::default())?;
        call.state.set_handle(Word::Handle, Word::Generation, handle);
    }
    let grown = grow(call, length);
    if new && grown.is_err() {
        let handle = call.state.handle(Word::Handle, Word::Generation);
        call.state.tables.system_memories.discard(handle);
    }
    grown
}

fn grow(call: &mut Call<'_>, length: usize) -> Reply {
    let quarantine = call.state.debug.general_quarantine().cloned();
    let entry = entry(call.state)?;
    let (written, place) = (entry.len(), entry.sight().span().cast::<u8>());
    if let Some(quarantine) = quarantine {
        // A write through an earlier view is to be caught.
        entry.move_on(&quarantine)?;
    }
    entry.try_get_writable(length)?;
    let moved = entry.sight().span().cast() != place;
    call.set(Word::Offset, written as u32);
    call.set(Word::Moved, u32::from(moved));
    Ok(None)
}

/// Makes a heap slice of what is written, and ends the memory. Out: `Heap`, `Length`.
pub(crate) fn take(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    call.state.tables.slices.make_room()?;
    let mut entry = call.state.tables.system_memories.remove(handle).ok_or_else(Fault::released)?;
    let mut slice = entry.get_data_owned();
    if let Some(quarantine) = call.state.debug.general_quarantine() {
        slice = slice.guarded(quarantine)?;
    }
    call.set(Word::Length, slice.len() as u32);
    let handle = call.state.tables.slices.insert(slice)?;
    call.set(Word::Heap, handle.index);
    call.set(Word::HeapGeneration, handle.generation);
    Ok(None)
}

/// Hides the first `Offset` bytes of the message, and keeps the first `Length` bytes of the rest.
pub(crate) fn truncate(call: &mut Call<'_>) -> Reply {
    let (length, hidden) = (call.get(Word::Length) as usize, call.get(Word::Offset) as usize);
    let entry = entry(call.state)?;
    entry.try_set_start(hidden)?;
    entry.try_truncate(length)?;
    Ok(None)
}

/// Returns the `ArrayBuffer` over what is written, and over the room behind it.
pub(crate) fn view(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let EnvState { tables: Tables { system_memories, .. }, realm, .. } = call.state;
    let entry = system_memories.get_mut(handle).ok_or_else(Fault::released)?;
    Ok(Some(array_buffer(realm, entry.sight())?))
}
