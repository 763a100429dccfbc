//! Relays: their lives, their records on the way to JavaScript, and the commands on the way back.

pub(crate) mod commands;
pub(crate) mod entry;
pub(crate) mod lifecycle;
pub(crate) mod records;
pub(crate) mod way;
