//! A relay in a simulated world: its network, its miners and pools, its user and its clock are made of one seed.
//!
//! Each step lets somebody act, gives the worker a turn, and checks what must always hold. `FRAMEPOOL_SEED` replays a run.
//! `FRAMEPOOL_SIMULATION_SECONDS` makes the test go through new seeds for that long; without it, a few are enough.

mod actors;
mod world;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use buffer_sv2::BufferFromSystemMemory;
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

use super::command::{Command, Inbox, Message, Operation};
use super::ending::{Cause, Ending};
use super::figures::Reason;
use super::hooks::Hooks;
use super::options::{Limits, RelayOptions, Threads};
use super::record::{MANY, Record};
use super::shared::Shared;
use super::worker::Worker;
use crate::sv2::{Batch, Direction, FrameHeader, Identity, Options, Session, generate_authority_keypair};
use actors::{Actor, MiningPool};
use world::{SimulatedNetwork, World};

/// Takes a limit out.
type TakeOut = fn(&mut Limits);

/// The settings of a run.
#[derive(Clone, Debug)]
struct Plan {
    seed: u64,
    steps: usize,
    /// Honest miners, and others of each kind.
    honest: usize,
    attackers: usize,
    hooks: bool,
    /// Whether the user chooses the mining pool of each miner.
    chooses: bool,
    /// Bytes that a connection holds on their way in each direction.
    room: usize,
    /// Reads may be short although there is more.
    short_reads: bool,
    /// The most time that passes between two steps.
    pace: Duration,
    /// Turns of the worker in each step. After one, it is rarely done.
    turns: usize,
    /// Turns for which an answer may wait for memory: until a client that stalls is ended.
    patience: usize,
    limits: Limits,
    /// Takes a limit out of the relay, but not out of what is checked.
    take_out: Option<TakeOut>,
}

/// The findings of a run.
#[derive(Debug, Default)]
struct Outcome {
    turns: usize,
    frames: u64,
    refused: Vec<(Reason, u64)>,
    /// Time for which the worker has rested.
    rested: Duration,
}

/// The limits of the simulation: small, so that everybody meets them.
fn limits() -> Limits {
    Limits {
        memory: 24 << 20,
        connections: 400,
        connections_per_address: 400,
        connections_per_second: 0,
        handshakes: 24,
        handshake_timeout: Duration::from_secs(5),
        idle_timeout: Some(Duration::from_mins(1)),
        min_rate: 1_000,
        grace: Duration::from_secs(5),
        frames_per_second: 500,
        bytes_per_second: 4 << 20,
        keep_alive: None,
    }
}

/// More than the relay reads in one turn from one connection.
const LARGE_ROOM: usize = 1 << 17;

fn plan(seed: u64) -> Plan {
    let mut rng = StdRng::seed_from_u64(seed);
    Plan {
        seed,
        steps: 8_000,
        honest: if rng.gen_ratio(1, 8) { rng.gen_range(200..300) } else { rng.gen_range(5..65) },
        attackers: rng.gen_range(0..6),
        hooks: rng.r#gen(),
        chooses: rng.r#gen(),
        room: if rng.gen_ratio(1, 8) { LARGE_ROOM } else { 8_192 },
        short_reads: rng.r#gen(),
        pace: Duration::from_millis(2),
        turns: 1,
        patience: 6_000,
        limits: limits(),
        take_out: None,
    }
}

/// Frames that wait for the simulated user.
struct Verdict {
    id: u64,
    way: Direction,
    from: usize,
    to: usize,
}

/// The user of the relay: answers hooks and chooses mining pools, late and in any order of links, and counts connections.
#[derive(Default)]
struct User {
    /// Ports of the honest miners.
    honest: Vec<u16>,
    /// Key of the mining pool.
    key: String,
    verdicts: Vec<Verdict>,
    /// Links that have not asked for a mining pool yet.
    newcomers: HashSet<u64>,
    /// Links that have, and have not got one.
    wanting: Vec<u64>,
    connected: u64,
    ended: u64,
    drained: bool,
}

