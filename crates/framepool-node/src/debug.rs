//! Debug mode: what is guarded, and what was found in quarantine.

pub(crate) mod disturbances;
pub(crate) mod mode;
