//! A relay between miners and mining pools, on threads of its own.
//!
//! A *link* is a miner's connection, the connection to the mining pool that belongs to it, and an Sv2
//! [`Session`](crate::sv2::Session) for each. It lives on one thread from its first byte to its last. Each thread has a
//! poller, a read buffer, a pool in which frames are decrypted, and a wheel for the timers of its links. Frames go from
//! the read buffer through the two sessions into an output ring, and from there to the socket as they lie.
//!
//! - [`Relay`] starts the threads. Its user gives it [`Command`]s, and takes [`Record`]s of what has happened.
//! - `queue` is the order in which links get their turns, `wheel` has their timers, and `pace` says when a thread rests.
//! - `worker` is the loop of a thread; `link` is what happens on one link; `ending` tells why a link ended.
//! - `network` is what a worker needs of the system: poller, sockets and clock. `system` is the real one, on mio. The
//!   simulation of the tests is the other.
//! - `admission`, `bucket`, `descriptors` and [`Limits`] keep any client from taking more than its share. Each refusal is counted by its
//!   [`Reason`].
//!
//! A turn of a worker does a bounded amount of work for each link that is ready, in turn, and spends a share of its time on
//! timers, handshakes and new connections, so that no client delays the others for long. Nothing is ever dropped to keep a limit: the worker stops reading, or ends the link.

mod admission;
mod bucket;
mod command;
#[cfg(unix)]
mod descriptors;
mod ending;
mod figures;
mod handed;
mod handle;
mod hooks;
mod link;
mod network;
#[cfg(not(unix))]
mod no_descriptors;
mod options;
mod pace;
mod queue;
mod record;
mod shared;
mod side;
#[cfg(test)]
mod simulation;
mod system;
mod wheel;
mod worker;

#[cfg(not(unix))]
use no_descriptors as descriptors;

pub use command::{Command, Operation};
pub use ending::{Cause, Ending, Facts, SystemFault};
pub use figures::{LinkFigures, Reason, RelayStats};
pub use handle::Relay;
pub use hooks::Hooks;
pub use options::{Limits, RelayOptions, Threads};
pub use record::{Disconnected, Record};
