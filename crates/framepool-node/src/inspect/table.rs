//! Tables of an isolate's objects.

use std::collections::TryReserveError;
use std::sync::Arc;

use framepool::handle::{Handle, HandleTable};
use framepool::shown::{Memory, Shown};

use crate::errors::Fault;
use crate::inspect::listing::{Isolate, Listed, Listing};

/// Entry of `Tables`: some of an isolate's objects, by handle.
pub(crate) trait Store {
    /// Kind of the objects in `inspect()`. Empty if it does not list them.
    const KINDS: &'static [&'static str] = &[];

    /// Makes an empty store. Its objects are listed among those of `isolate`.
    fn new(isolate: &mut Isolate) -> Self;

    /// Drops all objects, since the isolate is ending.
    fn clear(&mut self);

    /// Notes the stack of the call that acquired an object. A stale handle notes nothing.
    fn trace(&mut self, _handle: Handle, _stack: Arc<str>) {}
}

/// An isolate's objects of one type. Any thread can list them.
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
    pub(crate) fn free(&mut self, handle: Handle, abandoned: bool) -> Result<(), Fault> {
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

impl<T: Listed> Store for Table<T> {
    const KINDS: &'static [&'static str] = T::KINDS;

    fn new(isolate: &mut Isolate) -> Self {
        let listing = Arc::new(Listing::new(T::KINDS));
        isolate.add(Arc::clone(&listing));
        Self { objects: HandleTable::default(), listing, traced: false }
    }

    fn clear(&mut self) {
        self.objects.clear();
        self.listing.close_windows();
    }

    fn trace(&mut self, handle: Handle, stack: Arc<str>) {
        if let Some(object) = self.objects.get_mut(handle) {
            object.note_origin(&stack);
            self.traced = true;
            self.listing.note_origin(handle.index, stack);
        }
    }
}

impl<T: Listed> Table<T> {
    /// Returns whether the next object can be taken in without memory.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.objects.has_place()
    }

    /// Makes sure that the next object can be taken in. Without memory for it nothing changes.
    #[inline]
    pub(crate) fn make_room(&mut self) -> Result<(), Fault> {
        if self.has_room() { Ok(()) } else { self.add_place().map_err(|_| Fault::no_memory()) }
    }

    #[cold]
    fn add_place(&mut self) -> Result<(), TryReserveError> {
        self.listing.census.make_room(self.objects.places())?;
        self.objects.add_place().map(drop)
    }

    /// Takes an object in. Without memory for that the object is dropped: where it must not be lost, [make
    /// room](Self::make_room) first.
    #[inline]
    pub(crate) fn insert(&mut self, object: T) -> Result<Handle, Fault> {
        self.make_room()?;
        let (kind, bytes, window) = (object.kind(), object.bytes(), object.window());
        let handle = self.objects.insert(object).map_err(|_| Fault::no_memory())?;
        if let Some(window) = window {
            self.listing.open_window(handle.index, window);
        }
        self.listing.census.set(handle.index, kind, bytes as u64);
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

    /// Drops the object where it is. Returns false if it was removed before.
    ///
    /// An object that is taken out first is moved more than once, which costs more than everything else here.
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
}