impl User {
    fn take(&mut self, shared: &Shared) -> Result<(), String> {
        while let (Some(record), _) = shared.records.take() {
            match record {
                Record::Frames { id, way, slice, table, frames, first, .. } => {
                    let batch = Batch { slice, table, frames };
                    if first >= frames || batch.frame(frames - 1).is_none() {
                        return Err(format!("link {id}: a batch of {frames} frames from {first} on"));
                    }
                    if self.verdicts.iter().any(|verdict| verdict.id == id && verdict.way == way) {
                        return Err(format!("link {id}: a second batch before the verdict"));
                    }
                    self.verdicts.push(Verdict { id, way, from: first, to: frames });
                }
                Record::Connected { id, .. } => {
                    self.connected += 1;
                    self.newcomers.insert(id);
                }
                Record::Wanted { id, .. } => {
                    self.newcomers.remove(&id);
                    self.wanting.push(id);
                }
                Record::Disconnected(end) => {
                    self.ended += 1;
                    self.newcomers.remove(&end.id);
                    self.wanting.retain(|&id| id != end.id);
                    if std::env::var_os("FRAMEPOOL_SEED").is_some() {
                        println!("{} ended: {:?}", end.address, end.ending);
                    }
                    self.verdicts.retain(|verdict| verdict.id != end.id);
                    match end.ending {
                        Ending { cause: Cause::Internal(what), .. } => return Err(what),
                        Ending { cause: Cause::Silent, side: Some(Direction::Downstream), .. }
                            if self.honest.contains(&end.address.port()) =>
                        {
                            return Err(format!("an honest miner, {}, was too slow with its handshake", end.address));
                        }
                        _ => {}
                    }
                }
                Record::Failed(what) => return Err(what),
                Record::Closed => self.drained = true,
                Record::Drained { .. } | Record::Refused { .. } => {}
            }
        }
        Ok(())
    }

    fn answer(&mut self, rng: &mut StdRng, inbox: &Inbox<world::SimulatedStream>) {
        if !self.wanting.is_empty() && rng.r#gen() {
            let link = self.wanting.swap_remove(rng.gen_range(0..self.wanting.len()));
            let operation = if rng.gen_ratio(1, 20) {
                Operation::Close
            } else {
                Operation::Connect { addresses: mining_pools(), key: Some(self.key.clone()) }
            };
            inbox.send([Message::Command(Command { link, operation })]);
        }
        if self.verdicts.is_empty() || rng.r#gen() {
            return;
        }
        let Verdict { id, way, from, to } = self.verdicts.swap_remove(rng.gen_range(0..self.verdicts.len()));
        let command = |operation| Message::Command(Command { link: id, operation });
        let middle = rng.gen_range(from..=to);
        inbox.send([
            command(Operation::Forward { way, from, to: middle }),
            command(Operation::Done { way, from: middle, to }),
        ]);
    }
}

fn mining_pools() -> Vec<SocketAddr> {
    ["10.9.9.9:1", "10.9.9.8:1"].map(|address| address.parse().expect("an address")).to_vec()
}

fn relay_options((public_key, secret_key): (String, String), threads: Threads, limits: Limits) -> RelayOptions {
    RelayOptions {
        threads,
        upstream: mining_pools(),
        upstream_key: Some(public_key.clone()),
        identity: Identity::new(&public_key, &secret_key, Duration::from_hours(1)).expect("a pair of keys"),
        session: Options { max_frame_size: 1 << 20, ..Options::default() },
        hooks: Hooks::None,
        limits,
        has_memory: || true,
    }
}

/// Turns for each client in which an honest miner must get its answers, beside the patience of the plan. Large frames need dozens of acts.
const ACTS: usize = 40;

