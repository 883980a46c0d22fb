//! IP restrictions: from which addresses an account's tokens may be used.
//!
//! A deny rule wins over any allow rule. Where there is an allow rule, only what an allow rule
//! names is admitted; where there is none, whatever is not denied.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use crate::{
    Name, Timestamp,
    authz::{PrincipalId, kinds::IpRestrictions},
    kept::{FieldKind, Level, Noun},
};

/// A rule: addresses that are allowed, or denied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpRestriction {
    /// What people call it.
    pub name: Name,
    /// Whether it allows or denies.
    pub r#type: RuleType,
    /// What it is for.
    pub description: Option<String>,
    /// The networks that it names, at least one.
    pub cidrs: Vec<Cidr>,
    /// Who made it.
    pub created_by: PrincipalId,
}

/// Whether a rule allows or denies; the wire's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum RuleType {
    /// 1
    Allow,
    /// 2
    Deny,
}

impl TryFrom<u8> for RuleType {
    type Error = &'static str;
    fn try_from(code: u8) -> Result<Self, &'static str> {
        match code {
            1 => Ok(Self::Allow),
            2 => Ok(Self::Deny),
            _ => Err("must be 1 (allow) or 2 (deny)"),
        }
    }
}

impl From<RuleType> for u8 {
    fn from(kind: RuleType) -> Self {
        match kind {
            RuleType::Allow => 1,
            RuleType::Deny => 2,
        }
    }
}

/// A network of addresses (`10.0.0.0/8`, `2001:db8::/32`), or one address. Kept as it was written.
///
/// IPv4 addresses and networks that are written mapped into IPv6 (`::ffff:10.0.0.0/104`) mean the
/// IPv4 ones; every other IPv6 network names IPv6 addresses only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr {
    text: String,
    network: IpNet,
}

/// The text names no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a network such as `10.0.0.0/8` or `2001:db8::/32`, or one address")]
pub struct InvalidCidr;

impl Cidr {
    /// The one way in.
    ///
    /// # Errors
    /// [`InvalidCidr`].
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidCidr> {
        let text = text.into();
        let network = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => text.parse().map_err(|_| InvalidCidr)?,
        };
        Ok(Self { text, network: unmapped(network) })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The network itself.
    pub(crate) const fn network(&self) -> IpNet {
        self.network
    }

    /// Whether an address is in it; one that is mapped into IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.network.contains(&address.to_canonical())
    }

    /// The network as IPv6 has it; an IPv4 one is mapped.
    #[must_use]
    pub fn as_ipv6(&self) -> String {
        match self.network {
            IpNet::V6(network) => network.trunc().to_string(),
            IpNet::V4(network) => {
                let mapped = network.network().to_ipv6_mapped();
                format!("{mapped}/{}", network.prefix_len() + MAPPED)
            }
        }
    }
}

/// The bits that stand before an IPv4 address that is mapped into IPv6.
const MAPPED: u8 = 96;

/// An IPv4 network that is written mapped into IPv6, as IPv4.
fn unmapped(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let mapped = |v6: Ipv6Net| {
        let address = Ipv6Addr::to_ipv4_mapped(&v6.addr())?;
        Ipv4Net::new(address, v6.prefix_len().checked_sub(MAPPED)?).ok()
    };
    mapped(v6).map_or(network, IpNet::V4)
}

impl TryFrom<String> for Cidr {
    type Error = InvalidCidr;
    fn try_from(text: String) -> Result<Self, InvalidCidr> {
        Self::parse(text)
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> Self {
        cidr.text
    }
}

impl Noun for IpRestriction {
    const WORD: &str = "ip_restriction";
    const PARAMETER: &str = "ip_restriction_id";
    const LEVEL: Level = Level::Account;
    const FIELDS: &[(&str, FieldKind)] = &[("name", FieldKind::Text), ("type", FieldKind::Int)];
    type Resource = IpRestrictions;
}

/// An account's rules, as a whole: whether they count at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleSet {
    /// Whether the rules are enforced.
    pub enabled: bool,
    /// When its account was made, and it with it.
    pub created_at: Timestamp,
    /// When the account, or it, last changed.
    pub updated_at: Timestamp,
}

/// What an account's rules come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressRules {
    allow: Vec<Cidr>,
    deny: Vec<Cidr>,
}

