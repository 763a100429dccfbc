//! A thread's request in the queue of a budget pool.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::allocation::Reservation;
use super::shared::Shared;
use crate::ledger::{Closed, RequestId};

/// A request that keeps its place in the queue while its thread waits for it in intervals. Dropping it gives the place
/// up, and returns what was granted.
pub struct Request {
    pub(super) shared: Arc<Shared>,
    pub(super) id: RequestId,
    pub(super) granted: Receiver<Result<Reservation, Closed>>,
}

impl Request {
    /// Blocks the thread for at most `timeout`. Returns the grant or the refusal, once, or `None` if there is neither
    /// yet.
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
        // If the request is being granted just now, the reservation goes back with the receiver.
        self.shared.ledger.cancel(self.id);
    }
}