fn run(plan: &Plan) -> Result<Outcome, String> {
    let mut limits = plan.limits.clone();
    if let Some(take_out) = plan.take_out {
        take_out(&mut limits);
    }
    let mut rng = StdRng::seed_from_u64(plan.seed);
    let keys = generate_authority_keypair();
    let public_key = keys.0.clone();
    let mut options = relay_options(keys, Threads::Number(NonZeroUsize::MIN), limits);
    if plan.hooks {
        options.hooks = Hooks::All;
    }
    if plan.chooses {
        (options.upstream, options.upstream_key) = (Vec::new(), None);
    }
    let shared = Shared::new(options);
    let world = World::new(rng.next_u64(), plan.short_reads, plan.room);
    let inbox = Arc::new(Inbox::new(|| {}));
    let network = SimulatedNetwork::new(Arc::clone(&world));
    let mut worker =
        Worker::new(network, Arc::clone(&shared), 0, vec![Arc::clone(&inbox)]).map_err(|error| error.to_string())?;
    let mut actors: Vec<Actor> = Actor::crowd(plan.honest, plan.attackers, &public_key, &mut rng);
    let mut pool = MiningPool::new(&shared.options.identity, plan.limits.clone());
    let honest = actors.iter().filter(|actor| actor.is_honest()).map(Actor::port).collect();
    let mut user = User { honest, key: public_key, ..User::default() };
    let mut outcome = Outcome::default();
    for step in 0..plan.steps {
        for _ in 0..rng.gen_range(1..8) {
            let index = rng.gen_range(0..actors.len());
            actors[index].act(&world, &mut rng, outcome.turns)?;
        }
        pool.act(&world, &mut rng)?;
        user.answer(&mut rng, &inbox);
        for _ in 0..plan.turns {
            turn(&mut worker, plan, &shared, &world, &mut user, &mut outcome)?;
        }
        world.pass(plan.pace.mul_f64(rng.gen_range(0.0..1.0)));
        if step % 1_000 == 999 {
            world.pass(Duration::from_millis(rng.gen_range(0..1_500)));
        }
        if step % 64 == 0 {
            for actor in &actors {
                actor.check(outcome.turns, plan.patience + ACTS * actors.len())?;
            }
        }
    }
    // Nobody acts any more but those that are honest. All links must end, by their own timers.
    for actor in &mut actors {
        actor.finish();
    }
    let end = world.now() + Duration::from_mins(5);
    while shared.links() > 0 {
        for actor in actors.iter_mut().filter(|actor| actor.is_honest()) {
            actor.act(&world, &mut rng, outcome.turns)?;
        }
        pool.act(&world, &mut rng)?;
        user.answer(&mut rng, &inbox);
        turn(&mut worker, plan, &shared, &world, &mut user, &mut outcome)?;
        world.pass(Duration::from_millis(20));
        if world.now() > end {
            return Err(format!("{} links never end", shared.links()));
        }
    }
    let stats = shared.stats();
    if (stats.memory_bytes, stats.reserved, stats.waiting) != (0, 0, 0) {
        return Err(format!("memory is left: {stats:?}"));
    }
    if user.connected != user.ended {
        return Err(format!("{} connections, {} ends", user.connected, user.ended));
    }
    outcome.frames = stats.frames_upstream + stats.frames_downstream;
    outcome.refused = stats.refused;
    outcome.rested = world.rested();
    Ok(outcome)
}

/// Seconds whose share of the rate of new connections may come at once.
const ADMISSION_BURST: u64 = 10;

fn turn(
    worker: &mut Worker<SimulatedNetwork>,
    plan: &Plan,
    shared: &Shared,
    world: &World,
    user: &mut User,
    outcome: &mut Outcome,
) -> Result<(), String> {
    worker.turn(None).map_err(|error| error.to_string())?;
    outcome.turns += 1;
    user.take(shared)?;
    let limits = &plan.limits;
    let stats = shared.stats();
    if stats.memory_bytes as usize > stats.reserved || stats.reserved > limits.memory {
        return Err(format!("memory: {} used, {} reserved", stats.memory_bytes, stats.reserved));
    }
    let taken = world.taken();
    let open = taken.iter().map(|taken| taken.open);
    if open.clone().sum::<usize>() > limits.connections
        || open.clone().any(|open| open > limits.connections_per_address)
    {
        return Err(format!("connections of all addresses: {:?}", open.collect::<Vec<_>>()));
    }
    let rate = limits.connections_per_second;
    let most = rate * (world.now().as_secs() + 1 + ADMISSION_BURST);
    if rate > 0 && taken.iter().any(|taken| taken.total > most) {
        return Err(format!("more than {most} connections of one address"));
    }
    if plan.chooses && user.newcomers.len() > limits.handshakes {
        return Err(format!("{} handshakes at once", user.newcomers.len()));
    }
    if world.most_read() > actors::READ {
        return Err(format!("{} bytes of one connection in one turn", world.most_read()));
    }
    Ok(())
}

