//! Channels between isolates: `SliceSender` and `SliceReceiver` of the facade.

use std::task::{Poll, ready};

use framepool::handle::Handle;
use framepool::threads::channel::{Receiver, Sender, channel};
use napi::Env;
use napi_derive::napi;

use crate::call::words::Word;
use crate::call::{Call, Reply};
use crate::errors::{Code, Fault, Result};
use crate::handle::ObjectHandle;
use crate::state::EnvState;
use crate::threads::transferable::Transferable;
use crate::threads::travel;
use crate::wait::{blocked, polled};

fn sender(state: &mut EnvState, handle: Handle) -> std::result::Result<&mut Sender<Transferable>, Fault> {
    state.tables.senders.get_mut(handle).ok_or_else(Fault::released)
}

fn receiver(state: &mut EnvState, handle: Handle) -> std::result::Result<&mut Receiver<Transferable>, Fault> {
    state.tables.receivers.get_mut(handle).ok_or_else(Fault::released)
}

/// Returns the room of the sender in `Target`, or `ERR_CLOSED` if nothing can be sent any more.
fn room(call: &mut Call<'_>) -> std::result::Result<usize, Fault> {
    let handle = call.state.handle(Word::Target, Word::TargetGeneration);
    let sender = sender(call.state, handle)?;
    if sender.is_closed() {
        return Err(Fault::new(Code::CLOSED, "the receiver has gone"));
    }
    Ok(sender.room())
}

/// Tells how many objects the sender in `Target` can send. Out: `Available`.
pub(crate) fn ask(call: &mut Call<'_>) -> Reply {
    let room = room(call)?;
    call.set(Word::Available, room as u32);
    Ok(None)
}

/// Sends the object that the call names with the sender in `Target`: see [`travel::depart`]. Out: `Available`, the room that is left,
/// or less. On a failure nothing has left.
pub(crate) fn send(call: &mut Call<'_>) -> Reply {
    let left = room(call)?.checked_sub(1).ok_or_else(|| Fault::internal("the room of a channel was counted wrong"))?;
    let object = travel::depart(call)?;
    let handle = call.state.handle(Word::Target, Word::TargetGeneration);
    // If the receiver has gone by now, the object goes back, as it would if the receiver had gone right after.
    let _ = sender(call.state, handle)?.send(object);
    call.set(Word::Available, left as u32);
    Ok(None)
}

/// Waits for room, or the end of the channel, for the sender in `Target`. Out: `Wait`.
pub(crate) fn wait_for_room(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Target, Word::TargetGeneration);
    polled::begin(
        call,
        move |state, waker| {
            let sender = sender(state, handle)?;
            if !sender.is_closed() {
                ready!(sender.poll_room(waker));
            }
            Poll::Ready(Ok(()))
        },
        move |state, waker| {
            if let Ok(sender) = sender(state, handle) {
                sender.forget(waker);
            }
        },
    )
}

/// Ends the sender in `Target`: it sends no more.
pub(crate) fn end(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Target, Word::TargetGeneration);
    sender(call.state, handle)?.end();
    Ok(None)
}

/// Frees the sender in `Target`.
pub(crate) fn release_sender(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Target, Word::TargetGeneration);
    call.state.tables.senders.remove(handle);
    Ok(None)
}

/// Takes the next object in. Out: `Blocked`, 1 if none is there, and then `Ended`; else see [`travel::arrive`].
pub(crate) fn receive(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    // Before the object leaves the channel: it would be lost then.
    call.state.tables.make_room()?;
    let receiver = receiver(call.state, handle)?;
    let Some(object) = receiver.receive() else {
        let ended = receiver.is_at_end();
        call.set(Word::Blocked, 1);
        call.set(Word::Ended, u32::from(ended));
        return Ok(None);
    };
    // The other thread has written what comes next. Fetching it takes longer than all work on this object.
    if let Some(next) = receiver.behind(0) {
        next.prefetch();
    }
    call.set(Word::Blocked, 0);
    travel::arrive(call.state, object)?;
    Ok(None)
}

/// Waits for an object, or the end of the channel. Out: `Wait`.
pub(crate) fn wait_for_object(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    polled::begin(
        call,
        move |state, waker| {
            ready!(receiver(state, handle)?.poll(waker));
            Poll::Ready(Ok(()))
        },
        move |state, waker| {
            if let Ok(receiver) = receiver(state, handle) {
                receiver.forget(waker);
            }
        },
    )
}

/// Waits for an object and blocks this thread: see `blocked::wait`.
pub(crate) fn wait_for_object_sync(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    blocked::wait(
        call,
        || Ok(None),
        |state, _, moment| Ok(receiver(state, handle)?.wait(moment)),
        blocked::nothing_came,
    )
}

/// Frees a receiver. Objects that were sent and not received go back.
pub(crate) fn release_receiver(call: &mut Call<'_>) -> Reply {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    call.state.tables.receivers.remove(handle);
    Ok(None)
}

/// The ends of a new channel.
#[napi(object)]
pub struct ChannelHandles {
    /// The end that sends.
    pub sender: ObjectHandle,
    /// The end that receives.
    pub receiver: ObjectHandle,
}

/// Makes a channel that holds at most `capacity` objects.
#[napi(catch_unwind)]
pub fn channel_create(env: Env, capacity: u32) -> Result<ChannelHandles> {
    let state = EnvState::of(env)?;
    state.tables.receivers.make_room()?;
    let (sender, receiver) = channel(capacity as usize).map_err(Fault::from)?;
    let sender = state.tables.senders.insert(sender)?;
    Ok(ChannelHandles { sender: sender.into(), receiver: state.tables.receivers.insert(receiver)?.into() })
}
