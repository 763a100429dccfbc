//! The waits of an isolate that are not over.
//!
//! `S` is the isolate's state, which stands above this module.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use framepool::budget::Request;
use napi::sys;

use crate::errors::Fault;

/// Takes in what was granted: puts it into the isolate's tables and its words into the control block. `Pending` means that the
/// wait goes on. A delivery that is dropped must give back what it holds.
pub(crate) type Delivery<S> = Box<dyn FnOnce(&mut S) -> Poll<Result<(), Fault>> + Send>;

/// Takes a waiter out of its queue. An earlier grant is already in transit to the isolate, and is dropped there.
pub(crate) type Cancel<S> = Box<dyn FnOnce(&mut S)>;

/// A wait, for the code that will end it: once, on any thread.
pub(crate) struct Wait<S> {
    id: u32,
    inbox: Arc<Inbox<S>>,
}

impl<S> Wait<S> {
    /// Ends the wait. The callback gets a `Fault` that `delivery` returns.
    ///
    /// If the wait was cancelled, or if the isolate has ended, `delivery` is dropped: at once, or when the isolate gets to it.
    pub(crate) fn settle(self, delivery: impl FnOnce(&mut S) -> Result<(), Fault> + Send + 'static) {
        self.push(Box::new(move |state| Poll::Ready(delivery(state))));
    }

    /// Makes the isolate run `delivery`, unless the wait is over by then. Each wait may have one delivery on its way at a time.
    pub(crate) fn push(&self, delivery: Delivery<S>) {
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

/// Settled waits that were not delivered yet. Any thread adds them, and the isolate takes them.
struct Inbox<S>(Mutex<InboxState<S>>);

struct InboxState<S> {
    /// By number, in the order in which the waits were settled. A map can grow where one large piece of memory is not to be had.
    settled: BTreeMap<u64, (u32, Delivery<S>)>,
    /// The number of the next delivery.
    next: u64,
    /// `None` before the isolate's first wait, and again once the isolate has ended.
    alarm: Option<Alarm>,
}

impl<S> Default for InboxState<S> {
    fn default() -> Self {
        Self { settled: BTreeMap::new(), next: 0, alarm: None }
    }
}

impl<S> Inbox<S> {
    fn lock(&self) -> MutexGuard<'_, InboxState<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The function that Node calls on the isolate's thread after the alarm has rung.
pub(crate) type Deliver = unsafe extern "C" fn(sys::napi_env, sys::napi_value, *mut c_void, *mut c_void);

/// Wakes the isolate: a threadsafe function without data. It may be used only with the inbox locked, which is how the
/// isolate's end takes it away before Node frees it.
struct Alarm(sys::napi_threadsafe_function);

// SAFETY: a threadsafe function may be called from any thread; `open` and `Waits::close`, on the isolate's, make and release it.
unsafe impl Send for Alarm {}

impl Alarm {
    /// Makes the alarm.
    ///
    /// # Safety
    /// `context` must be what `deliver` expects, and outlive every call of it that Node makes with an environment.
    unsafe fn open(env: sys::napi_env, context: *mut c_void, deliver: Deliver) -> Result<Self, Fault> {
        let (mut name, mut function) = (ptr::null_mut(), ptr::null_mut());
        let text = "framepool waits";
        // SAFETY: plain Node-API calls of the running environment; the name is valid for its length, and a null function
        // is allowed together with a callback of our own.
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
                context,
                Some(deliver),
                &raw mut function,
            )
        };
        if status == sys::Status::napi_ok { Ok(Self(function)) } else { Err(Fault::internal("no threadsafe function")) }
    }

    /// Rings the isolate. If this fails, the environment is closing, and its cleanup hook empties the inbox.
    fn ring(&self) {
        // SAFETY: the function is alive while an inbox has it.
        unsafe {
            sys::napi_call_threadsafe_function(self.0, ptr::null_mut(), sys::ThreadsafeFunctionCallMode::nonblocking)
        };
    }
}

/// A JavaScript function that is kept alive.
pub(crate) struct Callback {
    env: sys::napi_env,
    reference: sys::napi_ref,
}

impl Callback {
    /// Keeps `function` alive.
    ///
    /// # Safety
    /// `env` must be the environment of the running call, and `function` one of its values.
    pub(super) unsafe fn keep(env: sys::napi_env, function: sys::napi_value) -> Result<Self, Fault> {
        let mut reference = ptr::null_mut();
        // SAFETY: as the caller promises.
        let status = unsafe { sys::napi_create_reference(env, function, 1, &raw mut reference) };
        if status == sys::Status::napi_ok {
            Ok(Self { env, reference })
        } else {
            Err(Fault::internal("a callback cannot be kept"))
        }
    }