/// Runs a plan, and says how to run it again if it fails.
fn expect_good(plan: &Plan) -> Outcome {
    run(plan).unwrap_or_else(|found| panic!("FRAMEPOOL_SEED={}: {found} ({plan:?})", plan.seed))
}

fn seeds(few: usize) -> Box<dyn Iterator<Item = u64>> {
    if let Ok(seed) = std::env::var("FRAMEPOOL_SEED") {
        return Box::new(std::iter::once(seed.parse().expect("FRAMEPOOL_SEED is a decimal u64")));
    }
    let any = || std::iter::repeat_with(|| rand::thread_rng().next_u64());
    match std::env::var("FRAMEPOOL_SIMULATION_SECONDS") {
        Ok(seconds) => {
            let end = Instant::now() + Duration::from_secs(seconds.parse().expect("a number of seconds"));
            Box::new(any().take_while(move |_| Instant::now() < end))
        }
        Err(_) => Box::new(any().take(few)),
    }
}

#[test]
fn nothing_goes_wrong_with_any_peers() {
    for seed in seeds(4) {
        let outcome = expect_good(&plan(seed));
        println!("FRAMEPOOL_SEED={seed}: {} turns, {} frames", outcome.turns, outcome.frames);
        assert!(outcome.frames > 0, "FRAMEPOOL_SEED={seed}");
    }
}

#[test]
fn every_attack_is_refused_and_counted() {
    for seed in seeds(1) {
        let outcome = expect_good(&Plan { attackers: 6, honest: 40, steps: 16_000, ..plan(seed) });
        let count = |reason| outcome.refused.iter().find(|(known, _)| *known == reason).map_or(0, |(_, count)| *count);
        for reason in [
            Reason::HandshakeTimeout,
            Reason::Foreign,
            Reason::SlowFrame,
            Reason::SlowReader,
            Reason::CutFrame,
            Reason::FrameRate,
            Reason::Handshakes,
            Reason::Descriptors,
        ] {
            assert!(count(reason) > 0, "FRAMEPOOL_SEED={seed}: {reason:?} of {:?}", outcome.refused);
        }
    }
}

#[test]
fn one_turn_does_bounded_work_for_one_link() {
    for seed in seeds(1) {
        // Nothing else holds a burst up.
        let limits = Limits { frames_per_second: 0, bytes_per_second: 0, ..limits() };
        let mine = Plan { attackers: 3, honest: 10, steps: 3_000, hooks: false, ..plan(seed) };
        let outcome = expect_good(&Plan { room: 2 * LARGE_ROOM, limits, ..mine });
        assert!(outcome.frames > 0, "FRAMEPOOL_SEED={seed}");
    }
}

#[test]
fn no_connection_goes_to_a_thread_that_has_ended() {
    let keys = generate_authority_keypair();
    let options = relay_options(keys, Threads::Number(NonZeroUsize::new(2).expect("two")), limits());
    let shared = Shared::new(options);
    let world = World::new(0, false, 8_192);
    let inboxes = vec![Arc::new(Inbox::new(|| {})), Arc::new(Inbox::new(|| {}))];
    let [mut first, mut second] = [0, 1].map(|index| {
        Worker::new(SimulatedNetwork::new(Arc::clone(&world)), Arc::clone(&shared), index, inboxes.clone())
            .expect("memory")
    });
    let mut turns = |links: usize| {
        // News may come late.
        for _ in 0..100 {
            assert_eq!(first.turn(None).ok(), Some(true));
        }
        assert_eq!(shared.links(), links);
    };
    let dial = || world.dial(SocketAddr::from(([10, 0, 0, 1], 1)));
    let kept = dial();
    turns(1);
    // It waits in the inbox of the second worker.
    let late = dial();
    turns(2);
    inboxes[1].send([Message::Drain]);
    assert_eq!(second.turn(None).ok(), Some(false));
    assert_eq!(shared.links(), 1);
    let later = dial();
    turns(2);
    assert_eq!([kept, late, later].map(|id| world.is_gone(id)), [false, true, false]);
}

