//! Stratum V2: sessions, their output, and the memory budget of a relay.

pub(crate) mod link_memory;
pub(crate) mod relay_memories;
pub(crate) mod session;
