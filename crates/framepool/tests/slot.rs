//! The slot pool as its description draws it, and its edge cases.

mod shown_support;

use buffer_sv2::{AeadBuffer, Buffer, BufferFromSystemMemory, BufferPool, Write};
use framepool::memory_budget::MemoryBudget;
use framepool::slot::{
    Mode, Options, OutOfMemory, OutOfRange, Place, Refused, Room, SLOTS, Slice, SlotPool, SystemMemory, Taken,
};
use shown_support::show;

/// Takes `bytes` from the crate's pool, which ours must equal.
fn take_theirs(pool: &mut BufferPool<BufferFromSystemMemory>, bytes: &[u8]) -> buffer_sv2::Slice {
    pool.get_writable(bytes.len()).copy_from_slice(bytes);
    pool.get_data_owned()
}

/// More bytes than any address space has, and less than the greatest layout.
const TOO_MUCH: usize = 1 << 60;

fn pool(capacity: usize) -> SlotPool {
    SlotPool::new(capacity).expect("memory")
}

fn take(buffer: &mut impl Buffer<Slice = Slice>, bytes: &[u8]) -> Slice {
    buffer.get_writable(bytes.len()).copy_from_slice(bytes);
    let slice = buffer.get_data_owned();
    assert_eq!(slice.as_ref(), bytes);
    slice
}

/// Fills all slots of a fresh pool, as each diagram of the description begins.
fn fill(pool: &mut SlotPool) -> Vec<Slice> {
    assert_eq!(pool.to_string(), "--------  BACK MODE");
    (1..=SLOTS)
        .map(|slot| {
            let slice = take(pool, b"12345");
            assert_eq!(pool.to_string(), format!("{:-<8}  BACK MODE", &"12345678"[..slot]));
            assert_eq!((slice.slot(), slice.offset()), (Some(slot as u8), Some((slot - 1) * 5)));
            slice
        })
        .collect()
}

#[test]
fn case_1_exhaustion() {
    let mut pool = pool(40);
    let slices = fill(&mut pool);
    for fallbacks in 1..=3 {
        let slice = take(&mut pool, b"12345");
        assert_eq!(pool.to_string(), "12345678  ALLOC MODE");
        assert_eq!((slice.slot(), slice.offset()), (None, None));
        assert_eq!(pool.stats().heap_fallbacks, fallbacks);
    }
    assert!(slices.iter().all(|slice| slice.as_ref() == b"12345"));
}

#[test]
fn a_front_that_was_left_for_the_heap_is_as_wide_as_what_is_free() {
    let (mut ours, mut theirs) = (pool(40), BufferPool::new(40));
    let mut live: Vec<_> = (0..8).map(|_| (take(&mut ours, b"12345"), take_theirs(&mut theirs, b"12345"))).collect();
    let mut step = |live: &mut Vec<_>| {
        let (slice, other) = (take(&mut ours, b"67890"), take_theirs(&mut theirs, b"67890"));
        assert_eq!(slice.slot(), other.owned.is_none().then_some(other.index), "{ours}");
        let slot = slice.slot();
        live.push((slice, other));
        (slot, ours.to_string())
    };
    live.remove(0);
    assert_eq!(step(&mut live), (Some(1), "92345678  FRONT MODE".into()));
    assert_eq!(step(&mut live), (None, "92345678  ALLOC MODE".into()));
    // Frees slots 2 and 1.
    live.remove(0);
    live.remove(6);
    assert_eq!(step(&mut live), (Some(1), "a-345678  FRONT MODE".into()));
    assert_eq!(step(&mut live), (Some(2), "ab345678  FRONT MODE".into()));
    assert_eq!(step(&mut live), (None, "ab345678  ALLOC MODE".into()));
}

#[test]
fn case_2_reset() {
    let mut pool = pool(40);
    drop(fill(&mut pool));
    assert_eq!(pool.to_string(), "--------  BACK MODE");
    assert_eq!(pool.stats().resets, 0);
    let ninth = take(&mut pool, b"12345");
    assert_eq!(pool.to_string(), "9-------  BACK MODE");
    assert_eq!((ninth.slot(), ninth.offset()), (Some(1), Some(0)));
    let _tenth = take(&mut pool, b"12345");
    assert_eq!(pool.to_string(), "9a------  BACK MODE");
    assert_eq!((pool.stats().resets, pool.stats().mode_changes), (1, 0));
}

