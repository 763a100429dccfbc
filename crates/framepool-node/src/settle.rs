//! How waits end: what any thread makes is handed to JavaScript on the isolate's own thread.
//!
//! A wait begins in a bound function that carries a callback ([`begin`]). Whoever has what is waited for, on whichever
//! thread, calls [`Wait::settle`] with a delivery: it runs on the isolate's thread, puts what was granted into the
//! isolate's tables and its words into the control block, and then the callback is called without arguments. Waits end in
//! the order in which they were settled. A wait for a future is polled in the same way: see `polled`. One threadsafe
//! function per isolate does the waking; it keeps the event loop alive while a wait is pending.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use napi::sys;

use crate::boundary::{Call, Reply};
use crate::control::Word;
use crate::env::EnvState;
use crate::errors::Fault;

/// Takes in what was granted: puts it into the isolate's tables and says where in the control block. A delivery that is
/// dropped must give back what it holds. `Pending`: the wait goes on.
type Delivery = Box<dyn FnOnce(&mut EnvState) -> Poll<Result<(), Fault>> + Send>;

/// Takes a waiter out of its queue. If it was granted already, that is no concern of this function: see [`cancel`].
pub(crate) type Cancel = Box<dyn FnOnce(&mut EnvState)>;

/// A wait, for whoever will end it: on any thread, once.
pub(crate) struct Wait {
    id: u32,
    inbox: Arc<Inbox>,
}

impl Wait {
    /// Ends the wait. If it was cancelled, or if the isolate has ended, `delivery` is dropped: at once, or when the isolate
    /// gets to it. A `Fault` that `delivery` gives is what the promise rejects with.
    pub(crate) fn settle(self, delivery: impl FnOnce(&mut EnvState) -> Result<(), Fault> + Send + 'static) {
        self.push(Box::new(move |state| Poll::Ready(delivery(state))));
    }

    /// Has the isolate run `delivery` if the wait is not over then. Of one wait, one delivery at a time may be on its way.
    pub(crate) fn push(&self, delivery: Delivery) {
        let mut state = self.inbox.lock();
        // Dropping a delivery may settle other waits, so it happens with nothing locked.
        let Some(alarm) = &state.alarm else { return drop(state) };
        if state.settled.is_empty() {
            alarm.ring();
        }
        let number = state.next;
        state.next += 1;
        state.settled.insert(number, (self.id, delivery));
    }
}

/// What was settled and not yet delivered. Threads put in, the isolate takes out.
#[derive(Default)]
struct Inbox(Mutex<InboxState>);

#[derive(Default)]
struct InboxState {
    /// By number, in the order in which they were settled. Not in one piece of memory, which could not grow where there is none.
    settled: BTreeMap<u64, (u32, Delivery)>,
    /// The number of the next.
    next: u64,
    /// `None` before the isolate's first wait, and again once the isolate has ended.
    alarm: Option<Alarm>,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, InboxState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the isolate: a threadsafe function without data. It may be used only with the inbox locked, which is how the
/// isolate's end takes it away before Node frees it.
struct Alarm(sys::napi_threadsafe_function);

// SAFETY: a threadsafe function may be called from any thread; `open` and `end`, on the isolate's, make and release it.
unsafe impl Send for Alarm {}

impl Alarm {
    /// # Safety
    /// `state` must outlive every call of the function that Node makes with an environment.
    unsafe fn open(env: sys::napi_env, state: *mut EnvState) -> Result<Self, Fault> {
        let (mut name, mut function) = (ptr::null_mut(), ptr::null_mut());
        let text = "framepool waits";
        // SAFETY: plain Node-API calls of the running environment; the name is valid for its length, and a null function
        // is allowed together with a call-back of our own.
        let status = unsafe {
            sys::napi_create_string_utf8(env, text.as_ptr().cast(), text.len().cast_signed(), &raw mut name);
            sys::napi_create_threadsafe_function(
                env,
                ptr::null_mut(),
                ptr::null_mut(),
                name,
                0,
                1,
                ptr::null_mut(),
                None,
                state.cast::<c_void>(),
                Some(deliver),
                &raw mut function,
            )
        };
        if status == sys::Status::napi_ok { Ok(Self(function)) } else { Err(Fault::internal("no threadsafe function")) }
    }

