//! The slot pool: decides where the next message goes, by the rules in the documentation of [`slot`](super).
//!
//! No live slice is ever moved or overwritten.

use std::{fmt, mem, ops::Range, ptr, slice, str, sync::Arc};

use crate::memory_budget::{MemoryBudget, Reservation};
use crate::quarantine::Quarantine;
use crate::shown::Sight;

use super::charge::Charge;
use super::error::{OutOfMemory, OutOfRange, Refused};
use super::gap::{Gap, MAX_SLOTS, SLOTS};
use super::region::Region;
use super::slice::{Slice, reserve};
use super::system_memory::SystemMemory;

/// Place that a pool chose for its last message.
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

/// Place of the bytes that were written and not yet taken.
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
        /// Number of the slot, in range `1 ..=` the slots of the pool.
        slot: u8,
        /// Offset of its bytes in the region.
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
    /// Offset of the next message in the region.
    pub offset: usize,
    /// The most bytes that the next message may have for the prediction to hold. The messages after it follow it
    /// directly while all of them together fit.
    pub bytes: usize,
    /// Slot of the next message, in range `1 ..=` the slots of the pool. The messages after it get the next slots.
    pub slot: usize,
    /// The last of these slots.
    pub last_slot: usize,
}

/// Options of a pool.
#[derive(Clone, Debug)]
pub struct Options {
    /// Number of slots, in range `1 ..=` [`MAX_SLOTS`].
    pub slots: usize,
    /// Budget for the bytes of messages on the heap. By default they are not counted.
    pub heap: Option<MemoryBudget>,
}

impl Default for Options {
    /// Returns [`SLOTS`] slots, and no limit for the heap.
    fn default() -> Self {
        Self { slots: SLOTS, heap: None }
    }
}

/// Figures of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Mode in which the last message was placed.
    pub mode: Mode,
    /// Size of the region, in bytes.
    pub capacity: usize,
    /// A character for each slot: `-` if it is free, otherwise the sequence digit of its slice (1…9, a…z, then again
    /// from 1).
    pub slots: Vec<u8>,
    /// Slices of the region that are alive.
    pub live_slices: u32,
    /// Messages taken from the heap since the pool was made. Empty messages do not count.
    pub heap_fallbacks: u64,
    /// Times that writing started again at offset 0 because everything was free.
    pub resets: u64,
    /// Times that the mode changed, including by resets.
    pub mode_changes: u64,
    /// Messages that began on the heap because no slot was free where there was room.
    pub out_of_slots: u64,
    /// Messages that began on the heap because the free bytes did not suffice.
    pub out_of_bytes: u64,
    /// Messages that began on the heap because they are longer than the region.
    pub too_long: u64,
    /// Bytes that were refused because of the limit of the heap.
    pub heap_refusals: u64,
}

/// The bytes `start .. end` of a region.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    end: usize,
}

const DIGITS: &[u8] = b"123456789abcdefghijklmnopqrstuvwxyz";

/// A pool of slices in `capacity` preallocated bytes. The [module](super) documents where they go.
///
/// Allocates when it is made, and for messages that come from the heap. Making, taking and freeing a slice of the
/// region costs a few atomic operations and no wait. A pool may be dropped before its slices: the last of them frees
/// the memory.
#[derive(Debug)]
pub struct SlotPool {
    region: Arc<Region>,
    mode: Mode,
    /// Place of the next slice. Alloc mode keeps the last gap, because a smaller message may fit there.
    gap: Gap,
    /// Bytes written at `gap.offset` and not yet taken. 0 while `heap` is set.
    written: usize,
    /// The message in hand, if it has begun on the heap.
    heap: Option<SystemMemory>,
    /// Hidden bytes of the message in hand, at most its length.
    start: usize,
    /// First slot of the back. The slots below it have belonged to the front since the last reset.
    back_start: usize,
    /// The bytes that each slot holds, or held last.
    spans: [Span; MAX_SLOTS],
    digits: [u8; MAX_SLOTS],
    slots: usize,
    /// Bit *i*: slot *i* + 1 was taken without a [`Slice`]. Such a slot never leaves the pool's thread, so taking and
    /// freeing it need no atomic operations. Four of them would be half the cost of a small message.
    held: u32,
    /// The held slots whose bytes a [`Slice`] has: see [`lend`](Self::lend).
    lent: u32,
    /// Held slots that cost a budget something.
    charged: u32,
    charges: [Charge; MAX_SLOTS],
    /// Budget of messages on the heap, and what the message in hand has of it.
    heap_budget: Option<MemoryBudget>,
    heap_charge: Option<Reservation>,
    /// Index in `DIGITS` of the next slice's digit.
    next_digit: usize,
    heap_fallbacks: u64,
    resets: u64,
    mode_changes: u64,
    out_of_slots: u64,
    out_of_bytes: u64,
    too_long: u64,
    heap_refusals: u64,
}

