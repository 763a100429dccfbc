//! The change of objects from one thread to another: through a [`channel`](mod@channel), or by [`ticket`].

pub mod channel;
pub mod ticket;
