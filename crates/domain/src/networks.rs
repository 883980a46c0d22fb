//! Lists of networks: from which addresses something may be done.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use crate::ip_restriction::{Cidr, InvalidCidr};

/// Addresses, as the fewest networks that name them: lists that name the same addresses are equal.
///
/// What is mapped into IPv6 counts as IPv4; no other IPv6 network names an IPv4 address.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Networks {
    /// INVARIANT: sorted, none within or beside another that it could be one with, and each begins
    /// with its own address.
    v4: Vec<Ipv4Net>,
    /// INVARIANT: the same.
    v6: Vec<Ipv6Net>,
}

impl Networks {
    /// What these name together; of none, no address.
    pub fn new(cidrs: impl IntoIterator<Item = Cidr>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for cidr in cidrs {
            match cidr.network() {
                IpNet::V4(network) => v4.push(network),
                IpNet::V6(network) => v6.push(network),
            }
        }
        Self::of(&v4, &v6)
    }

    fn of(v4: &[Ipv4Net], v6: &[Ipv6Net]) -> Self {
        let (mut v4, mut v6) = (Ipv4Net::aggregate(&v4.to_vec()), Ipv6Net::aggregate(&v6.to_vec()));
        for network in &mut v4 {
            *network = network.trunc();
        }
        for network in &mut v6 {
            *network = network.trunc();
        }
        v4.sort_unstable();
        v6.sort_unstable();
        Self { v4, v6 }
    }

    /// Whether an address is in one of them.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        // They are apart: the last that begins before it, or none.
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let after = self.v4.partition_point(|network| network.addr() <= address);
                before(&self.v4, after).is_some_and(|network| network.contains(&address))
            }
            IpAddr::V6(address) => {
                let after = self.v6.partition_point(|network| network.addr() <= address);
                before(&self.v6, after).is_some_and(|network| network.contains(&address))
            }
        }
    }

    /// The addresses that both name.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Self {
        let v4 = common(&self.v4, &other.v4, |one, other| one.contains(other));
        let v6 = common(&self.v6, &other.v6, |one, other| one.contains(other));
        Self::of(&v4, &v6)
    }

    /// Whether they name no address.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }
}

fn before<T>(sorted: &[T], after: usize) -> Option<&T> {
    sorted.get(after.checked_sub(1)?)
}

/// Of each pair, the one that is within the other: networks overlap in no other way.
fn common<T: Copy>(one: &[T], other: &[T], contains: impl Fn(&T, &T) -> bool) -> Vec<T> {
    let pairs = one.iter().flat_map(|a| other.iter().map(move |b| (a, b)));
    pairs
        .filter_map(|(a, b)| match (contains(a, b), contains(b, a)) {
            (true, _) => Some(*b),
            (false, true) => Some(*a),
            (false, false) => None,
        })
        .collect()
}

impl TryFrom<Vec<String>> for Networks {
    type Error = InvalidCidr;
    fn try_from(texts: Vec<String>) -> Result<Self, InvalidCidr> {
        let cidrs: Vec<_> = texts.into_iter().map(Cidr::parse).collect::<Result<_, _>>()?;
        Ok(Self::new(cidrs))
    }
}

impl From<Networks> for Vec<String> {
    /// `10.0.0.0/8`, `2001:db8::/32`; one address is a network too: `10.1.2.3/32`.
    fn from(networks: Networks) -> Self {
        let v4 = networks.v4.iter().map(ToString::to_string);
        v4.chain(networks.v6.iter().map(ToString::to_string)).collect()
    }
}
