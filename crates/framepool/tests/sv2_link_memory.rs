//! The memory budget of a relay: it holds, no wait lasts forever, and no frame is lost or overtaken.

mod sv2_support;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use framepool::slot::SlotPool;
use framepool::sv2::{
    Direction, Error, FrameHeader, Grant, LinkMemory, Options, RelayMemory, RelayMemoryStats, Session, Step,
};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use sv2_support::{connected, connected_with, rng};

const HEADER: FrameHeader = FrameHeader { extension_type: 0, message_type: 1 };
const MIB: usize = 1 << 20;
/// Memory of a link, in bytes.
const FLOOR: usize = 36_864;

fn reserved(memory: &RelayMemory) -> usize {
    memory.stats().reserved
}

/// Makes the two ends of a link, each with the peer that it is connected to.
fn relayed(options: Options) -> [(Session, Session); 2] {
    [connected_with(options, options), connected_with(options, options)].map(|(peer, session)| (session, peer))
}

#[test]
fn a_link_is_refused_when_there_is_no_room_for_it() {
    let memory = RelayMemory::new(MIB, None);
    let mut links: Vec<LinkMemory> = std::iter::from_fn(|| memory.link()).collect();
    assert_eq!((links.len(), reserved(&memory)), (MIB / 2 / FLOOR, links.len() * FLOOR));
    links.pop();
    links.push(memory.link().expect("room again"));
    drop(links);
    assert_eq!(memory.stats(), RelayMemoryStats { limit: MIB, reserved: 0, waiting: 0 });
}

#[test]
fn the_share_of_a_link_grows_with_what_there_is_for_it() {
    let share = |limit, links| RelayMemory::new(limit, links).share();
    assert_eq!([share(64 * MIB, None), share(MIB, Some(1000))], [FLOOR, FLOOR]);
    assert_eq!(share(64 * MIB, Some(400)), 2 * (4 * 8192 + 2048));
    // A link never gets more than a ring holds.
    assert_eq!(share(64 * MIB, Some(0)), 2 * (4 * 65_536 + 2048));
    let memory = RelayMemory::new(64 * MIB, Some(400));
    let links: Vec<LinkMemory> = (0..400).map_while(|_| memory.link()).collect();
    assert_eq!((links.len(), reserved(&memory)), (400, 400 * memory.share()));
}

#[test]
fn a_frame_that_could_never_be_granted_is_an_error() {
    let memory = RelayMemory::new(MIB, None);
    let [(mut near, _), _] = relayed(Options::default());
    let mut link = memory.link().expect("room");
    // A quarter of the budget: 1.125 times the frame, and 256 KiB for its rings.
    let payload = 30_000;
    for direction in [Direction::Upstream, Direction::Downstream] {
        assert_eq!(link.try_grant(direction, payload, true, &mut near), Ok(true));
    }
    let refused =
        |result: Result<bool, Error>| matches!(result, Err(Error::MemoryLimit { limit, .. }) if limit == MIB / 4);
    assert!(refused(link.try_grant(Direction::Upstream, 300_000, true, &mut near)));
    assert!(matches!(link.enqueue(Direction::Upstream, 300_000, |_| {}), Err(Error::MemoryLimit { .. })));
    assert_eq!(link.try_grant(Direction::Upstream, payload, true, &mut near), Ok(false), "it is taken");
    link.release(Direction::Upstream, &mut near);
    link.release(Direction::Downstream, &mut near);
    assert_eq!(reserved(&memory), FLOOR);
}

#[test]
fn waits_are_served_in_order_and_may_end() {
    let memory = RelayMemory::new(MIB, None);
    let [(mut near, _), _] = relayed(Options::default());
    let mut link = memory.link().expect("room");
    assert_eq!(link.try_grant(Direction::Upstream, 30_000, true, &mut near), Ok(true));
    let granted = Arc::new(Mutex::new(Vec::new()));
    let requests: Vec<_> = (0..3)
        .map(|name| {
            let granted = Arc::clone(&granted);
            let deliver = move |grant: Grant| granted.lock().unwrap().push((name, grant));
            link.enqueue(Direction::Upstream, 30_000, deliver).expect("it may wait")
        })
        .collect();
    assert_eq!(memory.stats().waiting, 3);
    assert_eq!(link.try_grant(Direction::Downstream, 30_000, true, &mut near), Ok(true), "the other way is free");
    assert!(memory.cancel(Direction::Upstream, requests[0]));
    link.release(Direction::Upstream, &mut near);
    assert_eq!(granted.lock().unwrap().iter().map(|(name, _)| *name).collect::<Vec<_>>(), [1]);
    assert!(!memory.cancel(Direction::Upstream, requests[1]));
    // A grant that is not accepted goes to the next request.
    let first = granted.lock().unwrap().pop();
    drop(first);
    assert_eq!(granted.lock().unwrap().iter().map(|(name, _)| *name).collect::<Vec<_>>(), [2]);
    granted.lock().unwrap().clear();
    drop(link);
    assert_eq!(memory.stats(), RelayMemoryStats { limit: MIB, reserved: 0, waiting: 0 });
}

