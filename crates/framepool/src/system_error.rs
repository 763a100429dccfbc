//! Errors of the operating system: the call that failed, and why.

use std::path::{Path, PathBuf};
use std::{fmt, io};

/// A refusal of the operating system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemError {
    /// Name of the call that failed.
    pub syscall: &'static str,
    /// `errno` that the call set. `ENOSYS` if the system does not have the call; Windows has no such number, and this is
    /// the one of libuv there.
    pub errno: i32,
    /// Description of what was refused, and why.
    pub message: String,
    /// The file that the call was about, if there was one.
    pub path: Option<PathBuf>,
}

impl SystemError {
    /// Makes the error of a failed `syscall`. The `errno` is 0 if `error` does not come from the system.
    pub fn new(syscall: &'static str, error: impl Into<io::Error>) -> Self {
        let error = error.into();
        Self::of(syscall, &error, format!("{syscall}: {error}"))
    }

    /// Makes the error of a failed `syscall` with a `message` of its own.
    pub fn of(syscall: &'static str, error: &io::Error, message: String) -> Self {
        Self { syscall, errno: error.raw_os_error().unwrap_or(0), message, path: None }
    }

    /// Makes the error of a call that this system does not have. `what` names the feature that needs it.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn missing(syscall: &'static str, what: &str) -> Self {
        /// The number of every BSD, or of libuv.
        const ENOSYS: i32 = if cfg!(windows) { 4054 } else { 78 };
        Self { syscall, errno: ENOSYS, message: format!("{what} is not available on this system"), path: None }
    }

    /// Notes that the call was about the file at `path`.
    #[must_use]
    pub fn about(self, path: &Path) -> Self {
        Self { path: Some(path.to_owned()), ..self }
    }
}

impl fmt::Display for SystemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SystemError {}
