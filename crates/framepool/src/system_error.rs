use std::{fmt, io};

/// What the operating system said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemError {
    /// The call that failed.
    pub syscall: &'static str,
    /// Its `errno`; `ENOSYS` where the system does not have the call.
    pub errno: i32,
    /// What was refused, and why.
    pub message: String,
}

impl SystemError {
    /// `syscall` failed with `error`.
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
