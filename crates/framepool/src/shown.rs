//! Memory that code outside may see, such as JavaScript through an `ArrayBuffer`.
//!
//! [`Shown`] owns such memory, and is the only way to its owner. Whether the owner is dropped, replaced or sent to
//! another thread, one function decides: [`Exposure::conceal`] ends every sight of the memory, and tells whether that
//! succeeded. If it did not, the memory is kept while anything can see it.

use std::any::Any;
use std::fmt;
use std::mem;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;

/// An owner of memory.
///
/// # Safety
///
/// The bytes of [`span`](Self::span) are valid for reads and writes until the owner is dropped, even if the owner is
/// moved. Nothing that a shared reference to the owner allows moves or frees them.
pub unsafe trait Memory: Send + 'static {
    /// Returns the memory.
    fn span(&self) -> NonNull<[u8]>;
}

/// An owner that can be worked with while its memory stays in place.
///
/// # Safety
///
/// Nothing that [`access`](Self::access) allows moves or frees the memory.
pub unsafe trait InPlace: Memory {
    /// The operations that leave the memory in place. The type is unsized, so that the owner cannot be swapped for
    /// another.
    type Access: ?Sized;

    /// Returns the owner for operations that leave the memory in place.
    fn access(&mut self) -> &mut Self::Access;
}

/// Knowledge of how some memory is seen from outside. Every sight of the memory that may still be open holds a share of
/// it.
pub trait Exposure: Any + Send + Sync {
    /// Ends the sights of the memory. Returns true if nothing can see the memory any more.
    fn conceal(&self) -> bool;

    /// Keeps `owner`, which owns the memory, while anything can see the memory.
    fn keep(&self, owner: Box<dyn Any + Send>);
}

/// An owner of memory that may be seen from outside. Dropping it frees the memory only if nothing can see the memory
/// any more.
pub struct Shown<T: Memory> {
    /// `None` only while it is being dropped.
    owner: Option<T>,
    /// `None` until the memory is shown.
    exposure: Option<Arc<dyn Exposure>>,
}

/// The right to show some memory, with its exposure so far.
pub struct Sight<'a> {
    span: NonNull<[u8]>,
    exposure: &'a mut Option<Arc<dyn Exposure>>,
}

impl Sight<'_> {
    /// Returns the memory. It lives at least while the sights of its exposure are open: see [`Exposure::keep`].
    pub fn span(&self) -> NonNull<[u8]> {
        self.span
    }

    /// Returns the exposure of the memory. Makes it with `make` for the first sight.
    pub fn exposure(&mut self, make: impl FnOnce() -> Arc<dyn Exposure>) -> &Arc<dyn Exposure> {
        self.exposure.get_or_insert_with(make)
    }
}

impl<T: Memory> Shown<T> {
    /// Takes over an owner whose memory nothing outside has seen.
    pub fn new(owner: T) -> Self {
        Self { owner: Some(owner), exposure: None }
    }

    /// Returns the right to show the memory.
    pub fn sight(&mut self) -> Sight<'_> {
        let span = self.span();
        Sight { span, exposure: &mut self.exposure }
    }

    /// Returns the owner for operations that leave the memory in place.
    #[inline]
    pub fn access(&mut self) -> &mut T::Access
    where
        T: InPlace,
    {
        self.owner_mut().access()
    }

    /// Returns true if the memory was shown and may still be seen.
    pub fn is_exposed(&self) -> bool {
        self.exposure.is_some()
    }

    /// Ends every sight of the memory. Returns true if nothing can see the memory any more.
    pub fn conceal(&mut self) -> bool {
        let Some(exposure) = &self.exposure else { return true };
        // A sight that is over has dropped its share.
        let concealed = exposure.conceal() || Arc::strong_count(exposure) == 1;
        if concealed {
            self.exposure = None;
        }
        concealed
    }

    /// Gives up the memory without ending its sights. It is freed after the last of them is over.
    pub fn abandon(mut self) {
        if let (Some(owner), Some(exposure)) = (self.owner.take(), self.exposure.take()) {
            exposure.keep(Box::new(owner));
        }
    }

    /// Returns the owner if nothing can see the memory any more. Otherwise returns `None`, and the memory is kept while
    /// it can be seen.
    pub fn into_inner(mut self) -> Option<T> {
        if self.conceal() { self.owner.take() } else { None }
    }

    /// Returns the owner if the memory was never shown or is concealed.
    pub(crate) fn unseen(&mut self) -> Option<&mut T> {
        if self.exposure.is_none() { self.owner.as_mut() } else { None }
    }

    /// Returns the owner. The caller must leave the memory in place.
    #[inline]
    pub(crate) fn owner_mut(&mut self) -> &mut T {
        self.owner.as_mut().expect("an owner until it is dropped")
    }

    /// Replaces the owner with what `wrap` makes of it. `wrap` must leave the memory in place.
    pub(crate) fn map<U: Memory>(mut self, wrap: impl FnOnce(T) -> U) -> Shown<U> {
        let owner = self.owner.take().expect("an owner until it is dropped");
        Shown { owner: Some(wrap(owner)), exposure: mem::take(&mut self.exposure) }
    }
}