#[test]
fn silent_clients_on_any_thread_make_room() {
    const EACH: usize = 2;
    let keys = generate_authority_keypair();
    let few = Limits { connections: 2 * EACH, ..limits() };
    let shared = Shared::new(relay_options(keys, Threads::Number(NonZeroUsize::new(2).expect("two")), few));
    let world = World::new(0, false, 8_192);
    let inboxes = vec![Arc::new(Inbox::new(|| {})), Arc::new(Inbox::new(|| {}))];
    let mut workers = [0, 1].map(|index| {
        Worker::new(SimulatedNetwork::new(Arc::clone(&world)), Arc::clone(&shared), index, inboxes.clone())
            .expect("memory")
    });
    let mut dial = || {
        let miners = [(); 2 * EACH].map(|()| world.dial(SocketAddr::from(([10, 0, 0, 1], 1))));
        for _ in 0..ENOUGH {
            for worker in &mut workers {
                assert_eq!(worker.turn(None).ok(), Some(true));
            }
        }
        miners
    };
    let silent = dial();
    assert_eq!(silent.map(|id| world.is_gone(id)), [false; 2 * EACH]);
    world.pass(Duration::from_secs(2) + LONGER);
    let late = dial();
    assert_eq!(silent.map(|id| world.is_gone(id)), [true; 2 * EACH]);
    assert_eq!(late.map(|id| world.is_gone(id)), [false; 2 * EACH]);
    assert_eq!(shared.links(), 2 * EACH);
}

#[test]
fn every_link_of_a_thread_that_panics_ends() {
    let options = relay_options(generate_authority_keypair(), Threads::Number(NonZeroUsize::MIN), limits());
    let shared = Shared::new(options);
    let world = World::new(0, false, 8_192);
    let inboxes = vec![Arc::new(Inbox::new(|| {}))];
    let mut worker =
        Worker::new(SimulatedNetwork::new(Arc::clone(&world)), Arc::clone(&shared), 0, inboxes).expect("memory");
    let miners = [0, 1, 2].map(|_| world.dial(SocketAddr::from(([10, 0, 0, 1], 1))));
    while shared.links() < 3 {
        assert_eq!(worker.turn(None).ok(), Some(true));
    }
    world.explode(miners[1]);
    world.send(miners[1], &[1; 10]);
    while catch_unwind(AssertUnwindSafe(|| worker.turn(None))).is_ok() {}
    worker.fail("it exploded");
    let mut ends = Vec::new();
    while let (Some(record), _) = shared.records.take() {
        if let Record::Disconnected(end) = record {
            assert_eq!(end.ending.cause, Cause::Internal("it exploded".to_owned()));
            ends.push(end.id);
        }
    }
    ends.sort_unstable();
    assert_eq!(ends, [1, 2, 3]);
    assert_eq!(miners.map(|id| world.is_gone(id)), [true; 3]);
    let stats = shared.stats();
    assert_eq!((stats.connections, stats.memory_bytes, stats.reserved), (0, 0, 0));
}

/// A worker that is alone in its world.
struct Lone {
    worker: Worker<SimulatedNetwork>,
    shared: Arc<Shared>,
    world: Arc<World>,
    inbox: Arc<Inbox<world::SimulatedStream>>,
    key: String,
    pool: MiningPool,
}

impl Lone {
    fn new(limits: Limits, has_memory: fn() -> bool) -> Self {
        let keys = generate_authority_keypair();
        let key = keys.0.clone();
        let options = relay_options(keys, Threads::Number(NonZeroUsize::MIN), limits);
        let shared = Shared::new(RelayOptions { has_memory, ..options });
        let world = World::new(0, false, 8_192);
        let inbox = Arc::new(Inbox::new(|| {}));
        let network = SimulatedNetwork::new(Arc::clone(&world));
        let worker = Worker::new(network, Arc::clone(&shared), 0, vec![Arc::clone(&inbox)]).expect("memory");
        let pool = MiningPool::new(&shared.options.identity, shared.options.limits.clone());
        Self { worker, shared, world, inbox, key, pool }
    }

