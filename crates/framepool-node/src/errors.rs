//! Failures, as JavaScript sees them: a documented code and a message.
//!
//! The errors of the core bring their codes with them ([`Coded`]).

use std::fmt;

use framepool::{Coded, SystemError};
use napi_derive::napi;

/// A member of the facade's `ErrorCode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) &'static str);

impl Code {
    pub(crate) const RELEASED: Self = Self("ERR_RELEASED");
    pub(crate) const INTERNAL: Self = Self("ERR_INTERNAL");
    pub(crate) const NO_MEMORY: Self = Self("ERR_NO_MEMORY");
    pub(crate) const OUT_OF_RANGE: Self = Self("ERR_OUT_OF_RANGE");
    pub(crate) const INVALID_ARG_TYPE: Self = Self("ERR_INVALID_ARG_TYPE");
    pub(crate) const CLOSED: Self = Self("ERR_CLOSED");
    pub(crate) const BUSY: Self = Self("ERR_BUSY");
    pub(crate) const TICKET: Self = Self("ERR_TICKET");
    pub(crate) const TIMEOUT: Self = Self("ERR_TIMEOUT");
    pub(crate) const EXTERNAL_MEMORY: Self = Self("ERR_EXTERNAL_MEMORY");
}

impl AsRef<str> for Code {
    fn as_ref(&self) -> &str {
        self.0
    }
}

/// Reason for which a call failed.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) code: Code,
    pub(crate) message: String,
    /// With `ERR_SYSTEM`: the system call that failed, and why.
    pub(crate) system: Option<SystemError>,
}

impl Fault {
    pub(crate) fn new(code: Code, message: impl fmt::Display) -> Self {
        Self { code, message: message.to_string(), system: None }
    }

    /// Returns the fault of a call by JavaScript while framepool was running a function of JavaScript.
    pub(crate) fn busy() -> Self {
        Self::new(Code::BUSY, "framepool is in the middle of another call")
    }

    /// Returns the fault of a handle that names no living object.
    pub(crate) fn released() -> Self {
        Self::new(Code::RELEASED, "the object was released")
    }

    /// Returns the fault of a failed allocation of native code's own, such as a place in a table.
    pub(crate) fn no_memory() -> Self {
        Self::new(Code::NO_MEMORY, "the system has no memory")
    }

    /// Returns the fault of a panic or a broken invariant, which is a defect of framepool.
    pub(crate) fn internal(what: &str) -> Self {
        Self::new(Code::INTERNAL, format_args!("internal error in framepool: {what}; please report it"))
    }
}

impl<E: Coded> From<E> for Fault {
    fn from(error: E) -> Self {
        let system = error.system().cloned();
        Self { system, ..Self::new(Code(error.code()), error) }
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
    /// Message for people.
    pub message: String,
    /// With `ERR_SYSTEM`: the system call that failed.
    pub syscall: Option<String>,
    /// With `ERR_SYSTEM`: its `errno`.
    pub errno: Option<i32>,
    /// With `ERR_SYSTEM`: the file that the call was about, if there was one.
    pub path: Option<String>,
}

impl From<Fault> for FaultDetails {
    fn from(fault: Fault) -> Self {
        let Fault { code, message, system } = fault;
        Self {
            code: code.0.to_owned(),
            message,
            syscall: system.as_ref().map(|system| system.syscall.to_owned()),
            errno: system.as_ref().map(|system| system.errno),
            path: system.and_then(|system| system.path).map(|path| path.to_string_lossy().into_owned()),
        }
    }
}

/// Result of an ordinary `#[napi]` function.
pub(crate) type Result<T> = std::result::Result<T, napi::Error<Code>>;
