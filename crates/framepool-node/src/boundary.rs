//! The boundary: the table of all bound functions, and how an isolate gets them.
//!
//! This table, the words (`call::words`), the kinds of objects that can leave an isolate (`threads::transferable`) and those that
//! `inspect()` lists (`tables`) are declared in Rust alone. `npm run build` writes them down for the facade: see `typescript`.

use std::ffi::c_void;
use std::ptr;

use napi::bindgen_prelude::{JsValue, ToNapiValue, Unknown};
use napi::{Env, sys};
use napi_derive::napi;

use crate::boundary::typescript::Signature;
use crate::buddy::{buffer as buddy_buffer, pool as buddy_pool};
use crate::budget::{allocation as budget_allocation, pool as budget_pool};
use crate::call::{Entry, enter};
use crate::errors::{Fault, FaultDetails, Result};
use crate::framing::reader;
use crate::memory::{budget as memory_budget, reservation};
use crate::pin;
use crate::relay::{commands, records};
use crate::ring::half as ring_half;
#[cfg(unix)]
use crate::ring::io::{output as output_io, pump, transfer};
use crate::shown::external::{array_buffer, check_not_copied};
use crate::slice::{borrowed, heap, release};
use crate::slot::{pool as slot_pool, system_memory};
use crate::state::EnvState;
use crate::sv2::session::{self, output};
use crate::threads::{channel, ticket};
use crate::wait::settle;

mod typescript;

/// The argument that a call carries.
macro_rules! argument {
    () => {
        ""
    };
    (bytes) => {
        "bytes: Uint8Array"
    };
    (settled) => {
        "settled: () => void"
    };
    (ticket) => {
        "ticket: string"
    };
}

/// The value that a call returns.
macro_rules! value {
    () => {
        "void"
    };
    ($value:ident) => {
        stringify!($value)
    };
}

/// Expands to the entry of a call.
macro_rules! entry {
    () => {
        Entry::Checked
    };
    ($entry:ident) => {
        Entry::$entry
    };
}

