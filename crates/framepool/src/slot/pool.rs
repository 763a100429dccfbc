//! The slot pool: decides where the next message goes, by the rules in the documentation of [`slot`](super).
//!
//! No live slice is ever moved or overwritten.

use std::{fmt, mem, ops::Range, ptr, slice, str, sync::Arc};

use crate::quarantine::Quarantine;
use crate::shown::Sight;

use super::error::{OutOfMemory, OutOfRange};
use super::gap::{Gap, SLOTS};
use super::region::Region;
use super::slice::{Slice, reserve};
use super::system_memory::SystemMemory;

/// Where a pool placed its last message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// After the last live slot.
    Back,
    /// Before the first live slot.
    Front,
    /// On the heap, because the pool had no room.
    Alloc,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Back => "BACK MODE",
            Self::Front => "FRONT MODE",
            Self::Alloc => "ALLOC MODE",
        })
    }
}

/// Where the bytes begin that were written and not yet taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At this offset of the region, in bytes.
    Region(usize),
    /// In a separate allocation.
    Heap,
}

/// The result of [`SlotPool::take_held`].
#[derive(Debug)]
pub enum Taken {
    /// The pool holds a slot for the caller.
    Held {
        /// Number of the slot, in range `1 ..= 8`.
        slot: u8,
        /// Where its bytes begin in the region.
        offset: usize,
        /// Length in bytes.
        len: usize,
    },
    /// The message was on the heap, or empty.
    Heap(Slice),
}

/// A prediction of where the next messages go: see [`SlotPool::room`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Where the next message will begin in the region.
    pub offset: usize,
    /// The most bytes that the next message may have for the prediction to hold. The messages after it follow it
    /// directly while all of them together fit.
    pub bytes: usize,
    /// Slot of the next message, in range `1 ..= 8`. The messages after it get the next slots.
    pub slot: usize,
    /// The last of these slots.
    pub last_slot: usize,
}

/// Figures of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Where the last message was placed.
    pub mode: Mode,
    /// Size of the region, in bytes.
    pub capacity: usize,
    /// A character for each slot: `-` if it is free, otherwise the sequence digit of its slice (1…9, a…z, then again
    /// from 1).
    pub slots: [u8; SLOTS],
    /// Slices of the region that are alive, in range `0 ..= SLOTS`.
    pub live_slices: u32,
    /// Messages taken from the heap since the pool was made. Empty messages do not count.
    pub heap_fallbacks: u64,
    /// Times that writing started again at offset 0 because everything was free.
    pub resets: u64,
    /// Times that the mode changed, including by resets.
    pub mode_changes: u64,
}

const DIGITS: &[u8] = b"123456789abcdefghijklmnopqrstuvwxyz";

/// A pool of [`SLOTS`] slices in `capacity` preallocated bytes. The [module](super) documents where they go.
///
/// Allocates when it is made, and for messages that come from the heap. Making, taking and freeing a slice of the
/// region costs a few atomic operations and no wait. A pool may be dropped before its slices: the last of them frees
/// the memory.
#[derive(Debug)]
pub struct SlotPool {
    region: Arc<Region>,
    mode: Mode,
    /// Where the next slice goes. Alloc mode keeps the last gap, because a smaller message may fit there.
    gap: Gap,
    /// Bytes written at `gap.offset` and not yet taken. 0 while `heap` is set.
    written: usize,
    /// The message in hand, if it has begun on the heap.
    heap: Option<SystemMemory>,
    /// Hidden bytes of the message in hand, at most its length.
    start: usize,
    /// First slot of the back. The slots below it have belonged to the front since the last reset.
    back_start: usize,
    /// Bytes `starts[i] .. ends[i]` that each slot holds, or held last.
    starts: [usize; SLOTS],
    ends: [usize; SLOTS],
    digits: [u8; SLOTS],
    /// Bit *i*: slot *i* + 1 was taken without a [`Slice`]. Such a slot never leaves the pool's thread, so taking and
    /// freeing it need no atomic operations. Four of them would be half the cost of a small message.
    held: u8,
    /// The held slots whose bytes a [`Slice`] has: see [`lend`](Self::lend).
    lent: u8,
    /// Index in `DIGITS` of the next slice's digit.
    next_digit: usize,
    heap_fallbacks: u64,
    resets: u64,
    mode_changes: u64,
}

