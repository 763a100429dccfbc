//! The place of the next frame's end.

use std::collections::VecDeque;
use std::sync::Arc;

use memchr::memmem::Finder;

use super::error::Error;
use super::layout::{Kind, Layout, MAX_DELIMITER};
use crate::slot::OutOfMemory;

/// Looks for the ends of frames in a stream, and remembers how far it has looked.
#[derive(Debug)]
pub(super) struct Decoder {
    pub(super) layout: Arc<Layout>,
    state: State,
    /// Lengths that were announced, of frames that are not whole.
    announced: VecDeque<u32>,
    /// Number of announced lengths when the last chunk had been taken in.
    kept: usize,
}

/// Progress through the unfinished frame.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct State {
    /// Length of the unfinished frame, once it is known.
    length: Option<usize>,
    /// Bytes without a delimiter, from its start.
    searched: usize,
    /// Number of announced lengths that are of whole frames.
    used: usize,
}

impl Decoder {
    pub(super) fn new(layout: Arc<Layout>) -> Self {
        Self { layout, state: State::default(), announced: VecDeque::new(), kept: 0 }
    }

    /// Returns the length of the unfinished frame, once that is known.
    pub(super) fn known(&self) -> Option<usize> {
        self.state.length
    }

    /// Notes the length of the next frame whose length is not known. `held` bytes of the stream are held.
    pub(super) fn announce(&mut self, length: u32, held: usize) -> Result<(), Error> {
        if self.announced.is_empty() && (length as usize) < held {
            return Err(Error::TooShort { length: length.into(), header: held });
        }
        self.announced.try_reserve(1).map_err(|_| OutOfMemory { bytes: size_of::<u32>() })?;
        self.announced.push_back(length);
        Ok(())
    }

    /// Forgets the lengths that were announced since the last chunk was taken in.
    pub(super) fn take_back(&mut self) {
        self.announced.truncate(self.kept);
    }

    /// Returns what [`restore`](Self::restore) goes back to.
    pub(super) fn state(&self) -> State {
        self.state
    }

    /// Takes back what was found since `state`.
    pub(super) fn restore(&mut self, state: State) {
        self.state = state;
    }

    /// Forgets the announced lengths of whole frames: what was found stays.
    pub(super) fn commit(&mut self) {
        self.announced.drain(..self.state.used);
        self.kept = self.announced.len();
        self.state.used = 0;
    }

    /// Returns the length of the frame that begins with `held` and goes on with `rest`, or `None` while that is unknown.
    /// The frame may be longer than both.
    ///
    /// If the frame is not whole, the next call must begin with the same bytes.
    #[inline]
    pub(super) fn length(&mut self, held: &[u8], rest: &[u8]) -> Result<Option<usize>, Error> {
        let Self { layout, state, announced, .. } = self;
        if state.length.is_some() {
            return Ok(state.length);
        }
        state.length = match &layout.kind {
            Kind::Length(field) => match field.read(held, rest) {
                Some(value) => Some(layout.length_by(field, value)?),
                None => None,
            },
            Kind::Delimited(finder) => search(finder, layout.max(), &mut state.searched, held, rest)?,
            Kind::Announced => match announced.get(state.used) {
                Some(&length) => Some(layout.check(length.into())?),
                None => None,
            },
        };
        Ok(state.length)
    }

    /// Goes on to the next frame: this one is whole.
    #[inline]
    pub(super) fn pass(&mut self) {
        let used = self.state.used + usize::from(matches!(self.layout.kind, Kind::Announced));
        self.state = State { used, ..State::default() };
    }
}

/// Looks for a delimiter, up to the longest frame. The first `searched` bytes were looked at.
fn search(
    finder: &Finder<'static>,
    max: usize,
    searched: &mut usize,
    held: &[u8],
    rest: &[u8],
) -> Result<Option<usize>, Error> {
    let delimiter = finder.needle().len();
    let all = held.len() + rest.len();
    // A delimiter may have begun with the last bytes that were looked at.
    let from = searched.saturating_sub(delimiter - 1);
    let found = if from < held.len() {
        // Only where held bytes meet others: the rest of them was looked at.
        let (mut joint, mut length) = ([0; 2 * MAX_DELIMITER], 0);
        for byte in held[from..].iter().chain(&rest[..rest.len().min(delimiter - 1)]) {
            joint[length] = *byte;
            length += 1;
        }
        finder.find(&joint[..length]).map(|at| from + at)
    } else {
        None
    };
    let found = found.or_else(|| {
        let start = from.saturating_sub(held.len());
        let end = rest.len().min(max - held.len().min(max));
        let bytes = rest.get(start..end)?;
        let at = if let [byte] = finder.needle() { memchr::memchr(*byte, bytes) } else { finder.find(bytes) };
        at.map(|at| held.len() + start + at)
    });
    match found.map(|at| at + delimiter) {
        Some(length) if length <= max => Ok(Some(length)),
        None if all < max => {
            *searched = all;
            Ok(None)
        }
        _ => Err(Error::TooLarge { length: all as u64, max }),
    }
}
