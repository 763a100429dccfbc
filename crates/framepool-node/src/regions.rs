//! Memory of slot pools of other isolates, of which this one has slices.

use std::sync::Arc;

use framepool::handle::{Handle, HandleTable};
use framepool::shown::Shown;
use framepool::slot::{Region, Slice};
use rustc_hash::FxHashMap;

use crate::boundary::{Call, Reply};
use crate::control::Word;
use crate::env::EnvState;
use crate::errors::Fault;
use crate::external::array_buffer;
use crate::polled;

/// The regions that this isolate knows, each shown through one `ArrayBuffer`, however many of its slices come and go.
#[derive(Default)]
pub(crate) struct Regions {
    table: HandleTable<Shown<Arc<Region>>>,
    /// By the copy of the facade that shows them, and by their address, which no other region can have while this isolate
    /// has its share.
    known: FxHashMap<(u32, usize), Handle>,
}

impl Regions {
    fn find(&mut self, facade: u32, region: &Arc<Region>) -> Result<Handle, Fault> {
        let key = (facade, Arc::as_ptr(region).addr());
        if let Some(handle) = self.known.get(&key) {
            return Ok(*handle);
        }
        self.make_room()?;
        let shown = Shown::new(Arc::clone(region));
        let handle = self.table.insert(shown).map_err(|_| Fault::no_memory())?;
        self.known.insert(key, handle);
        Ok(handle)
    }

    /// Whether one more region can be taken in without memory.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.table.has_place() && self.known.len() < self.known.capacity()
    }

    /// Makes sure that one more region can be taken in.
    pub(crate) fn make_room(&mut self) -> Result<(), Fault> {
        let places = if self.table.has_place() { Ok(()) } else { self.table.add_place().map(drop) };
        places.and(self.known.try_reserve(1)).map_err(|_| Fault::no_memory())
    }

    pub(crate) fn clear(&mut self) {
        self.known.clear();
        self.table.clear();
    }
}

/// Takes in a slice of another isolate. Out: the slice in `Heap`, its `Offset`, `Length` and `Slot`, 0 on the heap; `Own`, 1 if
/// it has memory of its own, else that in `Region`.
pub(crate) fn take_in(state: &mut EnvState, slice: Slice) -> Result<(), Fault> {
    let slot = slice.slot().unwrap_or(0);
    state.control.set(Word::Slot, slot.into());
    state.control.set(Word::Own, u32::from(slice.region().is_none()));
    state.control.set(Word::Offset, slice.offset().unwrap_or(0) as u32);
    state.control.set(Word::Length, slice.len() as u32);
    if let Some(region) = slice.region() {
        let handle = state.regions.find(state.control.get(Word::Facade), region)?;
        state.set_handle(Word::Region, Word::RegionGeneration, handle);
    }
    let handle = state.slices.insert(slice)?;
    state.set_handle(Word::Heap, Word::HeapGeneration, handle);
    Ok(())
}

fn called<'a>(call: &'a mut Call<'_>) -> Result<&'a mut Shown<Arc<Region>>, Fault> {
    let handle = call.state.handle(Word::Region, Word::RegionGeneration);
    call.state.regions.table.get_mut(handle).ok_or_else(Fault::released)
}

/// The `ArrayBuffer` over a region.
pub(crate) fn view(call: &mut Call<'_>) -> Reply {
    let realm = Arc::clone(&call.state.realm);
    Ok(Some(array_buffer(&realm, called(call)?.sight())?))
}

/// The call carries what is to be called when the region's pool is gone. Out: `Wait`, 0 if it is.
pub(crate) fn watch(call: &mut Call<'_>) -> Reply {
    let closed = called(call)?.closed();
    polled::watch(call, closed, |_, ()| {})
}

/// Gives up this isolate's share.
pub(crate) fn forget(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Region, Word::RegionGeneration);
    call.state.regions.known.retain(|_, known| *known != handle);
    call.state.regions.table.remove(handle);
    Ok(None)
}
