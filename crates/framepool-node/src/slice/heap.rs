//! Slices that own their memory, and the release of every slice that has a handle.

use framepool::slot::{OutOfMemory, Slice};

use crate::call::control::length_word;
use crate::call::words::Word;
use crate::call::{Call, Reply};
use crate::errors::Fault;
use crate::shown::external::array_buffer;
use crate::state::EnvState;
use crate::tables::Tables;

/// Makes a slice with a copy of the bytes that the call carries. Out: `Heap`, `Length`.
pub(crate) fn from(call: &mut Call<'_>) -> Reply {
    call.state.tables.slices.make_room()?;
    // SAFETY: the bytes are copied before anything else happens.
    let bytes = unsafe { call.bytes()? };
    let length = length_word(bytes.len())?;
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len()).map_err(|_| OutOfMemory { bytes: bytes.len() })?;
    copy.extend_from_slice(bytes);
    call.set(Word::Length, length);
    let mut slice = Slice::from(copy);
    if let Some(quarantine) = call.state.debug.general_quarantine() {
        slice = slice.guarded(quarantine)?;
    }
    let handle = call.state.tables.slices.insert(slice)?;
    call.set(Word::Heap, handle.index);
    call.set(Word::HeapGeneration, handle.generation);
    Ok(None)
}

/// Returns the `ArrayBuffer` over the bytes of a slice that owns its memory.
pub(crate) fn view(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Heap, Word::HeapGeneration);
    let EnvState { tables: Tables { slices, .. }, realm, .. } = call.state;
    let slice = slices.get_mut(handle).ok_or_else(Fault::released)?;
    let sight = slice.sight().ok_or_else(|| Fault::internal("the slice lies in the memory of a pool"))?;
    Ok(Some(array_buffer(realm, sight)?))
}

/// Releases a slice that has a handle, or abandons it. A slice on the heap frees its memory, one of another isolate's pool its
/// slot. Out: `Ended`, 1 when the slice's pool is gone.
pub(crate) fn release(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Heap, Word::HeapGeneration);
    let slice = call.state.tables.slices.get(handle).ok_or_else(Fault::released)?;
    let ended = slice.region().is_some_and(|region| region.is_closed());
    call.set(Word::Ended, u32::from(ended));
    if call.get(Word::Abandoned) == 0 {
        call.state.tables.slices.discard(handle);
    } else if let Some(slice) = call.state.tables.slices.remove(handle) {
        slice.abandon();
    }
    Ok(None)
}