impl<T: Memory> Deref for Shown<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.owner.as_ref().expect("an owner until it is dropped")
    }
}

impl<T: Memory + Default> Default for Shown<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: Memory + fmt::Debug> fmt::Debug for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").field("owner", &self.owner).field("exposed", &self.is_exposed()).finish_non_exhaustive()
    }
}

impl<T: Memory> Drop for Shown<T> {
    #[inline]
    fn drop(&mut self) {
        if self.exposure.is_some() && !self.conceal() && self.owner.is_some() {
            let owner = self.owner.take().expect("it is there");
            self.exposure.take().expect("it was not concealed").keep(Box::new(owner));
        }
    }
}

// SAFETY: moving a vector does not move its memory. A shared reference can neither move nor free the bytes.
unsafe impl Memory for Vec<u8> {
    fn span(&self) -> NonNull<[u8]> {
        let start = NonNull::new(self.as_ptr().cast_mut()).expect("a vector's pointer is not null");
        NonNull::slice_from_raw_parts(start, self.len())
    }
}

// SAFETY: a slice can neither move nor free the bytes.
unsafe impl InPlace for Vec<u8> {
    type Access = [u8];

    fn access(&mut self) -> &mut [u8] {
        self
    }
}

impl Shown<Vec<u8>> {
    /// Keeps the first `len` bytes. The others stay allocated, because a sight of them may be open.
    pub fn truncate(&mut self, len: usize) {
        self.owner_mut().truncate(len);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Memory that counts how often it is freed.
    struct Traced(Vec<u8>, Arc<Mutex<u32>>);

    // SAFETY: the vector in it keeps the contract.
    unsafe impl Memory for Traced {
        fn span(&self) -> NonNull<[u8]> {
            self.0.span()
        }
    }

    impl Drop for Traced {
        fn drop(&mut self) {
            *self.1.lock().expect("no panic") += 1;
        }
    }

    #[derive(Default)]
    struct Window {
        stuck: bool,
        kept: Mutex<Option<Box<dyn Any + Send>>>,
    }

    impl Exposure for Window {
        fn conceal(&self) -> bool {
            !self.stuck
        }

        fn keep(&self, owner: Box<dyn Any + Send>) {
            *self.kept.lock().expect("no panic") = Some(owner);
        }
    }

    fn shown(stuck: bool) -> (Shown<Traced>, Arc<dyn Exposure>, Arc<Mutex<u32>>) {
        let freed = Arc::<Mutex<u32>>::default();
        let mut memory = Shown::new(Traced(vec![1, 2, 3], Arc::clone(&freed)));
        let sight = Arc::clone(memory.sight().exposure(|| Arc::new(Window { stuck, ..Window::default() })));
        (memory, sight, freed)
    }

    #[test]
    fn memory_that_can_be_concealed_is_freed_at_once() {
        let (memory, _sight, freed) = shown(false);
        drop(memory);
        assert_eq!(*freed.lock().expect("no panic"), 1);
    }

    #[test]
    fn memory_that_can_still_be_seen_is_freed_with_the_last_sight() {
        for way in [drop, Shown::abandon, |memory| assert!(Shown::into_inner(memory).is_none())] {
            let (memory, sight, freed) = shown(true);
            way(memory);
            assert_eq!(*freed.lock().expect("no panic"), 0);
            drop(sight);
            assert_eq!(*freed.lock().expect("no panic"), 1);
        }
    }

    #[test]
    fn a_sight_that_is_over_keeps_nothing() {
        let (mut memory, sight, freed) = shown(true);
        assert!(!memory.conceal());
        drop(sight);
        assert!(memory.conceal());
        drop(memory);
        assert_eq!(*freed.lock().expect("no panic"), 1);
    }

    #[test]
    fn another_owner_has_the_same_sights() {
        let (memory, sight, freed) = shown(true);
        let memory = memory.map(|traced| traced);
        drop(memory);
        assert_eq!(*freed.lock().expect("no panic"), 0);
        drop(sight);
        assert_eq!(*freed.lock().expect("no panic"), 1);
    }
}
