//! Memory that JavaScript sees through an `ArrayBuffer`.
//!
//! No view ever reaches freed memory. Memory that was shown belongs to a [`Shown`](framepool::shown::Shown) of the core, which asks
//! its [`Exposure`], the [`Backing`], before it frees the memory. [`Backing::conceal`] is the one place that decides: it
//! looks at the `ArrayBuffer` itself, with Node-API functions that no script can replace, detaches it and looks again.
//!
//! - Attached before and detached after: nothing can see the memory, so it is freed at once, without a garbage collection.
//! - Detached before: JavaScript has taken the memory to another `ArrayBuffer`, perhaps in another isolate. The memory is kept
//!   until the finalizer says that the last of them is gone.
//! - Attached after: the `ArrayBuffer` cannot be detached. The memory is kept likewise.
//!
//! When an isolate ends, Node runs the finalizers of all its `ArrayBuffer`s, even of those whose memory was taken to an isolate
//! that goes on. So [`Realm::end`], which `last_turn` calls, looks at each `ArrayBuffer` before Node does that, and memory
//! that was taken is never freed.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use framepool::handle::{Handle, HandleTable};
use framepool::shown::{Exposure, Sight};
use napi::sys;

use crate::call::entrance::Entrance;
use crate::errors::{Code, Fault};

thread_local! {
    /// Whether the isolate of this thread is ending. A finalizer then does not mean that no view of the memory is left.
    static ENDING: Cell<bool> = const { Cell::new(false) };
    /// The realm of this thread's isolate, from its making to its end.
    static HERE: Cell<*const Realm> = const { Cell::new(ptr::null()) };
}

/// Number of realms that there have been.
static REALMS: AtomicU64 = AtomicU64::new(0);

/// Returns the realm with this number, if it is the one of this thread and has not ended.
#[inline]
fn realm_here(id: u64) -> Option<&'static Realm> {
    // SAFETY: a realm is there from its making to its end, which both happen on this thread.
    unsafe { HERE.get().as_ref() }.filter(|realm| realm.id == id)
}

/// The `ArrayBuffer`s of an isolate.
pub(crate) struct Realm {
    env: sys::napi_env,
    /// A number that no other realm of the process has.
    id: u64,
    pub(crate) entrance: Entrance,
    /// `ArrayBuffer.prototype.transfer`, or null where there is none. For an `ArrayBuffer` that was given to
    /// `markAsUntransferable` it throws, where `napi_detach_arraybuffer` would end the process. Runtimes without `transfer` do not
    /// know that mark.
    transfer: Cell<sys::napi_ref>,
    ended: Cell<bool>,
    /// The `ArrayBuffer`s that show memory, unless framepool knows that JavaScript has taken it from them.
    views: RefCell<HandleTable<View>>,
}

/// An `ArrayBuffer` that shows memory. The reference to it is strong as long as the memory has an owner.
struct View {
    reference: sys::napi_ref,
    backing: Weak<Backing>,
}

/// Outcome of the attempt to detach an `ArrayBuffer`.
enum Closed {
    /// It no longer shows the memory.
    Detached,
    /// JavaScript had taken the memory to another `ArrayBuffer`.
    Taken,
    /// It still shows the memory.
    Attached,
}

// SAFETY: everything that is not constant is used only on the isolate's own thread: see `realm_here`.
unsafe impl Send for Realm {}
// SAFETY: as above.
unsafe impl Sync for Realm {}

impl Realm {
    /// Makes the realm of the running environment.
    pub(crate) fn new(env: sys::napi_env) -> Self {
        Self {
            env,
            id: REALMS.fetch_add(1, Ordering::Relaxed),
            entrance: Entrance::default(),
            transfer: Cell::new(ptr::null_mut()),
            ended: Cell::new(false),
            views: RefCell::default(),
        }
    }

    /// Sets the function that detaches `ArrayBuffer`s: `ArrayBuffer.prototype.transfer`, as no script has replaced it. The first one
    /// counts.
    ///
    /// # Safety
    /// It must be a value of the running call of this environment.
    pub(crate) unsafe fn detach_by(&self, transfer: sys::napi_value) {
        if self.transfer.get().is_null() {
            let mut reference = ptr::null_mut();
            // SAFETY: as the caller promises.
            unsafe { sys::napi_create_reference(self.env, transfer, 1, &raw mut reference) };
            self.transfer.set(reference);
        }
    }

    /// Makes this the realm of its thread. It must live until [`end`](Self::end).
    pub(crate) fn begin(&self) {
        HERE.set(self);
    }

