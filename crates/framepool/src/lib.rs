//! The core of framepool: no Node-API anywhere, usable from Rust as it is.

pub mod allocator;
pub mod buddy;
pub mod budget;
pub mod census;
pub mod channel;
mod coded;
pub mod handle;
#[cfg(unix)]
pub mod io;
mod ledger;
pub mod quarantine;
pub mod ring;
pub mod shown;
pub mod slot;
pub mod sv2;
mod system_error;
pub mod ticket;

/// The crate whose traits the buffers implement.
pub use buffer_sv2;
pub use coded::Coded;
pub use system_error::SystemError;
