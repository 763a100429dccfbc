//! The relays of an isolate.

use framepool::allocator::LARGEST_SMALL;
use framepool::handle::{Handle, HandleTable};
use framepool::relay::{Command, Operation, Record, Relay};

use crate::errors::Fault;
use crate::inspect::listing::Isolate;
use crate::inspect::table::Store;

/// The most commands that wait for a flush.
const MOST_COMMANDS: usize = 1024;

const _: () = assert!(MOST_COMMANDS * size_of::<Command>() <= LARGEST_SMALL);

/// A relay of this isolate.
pub(crate) struct RelayEntry {
    pub(super) relay: Relay,
    /// Commands that the threads have not got yet.
    pub(super) commands: Vec<Command>,
    /// The record that was taken last, unless it was frames.
    pub(super) event: Option<Record>,
}

impl RelayEntry {
    /// Adds a command for a link. It goes to the threads with the next flush, or now if many wait: a short list can always grow.
    pub(super) fn add(&mut self, link: u64, operation: Operation) {
        if self.commands.len() >= MOST_COMMANDS {
            self.flush();
        }
        self.commands.push(Command { link, operation });
    }

    pub(super) fn flush(&mut self) {
        self.relay.command(self.commands.drain(..));
    }
}

/// The relays of an isolate. They end with it.
#[derive(Default)]
pub(crate) struct Relays(HandleTable<RelayEntry>);

impl Relays {
    pub(super) fn get(&mut self, handle: Handle) -> Result<&mut RelayEntry, Fault> {
        self.0.get_mut(handle).ok_or_else(Fault::released)
    }

    pub(super) fn insert(&mut self, relay: Relay) -> Result<Handle, Fault> {
        let entry = RelayEntry { relay, commands: Vec::new(), event: None };
        self.0.insert(entry).map_err(|_| Fault::no_memory())
    }

    pub(super) fn remove(&mut self, handle: Handle) -> Option<RelayEntry> {
        self.0.remove(handle)
    }
}

impl Store for Relays {
    fn new(_: &mut Isolate) -> Self {
        Self::default()
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}
