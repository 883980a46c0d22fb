//! Where a request comes from: the socket's address, or what a trusted proxy says.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::HeaderMap;
use domain::ip_restriction::{Cidr, InvalidCidr};
use serde::{Deserialize, Serialize};

/// The proxies whose word on addresses is taken: networks, or single addresses.
///
/// Reads from a list of texts, or from one text with commas.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "Texts", into = "Vec<String>")]
pub struct TrustedProxies(Vec<Cidr>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Many(Vec<String>),
}

impl TryFrom<Texts> for TrustedProxies {
    type Error = InvalidCidr;
    fn try_from(texts: Texts) -> Result<Self, InvalidCidr> {
        let texts = match texts {
            Texts::One(text) => vec![text],
            Texts::Many(texts) => texts,
        };
        let each = texts.iter().flat_map(|text| text.split(',')).map(str::trim);
        each.filter(|text| !text.is_empty()).map(Cidr::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl From<TrustedProxies> for Vec<String> {
    fn from(proxies: TrustedProxies) -> Self {
        proxies.0.into_iter().map(Into::into).collect()
    }
}

impl TrustedProxies {
    /// Names them.
    ///
    /// # Errors
    /// [`InvalidCidr`] if a text names no network.
    pub fn parse(texts: &[&str]) -> Result<Self, InvalidCidr> {
        Texts::Many(texts.iter().map(|text| (*text).to_owned()).collect()).try_into()
    }

    fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|proxy| proxy.contains(address))
    }

    /// The client's address, for a request that came from `peer`.
    ///
    /// Only a trusted peer's `X-Forwarded-For` counts, and of it the right-most hop that is no
    /// trusted proxy itself: whatever stands further left, the client may have made up. A hop that
    /// is no address leaves the client unknown, which no allow list admits. `Forwarded`,
    /// `X-Real-IP` and their like are not read at all.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = peer.to_canonical();
        if !self.trust(peer) {
            return Some(peer);
        }
        let mut client = Some(peer);
        let hops = headers.get_all("x-forwarded-for").iter().rev();
        for value in hops {
            let Ok(text) = value.to_str() else { return None };
            for hop in text.rsplit(',').map(str::trim) {
                client = address(hop);
                if client.is_none_or(|hop| !self.trust(hop)) {
                    return client;
                }
            }
        }
        client
    }
}

/// A hop: an address, with or without a port.
fn address(hop: &str) -> Option<IpAddr> {
    let plain = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    let address = plain.parse().ok();
    address
        .or_else(|| hop.parse().ok().map(|socket: SocketAddr| socket.ip()))
        .map(|address| address.to_canonical())
}

/// What counts as one place: an IPv4 address or an IPv6 /64, which one machine may have whole.
pub(crate) fn place(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & u128::MAX << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> Option<String> {
        let proxies = TrustedProxies::parse(&["10.0.0.0/8", "fd00::/8"]).unwrap();
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_str(value).unwrap());
        }
        headers.insert("forwarded", HeaderValue::from_static("for=9.9.9.9"));
        headers.insert("x-real-ip", HeaderValue::from_static("9.9.9.9"));
        proxies.client(peer.parse().unwrap(), &headers).map(|address| address.to_string())
    }

    #[test]
    fn a_peer_that_is_not_trusted_says_nothing_about_itself() {
        assert_eq!(client("8.8.8.8", &["1.1.1.1"]).as_deref(), Some("8.8.8.8"));
        assert_eq!(client("::ffff:8.8.8.8", &[]).as_deref(), Some("8.8.8.8"));
    }

    #[test]
    fn the_right_most_hop_that_is_no_proxy_is_the_client() {
        let from = |forwarded: &[&str]| client("10.0.0.1", forwarded);
        assert_eq!(from(&["1.1.1.1"]).as_deref(), Some("1.1.1.1"));
        assert_eq!(from(&["7.7.7.7, 1.1.1.1, 10.2.2.2"]).as_deref(), Some("1.1.1.1"));
        assert_eq!(from(&["7.7.7.7", "1.1.1.1", "10.2.2.2,10.3.3.3"]).as_deref(), Some("1.1.1.1"));
        assert_eq!(from(&["1.1.1.1:4711"]).as_deref(), Some("1.1.1.1"));
        assert_eq!(from(&["[2001:db8::1]:4711"]).as_deref(), Some("2001:db8::1"));
        assert_eq!(from(&["2001:db8::1, fd00::7"]).as_deref(), Some("2001:db8::1"));
        assert_eq!(client("::ffff:10.0.0.1", &["::ffff:1.1.1.1"]).as_deref(), Some("1.1.1.1"));
        assert_eq!(from(&[]).as_deref(), Some("10.0.0.1"), "the proxy's own request");
        assert_eq!(from(&["10.2.2.2"]).as_deref(), Some("10.2.2.2"), "another proxy's own");
    }

    #[test]
    fn a_hop_that_is_no_address_leaves_the_client_unknown() {
        for hop in ["unknown", "", "1.1.1.1, ", "1.1.1.1, x", "999.1.1.1", "_hidden"] {
            assert_eq!(client("10.0.0.1", &[hop]), None, "{hop}");
        }
    }
}