/// Declares the bound functions: the name and signature that JavaScript sees, how a call enters, and the function behind it.
macro_rules! calls {
    ($($(#[cfg($when:meta)])? $name:ident($($argument:ident)?) $(-> $value:ident)? $([$entry:ident])? => $body:path,)+) => {
        /// The bound functions of this platform.
        const BOUND: &[(&str, sys::napi_callback)] = &[$(
            $(#[cfg($when)])?
            (stringify!($name), Some({
                unsafe extern "C" fn callback(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
                    enter(entry!($($entry)?), env, info, $body)
                }
                callback
            })),
        )+];

        /// The bound functions of all platforms.
        const SIGNATURES: &[Signature] = &[$(Signature {
            name: stringify!($name),
            argument: argument!($($argument)?),
            value: value!($($value)?),
        },)+];
    };
}

calls! {
    slotWritable() [Open] => slot_pool::writable,
    slotFind() [Open] => slot_pool::find,
    slotTake() [Open] => slot_pool::take,
    slotSettle() [Open] => slot_pool::settle,
    slotTruncate() [Open] => slot_pool::truncate,
    slotRegion() -> ArrayBuffer => slot_pool::region,
    slotHeap() -> ArrayBuffer => slot_pool::heap,
    slotDiscard() [Open] => slot_pool::discard,
    slotConceal() [Open] => slot_pool::conceal,
    slotRevoke() [Open] => slot_pool::revoke,
    slotClose() [Open] => slot_pool::close,

    systemWritable() => system_memory::writable,
    systemTake() => system_memory::take,
    systemTruncate() [Open] => system_memory::truncate,
    systemView() -> ArrayBuffer => system_memory::view,

    heapFrom(bytes) => heap::from,
    heapView() -> ArrayBuffer => heap::view,
    sliceRelease() [Open] => release::release,
    regionView() -> ArrayBuffer => borrowed::view,
    regionWatch(settled) => borrowed::watch,
    regionForget() [Open] => borrowed::forget,

    budgetTry() => budget_pool::try_allocate,
    budgetAllocate(settled) => budget_pool::allocate,
    budgetAllocateSync() [Waiting] => budget_pool::allocate_sync,
    budgetClose(settled) [Open] => budget_pool::close,
    budgetView() -> ArrayBuffer => budget_allocation::view,
    budgetRelease() [Open] => budget_allocation::release,

    buddyTry() => buddy_pool::try_allocate,
    buddyAllocate(settled) => buddy_pool::allocate,
    buddyView() -> ArrayBuffer => buddy_pool::view,
    buddyLend(bytes) => buddy_pool::lend,
    buddyWatch(settled) => buddy_pool::watch,
    buddyClose(settled) [Open] => buddy_pool::close,
    buddyBuffer() -> ArrayBuffer => buddy_buffer::view,
    buddyRelease() [Open] => buddy_buffer::release,

    ringAdvance() [Open] => ring_half::advance,
    ringWait(settled) => ring_half::wait,
    ringWaitSync() [Waiting] => ring_half::wait_sync,
    ringView() -> ArrayBuffer => ring_half::view,
    ringEnd() [Open] => ring_half::end,
    ringRelease() [Open] => ring_half::release,
    #[cfg(unix)] ringTransfer() => transfer::now,
    #[cfg(unix)] ringTransferLater(settled) => transfer::later,
    #[cfg(unix)] ringTransferEnd() [Open] => transfer::end,
    #[cfg(unix)] pumpStart(settled) => pump::start,

    ticketMake() -> string => ticket::make,
    ticketAdopt(ticket) => ticket::adopt,
    channelAsk() [Open] => channel::ask,
    channelSend() => channel::send,
    channelWaitForRoom(settled) => channel::wait_for_room,
    channelEnd() [Open] => channel::end,
    channelReleaseSender() [Open] => channel::release_sender,
    channelReceive() => channel::receive,
    channelWaitForObject(settled) => channel::wait_for_object,
    channelWaitForObjectSync() [Waiting] => channel::wait_for_object_sync,
    channelReleaseReceiver() [Open] => channel::release_receiver,

    framingReceive(bytes) [Open] => reader::receive,
    framingAnnounce() => reader::announce,
    framingRoom() => reader::room,
    framingView() -> ArrayBuffer => reader::view,
    framingFilled() [Open] => reader::filled,
    framingRelease() [Open] => reader::release,
    memoryTry() => memory_budget::try_reserve,
    memoryReserve(settled) => memory_budget::reserve,
    memoryForget() [Open] => memory_budget::forget,
    reservationResize() [Open] => reservation::resize,
    reservationMerge() [Open] => reservation::merge,
    reservationRelease() [Open] => reservation::release,

    sessionReceive(bytes) [Open] => session::receive,
    sessionSend(bytes) [Open] => session::send,
    sessionForward() [Open] => session::forward,
    sessionClose() [Open] => session::close,
    outputRegion() -> ArrayBuffer => output::region,
    outputForget() [Open] => output::forget,
    outputConsume() [Open] => output::consume,
    #[cfg(unix)] outputWrite() => output_io::write,
    #[cfg(unix)] outputWriteLater(settled) => output_io::write_later,

    relayNext() [Open] => records::next,
    relayWatch(settled) [Open] => records::watch,
    relayForward() [Open] => commands::forward,
    relayReplace(bytes) [Open] => commands::replace,
    relayDone() [Open] => commands::done,
    relaySend(bytes) [Open] => commands::send,
    relayWatchOutput() [Open] => commands::watch,
    relayClose() [Open] => commands::close,
    relayFlush() [Open] => commands::flush,

    waitCancel() [Open] => settle::cancel,
}

/// Returns the TypeScript declarations of the boundary: the text of `src/native/boundary.generated.ts`.
#[napi(catch_unwind)]
pub fn boundary_declarations() -> String {
    typescript::declarations(SIGNATURES)
}

/// A value that Node made.
pub(crate) struct RawValue(sys::napi_value);

impl ToNapiValue for RawValue {
    unsafe fn to_napi_value(_env: sys::napi_env, value: Self) -> napi::Result<sys::napi_value> {
        Ok(value.0)
    }
}

/// Opens the boundary for this isolate. Returns its control block and its bound functions as one object.
///
/// `owner` is Node's number of the thread. `transfer` is `ArrayBuffer.prototype.transfer` as no script has replaced it, or
/// undefined where there is none.
///
/// The boundary may be opened again, since a test runner loads modules more than once. All callers share the isolate's
/// state. Each gets a number of its own, `facade`, since it knows only the memory that it has shown itself.
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

/// Returns how the last call through the control block failed.
#[napi(catch_unwind)]
pub fn last_fault(env: Env) -> Result<FaultDetails> {
    let fault = EnvState::of_any(env)?.fault.take();
    Ok(fault.unwrap_or_else(|| Fault::internal("no fault was recorded")).into())
}
