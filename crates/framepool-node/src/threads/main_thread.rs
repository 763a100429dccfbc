//! Whether a thread is the main thread of the process.

use napi_derive::napi;

/// Returns whether the calling thread is known to be the main thread of the process. Its isolate has the thread id 0.
#[napi(catch_unwind)]
pub fn on_main_thread() -> bool {
    is_main()
}

#[cfg(target_os = "linux")]
fn is_main() -> bool {
    // SAFETY: both calls take no argument and only return a number.
    unsafe { libc::getpid() == libc::pid_t::try_from(libc::syscall(libc::SYS_gettid)).unwrap_or(-1) }
}

#[cfg(target_os = "macos")]
fn is_main() -> bool {
    // SAFETY: the call takes no argument and only returns a number.
    unsafe { libc::pthread_main_np() == 1 }
}

/// Other systems do not tell.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn is_main() -> bool {
    false
}
