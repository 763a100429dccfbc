//! The control block: the words through which a per-message call passes its arguments and results.
//!
//! Each isolate has one block. JavaScript sees it as a `Uint32Array` over the same memory, so a call needs neither
//! argument conversion nor an object for its result.

use std::cell::Cell;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;

use framepool::shown::Memory;
use framepool::slot::{MAX_SLOTS, OutOfRange};

use crate::call::words::Word;
use crate::errors::Fault;

/// The number of words in a block.
pub(crate) const WORDS: usize = 112;

// The last words have no names: see `Control::taken_lengths`.
const _: () = assert!(Word::ALL.len() + MAX_SLOTS <= WORDS);

/// Returns a length as a word, or `ERR_OUT_OF_RANGE` if it has more than 32 bits.
pub(crate) fn length_word(length: usize) -> Result<u32, Fault> {
    u32::try_from(length).map_err(|_| OutOfRange { value: length, limit: u32::MAX as usize }.into())
}

/// An isolate's control block.
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

    /// Writes a number of up to 64 bits to `Low` and `High`.
    pub(crate) fn set_wide(&self, value: u64) {
        self.set(Word::Low, value as u32);
        self.set(Word::High, (value >> 32) as u32);
    }

    /// Returns the lengths of the slices that JavaScript has taken. JavaScript writes them to the block's last words.
    #[inline]
    pub(crate) fn taken_lengths(&self) -> impl Iterator<Item = u32> {
        let count = (self.get(Word::Taken) as usize).min(MAX_SLOTS);
        self.words[WORDS - MAX_SLOTS..][..count].iter().map(Cell::get)
    }
}

/// A control block that is shared with the `ArrayBuffer` that shows it.
pub(crate) struct ControlBlock(Control);

// SAFETY: only the isolate's thread reads and writes the block; others merely drop their share.
unsafe impl Send for ControlBlock {}
// SAFETY: as above.
unsafe impl Sync for ControlBlock {}

impl ControlBlock {
    pub(crate) fn new() -> Self {
        Self(Control::new())
    }
}

impl Deref for ControlBlock {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.0
    }
}

/// A share of a control block, for showing it.
pub(crate) struct ControlShare(pub(crate) Arc<ControlBlock>);

// SAFETY: a share of the block keeps it where it is. JavaScript and native code take turns, and change it through cells.
unsafe impl Memory for ControlShare {
    fn span(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(NonNull::from(&self.0.0).cast(), size_of::<Control>())
    }
}
