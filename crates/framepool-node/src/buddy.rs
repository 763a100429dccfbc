//! Buddy pools and their buffers: `BuddyPool` and `BuddyBuffer` of the facade.

pub(crate) mod buffer;
pub(crate) mod entry;
pub(crate) mod pool;