impl SlotPool {
    /// Makes a pool of `capacity` zeroed bytes. With 0 bytes, every slice comes from the heap.
    ///
    /// Returns [`OutOfMemory`] if the system has no memory.
    pub fn new(capacity: usize) -> Result<Self, OutOfMemory> {
        Ok(Self {
            region: Arc::new(Region::new(capacity)?),
            mode: Mode::Back,
            gap: Gap::to_the_end(0, 0, capacity),
            written: 0,
            heap: None,
            start: 0,
            back_start: 0,
            starts: [0; SLOTS],
            ends: [0; SLOTS],
            digits: [b'-'; SLOTS],
            held: 0,
            lent: 0,
            next_digit: 0,
            heap_fallbacks: 0,
            resets: 0,
            mode_changes: 0,
        })
    }

    /// Returns the size of the region, in bytes.
    pub fn capacity(&self) -> usize {
        self.region.len()
    }

    /// Returns where the last message was placed.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Returns the memory of the pool. Its slices hold it, too.
    pub fn region(&self) -> &Arc<Region> {
        &self.region
    }

    /// Returns the number of bytes written and not yet taken, including hidden bytes.
    pub fn len(&self) -> usize {
        self.heap.as_ref().map_or(self.written, SystemMemory::len)
    }

    /// Returns true if nothing is written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns where the bytes begin that were written and not yet taken. Each `get_writable` may change it.
    pub fn place(&self) -> Place {
        if self.heap.is_some() { Place::Heap } else { Place::Region(self.gap.offset) }
    }

    /// Returns where the next messages will go, if none of them is empty and a slice is alive when each of them begins.
    /// Slots that are freed meanwhile make no difference. `bytes` is 0 while a message is in hand, and if the pool
    /// would have to look for freed slots.
    pub fn room(&self) -> Room {
        let anew = self.no_slice_alive();
        let gap = if anew { Gap::to_the_end(0, 0, self.capacity()) } else { self.gap };
        let in_hand = self.heap.is_some() || self.written > 0;
        let bytes = if in_hand || (!anew && self.mode == Mode::Alloc) { 0 } else { gap.room() };
        Room { offset: gap.offset, bytes, slot: gap.slot + 1, last_slot: gap.end_slot }
    }

    /// Returns the number of bytes that [`try_set_start`](Self::try_set_start) has hidden.
    pub fn start(&self) -> usize {
        self.start
    }

    /// Returns the live slots. Bit *i*: a slice in slot *i* + 1 is alive.
    pub fn live(&self) -> u8 {
        self.region.live.get() | self.held
    }

    /// Takes what is written into a slot that the pool itself holds until [`give_back`](Self::give_back), for a caller
    /// that names slices by their slots.
    pub fn take_held(&mut self) -> Taken {
        self.start = 0;
        if self.heap.is_some() || self.written == 0 {
            return Taken::Heap(self.take());
        }
        let (slot, range) = self.take_slot();
        self.hold_slot(slot, range.len());
        Taken::Held { slot: slot as u8 + 1, offset: range.start, len: range.len() }
    }

    /// Holds the slot of a slice that was taken or lent. Returns the bytes of a slice of another pool on the heap.
    pub fn hold(&mut self, slice: Slice) -> Taken {
        let Some(slot) = slice.slot_in(&self.region) else { return Taken::Heap(Vec::from(slice).into()) };
        self.lent &= !(1 << slot);
        self.hold_slot(slot, slice.len());
        Taken::Held { slot: slot as u8 + 1, offset: self.starts[slot], len: slice.len() }
    }

    /// Makes a slice of a slot (`1 ..= 8`) that the pool holds. The slice may be dropped on any thread. The slot stays
    /// held until [`collect`](Self::collect), so that it becomes free only when the caller asks.
    ///
    /// Returns `None` if the pool does not hold the slot, or has lent it already.
    pub fn lend(&mut self, slot: usize) -> Option<Slice> {
        let index = self.index_of_own(slot)?;
        self.lent |= 1 << index;
        self.show();
        // SAFETY: the range was cut off the gap when the slot was taken, and belongs to the slot alone while it is
        // held. While the slot is lent the pool does not hand out its bytes, and `collect` ends that only after the
        // slice is gone.
        Some(unsafe { Slice::in_region(Arc::clone(&self.region), index, self.starts[index]..self.ends[index]) })
    }