impl SlotPool {
    /// Makes a pool of `capacity` zeroed bytes with the default [`Options`]. With 0 bytes, every slice comes from the heap.
    ///
    /// Returns [`OutOfMemory`] if the system has no memory.
    pub fn new(capacity: usize) -> Result<Self, OutOfMemory> {
        Self::with_options(capacity, Options::default())
    }

    /// Makes a pool of `capacity` zeroed bytes.
    ///
    /// Returns [`OutOfMemory`] if the system has no memory.
    ///
    /// # Panics
    ///
    /// Panics if the number of slots is out of its range.
    pub fn with_options(capacity: usize, Options { slots, heap }: Options) -> Result<Self, OutOfMemory> {
        assert!((1..=MAX_SLOTS).contains(&slots), "a pool has 1 to {MAX_SLOTS} slots");
        Ok(Self {
            region: Arc::new(Region::new(capacity)?),
            mode: Mode::Back,
            gap: Gap::to_the_end(0, 0, slots, capacity),
            written: 0,
            heap: None,
            start: 0,
            back_start: 0,
            spans: [Span { start: 0, end: 0 }; MAX_SLOTS],
            digits: [b'-'; MAX_SLOTS],
            slots,
            held: 0,
            lent: 0,
            charged: 0,
            charges: Default::default(),
            heap_budget: heap,
            heap_charge: None,
            next_digit: 0,
            heap_fallbacks: 0,
            resets: 0,
            mode_changes: 0,
            out_of_slots: 0,
            out_of_bytes: 0,
            too_long: 0,
            heap_refusals: 0,
        })
    }

    /// Returns the size of the region, in bytes.
    pub fn capacity(&self) -> usize {
        self.region.len()
    }

    /// Returns the number of slots.
    pub fn slots(&self) -> usize {
        self.slots
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
        let gap = if anew { self.whole() } else { self.gap };
        let in_hand = self.heap.is_some() || self.written > 0;
        let bytes = if in_hand || (!anew && self.mode == Mode::Alloc) { 0 } else { gap.room() };
        Room { offset: gap.offset, bytes, slot: gap.slot + 1, last_slot: gap.end_slot }
    }

    /// Returns the number of bytes that [`try_set_start`](Self::try_set_start) has hidden.
    pub fn start(&self) -> usize {
        self.start
    }