    /// Looks at the `ArrayBuffer`s that are left for the last time. After this, memory that was taken is not freed, and memory that
    /// is still shown is kept until Node's own hook has detached its `ArrayBuffer`.
    ///
    /// `last_turn` calls it on the isolate's thread when JavaScript runs no more.
    pub(crate) fn end(&self) {
        ENDING.set(true);
        let views = self.close_all();
        let mut scope = ptr::null_mut();
        // SAFETY: a plain call of the environment, which is still alive.
        unsafe { sys::napi_open_handle_scope(self.env, &raw mut scope) };
        for view in views.into_values() {
            let shows = self.value(&view).is_some_and(|value| !self.is_detached(value));
            if let (false, Some(backing)) = (shows, view.backing.upgrade()) {
                backing.lock().taken = true;
            }
            self.delete(view);
        }
        // SAFETY: it was opened here.
        unsafe { sys::napi_close_handle_scope(self.env, scope) };
    }

    /// Forgets the `ArrayBuffer`s that are left, without a look at them. Some runtimes end an isolate without notice, and have let go
    /// of its `ArrayBuffer`s by then.
    pub(crate) fn end_without_a_look(&self) {
        for view in self.close_all().into_values() {
            self.delete(view);
        }
    }

    fn close_all(&self) -> HandleTable<View> {
        if !self.ended.replace(true) {
            HERE.set(ptr::null());
        }
        self.views.take()
    }

    /// Returns the `ArrayBuffer`, if it was not collected.
    fn value(&self, view: &View) -> Option<sys::napi_value> {
        let mut value = ptr::null_mut();
        // SAFETY: the reference is deleted together with the view.
        let status = unsafe { sys::napi_get_reference_value(self.env, view.reference, &raw mut value) };
        (status == sys::Status::napi_ok && !value.is_null()).then_some(value)
    }

    fn is_detached(&self, value: sys::napi_value) -> bool {
        let mut detached = false;
        // SAFETY: `value` is an `ArrayBuffer` of this environment.
        let status = unsafe { sys::napi_is_detached_arraybuffer(self.env, value, &raw mut detached) };
        // If Node cannot tell, the memory counts as taken.
        status != sys::Status::napi_ok || detached
    }

    /// Detaches an `ArrayBuffer`, if that can be done. Returns false if the memory may have gone elsewhere.
    fn detach(&self, value: sys::napi_value) -> bool {
        if self.transfer.get().is_null() {
            // SAFETY: `value` is an `ArrayBuffer` of this environment.
            unsafe { sys::napi_detach_arraybuffer(self.env, value) };
            return true;
        }
        let mut nowhere = true;
        let (mut function, mut length, mut moved) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        self.entrance.busy.set(true);
        // SAFETY: plain Node-API calls of the running environment with values of it. None of framepool's own functions does
        // anything meanwhile, since the entrance is busy.
        unsafe {
            sys::napi_get_reference_value(self.env, self.transfer.get(), &raw mut function);
            sys::napi_create_uint32(self.env, 0, &raw mut length);
            let status = sys::napi_call_function(self.env, value, function, 1, &raw const length, &raw mut moved);
            if status == sys::Status::napi_ok {
                // The intrinsic function returns an `ArrayBuffer` of length 0, into which no memory has gone.
                let mut length = usize::MAX;
                let status = sys::napi_get_arraybuffer_info(self.env, moved, ptr::null_mut(), &raw mut length);
                nowhere = status == sys::Status::napi_ok && length == 0;
            } else if status == sys::Status::napi_pending_exception {
                sys::napi_get_and_clear_last_exception(self.env, &raw mut moved);
            }
        }
        self.entrance.busy.set(false);
        nowhere
    }

    /// Detaches an `ArrayBuffer`, if that can be done, and forgets it unless it still shows the memory.
    fn close(&self, handle: Handle) -> Closed {
        let value = self.views.borrow().get(handle).and_then(|view| self.value(view));
        let closed = match value.filter(|&value| !self.is_detached(value)) {
            None => Closed::Taken,
            Some(value) => {
                // Nothing is borrowed here, since a runtime may run the finalizer at once.
                let nowhere = self.detach(value);
                match (self.is_detached(value), nowhere) {
                    (true, true) => Closed::Detached,
                    (true, false) => Closed::Taken,
                    (false, _) => Closed::Attached,
                }
            }
        };
        if !matches!(closed, Closed::Attached) {
            self.forget(handle);
        }
        closed
    }

    fn forget(&self, handle: Handle) {
        let view = self.views.borrow_mut().remove(handle);
        if let Some(view) = view {
            self.delete(view);
        }
    }

