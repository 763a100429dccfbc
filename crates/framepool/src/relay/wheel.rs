//! The timers of all links of a worker: a hierarchical timing wheel.
//!
//! Setting a timer and firing it cost the same however many there are. A wheel without timers costs nothing.

use std::collections::LinkedList;
use std::time::Duration;

/// Length of a tick. A timer fires at the end of the tick that its time lies in, never early.
const TICK: Duration = Duration::from_millis(8);

const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
/// Together they reach 17 years.
const LEVELS: usize = 6;
/// The last tick that a timer can have, seen from any moment before it.
const LAST: u64 = (1 << (BITS * LEVELS as u32)) - 1;

/// A wheel with timers that carry a `T`.
pub(super) struct Wheel<T> {
    /// The present tick. All timers lie behind it.
    now: u64,
    levels: [Level<T>; LEVELS],
}

struct Level<T> {
    /// One bit for each slot that has timers.
    occupied: u64,
    /// Linked lists, because they grow in turns that must not fail: each of their pieces is small.
    slots: [LinkedList<(u64, T)>; SLOTS],
}

impl<T> Wheel<T> {
    pub(super) fn new() -> Self {
        let level = |_| Level { occupied: 0, slots: [const { LinkedList::new() }; SLOTS] };
        Self { now: 0, levels: std::array::from_fn(level) }
    }

    /// Sets a timer for the moment `at`, or for the next tick if that is over.
    pub(super) fn set(&mut self, at: Duration, timer: T) {
        self.put(ticks(at, TICK.as_nanos() - 1).clamp(self.now + 1, LAST), timer);
    }

    /// Returns the number of timers.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.levels.iter().flat_map(|level| &level.slots).map(LinkedList::len).sum()
    }

    /// Returns the moment at which to look again, if there are timers.
    pub(super) fn next(&self) -> Option<Duration> {
        self.first().map(|(_, _, start)| Duration::from_millis(start * TICK.as_millis() as u64))
    }

    /// Takes the timers whose moment has come, in the order of their ticks.
    pub(super) fn take_due(&mut self, now: Duration, due: &mut LinkedList<T>) {
        let to = ticks(now, 0).min(LAST);
        while let Some((level, slot, start)) = self.first()
            && start <= to
        {
            self.now = start;
            let Level { occupied, slots } = &mut self.levels[level];
            *occupied &= !(1 << slot);
            for (at, timer) in std::mem::take(&mut slots[slot]) {
                if at <= start {
                    due.push_back(timer);
                } else {
                    self.put(at, timer);
                }
            }
        }
        self.now = self.now.max(to);
    }

    /// Puts a timer where its tick first differs from the present one.
    fn put(&mut self, at: u64, timer: T) {
        let level = (at ^ self.now).checked_ilog2().unwrap_or(0) / BITS;
        let slot = (at >> (level * BITS)) as usize % SLOTS;
        let Level { occupied, slots } = &mut self.levels[level as usize];
        *occupied |= 1 << slot;
        slots[slot].push_back((at, timer));
    }

    /// Returns the first slot with timers: its level, its place there, and the tick at which it begins.
    fn first(&self) -> Option<(usize, usize, u64)> {
        let level = self.levels.iter().position(|level| level.occupied != 0)?;
        let slot = self.levels[level].occupied.trailing_zeros();
        let shift = level as u32 * BITS;
        // The timers of a slot of this level differ from the present tick in this level, and in none above.
        let above = self.now >> (shift + BITS) << (shift + BITS);
        Some((level, slot as usize, above | u64::from(slot) << shift))
    }
}

/// Returns the number of ticks in `moment` and `round` nanoseconds more.
fn ticks(moment: Duration, round: u128) -> u64 {
    u64::try_from((moment.as_nanos() + round) / TICK.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK_MS: u64 = TICK.as_millis() as u64;

    #[test]
    fn timers_fire_in_their_tick_and_in_order() {
        let mut wheel = Wheel::new();
        let mut seed = 1_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let mut pending = std::collections::BTreeMap::<u64, u64>::new();
        let (mut now, mut due, mut fired) = (0, LinkedList::new(), 0);
        for id in 0..20_000 {
            let span = 1 << random(34);
            let at = now + random(span);
            pending.insert(id, at);
            wheel.set(Duration::from_millis(at), id);
            if random(3) == 0 {
                let jump = 1 << random(30);
                now += random(jump);
                wheel.take_due(Duration::from_millis(now), &mut due);
                let mut last = 0;
                for id in std::mem::take(&mut due) {
                    let at = pending.remove(&id).expect("fires once");
                    assert!(at <= now, "{at} fired early, at {now}");
                    assert!(at.div_ceil(TICK_MS) >= last || at < now, "in order");
                    last = last.max(at / TICK_MS);
                    fired += 1;
                }
                let overdue = pending.values().filter(|&&at| at + 2 * TICK_MS < now).count();
                assert_eq!(overdue, 0, "at {now}");
            }
        }
        assert!(fired > 10_000);
    }

    #[test]
    fn no_timer_fires_a_nanosecond_early() {
        for at in [Duration::from_millis(16), Duration::from_nanos(16_000_001), Duration::from_nanos(15_999_999)] {
            let mut wheel = Wheel::new();
            wheel.set(at, ());
            let mut due = LinkedList::new();
            wheel.take_due(at.saturating_sub(Duration::from_nanos(1)), &mut due);
            assert_eq!(due.len(), 0, "{at:?}");
            wheel.take_due(at + TICK, &mut due);
            assert_eq!(due.len(), 1, "{at:?}");
        }
    }

    #[test]
    fn an_empty_wheel_has_no_next_moment() {
        let mut wheel = Wheel::new();
        assert_eq!(wheel.next(), None);
        wheel.set(Duration::from_hours(1), ());
        let mut due = LinkedList::new();
        let mut looks = 0;
        while let Some(next) = wheel.next() {
            wheel.take_due(next, &mut due);
            looks += 1;
        }
        assert_eq!(due.len(), 1);
        assert!(looks <= LEVELS);
    }
}
