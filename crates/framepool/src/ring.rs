//! A byte ring for one producer and one consumer, on [`bytering`].
//!
//! bytering provides the ring, its counters and its memory. This module adds what two threads need beside them:
//!
//! - An end: a half notices that the other has ended or was dropped ([`Half::other_ended`]).
//! - Waiting for the other half without polling ([`Half::poll`], [`wait`]).
//! - Places as offsets into the ring's memory instead of slices. The Node binding shows that memory to JavaScript as
//!   one array buffer, and makes its views there.
//!
//! A ring allocates when it is made, and not after that, except to note a waiter.

mod consumer;
mod error;
mod gate;
mod half;
#[cfg(unix)]
pub mod io;
mod link;
mod make;
mod producer;

pub use consumer::{Consumer, Spans};
pub use error::{InvalidCount, RingError};
pub use half::{Half, wait};
pub use make::new;
pub use producer::Producer;