    /// Frees the lent slots whose slices are gone. Returns them: bit *i* stands for slot *i* + 1.
    #[inline]
    pub fn collect(&mut self) -> u8 {
        if self.lent == 0 {
            return 0;
        }
        let returned = self.lent & !self.region.live.get();
        self.lent &= !returned;
        self.held &= !returned;
        self.show();
        returned
    }

    /// Takes what is written as a guarded slice: see [`Slice::guarded`].
    ///
    /// Returns [`OutOfMemory`] if the system has no memory; what is written is kept.
    pub fn take_guarded(&mut self, quarantine: &Arc<Quarantine>) -> Result<Slice, OutOfMemory> {
        let own = reserve(self.written)?;
        Ok(self.take().guarded_in(own, quarantine))
    }

    fn hold_slot(&mut self, slot: usize, len: usize) {
        self.held |= 1 << slot;
        self.region.held.set_length(slot, len);
        self.show();
    }

    /// Shows to other threads which slots are held and not lent.
    #[inline]
    fn show(&self) {
        self.region.held.show(self.held & !self.lent);
    }

    /// Returns the index of a slot (`1 ..= 8`) that the pool holds and has not lent.
    fn index_of_own(&self, slot: usize) -> Option<usize> {
        let own = self.held & !self.lent;
        slot.checked_sub(1).filter(|&index| index < SLOTS && own & (1 << index) != 0)
    }

    /// Catches up with `count` messages that were written, taken and given back one after another while nothing else
    /// was alive. Each began at offset 0, whatever the state of the pool was before. The last had `len` bytes, in range
    /// `1 ..= capacity`.
    ///
    /// A caller that shares the region and knows this rule need not ask for such a message, but only reports it.
    ///
    /// # Panics
    ///
    /// Panics if something is alive or written, or if no message can have been what is reported.
    pub fn replay_lone(&mut self, count: u32, len: usize) {
        assert!(self.live() == 0 && self.is_empty() && self.heap.is_none() && count > 0, "nothing else is alive");
        assert!((1..=self.capacity()).contains(&len), "it fits into the region");
        assert!(self.place_in_region(len), "with nothing alive there is room");
        self.written = len;
        // Each after the first finds slot 1 used and free again, and resets the pool.
        let others = count - 1;
        self.resets += u64::from(others);
        self.next_digit = (self.next_digit + others as usize) % DIGITS.len();
        self.take_slot();
        self.start = 0;
    }

    /// Returns the bytes of a slot (`1 ..= 8`) that the pool holds and has not lent.
    pub fn held(&self, slot: usize) -> Option<&[u8]> {
        let index = self.index_of_own(slot)?;
        let (begin, end) = (self.starts[index], self.ends[index]);
        // SAFETY: the range was cut off the gap when the slot was taken, and nothing else gets its bytes while it is
        // held; `&self` keeps it held. All bytes of the region are initialized.
        Some(unsafe { slice::from_raw_parts(self.region.base().add(begin).as_ptr(), end - begin) })
    }

    /// Frees the slots whose bits are set, if the pool holds them and has not lent them. Bit *i* stands for slot *i* +
    /// 1.
    pub fn give_back(&mut self, slots: u8) {
        self.held &= !slots | self.lent;
        self.show();
    }

    /// Returns the figures of the pool.
    pub fn stats(&self) -> Stats {
        let live = self.live();
        let mut slots = self.digits;
        for (slot, digit) in slots.iter_mut().enumerate() {
            if live & (1 << slot) == 0 {
                *digit = b'-';
            }
        }
        Stats {
            mode: self.mode,
            capacity: self.capacity(),
            slots,
            live_slices: live.count_ones(),
            heap_fallbacks: self.heap_fallbacks,
            resets: self.resets,
            mode_changes: self.mode_changes,
        }
    }

    /// Returns `len` more bytes after what is written, with any content. The message in hand may move: see
    /// [`place`](Self::place).
    ///
    /// Returns [`OutOfMemory`] if the message needs the heap and the system has no memory; what is written is kept.
    pub fn try_get_writable(&mut self, len: usize) -> Result<&mut [u8], OutOfMemory> {
        if self.heap.is_some() || !self.place_in_region(len) {
            return self.get_writable_on_heap(len);
        }
        let begin = self.written;
        self.written += len;
        Ok(&mut self.pending_mut()[begin..])
    }

