//! A limit on how much may happen in a second.

use std::time::Duration;

/// A token bucket, kept as the moment at which it is full again (GCRA).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    full: Duration,
}

/// A rate with a burst, both of them the capacity of a [`Bucket`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    /// Units a second; 0 for no limit.
    pub(super) units: u64,
    /// Time whose share of the rate may come at once.
    pub(super) burst: Duration,
}

impl Rate {
    /// Returns the time that `units` take at this rate.
    pub(super) fn time_of(self, units: u64) -> Duration {
        let rate = self.units.max(1);
        // Most counts are small, and a division of 128 bits takes longer than all else here.
        let nanos = match units.checked_mul(1_000_000_000) {
            Some(nanos) => nanos / rate,
            None => u64::try_from(u128::from(units) * 1_000_000_000 / u128::from(rate)).unwrap_or(u64::MAX),
        };
        Duration::from_nanos(nanos)
    }
}

impl Bucket {
    /// Takes `units`, which may be more than there are. Nothing is to be taken then until [`open`](Self::open) says so.
    pub(super) fn take(&mut self, units: u64, rate: Rate, now: Duration) {
        if rate.units > 0 {
            self.full = self.full.max(now).saturating_add(rate.time_of(units));
        }
    }

    /// Returns the moment from which on there is something to take, which may be over.
    pub(super) fn open(&self, rate: Rate) -> Duration {
        self.full.saturating_sub(rate.burst)
    }

    /// Returns whether nothing was taken for so long that the bucket is as good as a new one.
    pub(super) fn is_full(&self, now: Duration) -> bool {
        self.full <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_passes_a_burst_and_then_its_rate() {
        let rate = Rate { units: 100, burst: Duration::from_secs(1) };
        let mut bucket = Bucket::default();
        let (mut now, mut passed) = (Duration::from_secs(5), 0);
        let end = now + Duration::from_secs(10);
        while now < end {
            if bucket.open(rate) <= now {
                bucket.take(1, rate, now);
                passed += 1;
            }
            now += Duration::from_millis(1);
        }
        assert!((1095..=1105).contains(&passed), "{passed}");
        assert!(!bucket.is_full(now));
        assert!(bucket.is_full(now + rate.burst * 2));
    }

    #[test]
    fn without_a_rate_it_is_always_open() {
        let rate = Rate { units: 0, burst: Duration::ZERO };
        let mut bucket = Bucket::default();
        bucket.take(u64::MAX, rate, Duration::ZERO);
        assert_eq!(bucket.open(rate), Duration::ZERO);
    }
}