    /// Calls the function. An exception becomes an uncaught exception, as from any other callback of Node.
    ///
    /// # Safety
    /// The environment must be able to run JavaScript now, and a handle scope must be open.
    pub(super) unsafe fn call(&self) {
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

/// A wait that is not over.
pub(super) struct Pending<S> {
    pub(super) callback: Callback,
    pub(super) cancel: Cancel<S>,
    /// Whether the wait keeps the event loop alive.
    pub(super) awaited: bool,
}

/// A wait that blocks the thread, between two moments: see `blocked`.
pub(crate) struct Blocked {
    pub(super) deadline: Instant,
    pub(super) place: Option<Request>,
}

impl Blocked {
    /// Begins a wait of at most `timeout`, with its place in a queue if there is one.
    pub(super) fn new(timeout: Duration, place: Option<Request>) -> Self {
        Self { deadline: Instant::now() + timeout, place }
    }
}

/// One isolate's waits that are not over. Only its own thread touches them.
pub(crate) struct Waits<S> {
    inbox: Arc<Inbox<S>>,
    pending: BTreeMap<u32, Pending<S>>,
    /// Number of waits that keep the event loop alive.
    awaited: usize,
    last: u32,
}

impl<S> Default for Waits<S> {
    fn default() -> Self {
        Self { inbox: Arc::new(Inbox(Mutex::default())), pending: BTreeMap::new(), awaited: 0, last: 0 }
    }
}

impl<S> Waits<S> {
    /// Returns true when no wait is pending. An immediate grant then overtakes no earlier grant.
    pub(crate) fn is_idle(&self) -> bool {
        self.awaited == 0
    }

    /// Makes the isolate's alarm, unless it has one.
    ///
    /// # Safety
    /// `context` must be what `deliver` expects, and outlive the environment.
    pub(super) unsafe fn open_alarm(
        &self,
        env: sys::napi_env,
        context: *mut c_void,
        deliver: Deliver,
    ) -> Result<(), Fault> {
        let mut inbox = self.inbox.lock();
        if inbox.alarm.is_none() {
            // SAFETY: as the caller promises.
            let alarm = unsafe { Alarm::open(env, context, deliver)? };
            // SAFETY: as in `keep_loop_alive`.
            unsafe { sys::napi_unref_threadsafe_function(env, alarm.0) };
            inbox.alarm = Some(alarm);
        }
        Ok(())
    }

    /// Returns a wait with a new number.
    pub(super) fn next(&mut self) -> (u32, Wait<S>) {
        let id = self.next_id();
        (id, Wait { id, inbox: Arc::clone(&self.inbox) })
    }

    /// Numbers wrap, and a wait can be older than 2³² others. No wait is number 0.
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

    pub(super) fn add(&mut self, env: sys::napi_env, id: u32, pending: Pending<S>) {
        if pending.awaited {
            if self.is_idle() {
                self.keep_loop_alive(env, true);
            }
            self.awaited += 1;
        }
        self.pending.insert(id, pending);
    }

    pub(super) fn has(&self, id: u32) -> bool {
        self.pending.contains_key(&id)
    }

    pub(super) fn remove(&mut self, env: sys::napi_env, id: u32) -> Option<Pending<S>> {
        let pending = self.pending.remove(&id)?;
        if pending.awaited {
            self.awaited -= 1;
            if self.is_idle() {
                self.keep_loop_alive(env, false);
            }
        }
        Some(pending)
    }

    /// Drops what was granted to a wait and is on its way.
    pub(super) fn drop_delivery(&self, id: u32) {
        let mut inbox = self.inbox.lock();
        let number = inbox.settled.iter().find(|(_, (wait, _))| *wait == id).map(|(&number, _)| number);
        let granted = number.and_then(|number| inbox.settled.remove(&number));
        // Dropping a delivery may settle other waits, so it happens with nothing locked.
        drop(inbox);
        drop(granted);
    }

    /// Takes out what was settled so far, in order.
    pub(super) fn take_settled(&self) -> impl Iterator<Item = (u32, Delivery<S>)> + use<S> {
        std::mem::take(&mut self.inbox.lock().settled).into_values()
    }

    /// Forgets the waits that are left, since the isolate is ending. Returns how to take each out of its queue.
    pub(crate) fn take_cancels(&mut self) -> impl Iterator<Item = Cancel<S>> + use<S> {
        self.awaited = 0;
        std::mem::take(&mut self.pending).into_values().map(|pending| pending.cancel)
    }

    /// Drops what was granted and is on its way, and takes nothing in from here on, since the isolate is ending.
    pub(crate) fn close(&self) {
        let InboxState { settled, alarm, .. } = std::mem::take(&mut *self.inbox.lock());
        drop(settled);
        if let Some(Alarm(function)) = alarm {
            // SAFETY: no thread can reach the function any more; this was its only user.
            unsafe {
                sys::napi_release_threadsafe_function(function, sys::ThreadsafeFunctionReleaseMode::release);
            }
        }
    }
}