#[test]
fn a_replacement_needs_a_grant_beyond_the_small_frames() {
    let memory = RelayMemory::new(MIB, None);
    let [(mut near, mut peer), _] = relayed(Options::default());
    let mut link = memory.link().expect("room");
    link.join(&mut near);
    let payload = vec![7; 20_000];
    assert!(matches!(near.send(HEADER, &payload), Err(Error::MemoryLimit { limit: 4096, .. })));
    assert_eq!(link.try_grant(Direction::Downstream, payload.len(), false, &mut near), Ok(true));
    near.send(HEADER, &payload).expect("room");
    link.release(Direction::Downstream, &mut near);
    assert!(reserved(&memory) > FLOOR, "it is not out yet");
    let wire = sv2_support::drain(&mut near);
    link.release(Direction::Downstream, &mut near);
    assert_eq!(reserved(&memory), FLOOR);
    assert_eq!(sv2_support::receive(&mut peer, &wire), Ok(vec![(HEADER, payload)]));
}

/// Next step of a direction of a link.
enum Turn {
    Read(usize),
    Prepare(Step),
    Wait(Arc<Mutex<Option<Grant>>>),
}

/// One direction: the session that sends, the bytes on their way to the link, and the bytes on their way from it.
struct Way {
    turn: Turn,
    incoming: VecDeque<u8>,
    sent: VecDeque<Vec<u8>>,
    /// Payloads still to be sent.
    to_send: Vec<Vec<u8>>,
}

struct Link {
    memory: LinkMemory,
    /// The miner's session and the session to the upstream server, each with its peer.
    ends: [(Session, Session); 2],
    /// Upstream, then downstream.
    ways: [Way; 2],
}

const DIRECTIONS: [Direction; 2] = [Direction::Upstream, Direction::Downstream];

fn two<T>(pair: &mut [T; 2], first: usize) -> (&mut T, &mut T) {
    let [zero, one] = pair;
    if first == 0 { (zero, one) } else { (one, zero) }
}

impl Link {
    fn new(memory: &Arc<RelayMemory>, rng: &mut StdRng) -> Option<Self> {
        let memory = memory.link()?;
        let mut ends = [connected(), connected()].map(|(one, other)| (other, one));
        for (session, _) in &mut ends {
            memory.join(session);
        }
        let ways = [(), ()].map(|()| {
            let mut to_send: Vec<Vec<u8>> = (0..rng.gen_range(0..40))
                .map(|_| {
                    let most = if rng.gen_ratio(1, 3) { 200_000 } else { 3_000 };
                    let mut payload = vec![0; rng.gen_range(0..most)];
                    rng.fill_bytes(&mut payload);
                    payload
                })
                .collect();
            to_send.push(vec![1; 4096]);
            Way { turn: Turn::Read(1), incoming: VecDeque::new(), sent: VecDeque::new(), to_send }
        });
        Some(Self { memory, ends, ways })
    }

    /// Lets the sender of direction `index` send a frame. Returns false if it has none left.
    fn send(&mut self, index: usize) -> bool {
        let way = &mut self.ways[index];
        let Some(payload) = way.to_send.pop() else { return false };
        let (_, peer) = &mut self.ends[index];
        peer.send(HEADER, &payload).expect("it can send");
        way.incoming.extend(sv2_support::drain(peer));
        way.sent.push_back(payload);
        true
    }

    /// Lets the receiver of direction `index` take up to `most` bytes. Returns false if there are none.
    fn take(&mut self, index: usize, most: usize) -> bool {
        let (session, peer) = &mut self.ends[1 - index];
        let output = session.output();
        let mut wire = vec![0; output.pending().min(most)];
        output.read(&mut wire);
        for (_, payload) in sv2_support::receive(peer, &wire).expect("good frames") {
            assert_eq!(Some(payload), self.ways[index].sent.pop_front());
        }
        !wire.is_empty()
    }

