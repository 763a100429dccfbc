//! Memory that JavaScript sees through an `ArrayBuffer`.
//!
//! The promise is that no view ever reaches freed memory. So an owner whose memory was shown is not freed when it is
//! dropped: it moves into the [`Backing`] that the `ArrayBuffer`'s finalizer holds, and is freed when the last of them
//! is collected. When JavaScript has detached the `ArrayBuffer` it says so ([`Exposure::revoke`]); no view is left then,
//! and dropping frees at once, without waiting for a collection.

use std::any::Any;
use std::ffi::c_void;
use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, PoisonError};

use napi::sys;

use crate::errors::{Code, Fault};

/// What the finalizers of an owner's `ArrayBuffer`s share: nothing while the owner lives, the owner itself after.
#[derive(Default)]
pub(crate) struct Backing(Mutex<Option<Box<dyn Any + Send>>>);

/// Whether some memory may still be seen by JavaScript, and what must then become of it.
#[derive(Default)]
pub(crate) struct Exposure(Option<Arc<Backing>>);

impl Exposure {
    /// True while an `ArrayBuffer` may show the memory.
    pub(crate) fn is_shown(&self) -> bool {
        self.0.is_some()
    }

    /// JavaScript has detached every `ArrayBuffer` over the memory: nothing can see it any more.
    pub(crate) fn revoke(&mut self) {
        self.0 = None;
    }

    /// Leaves `owner`, which holds the memory shown so far, to the finalizers. What comes next has not been shown.
    pub(crate) fn leave(&mut self, owner: impl Any + Send) {
        if let Some(backing) = self.0.take() {
            *backing.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(owner));
        }
    }

    /// An `ArrayBuffer` over `length` bytes.
    ///
    /// # Safety
    /// `data` must be valid for reads and writes of `length` bytes until its owner is freed, however it is moved, and
    /// the owner must be given to [`Exposure::leave`] instead of being freed unless [`Exposure::revoke`] was called.
    pub(crate) unsafe fn array_buffer(
        &mut self,
        env: sys::napi_env,
        data: NonNull<u8>,
        length: usize,
    ) -> Result<sys::napi_value, Fault> {
        // SAFETY: by the caller's promise the memory lives as long as its owner, which ends up in the backing, of which
        // the finalizer holds a share.
        unsafe { external_array_buffer(env, data, length, self.0.get_or_insert_default()) }
    }
}

/// An owner of memory that may be shown to JavaScript: dropped, it is freed only if nothing can see it any more.
pub(crate) struct Shown<T: Send + 'static> {
    /// `None` only while it is being dropped.
    owner: Option<T>,
    pub(crate) exposure: Exposure,
}

impl<T: Send + 'static> Shown<T> {
    pub(crate) fn new(owner: T, exposure: Exposure) -> Self {
        Self { owner: Some(owner), exposure }
    }

    /// To be put together again: the owner must not be freed without its exposure.
    #[cfg(unix)]
    pub(crate) fn into_parts(mut self) -> (T, Exposure) {
        let owner = self.owner.take().expect("an owner until it is dropped");
        (owner, std::mem::take(&mut self.exposure))
    }
}

impl<T: Send + 'static> Deref for Shown<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.owner.as_ref().expect("an owner until it is dropped")
    }
}

impl<T: Send + 'static> DerefMut for Shown<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.owner.as_mut().expect("an owner until it is dropped")
    }
}

impl<T: Send + 'static> Drop for Shown<T> {
    fn drop(&mut self) {
        if let Some(owner) = self.owner.take() {
            self.exposure.leave(owner);
        }
    }
}

/// An `ArrayBuffer` over foreign memory, which `keeper` keeps alive until the `ArrayBuffer` is collected or detached.
///
/// # Safety
/// `data` must be valid for reads and writes of `length` bytes as long as `keeper` lives.
pub(crate) unsafe fn external_array_buffer<K: Send + Sync + 'static>(
    env: sys::napi_env,
    data: NonNull<u8>,
    length: usize,
    keeper: &Arc<K>,
) -> Result<sys::napi_value, Fault> {
    let hint = Arc::into_raw(Arc::clone(keeper)).cast_mut().cast::<c_void>();
    let mut value = ptr::null_mut();
    // SAFETY: `env` is the environment of the running call; the caller vouches for the memory; `hint` is a share of
    // `keeper` that `release` gives back exactly once, or we do below if the call fails.
    let status = unsafe {
        sys::napi_create_external_arraybuffer(
            env,
            data.as_ptr().cast(),
            length,
            Some(release::<K>),
            hint,
            &raw mut value,
        )
    };
    if status == sys::Status::napi_ok {
        return Ok(value);
    }
    // SAFETY: on failure Node has not taken the share over.
    drop(unsafe { Arc::from_raw(hint.cast::<K>()) });
    if status == sys::Status::napi_no_external_buffers_allowed {
        return Err(no_external_memory());
    }
    Err(Fault::internal("an ArrayBuffer could not be made"))
}

/// Fails if `value`, an `ArrayBuffer` that was made over `data`, shows other memory: a runtime may copy instead of
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

/// Finalizer: gives back the share that an `ArrayBuffer` held.
unsafe extern "C" fn release<K>(_env: sys::napi_env, _data: *mut c_void, hint: *mut c_void) {
    // SAFETY: `hint` is the share that `external_array_buffer` made, and a finalizer runs once.
    let share = unsafe { Arc::from_raw(hint.cast::<K>()) };
    // Dropping may run any owner's destructor; a panic must not reach Node.
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(share)));
}
