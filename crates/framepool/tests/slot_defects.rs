//! Every known fault of the pool in `buffer_sv2` 3.0.1: the crate's pool shows it, and ours does not. If a later
//! version mends a fault, its test fails here, and the crate deserves another look.
//!
//! If the crate would access memory that is not its own, only lengths and addresses are compared. One fault has no
//! test: the crate clears slot bits with relaxed ordering (upstream #2310), which neither an x86 machine nor any output
//! can show. `slot_lifetime.rs` tests that ours publishes the bytes.

use std::{
    ops::Range,
    panic::{self, AssertUnwindSafe},
    sync::mpsc,
    thread,
    time::Duration,
};

use buffer_sv2::{AeadBuffer, Buffer, BufferFromSystemMemory, BufferPool};
use framepool::slot::{Mode, OutOfRange, Slice, SlotPool};

type CratePool = BufferPool<BufferFromSystemMemory>;

const CAPACITY: usize = 40;

fn ours() -> SlotPool {
    SlotPool::new(CAPACITY).expect("memory")
}

fn take<B: Buffer>(pool: &mut B, len: usize) -> B::Slice {
    pool.get_writable(len);
    pool.get_data_owned()
}

fn addresses(slice: &impl AsRef<[u8]>) -> Range<usize> {
    let range = slice.as_ref().as_ptr_range();
    range.start.addr()..range.end.addr()
}

fn overlap<S: AsRef<[u8]>>(slices: &[S]) -> bool {
    slices.iter().enumerate().any(|(i, a)| {
        let a = addresses(a);
        slices[..i].iter().map(addresses).any(|b| a.start < b.end && b.start < a.end)
    })
}

/// Takes eight slices of 5 bytes and releases the first two. Takes two of 2 bytes and releases them. Takes six of 1
/// byte, then two of 5 bytes.
fn overlapping_program<B: Buffer>(pool: &mut B) -> Vec<B::Slice> {
    let mut slices: Vec<_> = (0..8).map(|_| take(pool, 5)).collect();
    slices.drain(..2);
    let two = [take(pool, 2), take(pool, 2)];
    drop(two);
    slices.extend((0..6).map(|_| take(pool, 1)));
    slices.extend((0..2).map(|_| take(pool, 5)));
    slices
}

#[test]
fn live_slices_are_overwritten() {
    let mut theirs = CratePool::new(CAPACITY);
    let slices = overlapping_program(&mut theirs);
    assert!(overlap(&slices));
    drop(slices);
    // Slots that were taken twice are out of step, so dropping the pool might wait forever.
    std::mem::forget(theirs);

    let mut ours = ours();
    assert!(!overlap(&overlapping_program(&mut ours)));
}

/// Takes one message above the capacity, then small ones with nothing else alive.
fn mode_after_a_large_message<B: Buffer>(pool: &mut B) {
    take(pool, CAPACITY + 1);
    for _ in 0..100 {
        take(pool, 5);
    }
}

#[test]
fn alloc_mode_lasts_for_ever() {
    let mut theirs = CratePool::new(CAPACITY);
    mode_after_a_large_message(&mut theirs);
    assert!(theirs.is_droppable() && theirs.is_alloc_mode());

    let mut ours = ours();
    mode_after_a_large_message(&mut ours);
    assert_eq!((ours.mode(), ours.stats().heap_fallbacks), (Mode::Back, 1));
}

#[test]
fn the_length_of_a_pool_slice_is_0() {
    let mut theirs = CratePool::new(CAPACITY);
    let slice = take(&mut theirs, 5);
    assert_eq!((slice.len(), slice.is_empty(), slice.as_ref().len()), (0, true, 5));
    drop(slice);

    let slice = take(&mut ours(), 5);
    assert_eq!((slice.len(), slice.is_empty(), slice.as_ref().len()), (5, false, 5));
}

/// Compiles only for a type that is not `Clone`: for a type that is, both implementations apply.
trait NotClone<Marker> {
    const HOLDS: () = ();
}
impl<T> NotClone<()> for T {}
impl<T: Clone> NotClone<u8> for T {}
const _: () = <Slice as NotClone<_>>::HOLDS;

