//! What is alive in the process, isolate by isolate: `inspect()` of the facade.
//!
//! An isolate's objects belong to its thread. Each table notes in its [`Listing`] what it takes in and gives up; listings
//! can be read from any thread, so that no isolate has to help another to look, or is kept waiting by it.

use std::collections::{BTreeMap, TryReserveError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use framepool::buddy::BuddyPool;
use framepool::census::Census;
use framepool::handle::{Handle, HandleTable};
use framepool::shown::{Memory, Shown};
use framepool::slot::{Region, SLOTS};
use framepool::ticket::Sender;
use napi::bindgen_prelude::ToNapiValue;
use napi::{Env, sys};
use napi_derive::napi;

use crate::allocator;
use crate::boundary::ObjectHandle;
use crate::env::EnvState;
use crate::errors::{Fault, Result};
use crate::ring::RingHalf;
use crate::ticket::PARKED;

/// Kinds of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    SlotPool,
    Slice,
    SystemMemoryBuffer,
    BudgetPool,
    Allocation,
    BuddyPool,
    BuddyBuffer,
    Producer,
    Consumer,
    Sv2Session,
    Pump,
    SliceSender,
    SliceReceiver,
}

/// Their names in the facade, in order.
const NAMES: [&str; 13] = [
    "slot-pool",
    "slice",
    "system-memory-buffer",
    "budget-pool",
    "allocation",
    "buddy-pool",
    "buddy-buffer",
    "producer",
    "consumer",
    "sv2-session",
    "pump",
    "slice-sender",
    "slice-receiver",
];

/// What an object tells of itself when a table takes it in.
pub(crate) trait Listed {
    fn kind(&self) -> Kind;

    /// What it holds, in bytes.
    fn bytes(&self) -> usize;

    /// Whether other threads can look into it.
    const HAS_WINDOW: bool = false;

    /// A look into it, if it has a window.
    fn window(&self) -> Option<Window> {
        None
    }
}

/// A look into an object from any thread.
pub(crate) enum Window {
    /// The slices that a slot pool has lent to JavaScript.
    Slots(Arc<Region>),
    /// The blocks of a buddy pool.
    Blocks(BuddyPool),
}

/// Who acquired an object, in debug mode.
struct Origin {
    since: Instant,
    stack: Arc<str>,
}

/// What one table has, for any thread to read.
#[derive(Default)]
struct Listing {
    census: Census,
    /// By place in the table, as are the origins.
    windows: Mutex<BTreeMap<u32, Window>>,
    origins: Mutex<BTreeMap<u32, Origin>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Listing {
    #[cold]
    fn forget(&self, index: u32) {
        locked(&self.windows).remove(&index);
        locked(&self.origins).remove(&index);
    }

    fn list(&self, owner: u32, list: &mut Vec<InspectedObject>) -> std::result::Result<(), TryReserveError> {
        let (windows, origins) = (locked(&self.windows), locked(&self.origins));
        for entry in self.census.entries() {
            let (mut bytes, window) = (entry.bytes, windows.get(&entry.index));
            if let Some(Window::Blocks(pool)) = window {
                bytes = pool.stats().allocated_memory as u64;
            }
            let origin = origins.get(&entry.index);
            list.try_reserve(1 + SLOTS)?;
            list.push(InspectedObject {
                kind: NAMES[usize::from(entry.kind)],
                owner,
                bytes: bytes as f64,
                age_ms: origin.map(|origin| origin.since.elapsed().as_secs_f64() * 1e3),
                stack: origin.map(|origin| Text(Arc::clone(&origin.stack))),
            });
            if let Some(Window::Slots(region)) = window {
                list.extend(region.held_lengths().map(|bytes| InspectedObject {
                    kind: NAMES[Kind::Slice as usize],
                    owner,
                    bytes: bytes as f64,
                    age_ms: None,
                    stack: None,
                }));
            }
        }
        Ok(())
    }
}

/// An isolate's objects of one sort, by handle; and for everybody, what they are.
pub(crate) struct Table<T: Listed> {
    objects: HandleTable<T>,
    listing: Arc<Listing>,
    /// Whether an origin was ever noted: otherwise there is none to forget.
    traced: bool,
}

impl<T: Memory> Table<Shown<T>>
where
    Shown<T>: Listed,
{
    /// Drops the object, or abandons it.
    #[inline]
    pub(crate) fn free(&mut self, handle: Handle, abandoned: bool) -> std::result::Result<(), Fault> {
        if abandoned {
            self.remove(handle).ok_or_else(Fault::released)?.abandon();
            Ok(())
        } else if self.discard(handle) {
            Ok(())
        } else {
            Err(Fault::released())
        }
    }
}

impl<T: Listed> Table<T> {
    /// A table that shows what it has among the objects of `isolate`.
    pub(crate) fn new(isolate: &mut Isolate) -> Self {
        let listing = Arc::<Listing>::default();
        isolate.listings.push(Arc::clone(&listing));
        Self { objects: HandleTable::default(), listing, traced: false }
    }

