//! Takes a stream in, and gives its frames out.

use std::cell::RefCell;
use std::sync::Arc;

use crate::shown::Sight;
use crate::slot::{OutOfMemory, SlotPool, SystemMemory};

use super::batch::{Batch, ENTRY, padding, write_table};
use super::decoder::Decoder;
use super::error::Error;
use super::layout::Layout;

/// The longest chunk, in bytes. With it, and a frame held before it, offsets in a batch fit in 32 bits.
const MAX_CHUNK: usize = 1 << 31;

/// The shortest unfinished frame, in bytes, whose memory becomes that of the batch when the frame is whole, if that is at least half
/// of the batch. A shorter one is copied into the pool, which costs less than an allocation that JavaScript sees.
const LARGE: usize = 16 << 10;

/// The most memory, in bytes, that is allocated for an unfinished frame before as many bytes of it have come.
const STEP: usize = 64 << 10;

/// The most ends that a thread keeps room for.
const MOST_ENDS: usize = 1 << 16;

thread_local! {
    /// Ends of the frames that a call has found. They are copied into the batch before the call returns.
    static ENDS: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// Gives the frames of one stream. It holds an unfinished frame, and nothing else.
///
/// After an error in the stream every call returns that error. Other errors change nothing.
#[derive(Debug)]
pub struct Reader {
    decoder: Decoder,
    /// The unfinished frame.
    held: SystemMemory,
    /// The error in the stream, once there is one.
    error: Option<Error>,
}

impl Reader {
    /// Makes a reader at the start of a frame.
    pub fn new(layout: Arc<Layout>) -> Self {
        Self { decoder: Decoder::new(layout), held: SystemMemory::new(), error: None }
    }

    /// Returns the layout of the frames.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.decoder.layout
    }

    /// Returns the number of bytes held of an unfinished frame.
    pub fn pending(&self) -> usize {
        self.held.len()
    }

    /// Returns the length in bytes of the unfinished frame, once that is known.
    pub fn awaited(&self) -> Option<usize> {
        self.decoder.known()
    }

    /// Returns the error in the stream, if there was one.
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    /// Notes the length in bytes of the next frame whose length is not known, for an [announced](Layout::announced)
    /// layout. That must be done before bytes beyond the frame are received.
    ///
    /// Returns [`Error::TooShort`] if more bytes are held, or [`Error::Memory`] if the system has no memory.
    pub fn announce(&mut self, length: u32) -> Result<(), Error> {
        self.decoder.announce(length, self.held.len())
    }

    /// Takes back the lengths that were announced since the last chunk was taken in.
    pub fn take_back(&mut self) {
        self.decoder.take_back();
    }

    /// Takes a chunk of the stream, cut anywhere, and returns the frames that are whole, in one slice. Returns `None`, and
    /// takes no slice, if there are none.
    ///
    /// Frames before an error in the stream ([`Error::TooLarge`], [`Error::TooShort`]) are still returned, and the next call
    /// returns the error. [`Error::Busy`], [`Error::Chunk`] and [`Error::Memory`] take nothing in, and the reader goes on.
    pub fn receive(&mut self, chunk: &[u8], pool: &mut SlotPool) -> Result<Option<Batch>, Error> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        if !pool.is_empty() {
            return Err(Error::Busy);
        }
        if chunk.len() > MAX_CHUNK {
            return Err(Error::Chunk);
        }
        let state = self.decoder.state();
        ENDS.with_borrow_mut(|ends| {
            ends.clear();
            ends.shrink_to(MOST_ENDS);
            let found = match self.find(chunk, ends) {
                Err(error @ Error::Memory(_)) => {
                    self.decoder.restore(state);
                    return Err(error);
                }
                found => found,
            };
            let whole = ends.last().map_or(0, |&end| end as usize);
            let taken = whole.saturating_sub(self.held.len());
            // Before anything changes: without memory for the rest nothing is taken in.
            let outcome = self.take_in(chunk, whole, taken, ends, found.is_ok(), pool);
            match outcome {
                Ok(batch) => {
                    self.decoder.commit();
                    match found {
                        Ok(()) => Ok(batch),
                        Err(error) => {
                            self.fail(error.clone());
                            batch.map(Some).ok_or(error)
                        }
                    }
                }
                Err(error) => {
                    self.decoder.restore(state);
                    Err(error)
                }
            }
        })
    }

    /// Finds the ends of the whole frames in what is held and `chunk`.
    fn find(&mut self, chunk: &[u8], ends: &mut Vec<u32>) -> Result<(), Error> {
        let held = self.held.pending();
        let total = held.len() + chunk.len();
        let mut at = 0;
        while at < total {
            let (held, rest) = if at == 0 { (held, chunk) } else { (&[][..], &chunk[at - held.len()..]) };
            let Some(length) = self.decoder.length(held, rest)? else { break };
            if total - at < length {
                break;
            }
            at += length;
            self.decoder.pass();
            if ends.len() == ends.capacity() {
                let more = ends.len().max(64);
                ends.try_reserve(more).map_err(|_| OutOfMemory { bytes: more * ENTRY })?;
            }
            ends.push(at as u32);
        }
        Ok(())
    }

    /// Makes the batch of the first `whole` bytes of the stream, of which `taken` are in `chunk`. Holds the rest of `chunk` if
    /// `going_on`.
    fn take_in(
        &mut self,
        chunk: &[u8],
        whole: usize,
        taken: usize,
        ends: &[u32],
        going_on: bool,
        pool: &mut SlotPool,
    ) -> Result<Option<Batch>, Error> {
        let rest = if going_on { &chunk[taken..] } else { &[] };
        if ends.is_empty() {
            hold(&mut self.held, rest, self.decoder.known())?;
            return Ok(None);
        }
        let in_place = self.held.len() >= LARGE && self.held.len() >= whole / 2;
        let kept = self.held.kept();
        // Memory that is much longer than the frame needs would be more than a budget counts.
        let fits = kept >= rest.len() && 4 * kept <= 5 * wanted(rest.len(), self.decoder.known());
        if !in_place && !rest.is_empty() && fits {
            let batch = self.copy(&chunk[..taken], whole, ends, pool)?;
            self.held.restart();
            self.held.try_get_writable(rest.len())?.copy_from_slice(rest);
            return Ok(Some(batch));
        }
        let mut next = SystemMemory::new();
        hold(&mut next, rest, self.decoder.known())?;
        let batch = if in_place {
            self.complete(&chunk[..taken], whole, ends)?
        } else {
            self.copy(&chunk[..taken], whole, ends, pool)?
        };
        self.held = next;
        Ok(Some(batch))
    }

    /// Makes a batch in the memory of the frame that is held.
    fn complete(&mut self, chunk: &[u8], whole: usize, ends: &[u32]) -> Result<Batch, Error> {
        let before = self.held.len();
        let table = ends.len() * ENTRY;
        self.held.try_reserve(whole + ENTRY + table)?;
        let address = self.held.sight().span().cast::<u8>().addr().get();
        let pad = padding(address, whole);
        let room = self.held.try_get_writable(chunk.len() + pad + table)?;
        room[..chunk.len()].copy_from_slice(chunk);
        write_table(&mut room[chunk.len() + pad..], ends);
        debug_assert_eq!(before + chunk.len(), whole);
        Ok(Batch { slice: self.held.take(), table: whole + pad, frames: ends.len() })
    }

    /// Makes a batch in the pool, with a copy of what is held and of `chunk`.
    fn copy(&mut self, chunk: &[u8], whole: usize, ends: &[u32], pool: &mut SlotPool) -> Result<Batch, Error> {
        let table = ends.len() * ENTRY;
        pool.try_set_start(0).expect("nothing is written");
        let room = pool.try_get_writable(whole + ENTRY + table)?;
        let pad = padding(room.as_ptr().addr(), whole);
        let held = self.held.pending();
        room[..held.len()].copy_from_slice(held);
        room[held.len()..whole].copy_from_slice(chunk);
        write_table(&mut room[whole + pad..], ends);
        pool.try_truncate(whole + pad + table).expect("it is less");
        Ok(Batch { slice: pool.take(), table: whole + pad, frames: ends.len() })
    }

    /// Returns the room for more bytes of the unfinished frame, whose length is known: where it begins in the memory that
    /// [`sight`](Self::sight) shows, and its length. It ends with the frame at the latest. The memory may have moved.
    ///
    /// Returns `None` if there is no such frame, or if it needs less than `least` bytes.
    pub fn room(&mut self, least: usize) -> Result<Option<(usize, usize)>, Error> {
        let held = self.held.len();
        let Some(length) = self.awaited().filter(|&length| length >= LARGE) else { return Ok(None) };
        let rest = length.saturating_sub(held);
        if rest < least.max(1) {
            return Ok(None);
        }
        room_for(&mut self.held, 1, Some(length))?;
        // The table may go behind the frame without a copy.
        let end = (self.held.sight().span().len()).saturating_sub(2 * ENTRY).max(held + 1);
        Ok(Some((held, rest.min(end - held))))
    }

    /// Returns the right to show the memory of the unfinished frame.
    pub fn sight(&mut self) -> Sight<'_> {
        self.held.sight()
    }

    /// Takes in `count` bytes that were written into the [room](Self::room). Returns the frame if it is whole.
    ///
    /// Returns [`Error::Chunk`] if that is more than there was room for.
    pub fn filled(&mut self, count: usize) -> Result<Option<Batch>, Error> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let held = self.held.len();
        let length = self.awaited().unwrap_or(0);
        if count > length.saturating_sub(held) || count > self.held.sight().span().len() - held {
            return Err(Error::Chunk);
        }
        self.held.try_get_writable(count)?;
        if held + count < length {
            return Ok(None);
        }
        let batch = self.complete(&[], length, &[length as u32])?;
        self.decoder.pass();
        self.decoder.commit();
        Ok(Some(batch))
    }

    /// Ends the reader: it holds nothing any more. Memory that is shown stays while it can be seen.
    pub fn abandon(self) {
        self.held.abandon();
    }

    fn fail(&mut self, error: Error) {
        self.error = Some(error);
        self.held = SystemMemory::new();
    }

    /// Drops what is held, and frees its memory if nothing can see it.
    pub fn clear(&mut self) {
        self.held = SystemMemory::new();
    }
}

/// Adds `rest` to the bytes that are held of an unfinished frame.
fn hold(held: &mut SystemMemory, rest: &[u8], length: Option<usize>) -> Result<(), Error> {
    if !rest.is_empty() {
        room_for(held, rest.len(), length)?;
        held.try_get_writable(rest.len())?.copy_from_slice(rest);
    }
    Ok(())
}

/// Makes room for `more` bytes of an unfinished frame.
fn room_for(held: &mut SystemMemory, more: usize, length: Option<usize>) -> Result<(), Error> {
    let needed = held.len() + more;
    if held.sight().span().len() < needed {
        held.try_reserve(wanted(needed, length))?;
    }
    Ok(())
}

/// Returns how much memory an unfinished frame gets of which there are `needed` bytes: at once the whole of a frame of moderate length,
/// and else a step that grows with it.
fn wanted(needed: usize, length: Option<usize>) -> usize {
    let most = length.map_or(usize::MAX, |length| length + 2 * ENTRY);
    let step = if length.is_some() { STEP } else { 256 };
    needed.max(most.min(step.max(2 * needed)))
}
