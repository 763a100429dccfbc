//! Slot pools and the heap buffers that have their interface: `SlotPool` and `SystemMemoryBuffer` of the facade.

pub(crate) mod entry;
pub(crate) mod pool;
pub(crate) mod system_memory;
