//! Keeps this module loaded for the life of the process.
//!
//! Node unloads an addon with the last isolate that loaded it. Finalizers and other threads may still run our code
//! then, so the module takes one reference to itself and never gives it back.

use std::sync::Once;

/// Pins this module, once in the process.
pub(crate) fn module() {
    static PINNED: Once = Once::new();
    PINNED.call_once(pin);
}

#[cfg(all(unix, not(target_env = "musl")))]
fn pin() {
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: `dladdr` only reads the address, which lies in this module, and fills `info`, which is writable and of
    // the right type. `dli_fname` is then null or a NUL-terminated string that lives as long as the module.
    // `RTLD_NOLOAD` makes `dlopen` run no initializer: it only marks the loaded module as not to be unloaded.
    unsafe {
        if libc::dladdr(module as *const libc::c_void, info.as_mut_ptr()) == 0 {
            return;
        }
        let name = (*info.as_ptr()).dli_fname;
        if !name.is_null() {
            libc::dlopen(name, libc::RTLD_NOW | libc::RTLD_NOLOAD | libc::RTLD_NODELETE);
        }
    }
}

/// Does nothing: musl never unloads a module, and elsewhere napi-rs keeps a reference of its own where the platform can.
#[cfg(not(all(unix, not(target_env = "musl"))))]
fn pin() {}
