//! I/O on real file descriptors: readv(2) into a ring and writev(2) out of it, without a copy and without blocking.
//!
//! - [`Port::transfer`] moves what one call can move now.
//! - [`Poller`] does that as soon as it is possible. One thread waits for all such operations with poll(2).
//! - [`Pump`] moves everything from one descriptor to another.
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