    /// Lets an `ArrayBuffer` be collected.
    fn let_go(&self, handle: Handle) {
        if let Some(view) = self.views.borrow().get(handle) {
            let mut count = 0;
            // SAFETY: the reference is strong, and deleted together with the view.
            unsafe { sys::napi_reference_unref(self.env, view.reference, &raw mut count) };
        }
    }

    /// Forgets an `ArrayBuffer` if it was collected. Returns whether it was.
    fn sweep(&self, handle: Handle) -> bool {
        // Not every runtime has a scope open where it runs finalizers.
        let mut scope = ptr::null_mut();
        // SAFETY: a plain call of the environment, which is alive.
        unsafe { sys::napi_open_handle_scope(self.env, &raw mut scope) };
        let collected = self.views.borrow().get(handle).is_none_or(|view| self.value(view).is_none());
        // SAFETY: it was opened here.
        unsafe { sys::napi_close_handle_scope(self.env, scope) };
        if collected {
            self.forget(handle);
        }
        collected
    }

    fn delete(&self, view: View) {
        // SAFETY: the reference was made for this view, which is gone now.
        unsafe { sys::napi_delete_reference(self.env, view.reference) };
    }
}

/// Knows through which `ArrayBuffer`s an owner's memory is seen. The finalizer of each of them holds a share.
#[derive(Default)]
pub(crate) struct Backing(Mutex<Sights>);

#[derive(Default)]
struct Sights {
    /// The `ArrayBuffer` that shows the memory, and the number of its realm.
    view: Option<(u64, Handle)>,
    /// Whether JavaScript has taken the memory from an `ArrayBuffer`.
    taken: bool,
    /// The owner of the memory, once only the sights need it.
    owner: Option<Box<dyn Any + Send>>,
}

impl Backing {
    fn lock(&self) -> MutexGuard<'_, Sights> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the `ArrayBuffer` that shows the memory to `realm`: the one that does already, or else a new one, whose finalizer gets
    /// `share` of this backing.
    fn show(&self, share: Arc<Self>, realm: &Realm, span: NonNull<[u8]>) -> Result<sys::napi_value, Fault> {
        let mut sights = self.lock();
        if let Some((of, handle)) = sights.view.take() {
            if of == realm.id {
                let views = realm.views.borrow();
                let value = views.get(handle).and_then(|view| realm.value(view));
                if let Some(value) = value.filter(|&value| !realm.is_detached(value)) {
                    sights.view = Some((of, handle));
                    return Ok(value);
                }
                drop(views);
                realm.forget(handle);
            }
            // It was detached by JavaScript, or belongs to an isolate that could not detach it.
            sights.taken = true;
        }
        // The place is made before anything is shown: an `ArrayBuffer` that has no place could not be detached.
        if !realm.views.borrow().has_place() {
            realm.views.borrow_mut().add_place().map_err(|_| Fault::no_memory())?;
        }
        let backing = Arc::downgrade(&share);
        // SAFETY: the memory is valid as long as this backing is shared: `Shown` gives its owner to `keep` otherwise.
        let value = unsafe { external_array_buffer(realm.env, span.cast(), span.len(), share)? };
        let mut reference = ptr::null_mut();
        // SAFETY: `value` was made just now.
        let status = unsafe { sys::napi_create_reference(realm.env, value, 1, &raw mut reference) };
        if status != sys::Status::napi_ok {
            sights.taken = true;
            return Err(Fault::internal("an ArrayBuffer cannot be kept"));
        }
        let view = View { reference, backing };
        let handle = realm.views.borrow_mut().insert(view).expect("a place was made");
        sights.view = Some((realm.id, handle));
        Ok(value)
    }
}

impl Backing {
    /// Gives this share up, since the `ArrayBuffer` that had it is gone.
    fn finalized(self: Arc<Self>) {
        if ENDING.get() && self.lock().taken {
            // Node runs the finalizer of every `ArrayBuffer` of an isolate that ends, wherever the memory is by now.
            std::mem::forget(self);
            return;
        }
        // Dropping the last share forgets the `ArrayBuffer`.
        let Err(share) = Arc::try_unwrap(self) else { return };
        // A runtime may run the finalizer while an `ArrayBuffer` is being made. There is nothing to forget then.
        let Ok(mut sights) = share.0.try_lock() else { return };
        if let Some((id, handle)) = sights.view
            && realm_here(id).is_some_and(|realm| realm.sweep(handle))
        {
            sights.view = None;
        }
    }
}

