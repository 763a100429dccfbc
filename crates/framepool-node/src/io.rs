//! Native I/O on file descriptors: transfers and pumps.

pub(crate) mod descriptor;
pub(crate) mod pump;
pub(crate) mod transfer;
