//! Readers of framed streams.

use std::sync::Arc;

use framepool::framing::{Batch, Layout, LengthField, Reader};
use framepool::handle::Handle;
use framepool::slot::Taken;
use napi::Env;
use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;

use crate::allocator;
use crate::call::control::{Control, length_word};
use crate::call::words::Word;
use crate::call::{Call, Reply};
use crate::errors::{Fault, Result};
use crate::handle::ObjectHandle;
use crate::memory::reservation::NONE;
use crate::shown::external::array_buffer;
use crate::slot::entry::SlotPoolEntry;
use crate::state::EnvState;
use crate::sv2::session::{apart, span};
use crate::tables::Tables;

/// Reports a reader. Out: `Pending`, `Awaited`, and `Ended`, 1 once the stream is broken.
fn report(reader: &Reader, control: &Control) {
    control.set(Word::Pending, reader.pending() as u32);
    control.set(Word::Awaited, reader.awaited().unwrap_or(0) as u32);
    control.set(Word::Ended, u32::from(reader.error().is_some()));
}

/// Takes in the bytes that the call carries. Out: `Frames`, and with any frame its slice and `Table`; what the pool and the
/// reader report. `Purse` pays for the frames.
pub(crate) fn receive(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let pool = call.state.handle(Word::Pool, Word::PoolGeneration);
    call.set(Word::Frames, 0);
    {
        // First of all, so that JavaScript may forget its backlog whether or not the rest fails.
        let entry = call.state.tables.slot_pools.get_mut(pool).ok_or_else(Fault::released)?;
        entry.catch_up(&call.state.control)?;
        // An empty message on the heap may have been shown. It must go before the chunk is looked at.
        entry.forget_empty();
        entry.report(&call.state.control);
    }
    // SAFETY: nothing below runs JavaScript. The chunk may be a view of memory that is written below, the pool's region or
    // that of the unfinished frame: then it is copied first.
    let chunk = unsafe { call.bytes()? };
    let EnvState { tables: Tables { frame_readers, slot_pools, slices, reservations, .. }, control, .. } = call.state;
    let reader = frame_readers.get_mut(handle).ok_or_else(Fault::released)?;
    let entry = slot_pools.get_mut(pool).ok_or_else(Fault::released)?;
    allocator::check()?;
    length_word(chunk.len())?;
    slices.make_room()?;
    let region = span(entry.pool.region().base(), entry.pool.capacity());
    let held = reader.sight().span();
    let chunk = apart(chunk, &[region, span(held.cast(), held.len())])?;
    let outcome = reader.receive(&chunk, &mut entry.pool);
    report(reader, control);
    entry.report(control);
    let Some(Batch { mut slice, table, frames }) = outcome? else { return Ok(None) };
    if let Some(purse) = purse(control).and_then(|purse| reservations.get_mut(purse)) {
        slice.charge(purse.split(table));
    }
    entry.hand_over_batch(slice, table, frames, slices, control)?;
    Ok(None)
}

fn purse(control: &Control) -> Option<Handle> {
    let (index, generation) = (control.get(Word::Purse), control.get(Word::PurseGeneration));
    (index != NONE).then_some(Handle { index, generation })
}

fn called<'a>(call: &'a mut Call<'_>) -> std::result::Result<&'a mut Reader, Fault> {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    call.state.tables.frame_readers.get_mut(handle).ok_or_else(Fault::released)
}

/// Notes the length of the next frame, `Length`; or with `First` 1 takes back those noted since the last chunk was taken in.
pub(crate) fn announce(call: &mut Call<'_>) -> Reply {
    let (length, take_back) = (call.get(Word::Length), call.get(Word::First) == 1);
    let reader = called(call)?;
    if take_back {
        reader.take_back();
    } else {
        reader.announce(length)?;
    }
    Ok(None)
}

/// Tells where the next bytes of an unfinished frame may be written. In: `Length`, the least that it must need. Out: `Offset` and
/// `Length` of the room, 0 if there is none; `Moved`.
pub(crate) fn room(call: &mut Call<'_>) -> Reply {
    let least = call.get(Word::Length) as usize;
    let reader = called(call)?;
    let before = place(reader);
    let (offset, length) = reader.room(least)?.unwrap_or((0, 0));
    let moved = place(reader) != before;
    call.set(Word::Offset, offset as u32);
    call.set(Word::Length, length as u32);
    call.set(Word::Moved, u32::from(moved));
    Ok(None)
}

