//! The core of framepool: no Node-API anywhere, usable from Rust as it is.

pub mod buddy;
pub mod budget;
pub mod handle;
pub mod ring;
pub mod slot;
pub mod sv2;

/// The crate whose traits the buffers implement.
pub use buffer_sv2;
