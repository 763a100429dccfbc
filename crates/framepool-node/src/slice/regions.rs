//! The memory of slot pools of other isolates, as far as this isolate has slices in it.

use std::sync::Arc;

use framepool::handle::{Handle, HandleTable};
use framepool::shown::Shown;
use framepool::slot::Region;
use rustc_hash::FxHashMap;

use crate::errors::Fault;
use crate::inspect::listing::Isolate;
use crate::inspect::table::Store;

/// The regions of other isolates' slot pools that this isolate knows. Each is shown through one `ArrayBuffer`, however many of its
/// slices come and go.
#[derive(Default)]
pub(crate) struct Regions {
    table: HandleTable<Shown<Arc<Region>>>,
    /// The regions by the copy of the facade that shows them, and by their address. No other region can have the address
    /// while this isolate has its share.
    known: FxHashMap<(u32, usize), Handle>,
}

impl Regions {
    /// Returns the handle of a region, which this isolate may not have met before.
    pub(super) fn find(&mut self, facade: u32, region: &Arc<Region>) -> Result<Handle, Fault> {
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

    /// Returns whether one more region can be taken in without memory.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.table.has_place() && self.known.len() < self.known.capacity()
    }

    /// Makes sure that one more region can be taken in.
    pub(crate) fn make_room(&mut self) -> Result<(), Fault> {
        let places = if self.table.has_place() { Ok(()) } else { self.table.add_place().map(drop) };
        places.and(self.known.try_reserve(1)).map_err(|_| Fault::no_memory())
    }

    pub(super) fn get_mut(&mut self, handle: Handle) -> Option<&mut Shown<Arc<Region>>> {
        self.table.get_mut(handle)
    }

    /// Gives up this isolate's share of a region.
    pub(super) fn forget(&mut self, handle: Handle) {
        self.known.retain(|_, known| *known != handle);
        self.table.remove(handle);
    }
}

impl Store for Regions {
    fn new(_: &mut Isolate) -> Self {
        Self::default()
    }

    fn clear(&mut self) {
        self.known.clear();
        self.table.clear();
    }
}
