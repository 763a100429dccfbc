//! The order in which the links of a worker get their turns.

use std::collections::VecDeque;

/// A round with many links that are ready has a turn of a newcomer for each so many of them.
const SHARE: usize = 32;

/// The links that wait for a turn, by their places. A handshake can take the time of dozens of frames. So each round has a turn for every
/// link that is ready, but few turns for newcomers: clients that connect, however many at once, hardly delay the frames of others.
#[derive(Default)]
pub(super) struct Queue {
    /// Links whose frames pass.
    ready: VecDeque<usize>,
    /// Links whose handshakes are not done.
    newcomers: VecDeque<usize>,
    /// Turns that are left in this round, for links that are ready, and for newcomers.
    left: [usize; 2],
}

impl Queue {
    pub(super) fn put(&mut self, place: usize, is_ready: bool) {
        if is_ready { &mut self.ready } else { &mut self.newcomers }.push_back(place);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.newcomers.is_empty()
    }

    /// Begins a round.
    pub(super) fn begin_round(&mut self) {
        let ready = self.ready.len();
        self.left = [ready, self.newcomers.len().min(1 + ready / SHARE)];
    }

    /// Takes the next link of the round.
    pub(super) fn next(&mut self) -> Option<usize> {
        for (queue, left) in [&mut self.ready, &mut self.newcomers].into_iter().zip(&mut self.left) {
            if let Some(rest) = left.checked_sub(1) {
                *left = rest;
                return queue.pop_front();
            }
        }
        None
    }

    /// Returns the ready link whose turn is next.
    pub(super) fn peek(&self) -> Option<usize> {
        self.ready.front().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(queue: &mut Queue) -> Vec<usize> {
        queue.begin_round();
        std::iter::from_fn(|| queue.next()).collect()
    }

    #[test]
    fn frames_come_before_handshakes_of_which_a_round_has_one() {
        let mut queue = Queue::default();
        for place in 0..3 {
            queue.put(place, false);
        }
        queue.put(20, true);
        queue.put(21, true);
        assert_eq!(round(&mut queue), [20, 21, 0]);
        queue.put(20, true);
        assert_eq!(round(&mut queue), [20, 1]);
        assert_eq!(round(&mut queue), [2]);
        assert!(queue.is_empty());
        assert!(round(&mut queue).is_empty());
    }

    #[test]
    fn frames_of_many_links_do_not_starve_handshakes() {
        let mut queue = Queue::default();
        for place in 0..320 {
            queue.put(place, true);
            queue.put(1000 + place, false);
        }
        let turns = round(&mut queue);
        let newcomers = turns.iter().filter(|&&place| place >= 1000).count();
        assert_eq!((turns.len(), newcomers), (331, 11));
    }

    #[test]
    fn what_comes_in_the_middle_of_a_round_waits_for_the_next() {
        let mut queue = Queue::default();
        queue.put(1, true);
        queue.put(2, false);
        queue.begin_round();
        assert_eq!(queue.next(), Some(1));
        queue.put(1, true);
        assert_eq!(queue.next(), Some(2));
        queue.put(2, false);
        assert_eq!(queue.next(), None);
        assert_eq!(round(&mut queue), [1, 2]);
    }
}