    /// Lets the relay do what it can in direction `index`. Returns false if that is nothing.
    fn relay(&mut self, index: usize, rng: &mut StdRng, pool: &mut SlotPool) -> bool {
        let Self { memory, ends, ways } = self;
        let ((from, _), (to, _)) = two(ends, index);
        let (way, direction) = (&mut ways[index], DIRECTIONS[index]);
        match &way.turn {
            Turn::Read(quota) => {
                let length = rng.gen_range(1..=*quota).min(65_536).min(way.incoming.len());
                if length == 0 {
                    return false;
                }
                let chunk: Vec<u8> = way.incoming.drain(..length).collect();
                if let Some(batch) = from.receive(&chunk, pool).expect("good frames") {
                    to.forward(batch.slice.as_ref(), batch.table, 0..batch.frames).expect("there is room");
                }
                way.turn = Turn::Prepare(memory.step(direction, &from.partial(), to));
            }
            Turn::Prepare(step) => {
                if to.output().pending() > step.drained {
                    return false;
                }
                if step.drained == 0 {
                    memory.release(direction, to);
                }
                let quota = step.quota;
                way.turn = match step.granted {
                    Some(payload) if !memory.try_grant(direction, payload, true, to).expect("it can be granted") => {
                        let granted = Arc::new(Mutex::new(None));
                        let place = Arc::clone(&granted);
                        let deliver = move |grant| *place.lock().unwrap() = Some(grant);
                        memory.enqueue(direction, payload, deliver).expect("it may wait");
                        Turn::Wait(granted)
                    }
                    _ => Turn::Read(quota),
                };
            }
            Turn::Wait(granted) => {
                let Some(grant) = granted.lock().unwrap().take() else { return false };
                memory.accept(grant, true, to);
                way.turn = Turn::Read(memory.step(direction, &from.partial(), to).quota);
            }
        }
        true
    }
}

#[test]
fn it_holds_and_nobody_waits_for_ever() {
    let seed = rng().next_u64();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut pool = SlotPool::new(1 << 20).expect("memory");
    for _ in 0..6 {
        // Budgets for one large frame at a time up to a few.
        let limit = rng.gen_range(2 * MIB..6 * MIB);
        let most = rng.gen_range(2..20);
        let memory = RelayMemory::new(limit, rng.r#gen::<bool>().then_some(most));
        let mut links: Vec<Link> = (0..most).map_while(|_| Link::new(&memory, &mut rng)).collect();
        let check = |links: &[Link]| {
            let used: usize =
                links.iter().flat_map(|link| &link.ends).map(|(session, _)| session.stats().memory_bytes).sum();
            assert!(used <= reserved(&memory), "{used} bytes in use, {} reserved", reserved(&memory));
            assert!(reserved(&memory) <= limit);
        };
        let mut waited = 0;
        // Some receivers do not read for a while.
        for _ in 0..8 {
            let lazy: Vec<[bool; 2]> = links.iter().map(|_| [rng.r#gen(), rng.r#gen()]).collect();
            for _ in 0..400 {
                let at = rng.gen_range(0..links.len());
                let index = rng.gen_range(0..2);
                let link = &mut links[at];
                match rng.gen_range(0..4) {
                    0 => drop(link.send(index)),
                    1 if !lazy[at][index] => drop(link.take(index, rng.gen_range(1..70_000))),
                    _ => drop(link.relay(index, &mut rng, &mut pool)),
                }
                check(&links);
            }
            waited = waited.max(memory.stats().waiting);
            // A connection may end at any time.
            if links.len() > 2 && rng.gen_ratio(1, 4) {
                links.swap_remove(rng.gen_range(0..links.len()));
                check(&links);
            }
        }
        // All read now, so that everything arrives.
        loop {
            let mut progress = false;
            for link in &mut links {
                for index in 0..2 {
                    progress |= link.send(index);
                    progress |= link.relay(index, &mut rng, &mut pool);
                    progress |= link.take(index, 70_000);
                }
            }
            check(&links);
            if !progress {
                break;
            }
        }
        for link in &links {
            for way in &link.ways {
                assert_eq!((way.incoming.len(), way.sent.len(), way.to_send.len()), (0, 0, 0));
            }
        }
        println!("{} links of {} bytes, {limit} in all, {waited} waited at once", links.len(), memory.share());
        assert_eq!(memory.stats(), RelayMemoryStats { limit, reserved: links.len() * memory.share(), waiting: 0 });
        drop(links);
        assert_eq!(reserved(&memory), 0);
    }
}
