//! The code that every error of the crate states.

use std::error::Error;

use crate::system_error::SystemError;

/// An error with a stable code of the public contract.
///
/// Every error type of the crate implements it, so that a binding needs one conversion for all of them.
pub trait Coded: Error {
    /// Returns the code that users see, for example `ERR_OUT_OF_RANGE`. It names the case, and does not change between
    /// releases. A refusal of the operating system has `ERR_SYSTEM`, which a binding may replace by the system's own code.
    fn code(&self) -> &'static str;

    /// Returns what the operating system said, for the errors with the code `ERR_SYSTEM`.
    fn system(&self) -> Option<&SystemError> {
        None
    }
}

impl Coded for SystemError {
    fn code(&self) -> &'static str {
        "ERR_SYSTEM"
    }

    fn system(&self) -> Option<&SystemError> {
        Some(self)
    }
}
