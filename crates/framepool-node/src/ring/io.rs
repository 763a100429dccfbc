//! Native I/O on file descriptors: transfers, pumps, and the output of sessions.

pub(crate) mod descriptor;
pub(crate) mod output;
pub(crate) mod pump;
pub(crate) mod transfer;
