//! The order in which the links of a worker get their turns.

use std::collections::{TryReserveError, VecDeque};

/// The links that wait for a turn, by their places. In a round every link that is ready gets one. A handshake takes the time of dozens of
/// frames, so newcomers get theirs after the frames, and only for some time.
#[derive(Default)]
pub(super) struct Queue {
    /// Links whose frames pass.
    ready: VecDeque<usize>,
    /// Links whose handshakes are not done.
    newcomers: VecDeque<usize>,
    /// Turns of ready links that are left in this round.
    left: usize,
}

impl Queue {
    /// Makes room for so many places. Later calls of [`put`](Self::put) with fewer do not fail.
    pub(super) fn try_reserve(&mut self, places: usize) -> Result<(), TryReserveError> {
        for line in [&mut self.ready, &mut self.newcomers] {
            line.try_reserve(places.saturating_sub(line.len()))?;
        }
        Ok(())
    }

    /// Returns the number of places that each line has room for.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.ready.capacity().min(self.newcomers.capacity())
    }

    pub(super) fn put(&mut self, place: usize, is_ready: bool) {
        if is_ready { &mut self.ready } else { &mut self.newcomers }.push_back(place);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.newcomers.is_empty()
    }

    /// Begins a round.
    pub(super) fn begin_round(&mut self) {
        self.left = self.ready.len();
    }

    /// Takes the next ready link of the round.
    pub(super) fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        self.ready.pop_front()
    }

    /// Returns the ready link whose turn is next.
    pub(super) fn peek(&self) -> Option<usize> {
        self.ready.front().copied()
    }

    /// Takes the next newcomer.
    pub(super) fn next_newcomer(&mut self) -> Option<usize> {
        self.newcomers.pop_front()
    }

    /// Returns the number of newcomers that wait.
    pub(super) fn newcomers(&self) -> usize {
        self.newcomers.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_the_middle_of_a_round_waits_for_the_next() {
        let mut queue = Queue::default();
        queue.put(1, true);
        queue.put(2, true);
        queue.begin_round();
        assert_eq!(queue.next(), Some(1));
        queue.put(1, true);
        assert_eq!(queue.next(), Some(2));
        assert_eq!(queue.next(), None);
        queue.begin_round();
        assert_eq!(queue.next(), Some(1));
        assert!(queue.is_empty());
    }

    #[test]
    fn newcomers_have_a_line_of_their_own() {
        let mut queue = Queue::default();
        queue.put(1, false);
        queue.put(2, true);
        queue.put(3, false);
        queue.begin_round();
        assert_eq!((queue.next(), queue.next()), (Some(2), None));
        assert_eq!(queue.newcomers(), 2);
        assert_eq!((queue.next_newcomer(), queue.next_newcomer(), queue.next_newcomer()), (Some(1), Some(3), None));
    }
}
