//! How often a thread looks for news.
//!
//! Each look is a call of the system, and usually puts the thread to sleep and wakes it up again. With many links, news of one come
//! while those of another are dealt with, so that a thread which looks at once finds one or two each time. A thread that rests a
//! moment finds those of many, and spends less on each.

use std::time::Duration;

/// The longest time between two looks at a crowd.
const LONGEST: Duration = Duration::from_millis(1);

/// The time between two looks is this part of the time for which links are still between two frames, which includes what the rest adds.
const PART: u32 = 3;

/// Time for which a link of a crowd is still between two frames. Busier ones are better served at once.
const STILL: Duration = Duration::from_micros(500);

/// Time in which the links of a crowd are counted.
const WINDOW: Duration = Duration::from_millis(4);

/// Links that make a crowd.
const CROWD: u32 = 16;

/// Links that had been still and moved.
#[derive(Clone, Copy, Default)]
struct Moved {
    links: u32,
    /// Time for which they had been still, together.
    still: Duration,
}

/// The pace of one thread.
#[derive(Default)]
pub(super) struct Pace {
    /// Time of the last look.
    looked: Duration,
    /// Time at which the present window began.
    began: Duration,
    /// What moved in the present window, and in the one before it.
    moved: [Moved; 2],
}

impl Pace {
    /// Notes that the thread looked at `now`, whatever it found.
    pub(super) fn look(&mut self, now: Duration) {
        self.looked = now;
        let elapsed = now.saturating_sub(self.began);
        if elapsed >= WINDOW {
            self.began = now;
            let before = if elapsed < 2 * WINDOW { self.moved[0] } else { Moved::default() };
            self.moved = [Moved::default(), before];
        }
    }

    /// Notes that bytes moved on a link on which none had moved since `moved`. A link counts once in a window.
    pub(super) fn note(&mut self, moved: Duration) {
        let still = self.looked.saturating_sub(moved);
        if still >= STILL && moved < self.began {
            self.moved[0].links += 1;
            self.moved[0].still += still;
        }
    }

    /// Returns how long the thread rests before it looks again, if it does.
    pub(super) fn rest(&self, now: Duration) -> Option<Duration> {
        let Moved { links, still } = self.moved.into_iter().max_by_key(|moved| moved.links)?;
        if links < CROWD {
            return None;
        }
        let between = (still / links / PART).min(LONGEST);
        (self.looked + between).checked_sub(now).filter(|rest| !rest.is_zero())
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
    fn many_links_let_the_thread_rest_for_a_part_of_the_time_that_they_are_still() {
        // Each is still for 1.5 ms.
        let (pace, now) = run(30, 50, 10_000);
        assert_eq!(pace.rest(now), Some(micros(500)));
        assert_eq!(pace.rest(now + micros(490)), Some(micros(10)));
        assert_eq!(pace.rest(now + micros(500)), None);
        assert_eq!(pace.rest(now + micros(900)), None);
    }

    #[test]
    fn the_rest_has_a_limit() {
        let (pace, now) = run(1000, 50, 10_000);
        assert_eq!(pace.rest(now), Some(LONGEST));
    }

    #[test]
    fn a_few_busy_links_are_served_at_once() {
        for links in 1..=16 {
            let (pace, now) = run(links, 25, 10_000);
            assert_eq!(pace.rest(now), None, "{links} links");
        }
        for (links, step) in [(2, 250), (3, 200), (8, 80), (15, 100)] {
            let (pace, now) = run(links, step, 10_000);
            assert_eq!(pace.rest(now), None, "{links} links");
        }
    }

    #[test]
    fn seldom_frames_are_passed_on_at_once() {
        let (pace, now) = run(1000, 1000, 10_000);
        assert_eq!(pace.rest(now), None);
    }

    #[test]
    fn silence_ends_a_crowd() {
        let (mut pace, now) = run(1000, 50, 10_000);
        pace.look(now + 2 * WINDOW);
        assert_eq!(pace.rest(now + 2 * WINDOW), None);
    }
}
