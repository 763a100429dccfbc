//! The life of a relay, and what it tells when it is asked.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::num::NonZeroUsize;
use std::time::Duration;

use framepool::handle::Handle;
use framepool::relay::{Hooks, Limits, Operation, Relay, RelayOptions, SystemFault, Threads};
use framepool::sv2::{Identity, Options};
use napi::Env;
use napi_derive::napi;

use crate::allocator;
use crate::errors::{Code, Fault, Result};
use crate::handle::ObjectHandle;
use crate::relay::records::RelayFault;
use crate::state::EnvState;

/// Validity of a relay's certificates. A static key is used for half of it.
const CERTIFICATE_VALIDITY: Duration = Duration::from_hours(1);

/// Options of a relay. The facade has checked them.
#[napi(object)]
pub struct RelaySettings {
    /// Number of threads; 0 for as many as there are processors.
    pub threads: u32,
    /// IP addresses of the mining pool. Without any, the facade is asked for each link.
    pub upstream: Vec<String>,
    /// Port of the mining pool.
    pub upstream_port: u32,
    /// Key that its certificate must be signed with.
    pub upstream_key: Option<String>,
    /// Key by which miners recognize the relay.
    pub public_key: String,
    /// Secret key of the relay, for `public_key`.
    pub secret_key: String,
    /// The largest frame, in bytes.
    pub max_frame_size: u32,
    /// Whether frames go to a hook.
    pub hooked: bool,
    /// Messages whose frames go to the hook: extension × 256 + type; all if absent.
    pub hook_messages: Option<Vec<u32>>,
    /// Limits.
    pub limits: RelayLimits,
}

/// Limits of a relay. Those that are missing have the defaults of the core.
#[napi(object)]
pub struct RelayLimits {
    /// Bytes of memory.
    pub max_memory: Option<f64>,
    /// Connections.
    pub max_connections: Option<f64>,
    /// Connections of one address.
    pub max_connections_per_address: Option<f64>,
    /// New connections a second of one address; 0 for no limit.
    pub max_connection_rate: Option<f64>,
    /// Handshakes in progress.
    pub max_handshakes: Option<f64>,
    /// Milliseconds for a handshake.
    pub handshake_timeout_ms: Option<f64>,
    /// Milliseconds without any traffic; 0 for no limit.
    pub idle_timeout_ms: Option<f64>,
    /// Bytes a second; 0 for no limit.
    pub min_byte_rate: Option<f64>,
    /// Time in milliseconds that a side may lag behind `min_byte_rate`.
    pub grace_ms: Option<f64>,
    /// Frames a second of one miner; 0 for no limit.
    pub max_frame_rate: Option<f64>,
    /// Bytes a second of one miner; 0 for no limit.
    pub max_byte_rate: Option<f64>,
    /// Milliseconds without traffic before TCP asks; 0 for never.
    pub keep_alive_ms: Option<f64>,
}

#[allow(clippy::cast_sign_loss, reason = "the facade checks the ranges")]
fn limits(given: &RelayLimits) -> Limits {
    let default = Limits::default();
    let count = |given: Option<f64>, default: usize| given.map_or(default, |count| count as usize);
    let rate = |given: Option<f64>, default: u64| given.map_or(default, |rate| rate as u64);
    let time = |given: Option<f64>, default: Duration| {
        given.map_or(default, |milliseconds| Duration::from_millis(milliseconds as u64))
    };
    let some = |given: Option<f64>, default: Option<Duration>| {
        let time = time(given, default.unwrap_or_default());
        (!time.is_zero()).then_some(time)
    };
    Limits {
        memory: count(given.max_memory, default.memory),
        connections: count(given.max_connections, default.connections),
        connections_per_address: count(given.max_connections_per_address, default.connections_per_address),
        connections_per_second: rate(given.max_connection_rate, default.connections_per_second),
        handshakes: count(given.max_handshakes, default.handshakes),
        handshake_timeout: time(given.handshake_timeout_ms, default.handshake_timeout),
        idle_timeout: some(given.idle_timeout_ms, default.idle_timeout),
        min_rate: rate(given.min_byte_rate, default.min_rate),
        grace: time(given.grace_ms, default.grace),
        frames_per_second: rate(given.max_frame_rate, default.frames_per_second),
        bytes_per_second: rate(given.max_byte_rate, default.bytes_per_second),
        keep_alive: some(given.keep_alive_ms, default.keep_alive),
    }
}

/// The limits that hold where an option is not given.
#[napi(object)]
pub struct RelayDefaults {
    /// Bytes of memory.
    pub max_memory: f64,
}

