//! Byte rings: `ByteRing`, `Producer` and `Consumer` of the facade.

pub(crate) mod entry;
pub(crate) mod half;
