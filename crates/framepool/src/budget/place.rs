//! A thread's place in the queue of a budget pool.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::{BudgetPool, Closed, Reservation, Ticket};

/// A place in the queue, kept however often the thread looks whether its turn has come. Dropped, it is given up: those behind it
/// move up, and what was granted to it goes back.
pub struct Place {
    pub(super) pool: BudgetPool,
    pub(super) ticket: Ticket,
    pub(super) granted: Receiver<Result<Reservation, Closed>>,
}

impl Place {
    /// Blocks the thread for at most `timeout`. What is granted, or refused, is given once; `None` before that.
    pub fn wait(&self, timeout: Duration) -> Option<Result<Reservation, Closed>> {
        match self.granted.recv_timeout(timeout) {
            Ok(granted) => Some(granted),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(Closed)),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // If it was this request's turn just now, what is being handed over goes back with the receiver.
        self.pool.cancel(self.ticket);
    }
}