#[test]
fn a_clone_frees_the_slot_of_its_original() {
    let mut theirs = CratePool::new(CAPACITY);
    let original = take(&mut theirs, 5);
    drop(original.clone());
    assert!(theirs.is_droppable());
    let next = take(&mut theirs, 5);
    assert_eq!(addresses(&next), addresses(&original));
    drop((next, original));
    std::mem::forget(theirs);

    // Ours cannot be cloned (see `NotClone`). A copy must be made explicitly, and does not touch the slot.
    let mut ours = ours();
    let original = take(&mut ours, 5);
    drop(Slice::from(original.as_ref().to_vec()));
    assert_eq!(ours.live(), 1);
}

#[test]
fn the_start_outlives_its_message() {
    let mut theirs = CratePool::new(CAPACITY);
    theirs.get_writable(5);
    theirs.danger_set_start(3);
    drop(theirs.get_data_owned());
    theirs.get_writable(2);
    assert!(panic::catch_unwind(AssertUnwindSafe(|| theirs.as_ref().len())).is_err());

    let mut ours = ours();
    ours.get_writable(5);
    ours.danger_set_start(3);
    drop(ours.get_data_owned());
    ours.get_writable(2);
    assert_eq!(ours.as_ref().len(), 2);
}

/// Takes both slots of the front and frees them. The next message finds no slot left and looks at the freed ones.
fn slot_after_a_freed_front<B: Buffer>(pool: &mut B) -> (Vec<B::Slice>, B::Slice) {
    let mut slices: Vec<_> = (0..8).map(|_| take(pool, 5)).collect();
    slices.drain(..2);
    let two = [take(pool, 2), take(pool, 2)];
    drop(two);
    let next = take(pool, 1);
    (slices, next)
}

#[test]
fn the_number_of_slots_taken_goes_stale() {
    let mut theirs = CratePool::new(CAPACITY);
    let (slices, next) = slot_after_a_freed_front(&mut theirs);
    // Slot 3 is alive: two slices share it now.
    assert_eq!((slices[0].index, next.index), (3, 3));
    drop((slices, next));
    assert!(theirs.is_droppable());

    let mut ours = ours();
    let (slices, next) = slot_after_a_freed_front(&mut ours);
    assert_eq!((slices[0].slot(), next.slot()), (Some(3), Some(1)));
}

#[test]
fn get_data_by_ref_ignores_its_argument() {
    let mut theirs = CratePool::new(CAPACITY);
    theirs.get_writable(5);
    assert_eq!((theirs.get_data_by_ref(2).len(), theirs.get_data_by_ref_(2).len()), (5, 5));

    let mut ours = ours();
    ours.get_writable(5);
    assert_eq!((ours.get_data_by_ref(2).len(), ours.get_data_by_ref_(2).len()), (2, 2));
}

#[test]
fn truncate_lengthens_beyond_the_capacity() {
    let mut theirs = CratePool::new(CAPACITY);
    theirs.get_writable(5);
    theirs.truncate(100);
    assert_eq!(Buffer::len(&theirs), 100);
    // A slice taken now would reach beyond the region.
    assert!(panic::catch_unwind(AssertUnwindSafe(|| theirs.get_data_by_ref(100).len())).is_err());

    let mut ours = ours();
    ours.get_writable(5);
    ours.truncate(100);
    assert_eq!(ours.try_truncate(100), Err(OutOfRange { value: 100, limit: 5 }));
    assert_eq!(ours.get_data_owned().len(), 5);
}

#[test]
fn dropping_the_pool_spins_while_a_slice_lives() {
    let mut theirs = CratePool::new(CAPACITY);
    let slice = take(&mut theirs, 5);
    let (report, reports) = mpsc::channel();
    thread::spawn(move || {
        report.send("dropping").expect("the test waits");
        drop(theirs);
        report.send("dropped").expect("the test waits");
    });
    assert_eq!(reports.recv(), Ok("dropping"));
    assert_eq!(reports.recv_timeout(Duration::from_millis(200)), Err(mpsc::RecvTimeoutError::Timeout));
    drop(slice);
    assert_eq!(reports.recv(), Ok("dropped"));

    let mut ours = ours();
    let slice = take(&mut ours, 5);
    drop(ours);
    assert_eq!(slice.len(), 5);
}