    /// Whether the next object can be taken in without memory.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.objects.has_place()
    }

    /// Makes sure that the next object can be taken in. Without memory for it nothing changes.
    #[inline]
    pub(crate) fn make_room(&mut self) -> std::result::Result<(), Fault> {
        if self.has_room() { Ok(()) } else { self.add_place().map_err(|_| Fault::no_memory()) }
    }

    #[cold]
    fn add_place(&mut self) -> std::result::Result<(), TryReserveError> {
        self.listing.census.make_room(self.objects.places())?;
        self.objects.add_place().map(drop)
    }

    /// Takes an object in. Without memory for that it is dropped: where it must not be lost, [room](Self::make_room) is made
    /// before.
    #[inline]
    pub(crate) fn insert(&mut self, object: T) -> std::result::Result<Handle, Fault> {
        self.make_room()?;
        let (kind, bytes, window) = (object.kind(), object.bytes(), object.window());
        let handle = self.objects.insert(object).map_err(|_| Fault::no_memory())?;
        if let Some(window) = window {
            locked(&self.listing.windows).insert(handle.index, window);
        }
        self.listing.census.set(handle.index, kind as u8, bytes as u64);
        Ok(handle)
    }

    #[inline]
    pub(crate) fn get(&self, handle: Handle) -> Option<&T> {
        self.objects.get(handle)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, handle: Handle) -> Option<&mut T> {
        self.objects.get_mut(handle)
    }

    #[inline]
    pub(crate) fn remove(&mut self, handle: Handle) -> Option<T> {
        let object = self.objects.remove(handle);
        if object.is_some() {
            self.unlist(handle.index);
        }
        object
    }

    /// Drops the object where it is; false if it was removed before. Taken out first, an object of some words is moved more
    /// than once, which costs more than all else here.
    #[inline]
    pub(crate) fn discard(&mut self, handle: Handle) -> bool {
        let was_here = self.objects.discard(handle);
        if was_here {
            self.unlist(handle.index);
        }
        was_here
    }

    #[inline]
    fn unlist(&self, index: u32) {
        self.listing.census.clear(index);
        if T::HAS_WINDOW || self.traced {
            self.listing.forget(index);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.objects.clear();
        // The windows keep memory.
        locked(&self.listing.windows).clear();
    }

    /// Notes who acquired the object. A stale handle notes nothing.
    fn trace(&mut self, handle: Handle, stack: Arc<str>) {
        if self.objects.get(handle).is_some() {
            self.traced = true;
            locked(&self.listing.origins).insert(handle.index, Origin { since: Instant::now(), stack });
        }
    }
}

/// What one isolate shows of itself.
pub(crate) struct Isolate {
    /// Node's number of its thread.
    owner: u32,
    /// To whom its tickets belong.
    sender: Sender,
    listings: Vec<Arc<Listing>>,
}

/// Of every isolate that has loaded the addon and has not ended.
static ISOLATES: Mutex<Vec<Arc<Isolate>>> = Mutex::new(Vec::new());

impl Isolate {
    pub(crate) fn new(owner: u32, sender: Sender) -> Self {
        Self { owner, sender, listings: Vec::new() }
    }