    /// A failure means that the environment is closing: its cleanup hook empties the inbox.
    fn ring(&self) {
        // SAFETY: the function is alive while an inbox has it.
        unsafe {
            sys::napi_call_threadsafe_function(self.0, ptr::null_mut(), sys::ThreadsafeFunctionCallMode::nonblocking)
        };
    }
}

/// A JavaScript function that is kept alive.
struct Callback {
    env: sys::napi_env,
    reference: sys::napi_ref,
}

impl Callback {
    /// # Safety
    /// `env` must be the environment of the running call, and `function` one of its values.
    unsafe fn keep(env: sys::napi_env, function: sys::napi_value) -> Result<Self, Fault> {
        let mut reference = ptr::null_mut();
        // SAFETY: as the caller promises.
        let status = unsafe { sys::napi_create_reference(env, function, 1, &raw mut reference) };
        if status == sys::Status::napi_ok {
            Ok(Self { env, reference })
        } else {
            Err(Fault::internal("a callback cannot be kept"))
        }
    }

    /// What it throws becomes an uncaught exception, as from any other callback of Node.
    ///
    /// # Safety
    /// The environment must be able to run JavaScript now, and a handle scope must be open.
    unsafe fn call(&self) {
        let (mut this, mut function) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the reference is strong, so it has a value; the pointers are to locals of the right types.
        unsafe {
            sys::napi_get_undefined(self.env, &raw mut this);
            sys::napi_get_reference_value(self.env, self.reference, &raw mut function);
            let status = sys::napi_call_function(self.env, this, function, 0, ptr::null(), ptr::null_mut());
            if status == sys::Status::napi_pending_exception {
                let mut exception = ptr::null_mut();
                sys::napi_get_and_clear_last_exception(self.env, &raw mut exception);
                sys::napi_fatal_exception(self.env, exception);
            }
        }
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        // SAFETY: callbacks live and die on the isolate's thread, and the cleanup hook drops those that are left.
        unsafe { sys::napi_delete_reference(self.env, self.reference) };
    }
}

struct Pending {
    callback: Callback,
    cancel: Cancel,
    /// Whether it keeps the event loop alive.
    awaited: bool,
}

/// One isolate's waits that are not over. Only its own thread touches them.
#[derive(Default)]
pub(crate) struct Waits {
    inbox: Arc<Inbox>,
    pending: BTreeMap<u32, Pending>,
    /// Those of them that keep the event loop alive.
    awaited: usize,
    last: u32,
}

impl Waits {
    /// True when nothing is awaited: what is granted at once then overtakes nothing that was granted before.
    pub(crate) fn is_idle(&self) -> bool {
        self.awaited == 0
    }

    /// Numbers wrap, and a wait can be older than 2³² others. 0 is none.
    fn next_id(&mut self) -> u32 {
        loop {
            self.last = self.last.wrapping_add(1);
            if self.last != 0 && !self.pending.contains_key(&self.last) {
                return self.last;
            }
        }
    }

    fn keep_loop_alive(&self, env: sys::napi_env, alive: bool) {
        if let Some(Alarm(function)) = &self.inbox.lock().alarm {
            // SAFETY: `env` is the function's own environment, on its own thread.
            unsafe {
                if alive {
                    sys::napi_ref_threadsafe_function(env, *function);
                } else {
                    sys::napi_unref_threadsafe_function(env, *function);
                }
            }
        }
    }

    fn add(&mut self, env: sys::napi_env, id: u32, pending: Pending) {
        if pending.awaited {
            if self.is_idle() {
                self.keep_loop_alive(env, true);
            }
            self.awaited += 1;
        }
        self.pending.insert(id, pending);
    }

