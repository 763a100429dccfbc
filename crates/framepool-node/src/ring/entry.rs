//! The halves of rings as an isolate's table holds them.

use std::ops::{Deref, DerefMut};

#[cfg(unix)]
use framepool::ring::io::Operation;
use framepool::ring::{Consumer, Half, Producer};
use framepool::shown::{Shown, Sight};

use crate::errors::{Code, Fault};

/// A half of a ring that belongs to this isolate.
pub(crate) struct RingHalf {
    /// `None` while native I/O has it.
    half: Option<EitherHalf>,
    /// The I/O that has the half. Dropping this asks the I/O to end.
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

    /// Returns the half, or `ERR_BUSY` while native I/O has it.
    pub(crate) fn here(&mut self) -> Result<&mut EitherHalf, Fault> {
        self.half.as_mut().ok_or_else(busy)
    }

    /// Takes the half away, for native I/O or for another isolate.
    pub(crate) fn take(&mut self) -> Result<EitherHalf, Fault> {
        self.half.take().ok_or_else(busy)
    }

    /// Takes the half out for good, unless native I/O has it.
    pub(super) fn into_half(self) -> Option<EitherHalf> {
        self.half
    }

    pub(crate) fn is_consumer(&self) -> bool {
        matches!(self.half, Some(EitherHalf::Consumer(_)))
    }

    /// Returns the size of the ring in bytes, or 0 while native I/O has the half.
    pub(crate) fn ring_size(&self) -> usize {
        self.half.as_ref().map_or(0, |half| half.size())
    }
}

fn busy() -> Fault {
    Fault::new(Code::BUSY, "native I/O is using this half of the ring")
}

/// Either half of a ring, with its share of the ring's memory.
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
    /// Returns what it takes to show the ring to this half's JavaScript.
    pub(super) fn sight(&mut self) -> Sight<'_> {
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
    pub(super) fn abandon(self) {
        match self {
            Self::Producer(half) => half.abandon(),
            Self::Consumer(half) => half.abandon(),
        }
    }
}
