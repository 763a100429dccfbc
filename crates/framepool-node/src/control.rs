//! The control block: the words through which a per-message call passes its arguments and results.
//!
//! One block per isolate. JavaScript sees it as a `Uint32Array` over the same memory, so a call needs neither
//! argument conversion nor an object for its result.

use std::cell::Cell;

use framepool::slot::{OutOfRange, SLOTS};

use crate::errors::Fault;

/// The words, in order. `src/boundary.ts` has the same list; `controlLayout()` lets a test compare the two.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
pub(crate) enum Word {
    /// Out: 0, or 1 when the call failed (`lastFault()` says how).
    Status,
    /// In: the object that the call is about.
    Handle,
    Generation,
    /// In: the slot pool that a session decrypts into.
    Pool,
    PoolGeneration,
    /// In: another session, for `forward`.
    Target,
    TargetGeneration,
    /// In and out: bytes.
    Length,
    /// In and out: where bytes begin, in the region or in the heap buffer.
    Offset,
    /// In: slots released before the pending bytes were begun, one bit a slot.
    Before,
    /// In: how many slices came and went since, each alone, and the bytes of the last.
    CameAndWent,
    LastLength,
    /// In: bytes of a slice that came since, alone; or 0.
    Alone,
    /// In: how many slices were taken since, behind one another (their bytes: [`Control::taken_lengths`]); the slot of the first,
    /// and where it begins.
    Taken,
    TakenSlot,
    TakenStart,
    /// In: slots released since those were taken or the pending bytes were begun.
    After,
    /// In and out: 1…8, or 0 for the heap.
    Slot,
    /// Out: the slot of the next message, the last that those after it may have, and where it will begin, all if it fits into
    /// `Room` bytes.
    NextSlot,
    LastSlot,
    Next,
    Room,
    /// In and out: the handle of a heap slice.
    Heap,
    HeapGeneration,
    /// In and out: where a batch's table begins in its slice, and how many frames it describes.
    Table,
    Frames,
    /// In: the first frame to forward.
    First,
    /// In: 1 when what the call gives up may go on being seen: nobody is there any more who has released it.
    Abandoned,
    /// Out: a session's state (0 handshake, 1 transport, 2 closed).
    State,
    /// Out: bytes that a session's output ring holds, or that a ring half can write or read.
    Available,
    /// In: bytes that JavaScript has written at `Offset` without a call. Out: bytes that wait in a session's output.
    Pending,
    /// Out: 1 when the output is over its high-water mark.
    Over,
    /// In: a frame header.
    Extension,
    MessageType,
    /// Out: the wait that has begun, or 0 when what was asked for is there. In: the wait to cancel.
    Wait,
    /// In: 1 when the memory is to be cleared.
    Zero,
    /// In: milliseconds.
    Timeout,
    /// In and out: the index of a buddy pool's block.
    Block,
    /// Out: 1 when a ring's other half has ended, or when a pool is gone.
    Ended,
    /// In: a file descriptor; of a pump, the one that it reads.
    Descriptor,
    /// In: the file descriptor that a pump writes to.
    Sink,
    /// Out: 1 when nothing could be moved without blocking.
    Blocked,
    /// Out: slots whose slices other isolates have given back, one bit a slot; JavaScript clears it.
    Returned,
    /// In and out: what kind of object leaves this isolate, or has arrived.
    Kind,
    /// In and out: the memory of another isolate's slot pool.
    Region,
    RegionGeneration,
    /// In and out: the logical length of a buddy buffer. Out: the bytes of a ring, or of one buffer of a budget pool.
    Size,
    /// Out: a number of up to 64 bits: the position of a ring's half, or the limit of a budget pool.
    Low,
    High,
    /// Out: how often a session's output ring has been replaced by a larger or smaller one, and its size at present.
    RingGeneration,
    RingSize,
    /// In: which copy of the facade calls, where it may meet memory that other copies have met.
    Facade,
    /// Out: 1 when a slice has memory of its own.
    Own,
    /// In: what a link has of its relay's memory budget, and the direction of its frames (0 upstream, 1 downstream).
    Link,
    LinkGeneration,
    Direction,
    /// Out: the bytes to which a link's output must be drained before more is read, the payload for which memory must be
    /// granted (0 when none must), or whether it was, and how many bytes may be read then.
    Drained,
    Granted,
    Quota,
    /// Out: 1 when the heap buffer of a message lies elsewhere than before the call.
    Moved,
}

/// Names of the words, by index.
pub(crate) const LAYOUT: [Word; 60] = [
    Word::Status,
    Word::Handle,
    Word::Generation,
    Word::Pool,
    Word::PoolGeneration,
    Word::Target,
    Word::TargetGeneration,
    Word::Length,
    Word::Offset,
    Word::Before,
    Word::CameAndWent,
    Word::LastLength,
    Word::Alone,
    Word::Taken,
    Word::TakenSlot,
    Word::TakenStart,
    Word::After,
    Word::Slot,
    Word::NextSlot,
    Word::LastSlot,
    Word::Next,
    Word::Room,
    Word::Heap,
    Word::HeapGeneration,
    Word::Table,
    Word::Frames,
    Word::First,
    Word::Abandoned,
    Word::State,
    Word::Available,
    Word::Pending,
    Word::Over,
    Word::Extension,
    Word::MessageType,
    Word::Wait,
    Word::Zero,
    Word::Timeout,
    Word::Block,
    Word::Ended,
    Word::Descriptor,
    Word::Sink,
    Word::Blocked,
    Word::Returned,
    Word::Kind,
    Word::Region,
    Word::RegionGeneration,
    Word::Size,
    Word::Low,
    Word::High,
    Word::RingGeneration,
    Word::RingSize,
    Word::Facade,
    Word::Own,
    Word::Link,
    Word::LinkGeneration,
    Word::Direction,
    Word::Drained,
    Word::Granted,
    Word::Quota,
    Word::Moved,
];

/// Words in a block.
pub(crate) const WORDS: usize = 72;

// The last ones have no names: see `Control::taken_lengths`.
const _: () = assert!(LAYOUT.len() + SLOTS <= WORDS);

/// A length as a word: `ERR_OUT_OF_RANGE` if it has more than 32 bits.
pub(crate) fn length_word(length: usize) -> Result<u32, Fault> {
    u32::try_from(length).map_err(|_| OutOfRange { value: length, limit: u32::MAX as usize }.into())
}

/// One isolate's control block.
///
/// Plain cells suffice: the isolate's JavaScript and its native calls take turns on one thread.
#[derive(Debug)]
pub(crate) struct Control {
    words: [Cell<u32>; WORDS],
}

impl Control {
    pub(crate) fn new() -> Self {
        Self { words: [const { Cell::new(0) }; WORDS] }
    }

    #[inline]
    pub(crate) fn get(&self, word: Word) -> u32 {
        self.words[word as usize].get()
    }

    #[inline]
    pub(crate) fn set(&self, word: Word, value: u32) {
        self.words[word as usize].set(value);
    }

    /// In: the bytes of the slices that JavaScript has taken: the block's last words.
    #[inline]
    pub(crate) fn taken_lengths(&self) -> impl Iterator<Item = u32> {
        let count = (self.get(Word::Taken) as usize).min(SLOTS);
        self.words[WORDS - SLOTS..][..count].iter().map(Cell::get)
    }
}
