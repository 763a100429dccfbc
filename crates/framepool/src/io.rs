//! Real file descriptors: readv(2) into a ring, writev(2) out of it, without a copy and without blocking.
//!
//! - [`Port::transfer`]: what one call can move now.
//! - [`Poller`]: the same as soon as it can be done, on one thread that waits for all such operations with poll(2).
//! - [`Pump`]: everything that one descriptor gives, to another.
//!
//! Node's own thread pool is not used: a read that blocks there keeps a worker from ending.

mod bell;
mod descriptor;
mod poller;
mod port;
mod pump;

pub use descriptor::{Access, Descriptor};
pub use poller::{Operation, Poller};
pub use port::Port;
pub use pump::{Pump, Pumped};
