//! The memory budgets of relays as an isolate's tables hold them.

use std::sync::Arc;

use framepool::handle::{Handle, HandleTable};
use framepool::sv2::{LinkMemory, RelayMemory};

use crate::errors::Fault;
use crate::inspect::listing::Isolate;
use crate::inspect::table::Store;

/// The budgets of an isolate's relays, and the shares of their links.
#[derive(Default)]
pub(crate) struct RelayMemories {
    pub(super) budgets: HandleTable<Arc<RelayMemory>>,
    pub(super) links: HandleTable<LinkMemory>,
}

impl RelayMemories {
    pub(super) fn link(&mut self, handle: Handle) -> Result<&mut LinkMemory, Fault> {
        self.links.get_mut(handle).ok_or_else(Fault::released)
    }
}

impl Store for RelayMemories {
    fn new(_: &mut Isolate) -> Self {
        Self::default()
    }

    fn clear(&mut self) {
        self.links.clear();
        self.budgets.clear();
    }
}
