//! How JavaScript calls in on per-message paths.
//!
//! A class method of napi-rs costs some 300 ns, a plain callback 10. So a per-message call is a function made with
//! `napi_create_function` that finds its state behind its own data pointer, takes nothing but, where it carries bytes,
//! one typed array, and passes everything else through the control block.

use std::ffi::{CString, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};

use napi::bindgen_prelude::{JsValue, ToNapiValue, Unknown};
use napi::{Env, sys};
use napi_derive::napi;

use crate::allocator;
use crate::control::{LAYOUT, Word};
use crate::env::{Entrance, EnvState};
use crate::errors::{Code, Fault, Result};
use crate::external::{array_buffer, check_not_copied};
#[cfg(unix)]
use crate::io;
use crate::{
    buddy_pool, budget_pool, channel, heap_slice, link_memory, pin, regions, ring, settle, slot_pool, sv2_session,
    system_memory, ticket, transferable,
};

/// One call in: the state of the isolate, and the argument if there was one.
pub(crate) struct Call<'a> {
    pub(crate) env: sys::napi_env,
    pub(crate) state: &'a mut EnvState,
    /// Null without one.
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

    /// The bytes of the typed array that this call carries.
    ///
    /// # Safety
    /// The slice is the array's own memory: it must not be used after anything that can run JavaScript or collect
    /// garbage, nor beside a reference to memory that the same `ArrayBuffer` shows.
    pub(crate) unsafe fn bytes<'b>(&self) -> std::result::Result<&'b [u8], Fault> {
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

/// What a call gives back: a value, or nothing beyond the control block.
pub(crate) type Reply = std::result::Result<Option<sys::napi_value>, Fault>;

/// What becomes of a call while the system has no memory for the reserve, and of a wait that another call has left.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    /// It is refused.
    Checked,
    /// It is refused. While there is memory, it goes on with that wait.
    Waiting,
    /// It is let in: it gives something back, or has to leave its words first, and checks itself.
    Open,
}

