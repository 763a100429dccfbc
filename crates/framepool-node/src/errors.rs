//! Failures, as JavaScript sees them: a documented code and a message.
//!
//! This module alone maps the errors of the core to public codes.

use std::fmt;

use framepool::SystemError;
use framepool::buddy;
use framepool::budget::{BudgetError, Closed};
use framepool::ring::{InvalidCount, RingError};
use framepool::slot;
use framepool::sv2;
use napi_derive::napi;

/// A member of the facade's `ErrorCode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) &'static str);

impl Code {
    pub(crate) const RELEASED: Self = Self("ERR_RELEASED");
    pub(crate) const INTERNAL: Self = Self("ERR_INTERNAL");
    pub(crate) const NO_MEMORY: Self = Self("ERR_NO_MEMORY");
    pub(crate) const OUT_OF_RANGE: Self = Self("ERR_OUT_OF_RANGE");
    pub(crate) const INVALID_COUNT: Self = Self("ERR_INVALID_COUNT");
    pub(crate) const INVALID_ARG_TYPE: Self = Self("ERR_INVALID_ARG_TYPE");
    pub(crate) const CLOSED: Self = Self("ERR_CLOSED");
    pub(crate) const BUSY: Self = Self("ERR_BUSY");
    pub(crate) const TICKET: Self = Self("ERR_TICKET");
    pub(crate) const SYSTEM: Self = Self("ERR_SYSTEM");
    pub(crate) const TIMEOUT: Self = Self("ERR_TIMEOUT");
    pub(crate) const EXTERNAL_MEMORY: Self = Self("ERR_EXTERNAL_MEMORY");
}

impl AsRef<str> for Code {
    fn as_ref(&self) -> &str {
        self.0
    }
}

/// Why a call failed.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) code: Code,
    pub(crate) message: String,
    /// With `ERR_SYSTEM`: the system call that failed, and its `errno`.
    pub(crate) system: Option<(&'static str, i32)>,
}

impl Fault {
    pub(crate) fn new(code: Code, message: impl fmt::Display) -> Self {
        Self { code, message: message.to_string(), system: None }
    }

    /// A call of JavaScript while framepool was running a function of JavaScript.
    pub(crate) fn busy() -> Self {
        Self::new(Code::BUSY, "framepool is in the middle of another call")
    }

    /// A handle that names no living object.
    pub(crate) fn released() -> Self {
        Self::new(Code::RELEASED, "the object was released")
    }

    /// A failed allocation of native code's own, such as a place in a table.
    pub(crate) fn no_memory() -> Self {
        Self::new(Code::NO_MEMORY, "the system has no memory")
    }

    /// A panic or a broken invariant, which is a defect of framepool.
    pub(crate) fn internal(what: &str) -> Self {
        Self::new(Code::INTERNAL, format_args!("internal error in framepool: {what}; please report it"))
    }
}

impl From<slot::OutOfMemory> for Fault {
    fn from(error: slot::OutOfMemory) -> Self {
        Self::new(Code::NO_MEMORY, error)
    }
}

impl From<slot::OutOfRange> for Fault {
    fn from(error: slot::OutOfRange) -> Self {
        Self::new(Code::OUT_OF_RANGE, error)
    }
}

impl From<BudgetError> for Fault {
    fn from(error: BudgetError) -> Self {
        let code = match error {
            BudgetError::BufferSize(_) | BudgetError::MaxMemory(_) | BudgetError::Count(_) => Code::OUT_OF_RANGE,
            BudgetError::Closed => Code::CLOSED,
            BudgetError::TimedOut => Code::TIMEOUT,
            BudgetError::NoMemory { .. } => Code::NO_MEMORY,
        };
        Self::new(code, error)
    }
}

impl From<Closed> for Fault {
    fn from(error: Closed) -> Self {
        Self::new(Code::CLOSED, error)
    }
}

impl From<buddy::Error> for Fault {
    fn from(error: buddy::Error) -> Self {
        match error {
            buddy::Error::System(error) => error.into(),
            error => Self::new(Code(error.code()), error),
        }
    }
}

impl From<SystemError> for Fault {
    fn from(error: SystemError) -> Self {
        Self { system: Some((error.syscall, error.errno)), ..Self::new(Code::SYSTEM, error) }
    }
}

impl From<RingError> for Fault {
    fn from(error: RingError) -> Self {
        let code = match error {
            RingError::Size(_) | RingError::Align(_) => Code::OUT_OF_RANGE,
            RingError::NoMemory => Code::NO_MEMORY,
        };
        Self::new(code, error)
    }
}

impl From<InvalidCount> for Fault {
    fn from(error: InvalidCount) -> Self {
        Self::new(Code::INVALID_COUNT, error)
    }
}

impl From<sv2::Error> for Fault {
    fn from(error: sv2::Error) -> Self {
        Self::new(Code(error.code()), error)
    }
}

impl From<Fault> for napi::Error<Code> {
    fn from(fault: Fault) -> Self {
        Self::new(fault.code, fault.message)
    }
}

/// A fault as an object of JavaScript.
#[napi(object)]
pub struct FaultDetails {
    /// A code of the public contract.
    pub code: String,
    /// What happened, for people.
    pub message: String,
    /// With `ERR_SYSTEM`: the system call that failed.
    pub syscall: Option<String>,
    /// With `ERR_SYSTEM`: its `errno`.
    pub errno: Option<i32>,
}

impl From<Fault> for FaultDetails {
    fn from(fault: Fault) -> Self {
        let (syscall, errno) = fault.system.unzip();
        Self { code: fault.code.0.to_owned(), message: fault.message, syscall: syscall.map(str::to_owned), errno }
    }
}

/// What an ordinary `#[napi]` function returns.
pub(crate) type Result<T> = std::result::Result<T, napi::Error<Code>>;