    fn dial(&self) -> u64 {
        self.world.dial(SocketAddr::from(([10, 0, 0, 1], 1)))
    }

    /// Connects a miner that sends its first frame, and the relay to the mining pool for it.
    fn connect(&mut self) -> u64 {
        self.connect_with_session().0
    }

    /// Connects as [`connect`](Self::connect) does, and returns the session of the miner, too.
    fn connect_with_session(&mut self) -> (u64, Session) {
        let mut session = Session::initiator(Options::default(), Some(&self.key)).expect("a good key");
        let id = self.dial();
        for _ in 0..2 {
            let mut bytes = vec![0; session.output().pending()];
            session.output().read(&mut bytes);
            assert_eq!(self.world.send(id, &bytes), Some(bytes.len()));
            for _ in 0..ENOUGH {
                self.links_after(1);
                self.pool.act(&self.world, &mut StdRng::seed_from_u64(0)).expect("good frames");
            }
            let answer = self.world.receive(id, usize::MAX).expect("it is connected");
            session.receive(&answer, &mut BufferFromSystemMemory::new(0)).expect("good bytes");
            if session.stats().frames_out == 0 {
                let header = FrameHeader { extension_type: 0, message_type: 1 };
                session.send(header, b"").expect("memory");
            }
        }
        (id, session)
    }

    /// Returns the number of links after so many turns.
    fn links_after(&mut self, turns: usize) -> usize {
        for _ in 0..turns {
            assert_eq!(self.worker.turn(None).ok(), Some(true));
        }
        self.shared.links()
    }

    fn refused(&self, reason: Reason) -> u64 {
        self.shared.stats().refused.into_iter().filter(|&(known, _)| known == reason).map(|(_, count)| count).sum()
    }
}

/// Turns in which all news have come.
const ENOUGH: usize = 100;

/// Longer than accepting pauses.
const LONGER: Duration = Duration::from_millis(200);

#[test]
fn accepting_pauses_for_want_of_descriptors_or_memory_and_goes_on() {
    static HAS_MEMORY: AtomicBool = AtomicBool::new(true);
    let mut lone = Lone::new(limits(), || HAS_MEMORY.load(Ordering::Relaxed));
    lone.world.set_descriptor_room(2);
    let miners = [lone.connect(), lone.connect(), lone.dial()];
    assert_eq!((lone.links_after(ENOUGH), lone.refused(Reason::Descriptors)), (2, 1));
    lone.world.reset(miners[0]);
    assert_eq!(lone.links_after(ENOUGH), 1);
    lone.world.pass(LONGER);
    assert_eq!((lone.links_after(ENOUGH), lone.refused(Reason::Descriptors)), (2, 2));
    lone.world.reset(miners[1]);
    let last = lone.dial();
    HAS_MEMORY.store(false, Ordering::Relaxed);
    lone.world.pass(LONGER);
    // The link ends, and another connection waits.
    assert_eq!((lone.links_after(ENOUGH), lone.refused(Reason::Memory)), (1, 1));
    HAS_MEMORY.store(true, Ordering::Relaxed);
    lone.world.pass(LONGER);
    assert_eq!(lone.links_after(ENOUGH), 2);
    assert_eq!(miners.map(|id| lone.world.is_gone(id)), [true, true, false]);
    assert!(!lone.world.is_gone(last));
}

#[test]
fn accepting_pauses_while_others_have_the_descriptors() {
    let mut lone = Lone::new(limits(), || true);
    lone.world.set_descriptor_room(0);
    // One is always let in.
    let miners = [lone.connect(), lone.dial()];
    for _ in 0..2 {
        assert_eq!(lone.links_after(ENOUGH), 1);
        lone.world.pass(LONGER);
    }
    assert!(lone.refused(Reason::Descriptors) > 0);
    lone.world.set_descriptor_room(2);
    assert_eq!(lone.links_after(ENOUGH), 2);
    assert_eq!(miners.map(|id| lone.world.is_gone(id)), [false; 2]);
}

