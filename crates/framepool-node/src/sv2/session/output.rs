//! The output of sessions, as JavaScript sees it.

use super::report;
use crate::call::words::Word;
use crate::call::{Call, Reply};
use crate::errors::Fault;
use crate::shown::external::array_buffer;
use crate::state::EnvState;
use crate::tables::Tables;

/// Returns the `ArrayBuffer` over the output ring.
pub(crate) fn region(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let EnvState { tables: Tables { sessions, .. }, realm, .. } = call.state;
    let session = sessions.get_mut(handle).ok_or_else(Fault::released)?;
    Ok(Some(array_buffer(realm, session.output().sight())?))
}

/// Gives up the rings that have been replaced: JavaScript has no views of them any more.
pub(crate) fn forget(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    call.state.tables.sessions.get_mut(handle).ok_or_else(Fault::released)?.output().forget_replaced();
    Ok(None)
}

/// Consumes `Length` bytes of the output, which are on their way. The ring is refilled from the queue. Out: the session's words.
pub(crate) fn consume(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let EnvState { tables: Tables { sessions, .. }, control, .. } = call.state;
    let session = sessions.get_mut(handle).ok_or_else(Fault::released)?;
    let length = control.get(Word::Length) as usize;
    session.output().consume(length)?;
    report(session, control);
    Ok(None)
}
