//! Framed streams: `FrameReader` of the facade.

pub(crate) mod reader;
