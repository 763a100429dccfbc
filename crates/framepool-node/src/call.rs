//! Arguments and replies of bound functions, and the entry of a call.
//!
//! A class method of napi-rs costs some 300 ns, a plain callback 10. So a per-message call is a function made with
//! `napi_create_function`. It finds its state behind its own data pointer and takes at most one argument; everything else
//! passes through the control block.

use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};

use napi::sys;

use crate::allocator;
use crate::call::entrance::Entrance;
use crate::call::words::Word;
use crate::errors::{Code, Fault};
use crate::state::EnvState;

pub(crate) mod control;
pub(crate) mod entrance;
pub(crate) mod numbered;
pub(crate) mod words;

/// One call: the state of the isolate, and the argument if there is one.
pub(crate) struct Call<'a> {
    pub(crate) env: sys::napi_env,
    pub(crate) state: &'a mut EnvState,
    /// Null without an argument.
    pub(crate) argument: sys::napi_value,
}

impl Call<'_> {
    #[inline]
    pub(crate) fn get(&self, word: Word) -> u32 {
        self.state.control.get(word)
    }

    #[inline]
    pub(crate) fn set(&self, word: Word, value: u32) {
        self.state.control.set(word, value);
    }

    /// Returns the bytes of the typed array that this call carries, or `ERR_INVALID_ARG_TYPE` for any other argument.
    ///
    /// # Safety
    /// The slice is the array's own memory. It must not be used after anything that can run JavaScript or collect
    /// garbage, nor beside a reference to memory that the same `ArrayBuffer` shows.
    pub(crate) unsafe fn bytes<'b>(&self) -> Result<&'b [u8], Fault> {
        let (mut kind, mut length, mut data) = (0, 0, ptr::null_mut());
        // SAFETY: `argument` is a value of the running call; the pointers are to locals of the right types.
        let status = unsafe {
            sys::napi_get_typedarray_info(
                self.env,
                self.argument,
                &raw mut kind,
                &raw mut length,
                &raw mut data,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        if status != sys::Status::napi_ok || kind != sys::TypedarrayType::uint8_array {
            return Err(Fault::new(Code::INVALID_ARG_TYPE, "a Uint8Array is needed"));
        }
        match NonNull::new(data.cast::<u8>()) {
            // SAFETY: Node says that `length` bytes lie there, and they stay while nothing else runs.
            Some(data) => Ok(unsafe { std::slice::from_raw_parts(data.as_ptr(), length) }),
            None => Ok(&[]),
        }
    }
}

/// Result of a call: a value, or nothing beyond the control block.
pub(crate) type Reply = Result<Option<sys::napi_value>, Fault>;

/// Treatment of a call while the system has no memory for the reserve, and of an interrupted wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// The call is refused without memory.
    Checked,
    /// The call is refused without memory. Otherwise it goes on with the wait that blocks the thread.
    Waiting,
    /// The call is let in without memory, since it gives something back, or since its words must be read first. It makes
    /// its own checks.
    Open,
}

/// Runs one call. Failures and panics end in the status word; nothing unwinds into Node.
#[inline]
pub(crate) fn enter(
    entry: Entry,
    env: sys::napi_env,
    info: sys::napi_callback_info,
    body: impl FnOnce(&mut Call<'_>) -> Reply,
) -> sys::napi_value {
    let (mut count, mut argument, mut data) = (1, ptr::null_mut(), ptr::null_mut());
    // SAFETY: `env` and `info` are those of the running call; there is room for `count` arguments.
    let status =
        unsafe { sys::napi_get_cb_info(env, info, &raw mut count, &raw mut argument, ptr::null_mut(), &raw mut data) };
    if status != sys::Status::napi_ok {
        return ptr::null_mut();
    }
    // SAFETY: `data` is the entrance that `open_boundary` bound, which lives as long as the environment.
    let entrance = unsafe { &*data.cast::<Entrance>() };
    if entrance.busy.get() {
        return refuse(env);
    }
    // SAFETY: the entrance has the isolate's state, which lives as long as the environment. Calls of one environment do not
    // overlap: where one of them runs JavaScript, the entrance is busy.
    let state = unsafe { &mut *entrance.state.get().cast::<EnvState>() };
    if entrance.waiting.get() && entry != Entry::Waiting {
        // The wait was cut off: otherwise JavaScript would have gone on with it.
        entrance.waiting.set(false);
        state.blocked = None;
    }
    let mut call = Call { env, state, argument };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        if entry != Entry::Open {
            allocator::check()?;
        }
        body(&mut call)
    }));
    call.state.conclude(outcome).flatten().unwrap_or(ptr::null_mut())
}

/// Throws `ERR_BUSY`: a call in the middle of another must not touch the control block.
#[cold]
fn refuse(env: sys::napi_env) -> sys::napi_value {
    let Fault { code, message, .. } = Fault::busy();
    if let (Ok(code), Ok(message)) = (CString::new(code.0), CString::new(message)) {
        // SAFETY: the environment of the running call, and two texts that end with 0.
        unsafe { sys::napi_throw_error(env, code.as_ptr(), message.as_ptr()) };
    }
    ptr::null_mut()
}