impl Exposure for Backing {
    fn conceal(&self) -> bool {
        let (view, taken) = {
            let mut sights = self.lock();
            (sights.view.take(), sights.taken)
        };
        if let Some((id, handle)) = view {
            // If the isolate has ended, its finalizers tell when the memory is free.
            let closed = realm_here(id).map_or(Closed::Attached, |realm| realm.close(handle));
            match closed {
                Closed::Detached => {}
                Closed::Taken => {
                    self.lock().taken = true;
                    return false;
                }
                Closed::Attached => {
                    // The `ArrayBuffer` may be collected from here on.
                    if let Some(realm) = realm_here(id) {
                        realm.let_go(handle);
                    }
                    self.lock().view = Some((id, handle));
                    return false;
                }
            }
        }
        !taken
    }

    fn keep(&self, owner: Box<dyn Any + Send>) {
        let mut sights = self.lock();
        if let Some((id, handle)) = sights.view
            && let Some(realm) = realm_here(id)
        {
            realm.let_go(handle);
        }
        sights.owner = Some(owner);
    }
}

impl Drop for Backing {
    fn drop(&mut self) {
        let sights = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some((id, handle)) = sights.view.take()
            && let Some(realm) = realm_here(id)
        {
            realm.forget(handle);
        }
    }
}

/// Returns the `ArrayBuffer` over some memory. JavaScript gets the same one as long as it shows the memory.
pub(crate) fn array_buffer(realm: &Realm, mut sight: Sight<'_>) -> Result<sys::napi_value, Fault> {
    let span = sight.span();
    let exposure = sight.exposure(|| Arc::new(Backing::default()));
    let share = (Arc::clone(exposure) as Arc<dyn Any + Send + Sync>).downcast::<Backing>();
    let backing = (&**exposure as &dyn Any).downcast_ref::<Backing>();
    match (backing, share) {
        (Some(backing), Ok(share)) => backing.show(share, realm, span),
        _ => Err(Fault::internal("a foreign exposure")),
    }
}

/// Makes an `ArrayBuffer` over native memory, whose finalizer has a share of `backing`.
///
/// # Safety
/// `data` must be valid for reads and writes of `length` bytes as long as `backing` lives.
unsafe fn external_array_buffer(
    env: sys::napi_env,
    data: NonNull<u8>,
    length: usize,
    backing: Arc<Backing>,
) -> Result<sys::napi_value, Fault> {
    let hint = Arc::into_raw(backing).cast_mut().cast::<c_void>();
    let mut value = ptr::null_mut();
    // SAFETY: `env` is the environment of the running call; the caller vouches for the memory; `hint` is a share of
    // `backing` that `release` gives back exactly once, or that is given back below if the call fails.
    let status = unsafe {
        sys::napi_create_external_arraybuffer(env, data.as_ptr().cast(), length, Some(release), hint, &raw mut value)
    };
    if status == sys::Status::napi_ok {
        return Ok(value);
    }
    // SAFETY: on failure Node has not taken the share over.
    drop(unsafe { Arc::from_raw(hint.cast::<Backing>()) });
    if status == sys::Status::napi_no_external_buffers_allowed {
        return Err(no_external_memory());
    }
    Err(Fault::internal("an ArrayBuffer could not be made"))
}

/// Fails if `value`, an `ArrayBuffer` that was made over `data`, shows other memory. A runtime may copy instead of
/// refusing, and then each side would go on with bytes of its own.
///
/// # Safety
/// `value` must be an `ArrayBuffer` of the running call of `env`.
pub(crate) unsafe fn check_not_copied(
    env: sys::napi_env,
    value: sys::napi_value,
    data: NonNull<u8>,
) -> Result<(), Fault> {
    let mut shown = ptr::null_mut();
    // SAFETY: as the caller promises; the pointer is to a local of the right type, and a null length is allowed.
    let status = unsafe { sys::napi_get_arraybuffer_info(env, value, &raw mut shown, ptr::null_mut()) };
    if status == sys::Status::napi_ok && shown == data.as_ptr().cast() { Ok(()) } else { Err(no_external_memory()) }
}

fn no_external_memory() -> Fault {
    Fault::new(
        Code::EXTERNAL_MEMORY,
        "this runtime refuses ArrayBuffers over native memory (as Electron and V8's sandbox do); framepool needs them",
    )
}

/// Gives back the share that an `ArrayBuffer` held. This is its finalizer.
unsafe extern "C" fn release(_env: sys::napi_env, _data: *mut c_void, hint: *mut c_void) {
    // SAFETY: `hint` is the share that `external_array_buffer` made, and a finalizer runs once.
    let share = unsafe { Arc::from_raw(hint.cast::<Backing>()) };
    // Dropping it may run any owner's destructor; a panic must not reach Node.
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| share.finalized()));
}
