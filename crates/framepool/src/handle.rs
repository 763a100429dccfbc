//! Handles: names for objects, for a caller that cannot hold a reference.
//!
//! A handle whose object was removed never names another object.

use std::collections::TryReserveError;

/// The name of one object of a [`HandleTable`]. After the object was removed, it names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle {
    /// Place in the table.
    pub index: u32,
    /// Times that the place had been emptied when the handle was made.
    pub generation: u32,
}

#[derive(Debug)]
struct Entry<T> {
    generation: u32,
    value: Option<T>,
}

/// Objects by [`Handle`]. A stale handle finds nothing.
#[derive(Debug)]
pub struct HandleTable<T> {
    entries: Vec<Entry<T>>,
    /// Indices of the empty places. Its capacity covers every place, so removing an object needs no memory.
    free: Vec<u32>,
}

impl<T> Default for HandleTable<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), free: Vec::new() }
    }
}

impl<T> HandleTable<T> {
    /// Returns true if the next [`insert`](Self::insert) needs no memory.
    #[inline]
    pub fn has_place(&self) -> bool {
        !self.free.is_empty()
    }

    /// Returns the number of places, which is the index of the next one that is [added](Self::add_place).
    ///
    /// # Panics
    ///
    /// Panics if there are 2³² places.
    pub fn places(&self) -> u32 {
        u32::try_from(self.entries.len()).expect("fewer than 2^32 objects")
    }

    /// Adds a place and returns its index. Returns an error, and changes nothing, if there is no memory.
    ///
    /// # Panics
    ///
    /// Panics if there are 2³² places.
    #[cold]
    pub fn add_place(&mut self) -> Result<u32, TryReserveError> {
        let places = self.entries.len() + 1;
        self.free.try_reserve(places - self.free.len())?;
        self.entries.try_reserve(1)?;
        let index = self.places();
        self.entries.push(Entry { generation: 0, value: None });
        self.free.push(index);
        Ok(index)
    }

    /// Inserts `value` and returns its handle. Drops `value` and returns an error if there is no memory for its place.
    ///
    /// # Panics
    ///
    /// Panics if there are 2³² places.
    #[inline]
    pub fn insert(&mut self, value: T) -> Result<Handle, TryReserveError> {
        // The place is made before the value is written. The value is then written in one spot of the code, and need
        // not be moved.
        if !self.has_place() {
            self.add_place()?;
        }
        let index = self.free.pop().expect("a place was made");
        let entry = &mut self.entries[index as usize];
        entry.value = Some(value);
        Ok(Handle { index, generation: entry.generation })
    }

    /// Returns the object, or `None` if it was removed.
    #[inline]
    pub fn get(&self, handle: Handle) -> Option<&T> {
        let entry = self.entries.get(handle.index as usize)?;
        if entry.generation == handle.generation { entry.value.as_ref() } else { None }
    }

    /// Returns the object, or `None` if it was removed.
    #[inline]
    pub fn get_mut(&mut self, handle: Handle) -> Option<&mut T> {
        let entry = self.entries.get_mut(handle.index as usize)?;
        if entry.generation == handle.generation { entry.value.as_mut() } else { None }
    }

    /// Removes the object and returns it. Returns `None` if it was removed before.
    #[inline]
    pub fn remove(&mut self, handle: Handle) -> Option<T> {
        let value = self.entry(handle)?.value.take();
        self.vacate(handle);
        value
    }

    /// Drops the object in its place, which costs less than moving it out. Returns false if it was removed before.
    #[inline]
    pub fn discard(&mut self, handle: Handle) -> bool {
        let Some(entry) = self.entry(handle) else { return false };
        entry.value = None;
        self.vacate(handle);
        true
    }

    /// Returns the place of an object that is alive.
    #[inline]
    fn entry(&mut self, handle: Handle) -> Option<&mut Entry<T>> {
        let entry = self.entries.get_mut(handle.index as usize)?;
        if entry.generation == handle.generation && entry.value.is_some() { Some(entry) } else { None }
    }

    /// Lets the place of a removed object be used again.
    #[inline]
    fn vacate(&mut self, handle: Handle) {
        // A place whose generations are used up stays empty: reusing it would bring old handles back to life.
        if let Some(generation) = handle.generation.checked_add(1) {
            self.entries[handle.index as usize].generation = generation;
            self.free.push(handle.index);
        }
    }

    /// Returns the objects that are alive.
    pub fn into_values(self) -> impl Iterator<Item = T> {
        self.entries.into_iter().filter_map(|entry| entry.value)
    }

    /// Returns the number of objects that are alive.
    pub fn len(&self) -> usize {
        self.entries.iter().filter(|entry| entry.value.is_some()).count()
    }

    /// Returns true if no object is alive.
    pub fn is_empty(&self) -> bool {
        self.entries.iter().all(|entry| entry.value.is_none())
    }

    /// Drops every object.
    pub fn clear(&mut self) {
        for index in 0..self.entries.len() as u32 {
            let generation = self.entries[index as usize].generation;
            self.discard(Handle { index, generation });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    fn insert<T>(table: &mut HandleTable<T>, value: T) -> Handle {
        table.insert(value).expect("memory")
    }

    #[test]
    fn a_stale_handle_finds_nothing() {
        let mut table = HandleTable::default();
        let first = insert(&mut table, "first");
        assert_eq!(table.remove(first), Some("first"));
        let second = insert(&mut table, "second");
        assert_eq!(second.index, first.index);
        assert_eq!(table.get(first), None);
        assert_eq!(table.get_mut(first), None);
        assert_eq!(table.remove(first), None);
        assert_eq!(table.get(second), Some(&"second"));
    }

    #[test]
    fn discarded_objects_are_dropped_once() {
        let object = Rc::new(());
        let mut table = HandleTable::default();
        let handle = insert(&mut table, Rc::clone(&object));
        assert!(table.discard(handle));
        assert_eq!(Rc::strong_count(&object), 1);
        assert!(!table.discard(handle));
        let next = insert(&mut table, Rc::clone(&object));
        assert_eq!(next.index, handle.index);
        assert!(!table.discard(handle), "the place has another object now");
        assert_eq!(Rc::strong_count(&object), 2);
    }

    #[test]
    fn a_place_without_generations_left_is_not_reused() {
        let mut table = HandleTable::default();
        let handle = insert(&mut table, 1);
        table.entries[0].generation = u32::MAX;
        let last = Handle { generation: u32::MAX, ..handle };
        assert_eq!(table.remove(last), Some(1));
        assert_ne!(insert(&mut table, 2).index, last.index);
        assert_eq!(table.get(last), None);
    }

    #[test]
    fn clear_empties_it() {
        let mut table = HandleTable::default();
        let handles = [insert(&mut table, 1), insert(&mut table, 2)];
        table.clear();
        assert!(table.is_empty());
        assert_eq!(table.len(), 0);
        assert!(handles.iter().all(|&handle| table.get(handle).is_none()));
    }
}