#[test]
fn case_3_back_front_back() {
    let mut pool = pool(40);
    let mut slices = fill(&mut pool);
    slices.drain(..2);
    assert_eq!(pool.to_string(), "--345678  BACK MODE");
    // The diagram in the description swaps 9 and a: the crate and our pool fill slot 1 first.
    slices.push(take(&mut pool, b"12345"));
    assert_eq!(pool.to_string(), "9-345678  FRONT MODE");
    slices.push(take(&mut pool, b"12345"));
    assert_eq!(pool.to_string(), "9a345678  FRONT MODE");
    slices.drain(4..6);
    assert_eq!(pool.to_string(), "9a3456--  FRONT MODE");
    slices.push(take(&mut pool, b"12345"));
    assert_eq!(pool.to_string(), "9a3456b-  BACK MODE");
    slices.push(take(&mut pool, b"12345"));
    assert_eq!(pool.to_string(), "9a3456bc  BACK MODE");
    assert!(slices.iter().all(|slice| slice.as_ref() == b"12345"));
    let stats = pool.stats();
    assert_eq!((stats.mode, stats.capacity, &stats.slots[..]), (Mode::Back, 40, &b"9a3456bc"[..]));
    assert_eq!((stats.live_slices, stats.heap_fallbacks, stats.resets, stats.mode_changes), (8, 0, 0, 2));
}

#[test]
fn sequence_digits_begin_again_after_z_and_heap_slices_take_none() {
    let mut pool = pool(16);
    for digit in "123456789abcdefghijklmnopqrstuvwxyz12".chars() {
        let _slice = take(&mut pool, b"x");
        let _from_the_heap = take(&mut pool, &[0; 17]);
        assert_eq!(pool.to_string(), format!("{digit}-------  BACK MODE"));
    }
}

#[test]
fn alloc_mode_ends_as_soon_as_there_is_room() {
    for (freed, slot, mode) in [(0, 1, Mode::Front), (7, 8, Mode::Back)] {
        let mut pool = pool(40);
        let mut slices = fill(&mut pool);
        let _heap = take(&mut pool, b"12345");
        assert_eq!(pool.mode(), Mode::Alloc);
        slices.remove(freed);
        let slice = take(&mut pool, b"abcde");
        assert_eq!((slice.slot(), pool.mode()), (Some(slot), mode));
    }
}

#[test]
fn a_smaller_message_ends_alloc_mode_in_the_room_that_is_left() {
    let mut pool = pool(40);
    let _first = take(&mut pool, &[1; 30]);
    let _heap = take(&mut pool, &[2; 11]);
    assert_eq!(pool.mode(), Mode::Alloc);
    let second = take(&mut pool, &[3; 10]);
    assert_eq!((second.slot(), second.offset(), pool.mode()), (Some(2), Some(30), Mode::Back));
}

#[test]
fn a_tail_that_is_free_down_to_the_front_is_taken_back_whole() {
    let mut pool = pool(40);
    let mut slices = fill(&mut pool);
    slices.drain(..3);
    let _first = take(&mut pool, &[1; 5]);
    assert_eq!(pool.mode(), Mode::Front);
    drop(slices);
    // The back began at slot 4, offset 15, so it has 25 bytes. There are 35 behind slot 1.
    let second = take(&mut pool, &[2; 35]);
    assert_eq!((second.slot(), second.offset(), pool.mode()), (Some(2), Some(5), Mode::Back));
    // The back begins there from now on.
    drop(second);
    let third = take(&mut pool, &[3; 5]);
    assert_eq!((third.slot(), third.offset()), (Some(2), Some(5)));
}

/// Slot 3 was used before slot 2 grew past its end. So where the back begins depends on whether slot 2 is alive.
#[test]
fn the_back_begins_above_every_live_slice_of_the_front() {
    for (second_lives, offset) in [(true, 11), (false, 3)] {
        let mut pool = pool(40);
        let mut back = fill(&mut pool);
        back.drain(..3);
        let mut front: Vec<_> = (0..3).map(|_| take(&mut pool, b"x")).collect();
        front.truncate(1);
        front.push(take(&mut pool, &[2; 10]));
        assert_eq!((front[1].slot(), front[1].offset(), pool.mode()), (Some(2), Some(1), Mode::Front));
        front.truncate(if second_lives { 2 } else { 1 });
        drop(back);
        let slice = take(&mut pool, &[4; 20]);
        assert_eq!((slice.slot(), slice.offset(), pool.mode()), (Some(4), Some(offset), Mode::Back));
        assert!(front[1..].iter().all(|second| second.as_ref() == [2; 10]));
    }
}

