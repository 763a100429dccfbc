//! Stratum V2: sessions, and their output.

pub(crate) mod session;
