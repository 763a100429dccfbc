//! File descriptors: `readFrom`, `writeTo`, their asynchronous forms, and `pump` of the facade.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::task::Poll;

use framepool::SystemError;
use framepool::handle::Handle;
use framepool::io::{Access, Descriptor, Poller, Port, Pump, Pumped};
use framepool::ring;
use napi::Env;
use napi::bindgen_prelude::BigInt;
use napi_derive::napi;

use crate::boundary::{Call, ObjectHandle, Reply};
use crate::control::{Control, Word};
use crate::env::EnvState;
use crate::errors::{Code, Fault, Result};
use crate::inspect::{Kind, Listed};
use crate::ring::{EitherHalf, RingHalf};
use crate::settle::Wait;
use crate::{polled, ring as halves, settle, sv2_session};

/// What a word names.
fn descriptor(call: &Call<'_>, word: Word) -> std::result::Result<BorrowedFd<'static>, Fault> {
    let fd = i32::try_from(call.get(word)).map_err(|_| Fault::new(Code::OUT_OF_RANGE, "no file descriptor"))?;
    // SAFETY: it is not -1. Whether it is open is the user's business, as with every `fs` function that takes a number: it
    //         is only given to system calls, during this call, and they refuse it if it is not.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Leaves what a transfer came to.
fn report(control: &Control, moved: Option<usize>) {
    control.set(Word::Blocked, u32::from(moved.is_none()));
    control.set(Word::Length, moved.unwrap_or(0) as u32);
}

fn transfer_now<P: Port>(port: &mut P, fd: BorrowedFd<'_>) -> std::result::Result<Option<usize>, SystemError> {
    port.transfer(&Descriptor::borrow(fd, P::ACCESS)?, usize::MAX)
}

/// Moves what can be moved now between a ring half and `Descriptor`. Out: `Length`, `Blocked`, `Available`.
pub(crate) fn transfer(call: &mut Call<'_>) -> Reply {
    let fd = descriptor(call, Word::Descriptor)?;
    let half = halves::called(call)?;
    let moved = match half {
        EitherHalf::Producer(producer) => transfer_now(producer, fd),
        EitherHalf::Consumer(consumer) => transfer_now(consumer, fd),
    }?;
    let available = half.available();
    report(&call.state.control, moved);
    call.set(Word::Available, available as u32);
    Ok(None)
}

/// The same as soon as it can be done; until then the half is not here. Out: `Wait`. `Blocked`, at its end: it was asked to
/// end, and nothing was moved.
pub(crate) fn transfer_later(call: &mut Call<'_>) -> Reply {
    let fd = descriptor(call, Word::Descriptor)?;
    let handle = call.state.handle(Word::Handle, Word::Generation);
    settle::begin(call, move |state, wait| {
        let lent = state.ring_halves.get_mut(handle).ok_or_else(Fault::released)?;
        let access = match lent.here()? {
            EitherHalf::Producer(_) => Access::Read,
            EitherHalf::Consumer(_) => Access::Write,
        };
        let descriptor = Descriptor::duplicate(fd, access)?;
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
) -> impl FnOnce(P, std::result::Result<Option<usize>, SystemError>) + Send {
    move |port, moved| {
        let half = half(port);
        wait.settle(move |state| {
            let available = {
                let entry = state.ring_halves.get_mut(handle).ok_or_else(Fault::released)?;
                *entry = RingHalf::new(half);
                entry.here()?.available()
            };
            report(&state.control, moved?);
            state.control.set(Word::Available, available as u32);
            Ok(())
        });
    }
}

/// Asks for the end of what works on a half.
pub(crate) fn transfer_end(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    call.state.ring_halves.get_mut(handle).ok_or_else(Fault::released)?.operation = None;
    Ok(None)
}

/// Writes what can be written now of a session's output to `Descriptor`. Out: `Length`, `Blocked`, the session's words.
pub(crate) fn output_write(call: &mut Call<'_>) -> Reply {
    let descriptor = Descriptor::borrow(descriptor(call, Word::Descriptor)?, Access::Write)?;
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let session = call.state.sessions.get_mut(handle).ok_or_else(Fault::released)?;
    let written = session.output().write_to(&descriptor)?;
    sv2_session::report(session, &call.state.control);
    report(&call.state.control, written);
    Ok(None)
}

/// The same as soon as it can be done, which the poller says: the output stays with its session. Out: `Wait`.
pub(crate) fn output_write_later(call: &mut Call<'_>) -> Reply {
    let descriptor = Arc::new(Descriptor::duplicate(descriptor(call, Word::Descriptor)?, Access::Write)?);
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let poller = Poller::shared()?;
    let mut waiting = None;
    polled::begin(
        call,
        move |state, waker| {
            let session = state.sessions.get_mut(handle).ok_or_else(Fault::released)?;
            let Some(written) = session.output().write_to(&descriptor)? else {
                drop(waiting.replace(poller.when_ready(Arc::clone(&descriptor), waker.clone())));
                return Poll::Pending;
            };
            sv2_session::report(session, &state.control);
            report(&state.control, Some(written));
            Poll::Ready(Ok(()))
        },
        |_, _| {},
    )
}

impl Listed for Pump {
    fn kind(&self) -> Kind {
        Kind::Pump
    }

    fn bytes(&self) -> usize {
        self.ring_size()
    }
}

/// What is not needed to lie anywhere: a cache line.
const ALIGN: usize = 64;

/// Pumps from `Descriptor` to `Sink` through a ring of `Length` bytes. Out: `Wait`, and the pump in `Handle`.
pub(crate) fn pump_start(call: &mut Call<'_>) -> Reply {
    let (from, to) = (descriptor(call, Word::Descriptor)?, descriptor(call, Word::Sink)?);
    let ring = ring::new(call.get(Word::Length) as usize, ALIGN)?;
    settle::begin(call, move |state, wait| {
        let done = move |pumped: Pumped| wait.settle(move |_| pumped.error.map_or(Ok(()), |error| Err(error.into())));
        // Before it is started: it could not be undone.
        state.pumps.make_room()?;
        let pump = state.pumps.insert(Pump::start(from, to, ring, done)?)?;
        state.control.set(Word::Handle, pump.index);
        state.control.set(Word::Generation, pump.generation);
        // When the isolate dies its pumps go.
        Ok(Some(Box::new(|_| {})))
    })
}

/// Bytes that a pump has written so far.
#[napi(catch_unwind)]
pub fn pump_moved(env: Env, pump: ObjectHandle) -> Result<BigInt> {
    Ok(EnvState::of_any(env)?.pumps.get(pump.into()).ok_or_else(Fault::released)?.moved().into())
}

/// Reads no more; what was read is still written.
#[napi(catch_unwind)]
pub fn pump_stop(env: Env, pump: ObjectHandle) -> Result<()> {
    EnvState::of_any(env)?.pumps.get(pump.into()).ok_or_else(Fault::released)?.stop();
    Ok(())
}

/// Forgets a pump that is over; the bytes that it has written.
#[napi(catch_unwind)]
pub fn pump_end(env: Env, pump: ObjectHandle) -> Result<BigInt> {
    Ok(EnvState::of_any(env)?.pumps.remove(pump.into()).ok_or_else(Fault::released)?.moved().into())
}
