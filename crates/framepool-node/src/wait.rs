//! Waits: how they begin, how any thread ends them, and how that reaches JavaScript on the isolate's own thread.
//!
//! - `pending`: the waits of an isolate that are not over.
//! - `settle`: begins and cancels a wait, and delivers its end.
//! - `polled`: waits for what has to be asked again and again, such as a future.
//! - `blocked`: waits that block the thread.

pub(crate) mod blocked;
pub(crate) mod pending;
pub(crate) mod polled;
pub(crate) mod settle;
