//! Slices that JavaScript names by a handle: those that own their memory, and those of slot pools of other isolates.

pub(crate) mod borrowed;
pub(crate) mod heap;
pub(crate) mod regions;
pub(crate) mod release;
