//! Channels of objects: order, capacity, ends and waits. Nothing is lost or duplicated, whichever end goes first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use framepool::ring::RingError;
use framepool::threads::channel::{MAX_CAPACITY, SendError, channel};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[test]
fn objects_are_received_in_the_order_in_which_they_were_sent() {
    let (mut sender, mut receiver) = channel(3).expect("a channel");
    for round in 0..100 {
        for item in 0..3 {
            assert_eq!(sender.send((round, item)), Ok(()));
        }
        for item in 0..3 {
            assert_eq!(receiver.receive(), Some((round, item)));
        }
    }
    assert_eq!(receiver.receive(), None);
}

#[test]
fn it_holds_exactly_its_capacity() {
    for capacity in [1, 2, 3, 7, 8, 9, 1000, MAX_CAPACITY] {
        let (mut sender, mut receiver) = channel(capacity).expect("a channel");
        for item in 0..capacity {
            assert_eq!(sender.room(), capacity - item);
            assert_eq!(sender.send(item), Ok(()));
        }
        assert_eq!((sender.room(), sender.send(0)), (0, Err(SendError::Full(0))));
        assert_eq!(receiver.receive(), Some(0));
        assert_eq!((sender.room(), sender.send(0)), (1, Ok(())));
    }
}

#[test]
fn other_capacities_are_refused() {
    for capacity in [0, MAX_CAPACITY + 1, usize::MAX] {
        assert_eq!(channel::<u8>(capacity).err(), Some(RingError::Size(capacity)));
    }
}

#[test]
fn the_end_comes_after_what_was_sent() {
    for drop_it in [false, true] {
        let (mut sender, mut receiver) = channel(4).expect("a channel");
        sender.send(1).expect("room");
        assert!(!receiver.is_at_end());
        if drop_it {
            drop(sender);
        } else {
            sender.end();
            assert_eq!(sender.send(2), Err(SendError::Closed(2)));
        }
        assert!(!receiver.is_at_end());
        assert_eq!(receiver.receive(), Some(1));
        assert!(receiver.is_at_end());
        assert_eq!(receiver.receive(), None);
    }
}

#[test]
fn a_receiver_that_goes_drops_what_it_has_not_received_and_takes_nothing_more() {
    let item = Arc::new(());
    let (mut sender, mut receiver) = channel(4).expect("a channel");
    for _ in 0..3 {
        sender.send(Arc::clone(&item)).expect("room");
    }
    drop(receiver.receive());
    drop(receiver);
    assert_eq!(Arc::strong_count(&item), 1);
    assert!(sender.is_closed());
    assert_eq!(sender.send(Arc::clone(&item)), Err(SendError::Closed(Arc::clone(&item))));
    assert_eq!(Arc::strong_count(&item), 1);
}

#[test]
fn objects_that_nobody_receives_go_with_the_ends() {
    let item = Arc::new(());
    let (mut sender, receiver) = channel(4).expect("a channel");
    sender.send(Arc::clone(&item)).expect("room");
    drop(sender);
    assert_eq!(Arc::strong_count(&item), 2);
    drop(receiver);
    assert_eq!(Arc::strong_count(&item), 1);
}

struct Count(AtomicUsize);
impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn waits_end_with_room_with_an_object_or_with_the_other_end() {
    // The ring has one byte more than the channel has places.
    let (mut sender, mut receiver) = channel(3).expect("a channel");
    assert_eq!(sender.poll_room(Waker::noop()), Poll::Ready(()));
    assert_eq!(receiver.poll(Waker::noop()), Poll::Pending);
    assert!(!receiver.wait(Duration::from_millis(1)));
    for item in 0..3 {
        sender.send(item).expect("room");
    }
    assert_eq!(receiver.poll(Waker::noop()), Poll::Ready(()));
    assert!(receiver.wait(Duration::ZERO));

    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&count));
    assert_eq!(sender.poll_room(&waker), Poll::Pending);
    assert_eq!(count.0.load(Ordering::Relaxed), 0);
    receiver.receive();
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    assert_eq!(sender.poll_room(&waker), Poll::Ready(()));

    sender.send(3).expect("room");
    assert_eq!(sender.poll_room(&waker), Poll::Pending);
    sender.forget(&waker);
    receiver.receive();
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    sender.send(4).expect("room");
    assert_eq!(sender.poll_room(&waker), Poll::Pending);
    drop(receiver);
    assert_eq!(count.0.load(Ordering::Relaxed), 2);
    assert_eq!(sender.poll_room(&waker), Poll::Ready(()));
}