    /// Hides the first `index` bytes from [`AsRef`] and [`AsMut`] until the message is taken.
    ///
    /// Returns [`OutOfRange`] if `index` is above [`len`](Self::len).
    pub fn try_set_start(&mut self, index: usize) -> Result<(), OutOfRange> {
        let limit = self.len();
        if index > limit {
            return Err(OutOfRange { value: index, limit });
        }
        self.start = index;
        Ok(())
    }

    /// Keeps the first `len` bytes of those that are not hidden.
    ///
    /// Returns [`OutOfRange`] if there are fewer.
    pub fn try_truncate(&mut self, len: usize) -> Result<(), OutOfRange> {
        let limit = self.len() - self.start;
        if len > limit {
            return Err(OutOfRange { value: len, limit });
        }
        match &mut self.heap {
            Some(heap) => heap.set_len(self.start + len),
            None => self.written = self.start + len,
        }
        Ok(())
    }

    /// Returns the right to show the memory of the message in hand, if it is on the heap.
    pub fn heap_sight(&mut self) -> Option<Sight<'_>> {
        self.heap.as_mut().map(SystemMemory::sight)
    }

    /// Moves the message in hand to fresh memory if it is on the heap: see [`SystemMemory::move_on`].
    pub fn move_heap_on(&mut self, quarantine: &Arc<Quarantine>) -> Result<(), OutOfMemory> {
        self.heap.as_mut().map_or(Ok(()), |heap| heap.move_on(quarantine))
    }

    /// Drops the pool without ending the sights of a message on the heap: see
    /// [`Shown::abandon`](crate::shown::Shown::abandon).
    pub fn abandon(mut self) {
        if let Some(heap) = self.heap.take() {
            heap.abandon();
        }
    }

    /// Frees the memory of a message on the heap if nothing of it is left. The next message starts again.
    pub fn forget_empty(&mut self) {
        if self.is_empty() {
            self.heap = None;
            self.start = 0;
        }
    }

    pub(super) fn pending(&self) -> &[u8] {
        match &self.heap {
            Some(heap) => heap.pending(),
            // SAFETY: the range lies in the gap, so it lies in the region and apart from every live slice. All bytes of
            // the region are initialized.
            None => unsafe { slice::from_raw_parts(self.region.base().add(self.gap.offset).as_ptr(), self.written) },
        }
    }

    pub(super) fn pending_mut(&mut self) -> &mut [u8] {
        match &mut self.heap {
            Some(heap) => heap.pending_mut(),
            // SAFETY: as in `pending`. Only the pool hands out bytes of the gap, and `&mut self` makes this the only
            // reference.
            None => unsafe {
                slice::from_raw_parts_mut(self.region.base().add(self.gap.offset).as_ptr(), self.written)
            },
        }
    }

    pub(crate) fn take(&mut self) -> Slice {
        self.start = 0;
        if let Some(mut heap) = self.heap.take() {
            self.heap_fallbacks += u64::from(!heap.is_empty());
            return heap.take();
        }
        if self.written == 0 {
            return Vec::new().into();
        }
        let (slot, range) = self.take_slot();
        // SAFETY: the range and the slot were just cut off the gap, which no live slice touches. Later gaps spare them
        // while the slot is alive.
        unsafe { Slice::in_region(Arc::clone(&self.region), slot, range) }
    }

    /// Cuts what is written off the gap. Returns the slot, counted from 0, and its bytes.
    fn take_slot(&mut self) -> (usize, Range<usize>) {
        let slot = self.gap.slot;
        let range = self.gap.offset..self.gap.offset + mem::take(&mut self.written);
        self.starts[slot] = range.start;
        self.ends[slot] = range.end;
        self.digits[slot] = DIGITS[self.next_digit];
        self.next_digit = (self.next_digit + 1) % DIGITS.len();
        self.gap.slot += 1;
        self.gap.offset = range.end;
        (slot, range)
    }

    pub(super) fn no_slice_alive(&self) -> bool {
        self.live() == 0
    }

    /// Finds a gap for the written bytes and `len` more, and moves the written bytes there. Returns false if the
    /// message belongs on the heap.
    fn place_in_region(&mut self, len: usize) -> bool {
        let Some(bytes) = self.written.checked_add(len).filter(|&bytes| bytes <= self.capacity()) else {
            return false;
        };
        let live = self.live();
        if live == 0 {
            if self.gap.slot > 0 || self.mode != Mode::Back {
                self.resets += 1;
                self.back_start = 0;
                self.move_to(Gap::to_the_end(0, 0, self.capacity()));
            }
        } else if self.mode == Mode::Alloc || !self.gap.holds(bytes) {
            let Some(gap) = self.find_gap(live, bytes) else {
                self.set_mode(Mode::Alloc);
                return false;
            };
            self.back_start = if gap.is_front() { gap.end_slot } else { self.back_start.min(gap.slot) };
            self.move_to(gap);
        }
        debug_assert!(self.is_apart_from_live_slices(live, bytes), "{self:?}");
        true
    }

    /// Returns the first gap that holds `bytes`, in the order that the module documents. Something must be alive.
    /// Outside alloc mode the gap in hand must be too small.
    fn find_gap(&self, live: u8, bytes: usize) -> Option<Gap> {
        let after = |slots: u8| SLOTS - slots.leading_zeros() as usize;
        let first_live = live.trailing_zeros() as usize;
        // When nothing of a front is alive, the gap before the first live slot contains that front and may be wider.
        let rest_of_front = (self.gap.is_front() && first_live < self.gap.end_slot).then(|| {
            let slot = after(live & ((1 << self.gap.end_slot) - 1));
            Gap { slot, offset: self.end_of(slot, live), ..self.gap }
        });
        let front = || Gap { slot: 0, offset: 0, end_slot: first_live, end: self.starts[first_live] };
        let back = |slot| Gap::to_the_end(slot, self.end_of(slot, live), self.capacity());
        [
            rest_of_front.filter(|_| self.mode == Mode::Front),
            (first_live > 0).then(front),
            // The crate goes back no further than to the back's first slot, even if the front's last slots are free.
            Some(back(after(live).max(self.back_start))),
            rest_of_front,
            Some(back(after(live))),
        ]
        .into_iter()
        .flatten()
        .find(|gap| gap.holds(bytes))
    }

    /// Returns where the bytes below slot `slots` end. That is the end of the slot before it, which may be free, or of
    /// a lower live slot that reaches further.
    fn end_of(&self, slots: usize, live: u8) -> usize {
        let counts = |slot: &usize| slot + 1 == slots || live & (1 << slot) != 0;
        (0..slots).filter(counts).map(|slot| self.ends[slot]).max().unwrap_or(0)
    }

    fn move_to(&mut self, gap: Gap) {
        let base = self.region.base().as_ptr();
        // SAFETY: the old range lies in the old gap and the new range in the new gap, so both lie in the region and
        // apart from every live slice. `ptr::copy` allows them to overlap.
        unsafe { ptr::copy(base.add(self.gap.offset), base.add(gap.offset), self.written) };
        self.gap = gap;
        self.set_mode(if gap.is_front() { Mode::Front } else { Mode::Back });
    }

    fn set_mode(&mut self, mode: Mode) {
        self.mode_changes += u64::from(mode != self.mode);
        self.mode = mode;
    }

    fn is_apart_from_live_slices(&self, live: u8, bytes: usize) -> bool {
        let (begin, end) = (self.gap.offset, self.gap.offset + bytes);
        end <= self.capacity()
            && (0..SLOTS)
                .filter(|slot| live & (1 << slot) != 0)
                .all(|slot| slot != self.gap.slot && (self.ends[slot] <= begin || end <= self.starts[slot]))
    }

    fn get_writable_on_heap(&mut self, len: usize) -> Result<&mut [u8], OutOfMemory> {
        let heap = match self.heap.take() {
            Some(heap) => heap,
            None => self.spill(len)?,
        };
        self.heap.insert(heap).try_get_writable(len)
    }

    /// Makes a heap buffer with the bytes written so far, and room for `len` more.
    fn spill(&mut self, len: usize) -> Result<SystemMemory, OutOfMemory> {
        let bytes = self.written.checked_add(len).ok_or(OutOfMemory { bytes: usize::MAX })?;
        let mut heap = SystemMemory::new();
        heap.try_get_writable(bytes)?[..self.written].copy_from_slice(self.pending());
        heap.set_len(self.written);
        self.written = 0;
        Ok(heap)
    }
}

impl Drop for SlotPool {
    fn drop(&mut self) {
        self.region.close();
    }
}

/// Writes the slots, then the mode, for example `9a3456b-  BACK MODE`.
impl fmt::Display for SlotPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slots = self.stats().slots;
        write!(f, "{}  {}", str::from_utf8(&slots).expect("ASCII"), self.mode)
    }
}
