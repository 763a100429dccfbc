//! Failures, as JavaScript sees them: a documented code and a message.

use std::fmt;

use framepool::Coded;

/// A code of `ErrorCode` in the public contract.
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

/// Why a call failed.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) code: Code,
    pub(crate) message: String,
    /// What the system said, with `ERR_SYSTEM`: the call and its `errno`.
    pub(crate) system: Option<(&'static str, i32)>,
}

impl Fault {
    pub(crate) fn new(code: Code, message: impl fmt::Display) -> Self {
        Self { code, message: message.to_string(), system: None }
    }

    /// JavaScript has called in where framepool had called it.
    pub(crate) fn busy() -> Self {
        Self::new(Code::BUSY, "framepool is in the middle of another call")
    }

    /// The handle names nothing that is alive.
    pub(crate) fn released() -> Self {
        Self::new(Code::RELEASED, "the object was released")
    }

    /// The system gave no memory for what native code notes of its objects.
    pub(crate) fn no_memory() -> Self {
        Self::new(Code::NO_MEMORY, "the system has no memory")
    }

    /// A panic or a broken invariant: a defect of framepool.
    pub(crate) fn internal(what: &str) -> Self {
        Self::new(Code::INTERNAL, format_args!("internal error in framepool: {what}; please report it"))
    }
}

impl<E: Coded> From<E> for Fault {
    fn from(error: E) -> Self {
        let system = error.system().map(|system| (system.syscall, system.errno));
        Self { system, ..Self::new(Code(error.code()), error) }
    }
}

impl From<Fault> for napi::Error<Code> {
    fn from(fault: Fault) -> Self {
        Self::new(fault.code, fault.message)
    }
}

/// What an ordinary `#[napi]` function returns.
pub(crate) type Result<T> = std::result::Result<T, napi::Error<Code>>;
