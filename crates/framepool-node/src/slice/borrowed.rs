//! Slices in the memory of slot pools of other isolates.

use std::sync::Arc;

use framepool::shown::Shown;
use framepool::slot::{Region, Slice};

use crate::call::words::Word;
use crate::call::{Call, Reply};
use crate::errors::Fault;
use crate::shown::external::array_buffer;
use crate::state::EnvState;
use crate::wait::polled;

/// Takes in a slice of another isolate. Out: the slice in `Heap`, its `Offset`, `Length` and `Slot`; `Own`, 1 if it owns its
/// memory, else the memory in `Region`.
pub(crate) fn take_in(state: &mut EnvState, slice: Slice) -> Result<(), Fault> {
    let slot = slice.slot().unwrap_or(0);
    state.control.set(Word::Slot, slot.into());
    state.control.set(Word::Own, u32::from(slice.region().is_none()));
    state.control.set(Word::Offset, slice.offset().unwrap_or(0) as u32);
    state.control.set(Word::Length, slice.len() as u32);
    if let Some(region) = slice.region() {
        let handle = state.tables.regions.find(state.control.get(Word::Facade), region)?;
        state.set_handle(Word::Region, Word::RegionGeneration, handle);
    }
    let handle = state.tables.slices.insert(slice)?;
    state.set_handle(Word::Heap, Word::HeapGeneration, handle);
    Ok(())
}

fn called<'a>(call: &'a mut Call<'_>) -> Result<&'a mut Shown<Arc<Region>>, Fault> {
    let handle = call.state.handle(Word::Region, Word::RegionGeneration);
    call.state.tables.regions.get_mut(handle).ok_or_else(Fault::released)
}

/// Returns the `ArrayBuffer` over a region.
pub(crate) fn view(call: &mut Call<'_>) -> Reply {
    let realm = Arc::clone(&call.state.realm);
    Ok(Some(array_buffer(&realm, called(call)?.sight())?))
}

/// Watches for the end of the region's pool. Out: `Wait`, 0 if the pool is gone already.
pub(crate) fn watch(call: &mut Call<'_>) -> Reply {
    let closed = called(call)?.closed();
    polled::watch(call, closed, |_, ()| {})
}

/// Gives up this isolate's share of a region.
pub(crate) fn forget(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Region, Word::RegionGeneration);
    call.state.tables.regions.forget(handle);
    Ok(None)
}