#[test]
fn a_message_larger_than_the_capacity_leaves_the_pool_as_it_is() {
    let mut pool = pool(40);
    let first = take(&mut pool, &[1; 10]);
    // Ten bytes are in the region when the message outgrows it. They move with it, in order.
    pool.get_writable(10).fill(2);
    assert_eq!(pool.place(), Place::Region(10));
    pool.get_writable(31).fill(3);
    assert_eq!((pool.place(), pool.mode()), (Place::Heap, Mode::Back));
    let large = pool.get_data_owned();
    assert_eq!(large.as_ref(), [[2; 10].as_slice(), &[3; 31]].concat());
    assert_eq!((large.slot(), pool.stats().heap_fallbacks), (None, 1));
    let second = take(&mut pool, &[4; 30]);
    assert_eq!((second.slot(), second.offset()), (Some(2), Some(10)));
    assert_eq!(first.as_ref(), [1; 10]);
    assert_eq!(pool.to_string(), "12------  BACK MODE");
}

#[test]
fn a_message_that_began_on_the_heap_stays_there() {
    let mut pool = pool(40);
    let slices = fill(&mut pool);
    pool.get_writable(2).fill(7);
    drop(slices);
    pool.get_writable(2).fill(8);
    assert_eq!(pool.place(), Place::Heap);
    pool.truncate(0);
    pool.get_writable(3).fill(9);
    assert_eq!(pool.place(), Place::Heap);
    assert_eq!(pool.get_data_owned().as_ref(), [9; 3]);
    assert_eq!(take(&mut pool, b"x").slot(), Some(1));
}

#[test]
fn bytes_in_hand_move_with_a_change_of_place() {
    let mut pool = pool(40);
    let mut slices = vec![take(&mut pool, &[0; 16]), take(&mut pool, &[1; 16])];
    pool.get_writable(6).copy_from_slice(b"abcdef");
    assert_eq!(pool.place(), Place::Region(32));
    slices.remove(0);
    pool.get_writable(6).copy_from_slice(b"ghijkl");
    assert_eq!((pool.place(), pool.mode()), (Place::Region(0), Mode::Front));
    drop(slices);
    pool.get_writable(20).fill(b'z');
    assert_eq!((pool.place(), pool.mode()), (Place::Region(0), Mode::Back));
    let slice = pool.get_data_owned();
    assert_eq!(slice.as_ref(), b"abcdefghijklzzzzzzzzzzzzzzzzzzzz");
    assert_eq!(slice.slot(), Some(1));
}

#[test]
fn nothing_written_takes_no_slot() {
    let mut pool = pool(40);
    assert!(pool.get_writable(0).is_empty());
    let empty = pool.get_data_owned();
    assert_eq!((empty.len(), empty.is_empty(), empty.slot(), empty.offset()), (0, true, None, None));
    assert!(pool.get_data_owned().is_empty());
    assert_eq!(pool.to_string(), "--------  BACK MODE");
    let _slices = fill(&mut pool);
    assert!(pool.get_writable(0).is_empty());
    assert!(pool.get_data_owned().is_empty());
    assert_eq!((pool.stats().live_slices, pool.stats().heap_fallbacks), (8, 0));
}

#[test]
fn a_pool_of_no_bytes_takes_every_slice_from_the_heap() {
    let mut pool = pool(0);
    assert_eq!((pool.capacity(), pool.region().len(), pool.region().is_empty()), (0, 0, true));
    assert_eq!(pool.room().bytes, 0);
    assert!(pool.get_writable(0).is_empty());
    for _ in 0..10 {
        assert_eq!(take(&mut pool, b"hello").slot(), None);
    }
    assert_eq!(pool.stats().heap_fallbacks, 10);
    assert_eq!(pool.to_string(), "--------  BACK MODE");
}

