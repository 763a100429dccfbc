//! Byte rings: `ByteRing`, `Producer` and `Consumer` of the facade.

pub(crate) mod entry;
pub(crate) mod half;
#[cfg(unix)]
pub(crate) mod io;
