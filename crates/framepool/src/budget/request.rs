//! A thread's place in the queue of a budget pool.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::allocation::Reservation;
use super::shared::Shared;
use crate::ledger::{Closed, RequestId};

/// A place in the queue, kept however often the thread looks whether its turn has come. Dropped, it is given up: those behind it
/// move up, and what was granted to it goes back.
pub struct Request {
    pub(super) shared: Arc<Shared>,
    pub(super) id: RequestId,
    pub(super) granted: Receiver<Result<Reservation, Closed>>,
}

impl Request {
    /// Blocks the thread for at most `timeout`. What is granted, or refused, is given once; `None` before that.
    pub fn wait(&self, timeout: Duration) -> Option<Result<Reservation, Closed>> {
        match self.granted.recv_timeout(timeout) {
            Ok(granted) => Some(granted),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(Closed)),
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        // If it was this request's turn just now, what is being handed over goes back with the receiver.
        self.shared.ledger.cancel(self.id);
    }
}
