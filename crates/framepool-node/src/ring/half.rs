//! The halves of byte rings: `Producer` and `Consumer` of the facade.

use std::sync::Arc;
use std::task::Poll;

use framepool::handle::Handle;
use framepool::ring::{self, Half};
use framepool::shown::Shown;
use napi::Env;
use napi_derive::napi;

use crate::call::words::Word;
use crate::call::{Call, Reply};
use crate::errors::{Code, Fault, Result};
use crate::handle::ObjectHandle;
use crate::ring::entry::{EitherHalf, RingHalf};
use crate::shown::external::array_buffer;
use crate::state::EnvState;
use crate::wait::{blocked, polled};

fn half(state: &mut EnvState, handle: Handle) -> std::result::Result<&mut EitherHalf, Fault> {
    state.tables.ring_halves.get_mut(handle).ok_or_else(Fault::released)?.here()
}

/// Returns the half that the call is about.
pub(crate) fn called<'a>(call: &'a mut Call<'_>) -> std::result::Result<&'a mut EitherHalf, Fault> {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    half(call.state, handle)
}

/// Advances the half by `Length` bytes that were written or read; 0 only asks. Out: `Available`, `Ended`.
pub(crate) fn advance(call: &mut Call<'_>) -> Reply {
    let count = call.get(Word::Length) as usize;
    let half = &mut **called(call)?;
    // In this order: what the other half did before it ended is counted.
    let ended = half.other_ended();
    if count > 0 {
        half.advance(count)?;
    }
    let available = half.available();
    call.set(Word::Available, available as u32);
    call.set(Word::Ended, u32::from(ended));
    Ok(None)
}

/// Waits until `Length` bytes are available, or no more will come. Out: `Wait`, and if that is 0 `Available`, `Ended`.
pub(crate) fn wait(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let bytes = call.get(Word::Length) as usize;
    polled::begin(
        call,
        move |state, waker| {
            let half = half(state, handle)?;
            if half.has_ended() {
                return Poll::Ready(Err(Fault::new(Code::CLOSED, "this half of the ring has ended")));
            }
            let available = std::task::ready!(half.poll(bytes, waker));
            let ended = half.other_ended();
            state.control.set(Word::Available, available as u32);
            state.control.set(Word::Ended, u32::from(ended));
            Poll::Ready(Ok(()))
        },
        move |state, waker| {
            if let Ok(half) = half(state, handle) {
                half.forget(waker);
            }
        },
    )
}

/// Waits for bytes or room and blocks this thread: see `blocked::wait`. Out: `Wait`, and if that is 0 `Available`, `Ended`.
pub(crate) fn wait_sync(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let bytes = call.get(Word::Length) as usize;
    blocked::wait(
        call,
        || Ok(None),
        |state, _, moment| {
            let half = half(state, handle)?;
            let Some(available) = ring::wait(&mut **half, bytes, moment) else { return Ok(false) };
            let ended = half.other_ended();
            state.control.set(Word::Available, available as u32);
            state.control.set(Word::Ended, u32::from(ended));
            Ok(true)
        },
        blocked::nothing_came,
    )
}

/// Returns the `ArrayBuffer` over the ring, for the half's own views.
pub(crate) fn view(call: &mut Call<'_>) -> Reply {
    let realm = Arc::clone(&call.state.realm);
    Ok(Some(array_buffer(&realm, called(call)?.sight())?))
}

/// Ends the half: it will do nothing any more.
pub(crate) fn end(call: &mut Call<'_>) -> Reply {
    called(call)?.end();
    Ok(None)
}

/// Frees a half, or abandons it.
pub(crate) fn release(call: &mut Call<'_>) -> Reply {
    // The other half must not wait for this one, whose memory lives on while it is shown.
    called(call)?.end();
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let abandoned = call.get(Word::Abandoned) == 1;
    let half = call.state.tables.ring_halves.remove(handle).and_then(RingHalf::into_half);
    if let (true, Some(half)) = (abandoned, half) {
        half.abandon();
    }
    Ok(None)
}

/// The halves of a new ring.
#[napi(object)]
pub struct RingHandles {
    /// The half that writes.
    pub producer: ObjectHandle,
    /// The half that reads.
    pub consumer: ObjectHandle,
}

/// Makes a ring of `size` bytes whose memory is aligned to `align`.
#[napi(catch_unwind)]
pub fn ring_create(env: Env, size: u32, align: u32) -> Result<RingHandles> {
    let state = EnvState::of(env)?;
    let (producer, consumer) = ring::new(size as usize, align as usize).map_err(Fault::from)?;
    if let Some(quarantine) = state.debug.general_quarantine() {
        producer.guard().set(quarantine);
    }
    let halves = &mut state.tables.ring_halves;
    let producer = halves.insert(RingHalf::new(EitherHalf::Producer(Shown::new(producer))))?;
    let consumer = RingHalf::new(EitherHalf::Consumer(Shown::new(consumer)));
    let consumer = halves.insert(consumer).inspect_err(|_| drop(halves.remove(producer)))?;
    Ok(RingHandles { producer: producer.into(), consumer: consumer.into() })
}
