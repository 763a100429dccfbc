//! File descriptors in the control block, and what transfers report.

use std::os::fd::BorrowedFd;

use crate::call::Call;
use crate::call::control::Control;
use crate::call::words::Word;
use crate::errors::{Code, Fault};

/// Returns the file descriptor in a word.
pub(crate) fn descriptor(call: &Call<'_>, word: Word) -> Result<BorrowedFd<'static>, Fault> {
    let fd = i32::try_from(call.get(word)).map_err(|_| Fault::new(Code::OUT_OF_RANGE, "no file descriptor"))?;
    // SAFETY: it is not -1. The user sees to it that it is open, as with every `fs` function that takes a number. It is
    // given only to system calls, during this call, and they refuse it if it is not open.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Reports how many bytes a transfer has moved; `None` if it would have to wait. Out: `Blocked`, `Length`.
pub(crate) fn report_moved(control: &Control, moved: Option<usize>) {
    control.set(Word::Blocked, u32::from(moved.is_none()));
    control.set(Word::Length, moved.unwrap_or(0) as u32);
}
