//! The output of sessions, written to file descriptors.

use std::sync::Arc;
use std::task::Poll;

use framepool::ring::io::{Access, Descriptor, Poller};

use crate::call::words::Word;
use crate::call::{Call, Reply};
use crate::errors::Fault;
use crate::ring::io::descriptor::{descriptor, report_moved};
use crate::sv2::session::report;
use crate::wait::polled;

/// Writes what can be written now of a session's output to `Descriptor`. Out: `Length`, `Blocked`, the session's words.
pub(crate) fn write(call: &mut Call<'_>) -> Reply {
    let descriptor = Descriptor::borrow(descriptor(call, Word::Descriptor)?, Access::Write)?;
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let session = call.state.tables.sessions.get_mut(handle).ok_or_else(Fault::released)?;
    let written = session.output().write_to(&descriptor)?;
    report(session, &call.state.control);
    report_moved(&call.state.control, written);
    Ok(None)
}

/// Writes what can be written of a session's output as soon as the poller says that `Descriptor` takes it. The output stays
/// with its session. Out: `Wait`; at its end the results of [`write()`].
pub(crate) fn write_later(call: &mut Call<'_>) -> Reply {
    let descriptor = Arc::new(Descriptor::duplicate(descriptor(call, Word::Descriptor)?, Access::Write)?);
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let poller = Poller::shared()?;
    let mut waiting = None;
    polled::begin(
        call,
        move |state, waker| {
            let session = state.tables.sessions.get_mut(handle).ok_or_else(Fault::released)?;
            let Some(written) = session.output().write_to(&descriptor)? else {
                drop(waiting.replace(poller.when_ready(Arc::clone(&descriptor), waker.clone())));
                return Poll::Pending;
            };
            report(session, &state.control);
            report_moved(&state.control, Some(written));
            Poll::Ready(Ok(()))
        },
        |_, _| {},
    )
}