    fn remove(&mut self, env: sys::napi_env, id: u32) -> Option<Pending> {
        let pending = self.pending.remove(&id)?;
        if pending.awaited {
            self.awaited -= 1;
            if self.is_idle() {
                self.keep_loop_alive(env, false);
            }
        }
        Some(pending)
    }
}

/// The isolate is dying: nobody waits any more, and what was granted goes back.
pub(crate) fn end(state: &mut EnvState) {
    state.waits.awaited = 0;
    for (_, pending) in std::mem::take(&mut state.waits.pending) {
        (pending.cancel)(state);
    }
    let InboxState { settled, alarm, .. } = std::mem::take(&mut *state.waits.inbox.lock());
    drop(settled);
    if let Some(Alarm(function)) = alarm {
        // SAFETY: no thread can reach the function any more; this was its only user.
        unsafe {
            sys::napi_release_threadsafe_function(function, sys::ThreadsafeFunctionReleaseMode::release);
        }
    }
}

/// Begins a wait, at whose end the function that `call` carries is called. `start` puts a waiter into some queue and says
/// how to take it out again; if it fails, nothing has begun, and if it gives nothing, the wait is over already. Out: `Wait`,
/// 0 if it is over.
pub(crate) fn begin(
    call: &mut Call<'_>,
    start: impl FnOnce(&mut EnvState, Wait) -> Result<Option<Cancel>, Fault>,
) -> Reply {
    keep(call, true, start)
}

/// The same for what nobody awaits: it does not keep the event loop alive.
pub(crate) fn watch(
    call: &mut Call<'_>,
    start: impl FnOnce(&mut EnvState, Wait) -> Result<Option<Cancel>, Fault>,
) -> Reply {
    keep(call, false, start)
}

fn keep(
    call: &mut Call<'_>,
    awaited: bool,
    start: impl FnOnce(&mut EnvState, Wait) -> Result<Option<Cancel>, Fault>,
) -> Reply {
    let env = call.env;
    // SAFETY: both are of the running call.
    let callback = unsafe { Callback::keep(env, call.argument)? };
    let state = ptr::from_mut(call.state);
    let waits = &mut call.state.waits;
    let mut inbox = waits.inbox.lock();
    if inbox.alarm.is_none() {
        // SAFETY: the state outlives its environment.
        let alarm = unsafe { Alarm::open(env, state)? };
        // SAFETY: as in `keep_loop_alive`.
        unsafe { sys::napi_unref_threadsafe_function(env, alarm.0) };
        inbox.alarm = Some(alarm);
    }
    drop(inbox);
    let id = waits.next_id();
    let wait = Wait { id, inbox: Arc::clone(&waits.inbox) };
    match start(call.state, wait)? {
        Some(cancel) => {
            // It may have been settled by now; that is delivered on a later turn.
            call.state.waits.add(env, id, Pending { callback, cancel, awaited });
            call.set(Word::Wait, id);
        }
        None => call.set(Word::Wait, 0),
    }
    Ok(None)
}

/// Ends the wait `Wait`, if it is not over: its callback will not be called. What was granted to it and is on its way is
/// dropped here, not when the isolate would get to it.
pub(crate) fn cancel(call: &mut Call<'_>) -> Reply {
    let id = call.get(Word::Wait);
    let Some(pending) = call.state.waits.remove(call.env, id) else { return Ok(None) };
    (pending.cancel)(call.state);
    let mut inbox = call.state.waits.inbox.lock();
    let number = inbox.settled.iter().find(|(_, (wait, _))| *wait == id).map(|(&number, _)| number);
    let granted = number.and_then(|number| inbox.settled.remove(&number));
    drop(inbox);
    drop(granted);
    Ok(None)
}

/// Delivers what was settled so far. Node calls it on the isolate's thread after the alarm has rung.
unsafe extern "C" fn deliver(env: sys::napi_env, _: sys::napi_value, state: *mut c_void, _: *mut c_void) {
    // Without an environment Node only empties its queue.
    if env.is_null() {
        return;
    }
    let state = state.cast::<EnvState>();
    // SAFETY: the state outlives its environment, and no bound function is running: this is a turn of the event loop.
    let inbox = unsafe {
        // A wait that blocked the thread was cut off.
        (*state).blocked = None;
        Arc::clone(&(*state).waits.inbox)
    };
    let settled = std::mem::take(&mut inbox.lock().settled);
    for (id, delivery) in settled.into_values() {
        // SAFETY: as above. The reference ends before JavaScript runs.
        let callback = catch_unwind(AssertUnwindSafe(|| unsafe { deliver_one(env, &mut *state, id, delivery) }));
        if let Ok(Some(callback)) = callback {
            let mut scope = ptr::null_mut();
            // SAFETY: a turn of the event loop can run JavaScript; the scope is closed where it was opened.
            unsafe {
                sys::napi_open_handle_scope(env, &raw mut scope);
                callback.call();
                sys::napi_close_handle_scope(env, scope);
            }
        }
    }
}

/// Takes one outcome in; gives the callback that is to hear of it, unless the wait was cancelled.
fn deliver_one(env: sys::napi_env, state: &mut EnvState, id: u32, delivery: Delivery) -> Option<Callback> {
    if !state.waits.pending.contains_key(&id) {
        return None;
    }
    let outcome = match catch_unwind(AssertUnwindSafe(|| delivery(state))) {
        Ok(Poll::Pending) => return None,
        Ok(Poll::Ready(outcome)) => Ok(outcome),
        Err(panic) => Err(panic),
    };
    let Pending { callback, .. } = state.waits.remove(env, id)?;
    state.conclude(outcome);
    Some(callback)
}