    /// Returns the live slots. Bit *i*: a slice in slot *i* + 1 is alive.
    pub fn live(&self) -> u32 {
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

    /// Holds the slot of a slice that was taken or lent. Returns any other slice, and the bytes of one in another pool on
    /// the heap.
    pub fn hold(&mut self, mut slice: Slice) -> Taken {
        let Some(slot) = slice.slot_in(&self.region) else {
            let elsewhere = slice.region().is_some();
            return Taken::Heap(if elsewhere { Vec::from(slice).into() } else { slice });
        };
        self.lent &= !(1 << slot);
        let charge = slice.take_charge();
        if !charge.is_empty() {
            self.charged |= 1 << slot;
            self.charges[slot] = charge;
        }
        self.hold_slot(slot, slice.len());
        Taken::Held { slot: slot as u8 + 1, offset: self.spans[slot].start, len: slice.len() }
    }

    /// Makes a slice of a slot (counted from 1) that the pool holds. The slice may be dropped on any thread. The slot stays
    /// held until [`collect`](Self::collect), so that it becomes free only when the caller asks.
    ///
    /// Returns `None` if the pool does not hold the slot, or has lent it already.
    pub fn lend(&mut self, slot: usize) -> Option<Slice> {
        let index = self.index_of_own(slot)?;
        self.lent |= 1 << index;
        self.show();
        let Span { start, end } = self.spans[index];
        // SAFETY: the range was cut off the gap when the slot was taken, and belongs to the slot alone while it is
        // held. While the slot is lent the pool does not hand out its bytes, and `collect` ends that only after the
        // slice is gone.
        let slice = unsafe { Slice::in_region(Arc::clone(&self.region), index, start..end) };
        if self.charged & (1 << index) == 0 {
            return Some(slice);
        }
        self.charged &= !(1 << index);
        Some(slice.with_charge(mem::take(&mut self.charges[index])))
    }

    /// Frees the lent slots whose slices are gone. Returns them: bit *i* stands for slot *i* + 1.
    #[inline]
    pub fn collect(&mut self) -> u32 {
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

    /// Returns the index of a slot (counted from 1) that the pool holds and has not lent.
    fn index_of_own(&self, slot: usize) -> Option<usize> {
        let own = self.held & !self.lent;
        slot.checked_sub(1).filter(|&index| index < MAX_SLOTS && own & (1 << index) != 0)
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

    /// Returns the bytes of a slot (counted from 1) that the pool holds and has not lent.
    pub fn held(&self, slot: usize) -> Option<&[u8]> {
        let index = self.index_of_own(slot)?;
        let Span { start, end } = self.spans[index];
        // SAFETY: the range was cut off the gap when the slot was taken, and nothing else gets its bytes while it is
        // held; `&self` keeps it held. All bytes of the region are initialized.
        Some(unsafe { slice::from_raw_parts(self.region.base().add(start).as_ptr(), end - start) })
    }

    /// Frees the slots whose bits are set, if the pool holds them and has not lent them. Bit *i* stands for slot *i* +
    /// 1.
    pub fn give_back(&mut self, slots: u32) {
        self.held &= !slots | self.lent;
        self.show();
        if self.charged & !self.held != 0 {
            self.return_charges();
        }
    }

    /// Returns what the slots that are not held any more have cost.
    #[cold]
    fn return_charges(&mut self) {
        let mut gone = self.charged & !self.held;
        self.charged &= self.held;
        while gone != 0 {
            self.charges[gone.trailing_zeros() as usize] = Charge::default();
            gone &= gone - 1;
        }
    }

    /// Returns the gap of an empty pool.
    fn whole(&self) -> Gap {
        Gap::to_the_end(0, 0, self.slots, self.capacity())
    }

    /// Returns the figures of the pool.
    pub fn stats(&self) -> Stats {
        let live = self.live();
        let mut slots = self.digits[..self.slots].to_vec();
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
            out_of_slots: self.out_of_slots,
            out_of_bytes: self.out_of_bytes,
            too_long: self.too_long,
            heap_refusals: self.heap_refusals,
        }
    }

    /// Returns `len` more bytes after what is written, with any content. The message in hand may move: see
    /// [`place`](Self::place).
    ///
    /// Returns [`Refused`] if the message needs the heap and there is no memory for it; what is written is kept.
    pub fn try_get_writable(&mut self, len: usize) -> Result<&mut [u8], Refused> {
        if self.heap.is_some() || !self.place_in_region(len) {
            return self.get_writable_on_heap(len);
        }
        let begin = self.written;
        self.written += len;
        Ok(&mut self.pending_mut()[begin..])
    }

    /// Returns where a message that begins with `len` bytes would go, and moves the gap there. The message may follow, or any
    /// other. If it belongs on the heap, it begins there, as by [`try_get_writable`](Self::try_get_writable).
    ///
    /// Returns [`Refused`] if the message needs the heap and there is no memory for it.
    ///
    /// # Panics
    ///
    /// Panics if a message is in hand.
    pub fn try_find(&mut self, len: usize) -> Result<Place, Refused> {
        assert!(self.is_empty() && self.heap.is_none(), "no message is in hand");
        self.try_get_writable(len)?;
        self.written = 0;
        Ok(self.place())
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
            self.heap_charge = None;
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
            let mut slice = heap.take();
            if let Some(mut reservation) = self.heap_charge.take() {
                reservation.shrink_to(slice.len());
                slice.charge(reservation);
            }
            return slice;
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
        self.spans[slot] = Span { start: range.start, end: range.end };
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
                self.move_to(self.whole());
            }
        } else if self.mode == Mode::Alloc || !self.gap.holds(bytes) {
            let Some(gap) = self.find_gap(live, bytes) else {
                self.set_mode(Mode::Alloc);
                return false;
            };
            self.back_start = if gap.front { gap.end_slot } else { self.back_start.min(gap.slot) };
            self.move_to(gap);
        }
        debug_assert!(self.is_apart_from_live_slices(live, bytes), "{self:?}");
        true
    }

    /// Returns the first gap that holds `bytes`. Something must be alive. Outside alloc mode the gap in hand must be too
    /// small.
    // Apart, so that what most messages need stays small.
    #[inline(never)]
    fn find_gap(&self, live: u32, bytes: usize) -> Option<Gap> {
        self.gaps(live).find(|gap| gap.holds(bytes))
    }

