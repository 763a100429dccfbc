//! Turns the running Node into a runtime without external `ArrayBuffer`s. The test compiles this library and preloads
//! it with `LD_PRELOAD`. The addon looks up every Node-API function by name, and then finds this one.
//!
//! With `FRAMEPOOL_TEST_EXTERNAL=copy` the runtime copies the memory and reports success. Otherwise it refuses.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::null_mut;

type Status = c_int;
type Finalize = unsafe extern "C" fn(env: *mut c_void, data: *mut c_void, hint: *mut c_void);
type CreateArrayBuffer =
    unsafe extern "C" fn(env: *mut c_void, length: usize, data: *mut *mut c_void, result: *mut *mut c_void) -> Status;

const NO_EXTERNAL_BUFFERS_ALLOWED: Status = 22;
/// The versions of glibc that have the function: the first of each architecture, and the one that moved it into libc.
const VERSIONS: [&CStr; 3] = [c"GLIBC_2.2.5", c"GLIBC_2.17", c"GLIBC_2.34"];
const RTLD_NEXT: *mut c_void = !0_usize as *mut c_void;

unsafe extern "C" {
    fn dlvsym(handle: *mut c_void, name: *const c_char, version: *const c_char) -> *mut c_void;
}

/// The function that this library replaces.
unsafe fn next_dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void {
    type Dlsym = unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void;
    let found = VERSIONS.iter().map(|version| unsafe { dlvsym(RTLD_NEXT, c"dlsym".as_ptr(), version.as_ptr()) });
    let next = found.into_iter().find(|function| !function.is_null()).expect("glibc has dlsym");
    unsafe { std::mem::transmute::<*mut c_void, Dlsym>(next)(handle, name) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void {
    if unsafe { CStr::from_ptr(name) } == c"napi_create_external_arraybuffer" {
        return create_external_arraybuffer as *mut c_void;
    }
    unsafe { next_dlsym(handle, name) }
}

unsafe extern "C" fn create_external_arraybuffer(
    env: *mut c_void,
    data: *mut c_void,
    length: usize,
    finalize: Finalize,
    hint: *mut c_void,
    result: *mut *mut c_void,
) -> Status {
    if std::env::var_os("FRAMEPOOL_TEST_EXTERNAL").is_none_or(|how| how != "copy") {
        return NO_EXTERNAL_BUFFERS_ALLOWED;
    }
    unsafe {
        let create = next_dlsym(null_mut(), c"napi_create_arraybuffer".as_ptr());
        let create = std::mem::transmute::<*mut c_void, CreateArrayBuffer>(create);
        let mut copy = null_mut();
        let status = create(env, length, &raw mut copy, result);
        if status == 0 {
            copy.cast::<u8>().copy_from_nonoverlapping(data.cast(), length);
            finalize(env, data, hint);
        }
        status
    }
}
