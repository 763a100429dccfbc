//! Byte rings: the halves of `ByteRing` of the facade.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::task::Poll;

use framepool::handle::Handle;
#[cfg(unix)]
use framepool::io::Operation;
use framepool::ring::{self, Consumer, Half, Producer};
use framepool::shown::{Shown, Sight};
use napi::Env;
use napi_derive::napi;

use crate::boundary::{Call, ObjectHandle, Reply};
use crate::control::Word;
use crate::env::EnvState;
use crate::errors::{Code, Fault, Result};
use crate::external::array_buffer;
use crate::inspect::{Kind, Listed};
use crate::{blocked, polled};

/// A half of this isolate.
pub(crate) struct RingHalf {
    /// `None` while native I/O has it.
    half: Option<EitherHalf>,
    /// The I/O that has it; dropped, it is asked to end.
    #[cfg(unix)]
    pub(crate) operation: Option<Operation>,
}

impl RingHalf {
    pub(crate) fn new(half: EitherHalf) -> Self {
        Self {
            half: Some(half),
            #[cfg(unix)]
            operation: None,
        }
    }

    pub(crate) fn here(&mut self) -> std::result::Result<&mut EitherHalf, Fault> {
        self.half.as_mut().ok_or_else(busy)
    }

    /// Takes it away, for native I/O or for another isolate.
    pub(crate) fn take(&mut self) -> std::result::Result<EitherHalf, Fault> {
        self.half.take().ok_or_else(busy)
    }
}

impl Listed for RingHalf {
    fn kind(&self) -> Kind {
        match self.half.as_ref() {
            Some(EitherHalf::Consumer(_)) => Kind::Consumer,
            _ => Kind::Producer,
        }
    }

    /// Of the ring, which both halves share.
    fn bytes(&self) -> usize {
        self.half.as_ref().map_or(0, |half| half.size())
    }
}

fn busy() -> Fault {
    Fault::new(Code::BUSY, "native I/O is using this half of the ring")
}

pub(crate) enum EitherHalf {
    Producer(Shown<Producer>),
    Consumer(Shown<Consumer>),
}

impl Deref for EitherHalf {
    type Target = dyn Half;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Producer(half) => &**half,
            Self::Consumer(half) => &**half,
        }
    }
}

impl DerefMut for EitherHalf {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Self::Producer(half) => half.access(),
            Self::Consumer(half) => half.access(),
        }
    }
}

impl EitherHalf {
    /// What it takes to show the ring to who has this half.
    fn sight(&mut self) -> Sight<'_> {
        match self {
            Self::Producer(half) => half.sight(),
            Self::Consumer(half) => half.sight(),
        }
    }

    /// Ends every sight of the ring that belongs to this half: see [`Shown::conceal`].
    pub(crate) fn conceal(&mut self) -> bool {
        match self {
            Self::Producer(half) => half.conceal(),
            Self::Consumer(half) => half.conceal(),
        }
    }

    /// Gives the half up without ending the sights of the ring: see [`Shown::abandon`].
    fn abandon(self) {
        match self {
            Self::Producer(half) => half.abandon(),
            Self::Consumer(half) => half.abandon(),
        }
    }
}

fn half(state: &mut EnvState, handle: Handle) -> std::result::Result<&mut EitherHalf, Fault> {
    state.ring_halves.get_mut(handle).ok_or_else(Fault::released)?.here()
}

/// The half that the call is about.
pub(crate) fn called<'a>(call: &'a mut Call<'_>) -> std::result::Result<&'a mut EitherHalf, Fault> {
    let handle = call.state.handle(Word::Handle, Word::Generation);
    half(call.state, handle)
}

/// `Length` bytes were written, or read; 0 only asks. Out: `Available`, `Ended`.
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
        nothing_came,
    )
}

/// What a wait that blocks fails with.
pub(crate) fn nothing_came(timeout: u32) -> Fault {
    Fault::new(Code::TIMEOUT, format_args!("nothing came in {timeout} ms"))
}

/// The `ArrayBuffer` over the ring, for the half's own views.
pub(crate) fn view(call: &mut Call<'_>) -> Reply {
    let realm = Arc::clone(&call.state.realm);
    Ok(Some(array_buffer(&realm, called(call)?.sight())?))
}

/// The half will do nothing any more.
pub(crate) fn end(call: &mut Call<'_>) -> Reply {
    called(call)?.end();
    Ok(None)
}

/// Frees a half, or abandons it.
pub(crate) fn release(call: &mut Call<'_>) -> Reply {
    // Memory that is still shown outlives its half, which the other half must not wait for.
    called(call)?.end();
    let handle = call.state.handle(Word::Handle, Word::Generation);
    let abandoned = call.get(Word::Abandoned) == 1;
    if let Some(RingHalf { half: Some(half), .. }) = call.state.ring_halves.remove(handle)
        && abandoned
    {
        half.abandon();
    }
    Ok(None)
}

/// The halves of a new ring.
#[napi(object)]
pub struct RingHandles {
    /// Writes.
    pub producer: ObjectHandle,
    /// Reads.
    pub consumer: ObjectHandle,
}

/// A new ring of `size` bytes whose memory is aligned to `align`.
#[napi(catch_unwind)]
pub fn ring_create(env: Env, size: u32, align: u32) -> Result<RingHandles> {
    let state = EnvState::of(env)?;
    let (producer, consumer) = ring::new(size as usize, align as usize).map_err(Fault::from)?;
    if let Some(quarantine) = state.debug.general_quarantine() {
        producer.guard().set(quarantine);
    }
    let halves = &mut state.ring_halves;
    let producer = halves.insert(RingHalf::new(EitherHalf::Producer(Shown::new(producer))))?;
    let consumer = RingHalf::new(EitherHalf::Consumer(Shown::new(consumer)));
    let consumer = halves.insert(consumer).inspect_err(|_| drop(halves.remove(producer)))?;
    Ok(RingHandles { producer: producer.into(), consumer: consumer.into() })
}