    /// Shows it to everybody, until the guard is dropped.
    pub(crate) fn publish(self) -> Published {
        let isolate = Arc::new(self);
        locked(&ISOLATES).push(Arc::clone(&isolate));
        Published(isolate)
    }
}

/// An isolate that `inspect()` lists.
pub(crate) struct Published(Arc<Isolate>);

impl Drop for Published {
    fn drop(&mut self) {
        locked(&ISOLATES).retain(|isolate| !Arc::ptr_eq(isolate, &self.0));
    }
}

/// Text that is shared, not copied, on its way to JavaScript.
pub struct Text(pub(crate) Arc<str>);

impl ToNapiValue for Text {
    unsafe fn to_napi_value(env: sys::napi_env, text: Self) -> napi::Result<sys::napi_value> {
        // SAFETY: as the caller promises.
        unsafe { <&str>::to_napi_value(env, &text.0) }
    }
}

/// One object that is alive.
#[napi(object, object_from_js = false)]
pub struct InspectedObject {
    /// What it is.
    pub kind: &'static str,
    /// The thread that it belongs to.
    pub owner: u32,
    /// What it holds.
    pub bytes: f64,
    /// In debug mode: how long ago it was acquired, in milliseconds.
    pub age_ms: Option<f64>,
    /// In debug mode: who acquired it.
    #[napi(ts_type = "string")]
    pub stack: Option<Text>,
}

/// What is alive in every isolate of the process. Of slices in slots: as far as native code was told of them.
#[napi(catch_unwind)]
pub fn inspect() -> Result<Vec<InspectedObject>> {
    allocator::check()?;
    let isolates = locked(&ISOLATES).clone();
    let mut list = Vec::new();
    for isolate in &isolates {
        for listing in &isolate.listings {
            listing.list(isolate.owner, &mut list).map_err(|_| Fault::no_memory())?;
        }
    }
    let mut complete = true;
    PARKED.for_each(|sender, object| {
        // One whose isolate is ending is about to be revoked.
        if let Some(isolate) = isolates.iter().find(|isolate| isolate.sender == sender) {
            complete = complete && list.try_reserve(1).is_ok();
            if !complete {
                return;
            }
            list.push(InspectedObject {
                kind: "ticket",
                owner: isolate.owner,
                bytes: object.bytes() as f64,
                age_ms: None,
                stack: None,
            });
        }
    });
    if complete { Ok(list) } else { Err(Fault::no_memory().into()) }
}

/// Notes who acquired an object of this isolate. Objects of other kinds than those below are never traced.
#[napi(catch_unwind)]
pub fn trace(env: Env, kind: String, handle: ObjectHandle, stack: String) -> Result<()> {
    let (state, handle, stack) = (EnvState::of_any(env)?, Handle::from(handle), Arc::<str>::from(stack));
    match kind.as_str() {
        "slot-pool" => {
            if let Some(entry) = state.slot_pools.get(handle) {
                entry.pool.region().guard().set_origin(Arc::clone(&stack));
            }
            state.slot_pools.trace(handle, stack);
        }
        "slice" => {
            if let Some(slice) = state.slices.get_mut(handle) {
                slice.set_origin(Arc::clone(&stack));
            }
            state.slices.trace(handle, stack);
        }
        "system-memory-buffer" => state.system_memories.trace(handle, stack),
        "budget-pool" => state.budget_pools.trace(handle, stack),
        "allocation" => {
            if let Some(allocation) = state.budget_allocations.get_mut(handle) {
                allocation.set_origin(Arc::clone(&stack));
            }
            state.budget_allocations.trace(handle, stack);
        }
        "buddy-pool" => state.buddy_pools.table.trace(handle, stack),
        "buddy-buffer" => {
            if let Some(buffer) = state.buddy_buffers.get_mut(handle) {
                buffer.set_origin(Arc::clone(&stack));
            }
            state.buddy_buffers.trace(handle, stack);
        }
        "producer" | "consumer" => {
            if let Some(Ok(half)) = state.ring_halves.get_mut(handle).map(RingHalf::here) {
                half.guard().set_origin(Arc::clone(&stack));
            }
            state.ring_halves.trace(handle, stack);
        }
        "slice-sender" => state.senders.trace(handle, stack),
        "slice-receiver" => state.receivers.trace(handle, stack),
        "sv2-session" => {
            if let Some(session) = state.sessions.get_mut(handle) {
                session.output().guard().set_origin(Arc::clone(&stack));
            }
            state.sessions.trace(handle, stack);
        }
        _ => return Err(Fault::internal(&format!("nothing traces a {kind}")).into()),
    }
    Ok(())
}
