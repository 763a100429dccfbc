//! The change of objects from one isolate to another: by ticket, or through a channel.

pub(crate) mod channel;
pub(crate) mod main_thread;
pub(crate) mod ticket;
pub(crate) mod transferable;
pub(crate) mod travel;
