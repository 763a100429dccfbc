//! Transfers between ring halves and file descriptors: `readFrom`, `writeTo` and their asynchronous forms.

use std::os::fd::BorrowedFd;

use framepool::SystemError;
use framepool::handle::Handle;
use framepool::ring::io::{Access, Descriptor, Poller, Port};

use crate::call::words::Word;
use crate::call::{Call, Reply};
use crate::errors::Fault;
use crate::ring::entry::{EitherHalf, RingHalf};
use crate::ring::half;
use crate::ring::io::descriptor::{descriptor, report_moved};
use crate::state::Wait;
use crate::wait::settle;

fn transfer_now<P: Port>(port: &mut P, fd: BorrowedFd<'_>) -> Result<Option<usize>, SystemError> {
    port.transfer(&Descriptor::borrow(fd, P::ACCESS)?, usize::MAX)
}

/// Moves what can be moved now between a ring half and `Descriptor`. Out: `Length`, `Blocked`, `Available`.
pub(crate) fn now(call: &mut Call<'_>) -> Reply {
    let fd = descriptor(call, Word::Descriptor)?;
    let half = half::called(call)?;
    let moved = match half {
        EitherHalf::Producer(producer) => transfer_now(producer, fd),
        EitherHalf::Consumer(consumer) => transfer_now(consumer, fd),
    }?;
    let available = half.available();
    report_moved(&call.state.control, moved);
    call.set(Word::Available, available as u32);
    Ok(None)
}

/// Moves bytes between a ring half and `Descriptor` as soon as that can be done. Until then native I/O has the half. Out: `Wait`;
/// at its end what [`now`] leaves. `Blocked` is 1 if the transfer was asked to end before anything was moved.
pub(crate) fn later(call: &mut Call<'_>) -> Reply {
    let fd = descriptor(call, Word::Descriptor)?;
    let handle = call.state.handle(Word::Handle, Word::Generation);
    settle::begin(call, move |state, wait| {
        let lent = state.tables.ring_halves.get_mut(handle).ok_or_else(Fault::released)?;
        let direction = match lent.here()? {
            EitherHalf::Producer(_) => Access::Read,
            EitherHalf::Consumer(_) => Access::Write,
        };
        let descriptor = Descriptor::duplicate(fd, direction)?;
        let poller = Poller::shared()?;
        lent.operation = Some(match lent.take()? {
            EitherHalf::Producer(producer) => {
                poller.transfer(producer, descriptor, take_back(handle, EitherHalf::Producer, wait))
            }
            EitherHalf::Consumer(consumer) => {
                poller.transfer(consumer, descriptor, take_back(handle, EitherHalf::Consumer, wait))
            }
        });
        // When the isolate dies its halves go, and with them what works on them.
        Ok(Some(Box::new(|_| {})))
    })
}

/// Puts a half back where it was taken from, and settles the wait for it.
fn take_back<P: Port>(
    handle: Handle,
    half: fn(P) -> EitherHalf,
    wait: Wait,
) -> impl FnOnce(P, Result<Option<usize>, SystemError>) + Send {
    move |port, moved| {
        let half = half(port);
        wait.settle(move |state| {
            let available = {
                let entry = state.tables.ring_halves.get_mut(handle).ok_or_else(Fault::released)?;
                *entry = RingHalf::new(half);
                entry.here()?.available()
            };
            report_moved(&state.control, moved?);
            state.control.set(Word::Available, available as u32);
            Ok(())
        });
    }
}

/// Asks the I/O that has a half to end.
pub(crate) fn end(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    call.state.tables.ring_halves.get_mut(handle).ok_or_else(Fault::released)?.operation = None;
    Ok(None)
}
