//! Slices that own their memory.

use framepool::slot::{OutOfMemory, Slice};

use crate::boundary::{Call, Reply};
use crate::control::Word;
use crate::control::length_word;
use crate::env::EnvState;
use crate::errors::Fault;
use crate::external::array_buffer;
use crate::inspect::{self, Kind, Listed};

/// An isolate's heap slices.
pub(crate) type Table = inspect::Table<Slice>;

impl Listed for Slice {
    fn kind(&self) -> Kind {
        Kind::Slice
    }

    fn bytes(&self) -> usize {
        self.len()
    }
}

/// A slice with a copy of the bytes that the call carries. Out: `Heap`, `Length`.
pub(crate) fn from(call: &mut Call<'_>) -> Reply {
    call.state.slices.make_room()?;
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
    let handle = call.state.slices.insert(slice)?;
    call.set(Word::Heap, handle.index);
    call.set(Word::HeapGeneration, handle.generation);
    Ok(None)
}

/// The `ArrayBuffer` over a slice's bytes.
pub(crate) fn view(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Heap, Word::HeapGeneration);
    let EnvState { slices, realm, .. } = call.state;
    let slice = slices.get_mut(handle).ok_or_else(Fault::released)?;
    let sight = slice.sight().ok_or_else(|| Fault::internal("the slice lies in the memory of a pool"))?;
    Ok(Some(array_buffer(realm, sight)?))
}

/// Frees a slice, or abandons it. Out: `Ended`, 1 when it was a slice of a pool that is gone.
pub(crate) fn release(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Heap, Word::HeapGeneration);
    let slice = call.state.slices.get(handle).ok_or_else(Fault::released)?;
    let ended = slice.region().is_some_and(|region| region.is_closed());
    call.set(Word::Ended, u32::from(ended));
    if call.get(Word::Abandoned) == 0 {
        call.state.slices.discard(handle);
    } else if let Some(slice) = call.state.slices.remove(handle) {
        slice.abandon();
    }
    Ok(None)
}