/// Returns the limits that hold where an option is not given.
#[napi(catch_unwind)]
pub fn relay_defaults() -> RelayDefaults {
    RelayDefaults { max_memory: Limits::default().memory as f64 }
}

fn addresses(hosts: &[String], port: u32) -> std::result::Result<Vec<SocketAddr>, Fault> {
    let port = u16::try_from(port).map_err(|_| Fault::internal("no such port"))?;
    hosts
        .iter()
        .map(|host| {
            let address = match host.parse::<IpAddr>() {
                Ok(address) => Some(SocketAddr::new(address, port)),
                // The system knows the zone of an IPv6 address by its name. It asks nobody for that.
                Err(_) if host.contains('%') => {
                    (host.as_str(), port).to_socket_addrs().ok().and_then(|mut addresses| addresses.next())
                }
                Err(_) => None,
            };
            address.ok_or_else(|| Fault::new(Code::OUT_OF_RANGE, format_args!("{host} is no IP address")))
        })
        .collect()
}

/// A relay that has started, or the fault for which it has not.
#[napi(object)]
pub struct RelayStart {
    /// The relay.
    pub relay: Option<ObjectHandle>,
    /// IP address that it listens on.
    pub address: String,
    /// Port that it listens on.
    pub port: u32,
    /// Fault for which it does not listen.
    pub fault: Option<RelayFault>,
}

/// Starts a relay that listens on the first of `hosts` on which that is possible.
#[napi(catch_unwind)]
pub fn relay_start(env: Env, hosts: Vec<String>, port: u32, settings: RelaySettings) -> Result<RelayStart> {
    let state = EnvState::of(env)?;
    let listen = addresses(&hosts, port)?;
    let hooks = match (settings.hooked, settings.hook_messages) {
        (false, _) => Hooks::None,
        (true, None) => Hooks::All,
        (true, Some(messages)) => {
            Hooks::Some(messages.into_iter().map(|message| ((message >> 8) as u16, message as u8)).collect())
        }
    };
    let options = RelayOptions {
        threads: NonZeroUsize::new(settings.threads as usize).map_or(Threads::Auto, Threads::Number),
        upstream: addresses(&settings.upstream, settings.upstream_port)?,
        upstream_key: settings.upstream_key,
        identity: Identity::new(&settings.public_key, &settings.secret_key, CERTIFICATE_VALIDITY)
            .map_err(Fault::from)?,
        session: Options { max_frame_size: settings.max_frame_size as usize, ..Options::default() },
        hooks,
        limits: limits(&settings.limits),
        has_memory: || allocator::check().is_ok(),
    };
    match Relay::start(options, &listen) {
        Ok(relay) => {
            let address = relay.address();
            let handle = state.tables.relays.insert(relay)?;
            Ok(RelayStart {
                relay: Some(handle.into()),
                address: address.ip().to_string(),
                port: address.port().into(),
                fault: None,
            })
        }
        Err(error) if error.kind() == ErrorKind::OutOfMemory => Err(Fault::no_memory().into()),
        Err(error) => {
            let fault = SystemFault { address: listen.last().copied(), ..SystemFault::new("listen", &error) };
            Ok(RelayStart { relay: None, address: String::new(), port: 0, fault: Some(fault.into()) })
        }
    }
}

/// Connects a link to the first of `hosts` that answers.
#[napi(catch_unwind)]
pub fn relay_connect(
    env: Env,
    relay: ObjectHandle,
    link: f64,
    hosts: Vec<String>,
    port: u32,
    key: Option<String>,
) -> Result<()> {
    let entry = EnvState::of_any(env)?.tables.relays.get(Handle::from(relay))?;
    let addresses = addresses(&hosts, port)?;
    #[allow(clippy::cast_sign_loss, reason = "links have numbers from 1 on")]
    entry.add(link as u64, Operation::Connect { addresses, key });
    entry.flush();
    Ok(())
}

/// Stops a relay from accepting, and ends each link when all answers have gone out.
#[napi(catch_unwind)]
pub fn relay_drain(env: Env, relay: ObjectHandle) -> Result<()> {
    EnvState::of_any(env)?.tables.relays.get(Handle::from(relay))?.relay.drain();
    Ok(())
}

/// Ends all links of a relay.
#[napi(catch_unwind)]
pub fn relay_destroy(env: Env, relay: ObjectHandle) -> Result<()> {
    EnvState::of_any(env)?.tables.relays.get(Handle::from(relay))?.relay.destroy();
    Ok(())
}

/// Forgets a relay, and ends it if it has not ended.
#[napi(catch_unwind)]
pub fn relay_release(env: Env, relay: ObjectHandle) -> Result<()> {
    EnvState::of_any(env)?.tables.relays.remove(Handle::from(relay)).ok_or_else(Fault::released)?;
    Ok(())
}