/// Returns where the memory of an unfinished frame lies, and its length.
fn place(reader: &mut Reader) -> (usize, usize) {
    let span = reader.sight().span();
    (span.cast::<u8>().addr().get(), span.len())
}

/// Returns the `ArrayBuffer` over the memory of an unfinished frame.
pub(crate) fn view(call: &mut Call<'_>) -> Reply {
    let realm = Arc::clone(&call.state.realm);
    Ok(Some(array_buffer(&realm, called(call)?.sight())?))
}

/// Takes in `Length` bytes that were written into the room. Out: as for `receive`, with a slice on the heap.
pub(crate) fn filled(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let quarantine = call.state.debug.general_quarantine().cloned();
    let EnvState { tables: Tables { frame_readers, slices, reservations, .. }, control, .. } = call.state;
    control.set(Word::Frames, 0);
    allocator::check()?;
    slices.make_room()?;
    let reader = frame_readers.get_mut(handle).ok_or_else(Fault::released)?;
    let outcome = reader.filled(control.get(Word::Length) as usize);
    report(reader, control);
    let Some(Batch { mut slice, table, frames }) = outcome? else { return Ok(None) };
    if let Some(purse) = purse(control).and_then(|purse| reservations.get_mut(purse)) {
        slice.charge(purse.split(table));
    }
    if let Some(quarantine) = &quarantine {
        slice = slice.guarded(quarantine)?;
    }
    control.set(Word::Table, table as u32);
    control.set(Word::Frames, frames as u32);
    SlotPoolEntry::hand_over(Taken::Heap(slice), slices, control)?;
    Ok(None)
}

/// Frees a reader, or abandons it.
pub(crate) fn release(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let reader = call.state.tables.frame_readers.remove(handle).ok_or_else(Fault::released)?;
    if call.get(Word::Abandoned) == 1 {
        reader.abandon();
    }
    Ok(None)
}

/// A layout of frames. Exactly one of `field_length`, `delimiter` and `announced` says how they end.
#[napi(object, object_to_js = false)]
pub struct FrameLayout {
    /// The longest frame, in bytes.
    pub max: u32,
    /// The length of the header, in bytes. 0 where the length field ends it.
    pub header: u32,
    /// The length of the length field, in bytes.
    pub field_length: Option<u32>,
    /// The offset of that field in the frame, in bytes.
    pub field_offset: u32,
    /// Whether its first byte is the lowest.
    pub little_endian: bool,
    /// The number that is added to it.
    pub adjustment: f64,
    /// The bytes that end each frame.
    pub delimiter: Option<Uint8Array>,
}

impl FrameLayout {
    fn layout(&self) -> std::result::Result<Layout, Fault> {
        let (max, header) = (self.max as usize, self.header as usize);
        Ok(match (self.field_length, &self.delimiter) {
            (Some(length), _) => {
                let field = LengthField {
                    offset: self.field_offset as usize,
                    length: length as usize,
                    little_endian: self.little_endian,
                    adjustment: self.adjustment as i64,
                    header,
                };
                Layout::length_field(field, max)?
            }
            (None, Some(delimiter)) => Layout::delimited(delimiter, max)?,
            (None, None) => Layout::announced(header, max)?,
        })
    }
}

/// A reader, and what it says of its frames.
#[napi(object)]
pub struct NewFrameReader {
    /// Handle of the reader.
    pub handle: ObjectHandle,
    /// Number of bytes before the payload of each frame.
    pub header: u32,
    /// Number of bytes after the payload of each frame.
    pub trailer: u32,
}

/// Makes a reader.
#[napi(catch_unwind)]
pub fn frame_reader_create(env: Env, layout: FrameLayout) -> Result<NewFrameReader> {
    let state = EnvState::of(env)?;
    let layout = layout.layout()?;
    let (header, trailer) = (layout.header() as u32, layout.trailer() as u32);
    let handle = state.tables.frame_readers.insert(Reader::new(Arc::new(layout)))?.into();
    Ok(NewFrameReader { handle, header, trailer })
}
