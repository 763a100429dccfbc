//! Errors of the operating system: the call that failed, and why.

use std::{fmt, io};

/// A refusal of the operating system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemError {
    /// Name of the call that failed.
    pub syscall: &'static str,
    /// `errno` that the call set. `ENOSYS` if the system does not have the call.
    pub errno: i32,
    /// Description of what was refused, and why.
    pub message: String,
}

impl SystemError {
    /// Makes the error of a failed `syscall`. The `errno` is 0 if `error` does not come from the system.
    pub fn new(syscall: &'static str, error: impl Into<io::Error>) -> Self {
        let error = error.into();
        Self { syscall, errno: error.raw_os_error().unwrap_or(0), message: format!("{syscall}: {error}") }
    }
}

impl fmt::Display for SystemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SystemError {}
