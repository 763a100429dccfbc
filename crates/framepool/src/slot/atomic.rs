//! The atomics of `live`, in a file of their own so that `tests/slot_loom.rs` can replace them by loom's.

pub(super) use std::sync::atomic::{AtomicU32, Ordering};