#[test]
fn silent_clients_keep_nobody_out() {
    for (connections, descriptor_room) in [(4, usize::MAX), (usize::MAX, 4)] {
        let mut lone = Lone::new(Limits { connections, ..limits() }, || true);
        lone.world.set_descriptor_room(descriptor_room);
        let miner = lone.connect();
        let silent = [(); 3].map(|()| lone.dial());
        assert_eq!((lone.links_after(ENOUGH), lone.refused(Reason::Handshakes)), (4, 0));
        // They are not slow yet.
        let early = lone.dial();
        assert_eq!((lone.links_after(ENOUGH), lone.refused(Reason::Handshakes)), (4, 0));
        let refused = [Reason::Connections, Reason::Descriptors].map(|reason| lone.refused(reason));
        assert_eq!(refused.into_iter().sum::<u64>(), 1);
        lone.world.reset(early);
        lone.world.pass(Duration::from_secs(2));
        lone.links_after(ENOUGH);
        let late = lone.connect();
        assert_eq!(lone.links_after(ENOUGH), 4);
        assert!(lone.refused(Reason::Handshakes) > 0 && lone.world.is_gone(silent[0]));
        assert_eq!([miner, late].map(|id| lone.world.is_gone(id)), [false; 2]);
        assert_eq!([Reason::Connections, Reason::Descriptors].map(|reason| lone.refused(reason)), refused);
    }
}

#[test]
fn a_large_frame_that_comes_in_holds_its_memory_for_minutes_at_most() {
    const LARGE: usize = 1_000_000;
    let header = FrameHeader { extension_type: 0, message_type: 1 };
    // 2,000 bytes a second would do for a small frame.
    for (rate, lasts) in [(6_500, true), (2_000, false)] {
        let mut lone = Lone::new(limits(), || true);
        let (miner, mut session) = lone.connect_with_session();
        session.send(header, &vec![0; LARGE]).expect("memory");
        let mut wire = vec![0; session.output().pending()];
        session.output().read(&mut wire);
        let began = lone.world.now();
        while !wire.is_empty() && !lone.world.is_gone(miner) {
            let bytes: Vec<u8> = wire.iter().copied().take(rate).collect();
            wire.drain(..lone.world.send(miner, &bytes).unwrap_or(0));
            lone.links_after(4);
            lone.world.pass(Duration::from_secs(1));
        }
        let took = lone.world.now().saturating_sub(began);
        lone.links_after(ENOUGH);
        assert_eq!((lone.world.is_gone(miner), lone.refused(Reason::SlowFrame)), (!lasts, u64::from(!lasts)), "{rate}");
        assert!(took < Duration::from_mins(3) + limits().grace, "{took:?}");
    }
}

#[test]
fn accepting_pauses_while_too_many_records_wait() {
    let mut lone = Lone::new(limits(), || true);
    let record = || Record::Drained { id: 0, way: Direction::Upstream };
    lone.shared.records.add(&mut std::iter::repeat_with(record).take(MANY).collect());
    for _ in 0..2 {
        lone.dial();
        assert_eq!(lone.links_after(ENOUGH), 0);
        lone.world.pass(LONGER);
    }
    while let (Some(_), relieved) = lone.shared.records.take() {
        lone.inbox.send(relieved.then_some(Message::Resume));
    }
    assert_eq!(lone.links_after(ENOUGH), 2);
}

#[test]
fn timers_and_newcomers_have_a_share_of_a_turn() {
    const LINKS: usize = 200;
    let limits = Limits { handshakes: LINKS, ..limits() };
    let late = limits.handshake_timeout + LONGER;
    let mut lone = Lone::new(limits, || true);
    lone.world.set_cost(Duration::from_micros(10));
    let miners: Vec<u64> = (0..LINKS).map(|_| lone.dial()).collect();
    while lone.links_after(1) == 0 {}
    assert!(lone.shared.links() < LINKS / 2, "{} newcomers in one turn", lone.shared.links());
    assert_eq!(lone.links_after(ENOUGH), LINKS);
    lone.world.pass(late);
    let left = lone.links_after(1);
    assert!(left > LINKS / 2, "{} timers in one turn", LINKS - left);
    assert_eq!(lone.links_after(ENOUGH), 0);
    assert!(miners.into_iter().all(|id| lone.world.is_gone(id)));
}

