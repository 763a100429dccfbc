//! The release of slices that have a handle.

use crate::call::words::Word;
use crate::call::{Call, Reply};
use crate::errors::Fault;

/// Releases the slice in `Heap`, or abandons it. A slice on the heap frees its memory, one of another isolate's pool its slot.
/// Out: `Ended`, 1 when the slice's pool is gone.
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