#[test]
fn room_is_where_the_next_messages_go() {
    let anew = Room { offset: 0, bytes: 40, slot: 1, last_slot: 8 };
    let mut pool = pool(40);
    assert_eq!(pool.room(), anew);
    let mut slices = vec![take(&mut pool, &[0; 30])];
    assert_eq!(pool.room(), Room { offset: 30, bytes: 10, slot: 2, last_slot: 8 });
    pool.get_writable(1);
    assert_eq!(pool.room().bytes, 0);
    pool.truncate(0);
    assert_eq!(pool.room().bytes, 10);
    slices.extend((1..SLOTS).map(|_| take(&mut pool, b"x")));
    assert_eq!(pool.room().bytes, 0);
    slices.remove(0);
    slices.remove(0);
    assert_eq!(pool.room().bytes, 0);
    slices.push(take(&mut pool, b"x"));
    assert_eq!((pool.mode(), pool.room()), (Mode::Front, Room { offset: 1, bytes: 30, slot: 2, last_slot: 2 }));
    let heap = take(&mut pool, &[0; 40]);
    assert_eq!((pool.mode(), pool.room().bytes), (Mode::Alloc, 0));
    drop((slices, heap));
    assert_eq!(pool.room(), anew);
}

/// Checks what both buffers have in common.
fn contract<B>(buffer: &mut B)
where
    B: Buffer<Slice = Slice> + AeadBuffer + Write,
{
    assert!(Buffer::is_empty(buffer) && buffer.is_droppable());
    buffer.get_writable(4).copy_from_slice(b"head");
    assert!(buffer.write(b"er").is_ok_and(|written| written == 2));
    assert!(buffer.write_all(b" body").is_ok());
    assert!(buffer.extend_from_slice(b"+tag").is_ok());
    assert_eq!(Buffer::len(buffer), 15);

    assert_eq!(buffer.get_data_by_ref_(4), b"head");
    assert_eq!(buffer.get_data_by_ref(6), b"header");
    assert_eq!(buffer.get_data_by_ref_(0), b"");
    assert_eq!(buffer.get_data_by_ref(usize::MAX), b"header body+tag");

    buffer.danger_set_start(7);
    assert_eq!(AsRef::<[u8]>::as_ref(buffer), b"body+tag");
    assert_eq!((AeadBuffer::len(buffer), Buffer::len(buffer)), (8, 15));
    buffer.truncate(4);
    buffer.truncate(5);
    assert_eq!(AsMut::<[u8]>::as_mut(buffer), b"body");
    let mut slice = buffer.get_data_owned();
    assert_eq!(slice.as_ref(), b"header body");
    slice.as_mut()[0] = b'H';
    assert_eq!(buffer_sv2::Slice::from(slice).as_ref(), b"Header body");

    // The start belonged to the last message.
    buffer.get_writable(2).copy_from_slice(b"ok");
    assert_eq!(AsRef::<[u8]>::as_ref(buffer), b"ok");
    buffer.danger_set_start(9);
    assert_eq!(AsRef::<[u8]>::as_ref(buffer), b"");
    assert_eq!(Vec::from(buffer.get_data_owned()), b"ok");
    assert!(buffer.get_data_owned().is_empty() && buffer.is_droppable());
}

#[test]
fn contract_of_the_pool() {
    contract(&mut pool(64));
}

#[test]
fn contract_of_the_pool_on_the_heap() {
    contract(&mut pool(1));
}

#[test]
fn contract_of_system_memory() {
    contract(&mut SystemMemory::new());
}

#[test]
fn arguments_out_of_range_are_refused_and_change_nothing() {
    let refused = |value, limit| Err(OutOfRange { value, limit });
    for capacity in [64, 0] {
        let mut pool = pool(capacity);
        pool.get_writable(5).copy_from_slice(b"hello");
        assert_eq!(pool.try_set_start(6), refused(6, 5));
        assert_eq!(pool.try_set_start(2), Ok(()));
        assert_eq!(pool.try_truncate(4), refused(4, 3));
        assert_eq!(pool.try_truncate(usize::MAX), refused(usize::MAX, 3));
        assert_eq!((pool.as_ref(), pool.start(), pool.len()), (b"llo".as_slice(), 2, 5));
        assert_eq!(pool.try_truncate(0), Ok(()));
        assert_eq!((pool.as_ref(), pool.start(), pool.len()), (b"".as_slice(), 2, 2));
    }
    let mut memory = SystemMemory::new();
    memory.get_writable(5).copy_from_slice(b"hello");
    assert_eq!(memory.try_set_start(6), refused(6, 5));
    assert_eq!(memory.try_set_start(2), Ok(()));
    assert_eq!(memory.try_truncate(4), refused(4, 3));
    assert_eq!((memory.as_ref(), memory.start(), memory.len()), (b"llo".as_slice(), 2, 5));
    assert_eq!(OutOfRange { value: 4, limit: 3 }.to_string(), "4 is not in the range 0 ..= 3");
}

