//! Lists of the objects in tables, for any thread.

use std::collections::{BTreeMap, TryReserveError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use framepool::buddy::BuddyPool;
use framepool::census::Census;
use framepool::slot::{MAX_SLOTS, Region, Slice};
use framepool::threads::ticket::Depositor;
use napi::bindgen_prelude::ToNapiValue;
use napi::sys;
use napi_derive::napi;

/// Properties of an object for `inspect()`, read when a table takes it in.
pub(crate) trait Listed {
    /// Kinds of objects of this type in `inspect()`.
    const KINDS: &'static [&'static str];

    /// Whether other threads can look into objects of this type.
    const HAS_WINDOW: bool = false;

    /// Returns the object's kind: its place in [`KINDS`](Self::KINDS).
    fn kind(&self) -> u8 {
        0
    }

    /// Returns how many bytes the object holds.
    fn bytes(&self) -> usize;

    /// Returns a look into the object, if it has a window.
    fn window(&self) -> Option<Window> {
        None
    }

    /// Notes, in debug mode, the stack of the call that acquired the object. If its memory is written to after its release,
    /// the report quotes the stack.
    fn note_origin(&mut self, _stack: &Arc<str>) {}
}

/// A look into an object from any thread.
pub(crate) enum Window {
    /// The slices that a slot pool has lent to JavaScript.
    Slots(Arc<Region>),
    /// The blocks of a buddy pool.
    Blocks(BuddyPool),
}

/// Time and place at which an object was acquired, in debug mode.
struct Origin {
    since: Instant,
    stack: Arc<str>,
}

/// The contents of one table, for any thread to read.
pub(super) struct Listing {
    kinds: &'static [&'static str],
    pub(super) census: Census,
    /// By place in the table, as are the origins.
    windows: Mutex<BTreeMap<u32, Window>>,
    origins: Mutex<BTreeMap<u32, Origin>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Listing {
    pub(super) fn new(kinds: &'static [&'static str]) -> Self {
        Self { kinds, census: Census::default(), windows: Mutex::default(), origins: Mutex::default() }
    }

    pub(super) fn open_window(&self, index: u32, window: Window) {
        locked(&self.windows).insert(index, window);
    }

    /// Closes all windows, since they keep memory.
    pub(super) fn close_windows(&self) {
        locked(&self.windows).clear();
    }

    pub(super) fn note_origin(&self, index: u32, stack: Arc<str>) {
        locked(&self.origins).insert(index, Origin { since: Instant::now(), stack });
    }

    #[cold]
    pub(super) fn forget(&self, index: u32) {
        locked(&self.windows).remove(&index);
        locked(&self.origins).remove(&index);
    }

    fn list(&self, owner: u32, list: &mut Vec<InspectedObject>) -> Result<(), TryReserveError> {
        let (windows, origins) = (locked(&self.windows), locked(&self.origins));
        for entry in self.census.entries() {
            let (mut bytes, window) = (entry.bytes, windows.get(&entry.index));
            if let Some(Window::Blocks(pool)) = window {
                bytes = pool.stats().allocated_memory as u64;
            }
            let origin = origins.get(&entry.index);
            list.try_reserve(1 + MAX_SLOTS)?;
            list.push(InspectedObject {
                kind: self.kinds[usize::from(entry.kind)],
                owner,
                bytes: bytes as f64,
                age_ms: origin.map(|origin| origin.since.elapsed().as_secs_f64() * 1e3),
                stack: origin.map(|origin| Text(Arc::clone(&origin.stack))),
            });
            if let Some(Window::Slots(region)) = window {
                list.extend(region.held_lengths().map(|bytes| InspectedObject {
                    kind: Slice::KINDS[0],
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

/// Lists of one isolate.
pub(crate) struct Isolate {
    /// Node's number of its thread.
    pub(super) owner: u32,
    /// The owner of its tickets.
    pub(super) depositor: Depositor,
    listings: Vec<Arc<Listing>>,
}

/// Every isolate that has loaded the addon and has not ended.
static ISOLATES: Mutex<Vec<Arc<Isolate>>> = Mutex::new(Vec::new());

impl Isolate {
    pub(crate) fn new(owner: u32, depositor: Depositor) -> Self {
        Self { owner, depositor, listings: Vec::new() }
    }

    pub(super) fn add(&mut self, listing: Arc<Listing>) {
        self.listings.push(listing);
    }

    /// Shows the isolate to every thread, until the guard is dropped.
    pub(crate) fn publish(self) -> Published {
        let isolate = Arc::new(self);
        locked(&ISOLATES).push(Arc::clone(&isolate));
        Published(isolate)
    }

    /// Returns the isolates that are published.
    pub(super) fn all() -> Vec<Arc<Self>> {
        locked(&ISOLATES).clone()
    }

    /// Appends what the isolate has to `list`.
    pub(super) fn list(&self, list: &mut Vec<InspectedObject>) -> Result<(), TryReserveError> {
        self.listings.iter().try_for_each(|listing| listing.list(self.owner, list))
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
    /// Kind of the object.
    pub kind: &'static str,
    /// The thread that it belongs to.
    pub owner: u32,
    /// Number of bytes that it holds.
    pub bytes: f64,
    /// In debug mode: time since it was acquired, in milliseconds.
    pub age_ms: Option<f64>,
    /// In debug mode: the stack of the call that acquired it.
    #[napi(ts_type = "string")]
    pub stack: Option<Text>,
}
