//! A byte ring for one producer and one consumer, on [`bytering`].
//!
//! A thin layer: the ring itself, its counters and its memory are bytering's. Added are what two threads need beside them:
//!
//! - an end: a half that has ended or is gone is noticed by the other ([`Half::other_ended`]);
//! - waiting for the other half without polling ([`Half::poll`], [`wait`]), see `gate`;
//! - places as offsets into the ring's memory, not as slices, because the Node binding shows that memory to JavaScript
//!   as one array buffer and makes its views there.

mod consumer;
mod error;
mod gate;
mod half;
mod link;
mod make;
mod producer;

pub use consumer::{Consumer, Spans};
pub use error::{InvalidCount, RingError};
pub use half::{Half, wait};
pub use make::new;
pub use producer::Producer;