#[test]
fn memory_that_the_system_does_not_have_is_an_error() {
    for bytes in [TOO_MUCH, usize::MAX] {
        assert_eq!(SlotPool::new(bytes).err(), Some(OutOfMemory { bytes }));
    }
    let mut pool = pool(16);
    pool.get_writable(2).copy_from_slice(b"ok");
    for len in [TOO_MUCH, usize::MAX] {
        assert!(pool.try_get_writable(len).is_err());
    }
    assert_eq!((pool.place(), pool.as_ref()), (Place::Region(0), b"ok".as_slice()));
    let mut memory = SystemMemory::new();
    memory.get_writable(2).copy_from_slice(b"ok");
    for len in [TOO_MUCH, usize::MAX] {
        assert!(memory.try_get_writable(len).is_err());
    }
    assert_eq!(memory.as_ref(), b"ok");
    assert_eq!(OutOfMemory { bytes: 7 }.to_string(), "cannot allocate 7 bytes");
}

#[test]
fn a_message_on_the_heap_stays_where_it_is_while_there_is_room() {
    let mut memory = SystemMemory::new();
    memory.get_writable(10).copy_from_slice(b"0123456789");
    memory.get_writable(1).copy_from_slice(b"a");
    let (span, _open) = show(memory.sight());
    assert_eq!(span.len(), 20, "it has doubled");
    for byte in b"bcdefghij" {
        memory.get_writable(1)[0] = *byte;
        assert_eq!(memory.get_data_by_ref(1).as_ptr(), span.as_ptr().cast());
    }
    memory.get_writable(1)[0] = b'k';
    assert_ne!(memory.get_data_by_ref(1).as_ptr(), span.as_ptr().cast());
    assert_eq!(memory.get_data_owned().as_ref(), b"0123456789abcdefghijk");
}

#[test]
fn shown_bytes_stay_as_they_were_when_their_message_moves_or_goes() {
    let mut pool = pool(4);
    pool.get_writable(4).copy_from_slice(b"abcd");
    assert!(pool.heap_sight().is_none());
    pool.get_writable(4).copy_from_slice(b"efgh");
    pool.danger_set_start(6);
    let (span, open) = show(pool.heap_sight().expect("the message is on the heap"));
    // SAFETY: `open` keeps the memory that was shown, and nothing writes to it after the message has moved.
    let seen = |bytes: usize| unsafe { std::slice::from_raw_parts(span.as_ptr().cast::<u8>(), bytes) };
    pool.get_writable(100)[0] = b'i';
    assert_eq!((seen(8), &pool.as_ref()[..3]), (&b"abcdefgh"[..], &b"ghi"[..]));
    drop(open);

    // A message that is truncated to nothing is given up.
    pool.danger_set_start(0);
    pool.truncate(0);
    let (span, open) = show(pool.heap_sight().expect("a message stays where it has begun"));
    pool.forget_empty();
    assert!(pool.heap_sight().is_none());
    // SAFETY: as above.
    assert_eq!(unsafe { span.as_ref() }[6..9], *b"ghi");
    drop(open);

    // The message is taken and dropped.
    let mut memory = SystemMemory::new();
    memory.get_writable(4).copy_from_slice(b"abcd");
    let (span, open) = show(memory.sight());
    let slice = memory.get_data_owned();
    assert_eq!(slice.as_ref().as_ptr(), span.as_ptr().cast());
    drop(Vec::from(slice));
    // SAFETY: as above.
    assert_eq!(unsafe { span.as_ref() }, b"abcd");
    drop(open);
}

#[test]
fn heap_slices_hand_over_their_bytes_without_a_copy() {
    let slice = take(&mut SystemMemory::new(), b"hello");
    let bytes = slice.as_ref().as_ptr();
    let vec = Vec::from(slice);
    assert_eq!(vec.as_ptr(), bytes);
    assert_eq!(Slice::from(vec).as_ref().as_ptr(), bytes);
}

