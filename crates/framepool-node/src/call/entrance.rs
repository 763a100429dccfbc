//! State behind the data pointer of a bound function.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;

/// The way into an isolate's state. It lies apart from the state, so that it can be read while a call has the state.
pub(crate) struct Entrance {
    /// The isolate's `EnvState`, which stands above this module. `state` writes it, and `call::enter` reads it.
    pub(crate) state: Cell<*mut c_void>,
    /// Whether native code is running a function of JavaScript. Every other call is refused meanwhile.
    pub(crate) busy: Cell<bool>,
    /// Whether there may be a wait that blocks the thread and goes on with the next call.
    pub(crate) waiting: Cell<bool>,
}

impl Default for Entrance {
    fn default() -> Self {
        Self { state: Cell::new(ptr::null_mut()), busy: Cell::new(false), waiting: Cell::new(false) }
    }
}
