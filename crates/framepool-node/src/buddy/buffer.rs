//! Buffers of buddy pools: `BuddyBuffer` of the facade.

use framepool::buddy::Buffer;
use framepool::handle::Handle;
use framepool::shown::Shown;

use crate::call::words::Word;
use crate::call::{Call, Reply};
use crate::errors::Fault;
use crate::shown::external::array_buffer;
use crate::state::EnvState;
use crate::tables::Tables;

/// Hands a buffer to JavaScript. Out: `Handle`; `Block`, `Offset` in it, and `Length`.
pub(crate) fn hand_over(state: &mut EnvState, pool: Handle, buffer: Shown<Buffer>) -> Result<(), Fault> {
    let entry = state.tables.buddy_pools.get_mut(pool).ok_or_else(Fault::released)?;
    let index = buffer.block();
    let offset = buffer.offset_from(entry.block(index)?);
    let control = &state.control;
    control.set(Word::Block, index as u32);
    control.set(Word::Offset, offset as u32);
    control.set(Word::Length, buffer.capacity() as u32);
    let handle = state.tables.buddy_buffers.insert(buffer)?;
    state.set_handle(Word::Handle, Word::Generation, handle);
    Ok(())
}

/// Returns the `ArrayBuffer` over a buffer alone, for debug mode.
pub(crate) fn view(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let EnvState { tables: Tables { buddy_buffers, .. }, realm, .. } = call.state;
    let buffer = buddy_buffers.get_mut(handle).ok_or_else(Fault::released)?;
    Ok(Some(array_buffer(realm, buffer.sight())?))
}

/// Gives a buffer back, or abandons it.
pub(crate) fn release(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let abandoned = call.get(Word::Abandoned) == 1;
    call.state.tables.buddy_buffers.free(handle, abandoned)?;
    Ok(None)
}
