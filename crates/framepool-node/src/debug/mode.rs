//! Debug mode of an isolate.

use std::sync::Arc;

use framepool::quarantine::Quarantine;

/// The most bytes in an isolate's quarantine.
const QUARANTINE_BYTES: usize = 64 << 20;
/// The most pieces of memory in an isolate's quarantine.
const QUARANTINE_ENTRIES: usize = 4096;

/// An isolate's debug mode.
#[derive(Default)]
pub(crate) struct Debug {
    /// Made when the first object is guarded.
    pub(super) quarantine: Option<Arc<Quarantine>>,
    /// Whether every object is guarded, and not only those that ask for it.
    pub(super) everything: bool,
}

impl Debug {
    /// Returns the quarantine, where the isolate's guarded memory goes.
    pub(crate) fn quarantine(&mut self) -> &Arc<Quarantine> {
        self.quarantine.get_or_insert_with(|| Quarantine::new(QUARANTINE_BYTES, QUARANTINE_ENTRIES))
    }

    /// Returns the quarantine if everything is guarded.
    pub(crate) fn general_quarantine(&self) -> Option<&Arc<Quarantine>> {
        if self.everything { self.quarantine.as_ref() } else { None }
    }
}
