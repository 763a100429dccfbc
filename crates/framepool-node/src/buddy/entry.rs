//! Buddy pools as an isolate's tables hold them.

use std::collections::HashMap;
use std::sync::Arc;

use framepool::buddy::{Block, BuddyPool};
use framepool::handle::Handle;
use framepool::shown::Shown;

use crate::errors::Fault;
use crate::inspect::listing::Isolate;
use crate::inspect::table::{Store, Table};

/// A buddy pool, and what this isolate has been shown of it.
pub(crate) struct BuddyPoolEntry {
    pool: BuddyPool,
    /// The first blocks of the pool, by index. Blocks are added as JavaScript meets them.
    blocks: Vec<Shown<Arc<Block>>>,
}

impl BuddyPoolEntry {
    pub(crate) fn pool(&self) -> &BuddyPool {
        &self.pool
    }

    pub(super) fn block(&mut self, index: usize) -> Result<&mut Shown<Arc<Block>>, Fault> {
        if index >= self.blocks.len() {
            let more = self.pool.blocks(self.blocks.len());
            self.blocks.extend(more.into_iter().map(Shown::new));
        }
        self.blocks.get_mut(index).ok_or_else(|| Fault::internal("a block that the pool does not have"))
    }
}

/// The pools that this isolate has made or met. Each is here once, however often it came.
pub(crate) struct BuddyPools {
    table: Table<BuddyPoolEntry>,
    /// The pools by the copy of the facade that shows their blocks, and by their identity.
    known: HashMap<(u32, usize), Handle>,
}

impl BuddyPools {
    pub(crate) fn get(&self, handle: Handle) -> Option<&BuddyPoolEntry> {
        self.table.get(handle)
    }

    pub(super) fn get_mut(&mut self, handle: Handle) -> Option<&mut BuddyPoolEntry> {
        self.table.get_mut(handle)
    }

    /// Returns the handle of a pool, which this isolate may not have met before.
    pub(super) fn find(&mut self, facade: u32, pool: BuddyPool) -> Result<Handle, Fault> {
        let key = (facade, pool.id());
        if let Some(handle) = self.known.get(&key) {
            return Ok(*handle);
        }
        self.make_room()?;
        let handle = self.table.insert(BuddyPoolEntry { pool, blocks: Vec::new() })?;
        self.known.insert(key, handle);
        Ok(handle)
    }

    /// Returns whether one more pool can be taken in without memory.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.table.has_room() && self.known.len() < self.known.capacity()
    }

    /// Makes sure that one more pool can be taken in.
    pub(crate) fn make_room(&mut self) -> Result<(), Fault> {
        self.table.make_room()?;
        self.known.try_reserve(1).map_err(|_| Fault::no_memory())
    }

    pub(super) fn remove(&mut self, handle: Handle) -> Option<BuddyPoolEntry> {
        let entry = self.table.remove(handle)?;
        self.known.retain(|_, known| *known != handle);
        Some(entry)
    }
}

impl Store for BuddyPools {
    const KINDS: &'static [&'static str] = Table::<BuddyPoolEntry>::KINDS;

    fn new(isolate: &mut Isolate) -> Self {
        Self { table: Table::new(isolate), known: HashMap::new() }
    }

    fn clear(&mut self) {
        self.known.clear();
        self.table.clear();
    }

    fn trace(&mut self, handle: Handle, stack: Arc<str>) {
        self.table.trace(handle, stack);
    }
}
