//! Notices the end of an isolate before Node lets go of its `ArrayBuffer`s.
//!
//! When an environment ends, Node first closes its handles, for which it turns the event loop at least once. Then it detaches
//! each external `ArrayBuffer` and runs its finalizer. The cleanup hooks of addons come after that: too late to see which
//! `ArrayBuffer`s JavaScript had taken the memory from. So a libuv handle looks, once a turn of the event loop,
//! whether JavaScript can run at all. If it cannot, this is one of the last turns.
//!
//! Other runtimes have no such order, even if they have functions of libuv. Nothing is watched there.

use std::ffi::{CStr, c_int, c_void};
use std::ptr;
use std::sync::{Arc, LazyLock};

use napi::sys;

use crate::shown::external::Realm;

type Handle = *mut c_void;
type Callback = unsafe extern "C" fn(Handle);

/// The functions of libuv that are needed. Every Node exports them.
struct Libuv {
    handle_size: unsafe extern "C" fn(c_int) -> usize,
    set_data: unsafe extern "C" fn(Handle, *mut c_void),
    get_data: unsafe extern "C" fn(Handle) -> *mut c_void,
    init: unsafe extern "C" fn(*mut c_void, Handle) -> c_int,
    start: unsafe extern "C" fn(Handle, Callback) -> c_int,
    unref: unsafe extern "C" fn(Handle),
    close: unsafe extern "C" fn(Handle, Callback),
}

/// `UV_PREPARE`.
const PREPARE: c_int = 9;

static LIBUV: LazyLock<Option<Libuv>> = LazyLock::new(|| {
    // SAFETY: these are the types that libuv declares its functions with.
    unsafe {
        Some(Libuv {
            handle_size: symbol(c"uv_handle_size")?,
            set_data: symbol(c"uv_handle_set_data")?,
            get_data: symbol(c"uv_handle_get_data")?,
            init: symbol(c"uv_prepare_init")?,
            start: symbol(c"uv_prepare_start")?,
            unref: symbol(c"uv_unref")?,
            close: symbol(c"uv_close")?,
        })
    }
});

/// Returns a function of the program that has loaded this module, or `None` if it has no such function.
///
/// # Safety
/// `F` must be the type of that function.
unsafe fn symbol<F: Copy>(name: &CStr) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
    let address = address(name);
    // SAFETY: it is the address of a function whose type the caller vouches for.
    if address.is_null() { None } else { Some(unsafe { std::mem::transmute_copy(&address) }) }
}

#[cfg(unix)]
fn address(name: &CStr) -> *mut c_void {
    // SAFETY: the name ends with 0.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }
}

#[cfg(windows)]
fn address(name: &CStr) -> *mut c_void {
    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn GetModuleHandleW(name: *const u16) -> *mut c_void;
        fn GetProcAddress(module: *mut c_void, name: *const std::ffi::c_char) -> *mut c_void;
    }
    // SAFETY: without a name it is the program itself; the name of the symbol ends with 0.
    unsafe { GetProcAddress(GetModuleHandleW(ptr::null()), name.as_ptr()) }
}

struct Watch {
    env: sys::napi_env,
    realm: Arc<Realm>,
}

/// Calls [`Realm::end`] when JavaScript runs no more in the environment, whose thread this is.
pub(crate) fn watch(env: sys::napi_env, realm: Arc<Realm>) {
    if !is_node(env) {
        return;
    }
    let Some(libuv) = &*LIBUV else { return };
    let mut event_loop = ptr::null_mut();
    // SAFETY: the environment is the running one. The handle is as large as libuv wants it, and stays where it is until
    // `closed` frees it. It does not keep the event loop alive.
    unsafe {
        if sys::napi_get_uv_event_loop(env, &raw mut event_loop) != sys::Status::napi_ok || event_loop.is_null() {
            return;
        }
        let words = (libuv.handle_size)(PREPARE).div_ceil(size_of::<u128>());
        let handle = Box::into_raw(vec![0_u128; words].into_boxed_slice()).cast::<c_void>();
        (libuv.init)(event_loop.cast(), handle);
        (libuv.set_data)(handle, Box::into_raw(Box::new(Watch { env, realm })).cast());
        (libuv.start)(handle, turn);
        (libuv.unref)(handle);
    }
}

/// Returns whether the runtime is Node.
fn is_node(env: sys::napi_env) -> bool {
    let mut version = ptr::null();
    // SAFETY: the environment is the running one, and the version lives as long as the process.
    unsafe {
        sys::napi_get_node_version(env, &raw mut version) == sys::Status::napi_ok
            && !version.is_null()
            && CStr::from_ptr((*version).release) == c"node"
    }
}

/// Returns whether JavaScript can run in the environment.
fn can_run(env: sys::napi_env) -> bool {
    // SAFETY: the environment is alive. Node-API checks that JavaScript can run before it looks at the arguments, which are all
    // null.
    let status =
        unsafe { sys::napi_call_function(env, ptr::null_mut(), ptr::null_mut(), 0, ptr::null(), ptr::null_mut()) };
    status == sys::Status::napi_invalid_arg
}

unsafe extern "C" fn turn(handle: Handle) {
    let Some(libuv) = &*LIBUV else { return };
    // SAFETY: `watch` has set the data, and `closed` frees it.
    let watch = unsafe { &*(libuv.get_data)(handle).cast::<Watch>() };
    if !can_run(watch.env) {
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| watch.realm.end()));
        // SAFETY: the handle is open, and this is its own thread.
        unsafe { (libuv.close)(handle, closed) };
    }
}

unsafe extern "C" fn closed(handle: Handle) {
    let Some(libuv) = &*LIBUV else { return };
    // SAFETY: `watch` has made both, and libuv uses the handle no more.
    unsafe {
        drop(Box::from_raw((libuv.get_data)(handle).cast::<Watch>()));
        let words = (libuv.handle_size)(PREPARE).div_ceil(size_of::<u128>());
        drop(Box::from_raw(ptr::slice_from_raw_parts_mut(handle.cast::<u128>(), words)));
    }
}
