//! How often a thread looks for news.
//!
//! Each look is a call of the system, and usually puts the thread to sleep and wakes it up again. With many links, news of one come
//! while those of another are dealt with, so that a thread which looks at once finds one or two each time. A thread that rests a
//! moment finds those of many, and spends less on each.

use std::time::Duration;

/// Time between two looks at a crowd. A frame waits for its thread no longer than that.
const BETWEEN: Duration = Duration::from_micros(400);

/// Silence that ends a crowd.
const LULL: Duration = Duration::from_millis(1);

/// Time for which a link of a crowd is still between two frames. Busier ones are better served at once: a rest would be much of the
/// time in which each waits for its next frame.
const STILL: Duration = Duration::from_micros(500);

/// Time in which the links of a crowd are counted.
const WINDOW: Duration = Duration::from_millis(4);

/// Links that make a crowd.
const CROWD: usize = 16;

/// The pace of one thread.
#[derive(Default)]
pub(super) struct Pace {
    /// Time of the last look.
    looked: Duration,
    /// Time at which the present window began.
    began: Duration,
    /// Links that had been still and moved, in the present window and in the one before it.
    links: [usize; 2],
}

impl Pace {
    /// Notes that the thread looked at `now`, and whatever it found.
    pub(super) fn look(&mut self, now: Duration) {
        if now.saturating_sub(self.looked) >= LULL {
            self.began = now;
            self.links = [0, 0];
        } else if now.saturating_sub(self.began) >= WINDOW {
            self.began = now;
            self.links = [0, self.links[0]];
        }
        self.looked = now;
    }

    /// Notes that bytes moved on a link on which none had moved since `moved`.
    pub(super) fn note(&mut self, moved: Duration) {
        if self.looked.saturating_sub(moved) >= STILL {
            self.links[0] += 1;
        }
    }

    /// Returns how long the thread rests before it looks again, if it does.
    pub(super) fn rest(&self, now: Duration) -> Option<Duration> {
        let rest = (self.looked + BETWEEN).checked_sub(now)?;
        let crowded = self.links.into_iter().max() >= Some(CROWD);
        (crowded && !rest.is_zero()).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    /// Lets `links` links move bytes in turn, one at each look, every `step` for `looks` looks. Returns the pace, and the time at the end.
    fn run(links: usize, step: u64, looks: usize) -> (Pace, Duration) {
        let mut pace = Pace::default();
        let mut moved = vec![Duration::ZERO; links];
        let mut now = Duration::from_secs(1);
        for look in 0..looks {
            now += micros(step);
            pace.look(now);
            pace.note(moved[look % links]);
            moved[look % links] = now;
        }
        (pace, now)
    }

    #[test]
    fn many_busy_links_let_the_thread_rest_until_the_next_look() {
        let (pace, now) = run(100, 50, 200);
        assert_eq!(pace.rest(now), Some(BETWEEN));
        assert_eq!(pace.rest(now + micros(390)), Some(micros(10)));
        assert_eq!(pace.rest(now + micros(400)), None);
        assert_eq!(pace.rest(now + micros(900)), None);
    }

    #[test]
    fn a_few_busy_links_are_served_at_once() {
        for links in 1..=16 {
            let (pace, now) = run(links, 25, 10_000);
            assert_eq!(pace.rest(now), None, "{links} links");
        }
    }

    #[test]
    fn seldom_frames_are_passed_on_at_once() {
        let (pace, now) = run(1000, 1000, 1000);
        assert_eq!(pace.rest(now), None);
    }

    #[test]
    fn a_lull_ends_a_crowd() {
        let (mut pace, now) = run(100, 50, 200);
        pace.look(now + LULL);
        assert_eq!(pace.rest(now + LULL), None);
    }
}