    /// Returns the gaps in the order that the module documents.
    fn gaps(&self, live: u32) -> impl Iterator<Item = Gap> {
        let after = |slots: u32| MAX_SLOTS - slots.leading_zeros() as usize;
        let first_live = live.trailing_zeros() as usize;
        // When nothing of a front is alive, the gap before the first live slot contains that front and may be wider.
        let rest_of_front = (self.gap.front && first_live < self.gap.end_slot).then(|| {
            let slot = after(live & ((1 << self.gap.end_slot) - 1));
            Gap { slot, offset: self.end_of(slot, live), ..self.gap }
        });
        let front = || Gap { slot: 0, offset: 0, end_slot: first_live, end: self.spans[first_live].start, front: true };
        let back = |slot| Gap::to_the_end(slot, self.end_of(slot, live), self.slots, self.capacity());
        [
            rest_of_front.filter(|_| self.mode == Mode::Front),
            // Another thread may have released the last slice meanwhile.
            (first_live > 0 && live != 0).then(front),
            // The crate goes back no further than to the back's first slot, even if the front's last slots are free.
            Some(back(after(live).max(self.back_start))),
            rest_of_front,
            Some(back(after(live))),
        ]
        .into_iter()
        .flatten()
    }

    /// Returns where the bytes below slot `slots` end. That is the end of the slot before it, which may be free, or of
    /// a lower live slot that reaches further.
    fn end_of(&self, slots: usize, live: u32) -> usize {
        let counts = |slot: &usize| slot + 1 == slots || live & (1 << slot) != 0;
        (0..slots).filter(counts).map(|slot| self.spans[slot].end).max().unwrap_or(0)
    }

    fn move_to(&mut self, gap: Gap) {
        let base = self.region.base().as_ptr();
        // SAFETY: the old range lies in the old gap and the new range in the new gap, so both lie in the region and
        // apart from every live slice. `ptr::copy` allows them to overlap.
        unsafe { ptr::copy(base.add(self.gap.offset), base.add(gap.offset), self.written) };
        self.gap = gap;
        self.set_mode(if gap.front { Mode::Front } else { Mode::Back });
    }

    fn set_mode(&mut self, mode: Mode) {
        self.mode_changes += u64::from(mode != self.mode);
        self.mode = mode;
    }

    fn is_apart_from_live_slices(&self, live: u32, bytes: usize) -> bool {
        let (begin, end) = (self.gap.offset, self.gap.offset + bytes);
        end <= self.capacity()
            && (0..self.slots)
                .filter(|slot| live & (1 << slot) != 0)
                .all(|slot| slot != self.gap.slot && (self.spans[slot].end <= begin || end <= self.spans[slot].start))
    }

    #[cold]
    fn get_writable_on_heap(&mut self, len: usize) -> Result<&mut [u8], Refused> {
        self.charge_heap(len)?;
        let heap = if let Some(heap) = self.heap.take() {
            heap
        } else {
            self.spill(len).inspect_err(|_| self.heap_charge = None)?
        };
        Ok(self.heap.insert(heap).try_get_writable(len)?)
    }

    /// Reserves `len` more bytes for the message, if bytes on the heap are counted.
    fn charge_heap(&mut self, len: usize) -> Result<(), Refused> {
        let Some(budget) = &self.heap_budget else { return Ok(()) };
        let bytes = self.len().saturating_add(len);
        let granted = if let Some(charge) = &mut self.heap_charge {
            charge.try_grow_to(bytes)
        } else {
            self.heap_charge = budget.try_reserve(bytes.max(1)).unwrap_or(None);
            self.heap_charge.is_some()
        };
        if granted {
            return Ok(());
        }
        let limit = budget.limit();
        self.heap_refusals += 1;
        Err(Refused::Limit { bytes, limit })
    }

    /// Makes a heap buffer with the bytes written so far, and room for `len` more.
    fn spill(&mut self, len: usize) -> Result<SystemMemory, OutOfMemory> {
        let bytes = self.written.checked_add(len).ok_or(OutOfMemory { bytes: usize::MAX })?;
        let mut heap = SystemMemory::new();
        heap.try_get_writable(bytes)?[..self.written].copy_from_slice(self.pending());
        heap.set_len(self.written);
        self.written = 0;
        if bytes > self.capacity() {
            self.too_long += 1;
        } else if self.gaps(self.live()).any(Gap::has_slot) {
            self.out_of_bytes += 1;
        } else {
            self.out_of_slots += 1;
        }
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