impl AddressRules {
    /// Puts rules together.
    pub fn new<'a>(rules: impl IntoIterator<Item = &'a IpRestriction>) -> Self {
        let mut all = Self::default();
        for rule in rules {
            let list = match rule.r#type {
                RuleType::Allow => &mut all.allow,
                RuleType::Deny => &mut all.deny,
            };
            list.extend(rule.cidrs.iter().cloned());
        }
        all
    }

    /// Whether there is an allow rule: then whatever none names is refused.
    #[must_use]
    pub const fn only_allowed(&self) -> bool {
        !self.allow.is_empty()
    }

    /// How many networks they name.
    #[must_use]
    pub const fn networks(&self) -> usize {
        self.allow.len() + self.deny.len()
    }

    /// Whether a caller at this address may come in. One whose address is not known may not,
    /// unless there is no rule at all.
    #[must_use]
    pub fn admit(&self, address: Option<IpAddr>) -> bool {
        let Some(address) = address else {
            return self.allow.is_empty() && self.deny.is_empty();
        };
        let named = |list: &[Cidr]| list.iter().any(|cidr| cidr.contains(address));
        !named(&self.deny) && (self.allow.is_empty() || named(&self.allow))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(cidr: &str, address: &str) -> bool {
        Cidr::parse(cidr).unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_holds_its_first_and_last_address_and_none_beside() {
        for (cidr, first, last, before, after) in [
            ("10.1.2.0/23", "10.1.2.0", "10.1.3.255", "10.1.1.255", "10.1.4.0"),
            ("10.1.2.3", "10.1.2.3", "10.1.2.3", "10.1.2.2", "10.1.2.4"),
            ("10.1.2.3/24", "10.1.2.0", "10.1.2.255", "10.1.1.255", "10.1.3.0"),
            ("2001:db8::/127", "2001:db8::", "2001:db8::1", "2001:db7:ffff::", "2001:db8::2"),
            ("::ffff:10.0.0.0/104", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"),
        ] {
            assert!(holds(cidr, first) && holds(cidr, last), "{cidr}");
            assert!(!holds(cidr, before) && !holds(cidr, after), "{cidr}");
        }
        assert!(holds("0.0.0.0/0", "255.255.255.255") && holds("::/0", "ffff::1"));
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_one_and_no_other_ipv6_network_names_ipv4() {
        assert!(holds("10.0.0.0/8", "::ffff:10.9.9.9"));
        assert!(holds("::ffff:a00:0/104", "10.9.9.9"));
        assert!(!holds("::/0", "10.0.0.1") && !holds("::/0", "::ffff:10.0.0.1"));
        assert!(!holds("0.0.0.0/0", "2001:db8::1"));
        assert_eq!(Cidr::parse("10.1.2.3/8").unwrap().as_ipv6(), "::ffff:10.0.0.0/104");
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "office", "10.0.0.1 ", "1.2.3.4/-1"] {
            assert_eq!(Cidr::parse(text), Err(InvalidCidr), "{text}");
        }
        assert!(serde_json::from_str::<Cidr>("\"10.0.0.0/99\"").is_err());
    }

    #[test]
    fn a_deny_rule_wins_and_no_allow_rule_admits_the_rest() {
        let rule = |kind, cidr: &str| IpRestriction {
            name: Name::parse("rule").unwrap(),
            r#type: kind,
            description: None,
            cidrs: vec![Cidr::parse(cidr).unwrap()],
            created_by: "user:1".parse().unwrap(),
        };
        let at = |text: &str| Some(text.parse().unwrap());
        let (allow, deny) =
            (rule(RuleType::Allow, "10.0.0.0/8"), rule(RuleType::Deny, "10.1.0.0/16"));
        let both = AddressRules::new([&allow, &deny]);
        assert!(both.admit(at("10.0.0.1")) && !both.admit(at("10.1.0.1")));
        assert!(!both.admit(at("11.0.0.1")) && !both.admit(None));
        let denies = AddressRules::new([&deny]);
        assert!(denies.admit(at("11.0.0.1")) && !denies.admit(at("10.1.0.1")));
        assert!(!denies.admit(None));
        assert!(AddressRules::default().admit(None));
    }
}