/// Runs one call. Failures and panics end in the status word; nothing unwinds into Node.
#[inline]
fn enter(
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
    // SAFETY: the state lives as long as the environment. Calls of one environment do not overlap: where one of them runs
    // JavaScript, the entrance is busy.
    let state = unsafe { &mut *entrance.state.get() };
    if entrance.waiting.get() && entry != Entry::Waiting {
        // JavaScript would not be here if it had not been cut off.
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

/// Throws: a call in the middle of another must not touch the control block.
#[cold]
fn refuse(env: sys::napi_env) -> sys::napi_value {
    let Fault { code, message, .. } = Fault::busy();
    if let (Ok(code), Ok(message)) = (CString::new(code.0), CString::new(message)) {
        // SAFETY: the environment of the running call, and two texts that end with 0.
        unsafe { sys::napi_throw_error(env, code.as_ptr(), message.as_ptr()) };
    }
    ptr::null_mut()
}

macro_rules! entry {
    () => {
        Entry::Checked
    };
    ($entry:ident) => {
        Entry::$entry
    };
}

/// Defines the C callback of each bound function.
macro_rules! bound_functions {
    ($($(#[$when:meta])? $name:literal => $callback:ident: $body:path $([$entry:ident])?,)*) => {
        $(
            $(#[$when])?
            unsafe extern "C" fn $callback(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
                enter(entry!($($entry)?), env, info, $body)
            }
        )*
        const BOUND: &[(&str, sys::napi_callback)] = &[$($(#[$when])? ($name, Some($callback)),)*];
    };
}

bound_functions! {
    "slotWritable" => slot_writable: slot_pool::writable [Open],
    "slotTake" => slot_take: slot_pool::take [Open],
    "slotSettle" => slot_settle: slot_pool::settle [Open],
    "slotTruncate" => slot_truncate: slot_pool::truncate [Open],
    "slotRegion" => slot_region: slot_pool::region,
    "slotHeap" => slot_heap: slot_pool::heap,
    "slotDiscard" => slot_discard: slot_pool::discard [Open],
    "slotConceal" => slot_conceal: slot_pool::conceal [Open],
    "slotClose" => slot_close: slot_pool::close [Open],
    "systemWritable" => system_writable: system_memory::writable,
    "systemTake" => system_take: system_memory::take,
    "systemTruncate" => system_truncate: system_memory::truncate [Open],
    "systemView" => system_view: system_memory::view,
    "slotRevoke" => slot_revoke: slot_pool::revoke [Open],
    "heapFrom" => heap_from: heap_slice::from,
    "heapView" => heap_view: heap_slice::view,
    "heapRelease" => heap_release: heap_slice::release [Open],
    "sessionReceive" => session_receive: sv2_session::receive [Open],
    "sessionSend" => session_send: sv2_session::send [Open],
    "sessionForward" => session_forward: sv2_session::forward [Open],
    "outputRegion" => output_region: sv2_session::output_region,
    "outputForget" => output_forget: sv2_session::output_forget [Open],
    "outputConsume" => output_consume: sv2_session::output_consume [Open],
    "sessionClose" => session_close: sv2_session::close [Open],
    "linkJoin" => link_join: link_memory::join,
    "linkStep" => link_step: link_memory::step [Open],
    "linkTryComing" => link_try_coming: link_memory::try_coming,
    "linkTryReplacing" => link_try_replacing: link_memory::try_replacing,
    "linkWait" => link_wait: link_memory::wait,
    "linkRelease" => link_release: link_memory::release [Open],
    "linkEnd" => link_end: link_memory::end [Open],
    "budgetTry" => budget_try: budget_pool::try_allocate,
    "budgetAllocate" => budget_allocate: budget_pool::allocate,
    "budgetAllocateSync" => budget_allocate_sync: budget_pool::allocate_sync [Waiting],
    "budgetClose" => budget_close: budget_pool::close [Open],
    "budgetView" => budget_view: budget_pool::view,
    "budgetRelease" => budget_release: budget_pool::release [Open],
    "buddyTry" => buddy_try: buddy_pool::try_allocate,
    "buddyAllocate" => buddy_allocate: buddy_pool::allocate,
    "buddyRelease" => buddy_release: buddy_pool::release [Open],
    "buddyBuffer" => buddy_buffer: buddy_pool::buffer,
    "buddyView" => buddy_view: buddy_pool::view,
    "buddyWatch" => buddy_watch: buddy_pool::watch,
    "buddyClose" => buddy_close: buddy_pool::close [Open],
    "ringAdvance" => ring_advance: ring::advance [Open],
    "ringWait" => ring_wait: ring::wait,
    "ringWaitSync" => ring_wait_sync: ring::wait_sync [Waiting],
    "ringView" => ring_view: ring::view,
    "ringEnd" => ring_end: ring::end [Open],
    "ringRelease" => ring_release: ring::release [Open],
    #[cfg(unix)] "ringTransfer" => ring_transfer: io::transfer,
    #[cfg(unix)] "ringTransferLater" => ring_transfer_later: io::transfer_later,
    #[cfg(unix)] "ringTransferEnd" => ring_transfer_end: io::transfer_end [Open],
    #[cfg(unix)] "outputWrite" => output_write: io::output_write,
    #[cfg(unix)] "outputWriteLater" => output_write_later: io::output_write_later,
    #[cfg(unix)] "pumpStart" => pump_start: io::pump_start,
    "channelAsk" => channel_ask: channel::ask [Open],
    "channelSend" => channel_send: channel::send,
    "channelWaitForRoom" => channel_wait_for_room: channel::wait_for_room,
    "channelEnd" => channel_end: channel::end [Open],
    "channelReleaseSender" => channel_release_sender: channel::release_sender [Open],
    "channelReceive" => channel_receive: channel::receive,
    "channelWaitForObject" => channel_wait_for_object: channel::wait_for_object,
    "channelWaitForObjectSync" => channel_wait_for_object_sync: channel::wait_for_object_sync [Waiting],
    "channelReleaseReceiver" => channel_release_receiver: channel::release_receiver [Open],
    "ticketMake" => ticket_make: ticket::make,
    "ticketAdopt" => ticket_adopt: ticket::adopt,
    "regionView" => region_view: regions::view,
    "regionWatch" => region_watch: regions::watch,
    "regionForget" => region_forget: regions::forget [Open],
    "waitCancel" => wait_cancel: settle::cancel [Open],
}

/// A value that Node made.
pub(crate) struct RawValue(sys::napi_value);

impl ToNapiValue for RawValue {
    unsafe fn to_napi_value(_env: sys::napi_env, value: Self) -> napi::Result<sys::napi_value> {
        Ok(value.0)
    }
}

/// Opens the boundary for this isolate: its control block and its bound functions, as one object.
///
/// `owner`: Node's number of the thread. It may be opened again (a test runner loads modules more than once); the state is
/// the isolate's, not the caller's. But each caller has a number, `facade`, since it knows only the memory that it has shown
/// itself. `transfer`: `ArrayBuffer.prototype.transfer` as no script has replaced it, or undefined.
#[napi(
    catch_unwind,
    ts_args_type = "owner: number, transfer?: (length: number) => ArrayBuffer",
    ts_return_type = "object"
)]
pub fn open_boundary(env: Env, owner: u32, transfer: Option<Unknown<'_>>) -> Result<RawValue> {
    pin::module();
    let state = EnvState::open(env, owner)?;
    // SAFETY: `open` gave a pointer to this isolate's live state, and no other reference to it is in use.
    let state = unsafe { &mut *state };
    let entrance = &raw const state.realm.entrance;
    state.facades += 1;
    let raw = env.raw();
    if let Some(transfer) = transfer {
        // SAFETY: it is an argument of the running call.
        unsafe { state.realm.detach_by(transfer.raw()) };
    }
    let sight = state.shown_control.sight();
    let base = sight.span().cast();
    let block = array_buffer(&state.realm, sight)?;
    // SAFETY: it is an `ArrayBuffer` of the running call.
    unsafe { check_not_copied(raw, block, base)? };
    let mut object = ptr::null_mut();
    // SAFETY: plain Node-API calls of the running environment; names are valid for their given lengths; the entrance
    // outlives every function of its environment.
    unsafe {
        check(sys::napi_create_object(raw, &raw mut object))?;
        check(sys::napi_set_named_property(raw, object, c"control".as_ptr(), block))?;
        let mut number = ptr::null_mut();
        check(sys::napi_create_uint32(raw, state.facades, &raw mut number))?;
        check(sys::napi_set_named_property(raw, object, c"facade".as_ptr(), number))?;
        for (name, callback) in BOUND {
            let (mut key, mut function) = (ptr::null_mut(), ptr::null_mut());
            let (text, length) = (name.as_ptr().cast(), name.len().cast_signed());
            check(sys::napi_create_string_utf8(raw, text, length, &raw mut key))?;
            check(sys::napi_create_function(
                raw,
                text,
                length,
                *callback,
                entrance.cast_mut().cast::<c_void>(),
                &raw mut function,
            ))?;
            check(sys::napi_set_property(raw, object, key, function))?;
        }
    }
    Ok(RawValue(object))
}

fn check(status: sys::napi_status) -> Result<()> {
    if status == sys::Status::napi_ok {
        Ok(())
    } else {
        Err(Fault::internal("the boundary could not be opened").into())
    }
}

/// How the last call through the control block failed.
#[napi(object)]
pub struct FaultDetails {
    /// A code of the public contract.
    pub code: String,
    /// What happened, for people.
    pub message: String,
    /// With `ERR_SYSTEM`: the system call that failed.
    pub syscall: Option<String>,
    /// Its `errno`.
    pub errno: Option<i32>,
}

/// How the last call through the control block failed.
#[napi(catch_unwind)]
pub fn last_fault(env: Env) -> Result<FaultDetails> {
    let fault = EnvState::of_any(env)?.fault.take().unwrap_or_else(|| Fault::internal("no fault was recorded"));
    let (syscall, errno) = fault.system.unzip();
    let syscall = syscall.map(str::to_owned);
    Ok(FaultDetails { code: fault.code.0.to_owned(), message: fault.message, syscall, errno })
}

/// The control block's words in order, so that a test can compare them with those of `src/boundary.ts`.
#[napi(catch_unwind)]
pub fn control_layout() -> Vec<String> {
    LAYOUT.iter().map(|word| format!("{word:?}")).collect()
}

/// The kinds of objects that can change isolates, in order: see `controlLayout`.
#[napi(catch_unwind)]
pub fn transferable_kinds() -> Vec<String> {
    transferable::KINDS.iter().map(|kind| format!("{kind:?}")).collect()
}

/// What names an object of this isolate.
#[napi(object)]
pub struct ObjectHandle {
    /// Place in the isolate's table.
    pub index: u32,
    /// Tells objects apart that had the same place one after another.
    pub generation: u32,
}

impl From<framepool::handle::Handle> for ObjectHandle {
    fn from(handle: framepool::handle::Handle) -> Self {
        Self { index: handle.index, generation: handle.generation }
    }
}

impl From<ObjectHandle> for framepool::handle::Handle {
    fn from(handle: ObjectHandle) -> Self {
        Self { index: handle.index, generation: handle.generation }
    }
}