#[test]
fn the_region_is_zeroed_aligned_and_where_the_slices_are() {
    let mut pool = pool(1000);
    let base = pool.region().base().as_ptr();
    assert_eq!((base.addr() % 64, pool.region().len()), (0, 1000));
    assert_eq!(pool.get_writable(1000), [0; 1000]);
    assert_eq!(pool.get_data_owned().as_ref().as_ptr(), base.cast_const());
}

#[test]
fn a_pool_has_as_many_slots_as_it_is_given() {
    for slots in [1, 2, 7, 8, 9, 31, 32] {
        let mut pool = SlotPool::with_options(10_000, Options { slots, heap: None }).expect("memory");
        let mut kept: Vec<Option<(Slice, u8)>> = Vec::new();
        let (mut seed, mut most) = (slots as u64, 0);
        for step in 0..20_000_u32 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let value = (seed >> 33) as usize;
            if value.is_multiple_of(3) && !kept.is_empty() {
                let index = value / 3 % kept.len();
                if let Some((slice, byte)) = kept.swap_remove(index) {
                    assert!(slice.as_ref().iter().all(|own| *own == byte), "step {step}: {slots} slots");
                }
                continue;
            }
            if kept.len() > slots + 2 {
                kept.remove(0);
            }
            let (len, byte) = (1 + value % 400, step as u8);
            pool.try_get_writable(len).expect("memory").fill(byte);
            let slice = pool.get_data_owned();
            most = most.max(slice.slot().unwrap_or(0));
            kept.push(Some((slice, byte)));
            assert_eq!(pool.stats().slots.len(), slots);
        }
        assert_eq!(usize::from(most), slots);
    }
}

#[test]
fn the_pool_says_which_limit_was_hit() {
    let mut pool = SlotPool::with_options(100, Options { slots: 2, heap: None }).expect("memory");
    let mut kept: Vec<Slice> = Vec::new();
    for len in [10, 10, 10, 200] {
        pool.try_get_writable(len).expect("memory");
        kept.push(pool.get_data_owned());
    }
    kept.remove(1);
    pool.try_get_writable(95).expect("memory");
    kept.push(pool.get_data_owned());
    let stats = pool.stats();
    assert_eq!((stats.out_of_slots, stats.out_of_bytes, stats.too_long, stats.heap_fallbacks), (1, 1, 1, 3));
}

#[test]
fn messages_on_the_heap_can_have_a_budget() {
    let budget = MemoryBudget::new(100).expect("not 0");
    let mut pool = SlotPool::with_options(10, Options { slots: 1, heap: Some(budget.clone()) }).expect("memory");
    pool.try_get_writable(60).expect("within the limit").fill(1);
    assert_eq!(pool.try_get_writable(41).expect_err("beyond it"), Refused::Limit { bytes: 101, limit: 100 });
    assert_eq!(pool.len(), 60, "what was written is kept");
    let first = pool.get_data_owned();
    let refused = pool.try_get_writable(50).expect_err("60 are taken");
    assert_eq!(refused, Refused::Limit { bytes: 50, limit: 100 });
    pool.try_get_writable(5).expect("it fits into the region");
    pool.try_get_writable(35).expect("on the heap there is room for as much");
    pool.try_truncate(20).expect("less");
    let second = pool.get_data_owned();
    assert_eq!((budget.stats().reserved_bytes, pool.stats().heap_refusals), (80, 2));
    drop(first);
    drop(second);
    assert_eq!(budget.stats().reserved_bytes, 0);
}

#[test]
fn a_slice_can_carry_a_reservation() {
    let budget = MemoryBudget::new(100).expect("not 0");
    let reserved = |budget: &MemoryBudget| budget.stats().reserved_bytes;
    let mut pool = SlotPool::new(100).expect("memory");
    let mut held = |bytes: usize| {
        pool.try_get_writable(bytes).expect("memory");
        let mut slice = pool.get_data_owned();
        slice.charge(budget.try_reserve(bytes).expect("in range").expect("room"));
        slice
    };
    let (first, second) = (held(10), held(20));
    let Taken::Held { slot, .. } = pool.hold(first) else { panic!("it has a slot") };
    assert_eq!(reserved(&budget), 30);
    let lent = pool.lend(slot.into()).expect("it is held");
    drop(lent);
    assert_eq!(reserved(&budget), 20, "the lent slice took it along");
    pool.collect();
    let Taken::Held { slot, .. } = pool.hold(second) else { panic!("it has a slot") };
    pool.give_back(1 << (slot - 1));
    assert_eq!(reserved(&budget), 0);
}