/// Figures of a relay.
#[napi(object)]
pub struct RelayReport {
    /// Open connections of miners.
    pub connections: f64,
    /// Connections that were accepted.
    pub connections_total: f64,
    /// Connections that were refused when they came.
    pub rejected: f64,
    /// Links that ended before both handshakes were done.
    pub handshake_failures: f64,
    /// Frames passed on to mining pools.
    pub frames_upstream: f64,
    /// Frames passed on to miners.
    pub frames_downstream: f64,
    /// Wire bytes sent to mining pools.
    pub bytes_upstream: f64,
    /// Wire bytes sent to miners.
    pub bytes_downstream: f64,
    /// Batches that found no room in a slot pool.
    pub heap_fallbacks: f64,
    /// Native memory of the open links, in bytes.
    pub memory_bytes: f64,
    /// Bytes reserved of the memory budget.
    pub reserved: f64,
    /// Frames that wait for memory.
    pub waiting: f64,
    /// Names of the reasons for refusals.
    pub reasons: Vec<String>,
    /// Number of refusals for each of them.
    pub refused: Vec<f64>,
}

/// Returns the figures of a relay.
#[napi(catch_unwind)]
pub fn relay_report(env: Env, relay: ObjectHandle) -> Result<RelayReport> {
    let stats = EnvState::of_any(env)?.tables.relays.get(Handle::from(relay))?.relay.stats();
    let (reasons, refused) =
        stats.refused.iter().map(|(reason, count)| (reason.name().to_owned(), *count as f64)).unzip();
    Ok(RelayReport {
        connections: stats.connections as f64,
        connections_total: stats.connections_total as f64,
        rejected: stats.rejected as f64,
        handshake_failures: stats.handshake_failures as f64,
        frames_upstream: stats.frames_upstream as f64,
        frames_downstream: stats.frames_downstream as f64,
        bytes_upstream: stats.bytes_upstream as f64,
        bytes_downstream: stats.bytes_downstream as f64,
        heap_fallbacks: stats.heap_fallbacks as f64,
        memory_bytes: stats.memory_bytes as f64,
        reserved: stats.reserved as f64,
        waiting: stats.waiting as f64,
        reasons,
        refused,
    })
}

/// Returns whether a connection of a relay is open.
#[napi(catch_unwind)]
pub fn relay_has_link(env: Env, relay: ObjectHandle, link: f64) -> Result<bool> {
    let entry = EnvState::of_any(env)?.tables.relays.get(Handle::from(relay))?;
    #[allow(clippy::cast_sign_loss, reason = "links have numbers from 1 on")]
    Ok(entry.relay.has_link(link as u64))
}

/// An open connection of a relay.
#[napi(object)]
pub struct RelayLinkReport {
    /// Number of the connection.
    pub id: f64,
    /// IP address that the miner connected from.
    pub remote_address: String,
    /// TCP port that it connected from.
    pub remote_port: u32,
    /// Whether both handshakes are done.
    pub open: bool,
    /// Frames passed on to the mining pool.
    pub frames_upstream: f64,
    /// Frames passed on to the miner.
    pub frames_downstream: f64,
    /// Wire bytes sent to the mining pool.
    pub bytes_upstream: f64,
    /// Wire bytes sent to the miner.
    pub bytes_downstream: f64,
    /// Time since the miner was accepted, in milliseconds.
    pub age_ms: f64,
}

/// Returns the open connections of a relay, in the order in which they were accepted.
#[napi(catch_unwind)]
pub fn relay_links(env: Env, relay: ObjectHandle) -> Result<Vec<RelayLinkReport>> {
    let relay = &EnvState::of(env)?.tables.relays.get(Handle::from(relay))?.relay;
    let now = relay.now();
    let links = relay.links().map_err(Fault::from)?;
    let mut report = Vec::new();
    report.try_reserve_exact(links.len()).map_err(|_| Fault::no_memory())?;
    report.extend(links.iter().map(|link| {
        let [frames_upstream, frames_downstream] = link.frames();
        let [bytes_upstream, bytes_downstream] = link.bytes();
        RelayLinkReport {
            id: link.id as f64,
            remote_address: link.address.ip().to_canonical().to_string(),
            remote_port: link.address.port().into(),
            open: link.is_open(),
            frames_upstream: frames_upstream as f64,
            frames_downstream: frames_downstream as f64,
            bytes_upstream: bytes_upstream as f64,
            bytes_downstream: bytes_downstream as f64,
            age_ms: now.saturating_sub(link.accepted).as_secs_f64() * 1000.0,
        }
    }));
    Ok(report)
}
