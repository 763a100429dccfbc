//! The atomics that `live` stands on. `tests/slot_loom.rs` puts loom's in their place.

pub(super) use std::sync::atomic::{AtomicU8, Ordering};