#[test]
fn two_threads_that_wait_for_each_other_pass_on_everything_in_order() {
    const ITEMS: u64 = if cfg!(miri) { 300 } else { 200_000 };
    for capacity in [1, 2, 5, 64] {
        let (mut sender, mut receiver) = channel(capacity).expect("a channel");
        let sending = thread::spawn(move || {
            let waker = Waker::from(Arc::new(Unpark(thread::current())));
            for item in 0..ITEMS {
                let mut item = Box::new(item);
                while let Err(error) = sender.send(item) {
                    let SendError::Full(back) = error else { panic!("the receiver is there") };
                    item = back;
                    while sender.poll_room(&waker).is_pending() {
                        thread::park();
                    }
                }
            }
        });
        let mut expected = 0;
        while !receiver.is_at_end() {
            assert!(receiver.wait(Duration::from_mins(1)));
            while let Some(item) = receiver.receive() {
                assert_eq!(*item, expected);
                expected += 1;
            }
        }
        assert_eq!(expected, ITEMS);
        sending.join().expect("the sender is done");
    }
}

static DROPPED: AtomicU64 = AtomicU64::new(0);
struct Item;
impl Drop for Item {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn an_end_may_go_at_any_moment_and_every_object_is_dropped_once() {
    let mut made = 0;
    let rounds = if cfg!(miri) { 60 } else { 2_000_u32 };
    for round in 0..rounds {
        let (mut sender, mut receiver) = channel(4).expect("a channel");
        let receiving = thread::spawn(move || {
            for _ in 0..round % 7 {
                receiver.receive();
                thread::yield_now();
            }
        });
        for _ in 0..round % 11 {
            made += 1;
            if sender.send(Item).is_err() {
                thread::yield_now();
            }
        }
        if round % 2 == 0 {
            drop(sender);
            receiving.join().expect("the receiver is done");
        } else {
            receiving.join().expect("the receiver is done");
            // An object that was sent after the receiver's last look must not stay until this end is dropped.
            assert_eq!(DROPPED.load(Ordering::Relaxed), made);
            drop(sender);
        }
        assert_eq!(DROPPED.load(Ordering::Relaxed), made);
    }
}

#[test]
fn the_receiver_sees_what_was_behind_the_object_it_received() {
    let (mut sender, mut receiver) = channel(4).unwrap();
    assert_eq!(receiver.behind(0), None);
    for round in 0..5 {
        for item in 0..3 {
            sender.send(10 * round + item).unwrap();
        }
        // Nothing was received since, so nothing is known to be there.
        assert_eq!(receiver.behind(0), None);
        assert_eq!(receiver.receive(), Some(10 * round));
        assert_eq!(receiver.behind(0), Some(&(10 * round + 1)));
        assert_eq!(receiver.behind(1), Some(&(10 * round + 2)));
        assert_eq!(receiver.behind(2), None);
        // What has come since is not seen.
        sender.send(99).unwrap();
        assert_eq!(receiver.behind(2), None);
        assert_eq!(receiver.receive(), Some(10 * round + 1));
        assert_eq!(receiver.behind(1), Some(&99));
        while receiver.receive().is_some() {}
        assert_eq!(receiver.behind(0), None);
    }
}
