//! Slices that own their memory: `Slice.from` of the facade.

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