#[test]
fn links_that_come_and_go_leave_no_timers() {
    let mut lone = Lone::new(limits(), || true);
    for _ in 0..500 {
        let miner = lone.dial();
        while lone.links_after(1) == 0 {}
        lone.world.reset(miner);
        while lone.links_after(1) > 0 {}
    }
    assert!(lone.worker.timers() < 20, "{}", lone.worker.timers());
}

#[test]
fn every_link_has_room_in_the_queue_before_it_is_there() {
    const LINKS: usize = 200;
    let mut lone = Lone::new(Limits { handshakes: LINKS, ..limits() }, || true);
    for _ in 0..LINKS {
        lone.dial();
    }
    assert_eq!(lone.links_after(ENOUGH), LINKS);
    assert!(lone.worker.room_in_queue() >= LINKS, "{}", lone.worker.room_in_queue());
}

#[test]
fn a_crowd_lets_the_worker_rest() {
    // Seldom is a crowd never still enough.
    let rested: Duration = (0..6)
        .map(|seed| {
            let pace = Duration::from_micros(200);
            let crowd = Plan { honest: 60, attackers: 0, hooks: false, pace, turns: 4, ..plan(seed) };
            expect_good(&crowd).rested
        })
        .sum();
    assert!(rested > Duration::ZERO);
}

#[test]
fn miners_that_get_no_memory_are_refused() {
    for seed in seeds(1) {
        let limits = Limits { memory: 2 << 20, ..limits() };
        // Others wait for long, one after another.
        let patience = usize::MAX / 2;
        let plan = Plan { attackers: 4, honest: 30, steps: 12_000, patience, limits, ..plan(seed) };
        let outcome = expect_good(&plan);
        let refused = outcome.refused.iter().any(|&(reason, count)| reason == Reason::Memory && count > 0);
        assert!(refused, "FRAMEPOOL_SEED={seed}");
    }
}

/// A limit that is taken out must be missed: otherwise the simulation looks at nothing.
#[test]
fn a_limit_that_is_missing_is_noticed() {
    const FOREVER: Duration = Duration::from_secs(100_000);
    for seed in seeds(1) {
        let small = Limits { memory: 4 << 20, connections: 30, ..limits() };
        let slow = Limits { frames_per_second: 0, bytes_per_second: 64 << 10, ..limits() };
        let without: [(&str, Limits, TakeOut); 10] = [
            ("handshake timeout", limits(), |limits| {
                limits.handshake_timeout = FOREVER;
                limits.idle_timeout = None;
            }),
            ("least rate", limits(), |limits| {
                limits.min_rate = 0;
                limits.idle_timeout = None;
            }),
            ("memory", small.clone(), |limits| limits.memory = 1 << 40),
            ("connections", small, |limits| limits.connections = usize::MAX),
            ("idle timeout", limits(), |limits| limits.idle_timeout = None),
            ("connections of an address", Limits { connections_per_address: 3, ..limits() }, |limits| {
                limits.connections_per_address = usize::MAX;
            }),
            ("rate of connections", Limits { connections_per_second: 1, ..limits() }, |limits| {
                limits.connections_per_second = 0;
            }),
            ("handshakes", Limits { handshakes: 4, ..limits() }, |limits| limits.handshakes = usize::MAX),
            ("rate of frames", limits(), |limits| limits.frames_per_second = 0),
            ("rate of bytes", slow, |limits| limits.bytes_per_second = 0),
        ];
        for (name, limits, take_out) in without {
            // Late verdicts would hold the rates down.
            let mine = Plan { attackers: 4, honest: 30, steps: 12_000, hooks: false, chooses: true, ..plan(seed) };
            let plan = Plan { limits, ..mine };
            expect_good(&plan);
            let found = run(&Plan { take_out: Some(take_out), ..plan }).err();
            println!("FRAMEPOOL_SEED={seed}: without {name}, {found:?}");
            assert!(found.is_some(), "FRAMEPOOL_SEED={seed}: nobody misses the {name}");
        }
    }
}
