//! Admission of connections: limits on the connections of one address, and on the rate of its new ones.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::bucket::{Bucket, Rate};
use super::figures::Reason;
use super::options::Limits;

/// Time whose share of the rate of new connections may come at once.
const BURST: Duration = Duration::from_secs(10);

/// Blocks without connections that are remembered for the sake of their rate, before they are looked through.
const REMEMBERED: usize = 1024;

/// An address as limits count it: an IPv4 address, or 64 bits of an IPv6 address, of which one client can have many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Block(u64, bool);

impl From<IpAddr> for Block {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(u32::from(address).into(), false),
            IpAddr::V6(address) => Self((u128::from(address) >> 64) as u64, true),
        }
    }
}

#[derive(Default)]
struct Presence {
    connections: usize,
    recent: Bucket,
}

/// The addresses that have connections, or had some lately.
pub(super) struct Admission {
    most: usize,
    rate: Rate,
    present: HashMap<Block, Presence>,
    /// Number of entries that there may be before they are looked through.
    sweep: usize,
}

impl Admission {
    pub(super) fn new(limits: &Limits) -> Self {
        let rate = Rate { units: limits.connections_per_second, burst: BURST };
        Self { most: limits.connections_per_address, rate, present: HashMap::new(), sweep: REMEMBERED }
    }

    /// Counts a new connection, unless the address has too many, or makes too many, or there is no memory to count it.
    pub(super) fn enter(&mut self, address: IpAddr, now: Duration) -> Result<(), Reason> {
        if self.present.len() >= self.sweep {
            self.present.retain(|_, presence| presence.connections > 0 || !presence.recent.is_full(now));
            self.sweep = REMEMBERED.max(2 * self.present.len());
        }
        self.present.try_reserve(1).map_err(|_| Reason::Memory)?;
        let presence = self.present.entry(address.into()).or_default();
        if presence.connections >= self.most {
            return Err(Reason::Address);
        }
        if presence.recent.open(self.rate) > now {
            return Err(Reason::ConnectionRate);
        }
        presence.recent.take(1, self.rate, now);
        presence.connections += 1;
        Ok(())
    }

    /// Counts a connection that has ended.
    pub(super) fn leave(&mut self, address: IpAddr) {
        if let Some(presence) = self.present.get_mut(&address.into()) {
            presence.connections = presence.connections.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(connections_per_address: usize, connections_per_second: u64) -> Admission {
        Admission::new(&Limits { connections_per_address, connections_per_second, ..Limits::default() })
    }

    #[test]
    fn an_address_has_its_share_and_no_more() {
        let mut admission = admission(2, 0);
        let [one, other]: [IpAddr; 2] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().expect("an address"));
        for _ in 0..2 {
            assert_eq!(admission.enter(one, Duration::ZERO), Ok(()));
        }
        // An IPv4 address is the same inside IPv6.
        for same in [one, "::ffff:10.0.0.1".parse().expect("an address")] {
            assert_eq!(admission.enter(same, Duration::ZERO), Err(Reason::Address));
        }
        assert_eq!(admission.enter(other, Duration::ZERO), Ok(()));
        admission.leave(one);
        assert_eq!(admission.enter(one, Duration::ZERO), Ok(()));
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        let mut admission = admission(1, 0);
        let [one, neighbor, other]: [IpAddr; 3] =
            ["2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"].map(|text| text.parse().expect("an address"));
        assert_eq!(admission.enter(one, Duration::ZERO), Ok(()));
        assert_eq!(admission.enter(neighbor, Duration::ZERO), Err(Reason::Address));
        assert_eq!(admission.enter(other, Duration::ZERO), Ok(()));
    }

    #[test]
    fn new_connections_have_a_rate_and_old_ones_are_forgotten() {
        let mut admission = admission(usize::MAX, 10);
        let address: IpAddr = "10.0.0.1".parse().expect("an address");
        let mut entered = 0;
        while admission.enter(address, Duration::ZERO) == Ok(()) {
            entered += 1;
        }
        assert!((100..=101).contains(&entered), "{entered}");
        assert_eq!(admission.enter(address, Duration::from_secs(1)), Ok(()));
        for number in 0..100_000_u32 {
            let address = IpAddr::from(number.to_be_bytes());
            assert_eq!(admission.enter(address, Duration::from_millis(u64::from(number))), Ok(()));
            admission.leave(address);
        }
        assert!(admission.present.len() < 4 * REMEMBERED, "{}", admission.present.len());
    }
}
