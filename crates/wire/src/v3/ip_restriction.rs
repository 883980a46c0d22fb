//! IP restrictions (documents: `IPRestrictionRuleResponse`, `IPRestrictionRequestRequest`,
//! `IPRestrictionRuleSetResponse`).

use domain::{
    AccountId,
    authz::PrincipalId,
    ip_restriction::{Cidr, IpRestriction as Spec, RuleSet, RuleType},
    kept::Kept,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Invalid, Patch, field, invalid::Collector};

/// A rule: addresses that an account's tokens may, or may not, be used from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IpRestriction {
    /// Its id.
    pub id: i64,
    /// The account that it belongs to.
    pub account_id: i64,
    /// The account's set of rules: the account's id.
    pub ip_restriction_rule_set_id: i64,
    /// Whether the account's rules are enforced.
    pub rule_set_enabled: bool,
    /// What people call it.
    pub name: String,
    /// 1 allow, 2 deny.
    pub r#type: u8,
    /// What it is for.
    pub description: Option<String>,
    /// The networks that it names.
    pub cidrs: Vec<IpRestrictionCidr>,
    /// 1 active, 2 deleted.
    pub state: u8,
    /// The user who made it.
    pub created_by_id: Option<i64>,
    /// The service token that made it.
    pub created_by_service_token_id: Option<i64>,
    /// Always true: no token is beyond the rules.
    pub enabled_for_service_tokens: bool,
    /// When it was made.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

/// A network of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IpRestrictionCidr {
    /// Its place in the rule, from 1.
    pub id: usize,
    /// The rule.
    pub ip_restriction_rule_id: i64,
    /// The network, as it was sent.
    pub cidr: String,
    /// The same as IPv6 has it; an IPv4 network is mapped.
    pub cidr_ipv6: String,
    /// Always true.
    pub enabled: bool,
    /// 1 active, 2 deleted.
    pub state: u8,
}

impl IpRestriction {
    /// A rule in its set.
    #[must_use]
    pub fn new(rule: &Kept<Spec>, set: RuleSet) -> Self {
        let spec = &rule.spec;
        let state = field::state_of(rule.deleted);
        let cidrs = spec.cidrs.iter().zip(1..).map(|(cidr, id)| IpRestrictionCidr {
            id,
            ip_restriction_rule_id: rule.id.get(),
            cidr: cidr.as_str().to_owned(),
            cidr_ipv6: cidr.as_ipv6(),
            enabled: true,
            state,
        });
        let (user, token) = match spec.created_by {
            PrincipalId::User(id) => (Some(id.get()), None),
            PrincipalId::ServiceToken(id) => (None, Some(id.get())),
            PrincipalId::System(_) => (None, None),
        };
        Self {
            id: rule.id.get(),
            account_id: rule.account.get(),
            ip_restriction_rule_set_id: rule.account.get(),
            rule_set_enabled: set.enabled,
            name: spec.name.to_string(),
            r#type: spec.r#type.into(),
            description: spec.description.clone(),
            cidrs: cidrs.collect(),
            state,
            created_by_id: user,
            created_by_service_token_id: token,
            enabled_for_service_tokens: true,
            created_at: rule.created_at.to_string(),
            updated_at: rule.updated_at.to_string(),
        }
    }
}

/// The body that makes or changes a rule. Keys that are absent keep their value.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct IpRestrictionBody {
    /// The account, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub account_id: Patch<i64>,
    /// 1 to 255 characters; required.
    #[schema(value_type = Option<String>)]
    pub name: Patch<String>,
    /// 1 allow, 2 deny; required.
    #[schema(value_type = Option<i64>)]
    pub r#type: Patch<i64>,
    /// At most 1,024 characters.
    #[schema(value_type = Option<String>)]
    pub description: Patch<String>,
    /// All networks of the rule, at least one; one of state 2 is left out. All are saved or none.
    #[schema(value_type = Option<Vec<CidrBody>>)]
    pub cidrs: Patch<Vec<CidrBody>>,
    /// Whether the account's rules, all of them, are enforced; as it is unless given.
    #[schema(value_type = Option<bool>)]
    pub rule_set_enabled: Patch<bool>,
    /// 1.
    #[schema(value_type = Option<i64>)]
    pub state: Patch<i64>,
}

/// A network of a rule's body; other keys are ignored.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CidrBody {
    /// The network, or one address.
    pub cidr: String,
    /// 1; or 2, which leaves it out.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    pub state: Patch<i64>,
}

impl IpRestrictionBody {
    /// Whether the set is to be switched on or off along.
    #[must_use]
    pub fn enables(&self) -> Option<bool> {
        self.rule_set_enabled.value()
    }

    /// What it makes of `old`; of nothing, where `author` makes one.
    ///
    /// # Errors
    /// [`Invalid`] names every wrong field.
    pub fn over(self, old: Option<Spec>, author: PrincipalId) -> Result<Spec, Invalid> {
        let mut bad = Invalid::collector();
        field::state(&mut bad, &self.state);
        let new = old.is_none();
        let name = field::name(&mut bad, self.name, new);
        let kind =
            |code| u8::try_from(code).map_err(|_| "must be 1 or 2").and_then(RuleType::try_from);
        let kind = field::read(&mut bad, "type", self.r#type, kind).value();
        let description = field::or_null(self.description);
        let description =
            field::read(&mut bad, "description", description, |text| field::prose(text, 1_024));
        let cidrs = self.cidrs.value().map(|cidrs| networks(&mut bad, cidrs));
        for (field, missing) in [("type", kind.is_none()), ("cidrs", cidrs.is_none())] {
            if new && missing {
                bad.note(field, "is required");
            }
        }
        bad.finish()?;
        let required = |field| move || Invalid::field(field, "is required");
        let (old_name, old_kind, old_text, old_cidrs, created_by) = match old {
            Some(old) => {
                (Some(old.name), Some(old.r#type), old.description, Some(old.cidrs), old.created_by)
            }
            None => (None, None, None, None, author),
        };
        Ok(Spec {
            name: name.or(old_name).ok_or_else(required("name"))?,
            r#type: kind.or(old_kind).ok_or_else(required("type"))?,
            description: description.over(old_text),
            cidrs: cidrs.or(old_cidrs).ok_or_else(required("cidrs"))?,
            created_by,
        })
    }
}

/// All networks, or what is wrong with each.
fn networks(bad: &mut Collector, given: Vec<CidrBody>) -> Vec<Cidr> {
    if given.len() > 1_000 {
        bad.note("cidrs", "takes at most 1000 networks");
        return Vec::new();
    }
    let kept = given.into_iter().enumerate().filter(|(_, cidr)| !field::deletes(&cidr.state));
    let mut cidrs = Vec::new();
    for (at, cidr) in kept {
        field::state(bad, &cidr.state);
        cidrs.extend(bad.take(&format!("cidrs[{at}].cidr"), Cidr::parse(cidr.cidr)));
    }
    if cidrs.is_empty() {
        bad.note("cidrs", "must name at least one network");
    }
    cidrs
}

/// An account's rules as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IpRestrictionSet {
    /// The account's id.
    pub id: i64,
    /// The account.
    pub account_id: i64,
    /// Whether the rules are enforced.
    pub enabled: bool,
    /// Always true: no token is beyond the rules.
    pub enabled_for_service_tokens: bool,
    /// Always 1.
    pub state: u8,
    /// When its account was made.
    pub created_at: String,
    /// When its account last changed.
    pub updated_at: String,
}

impl IpRestrictionSet {
    /// The set of an account.
    #[must_use]
    pub fn new(account: AccountId, set: RuleSet) -> Self {
        Self {
            id: account.get(),
            account_id: account.get(),
            enabled: set.enabled,
            enabled_for_service_tokens: true,
            state: 1,
            created_at: set.created_at.to_string(),
            updated_at: set.updated_at.to_string(),
        }
    }
}

/// The body that switches the rules on or off.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct IpRestrictionSetBody {
    /// Whether the rules are enforced; required.
    #[serde(default)]
    enabled: Option<bool>,
}

impl IpRestrictionSetBody {
    /// Whether they are to be.
    ///
    /// # Errors
    /// [`Invalid`] names `enabled`.
    pub fn enabled(&self) -> Result<bool, Invalid> {
        self.enabled.ok_or_else(|| Invalid::field("enabled", "is required: `true` or `false`"))
    }
}

/// Whether the caller's own address would be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IpRestrictionValidation {
    /// Whether it would.
    pub is_valid_for_admin: bool,
}

#[cfg(test)]
mod tests {
    use domain::Name;

    use super::*;
    use crate::from_json;

    fn reasons(json: &str) -> Vec<String> {
        let body: IpRestrictionBody = from_json(json.as_bytes()).unwrap();
        let wrong = body.over(None, "user:1".parse().unwrap()).unwrap_err();
        wrong.reasons.into_keys().collect()
    }

    #[test]
    fn each_wrong_field_is_named() {
        assert_eq!(reasons("{}"), ["cidrs", "name", "type"]);
        let many = r#"{"name":"x","type":3,"cidrs":[{"cidr":"10.0.0.1"},{"cidr":"x"}]}"#;
        assert_eq!(reasons(many), ["cidrs[1].cidr", "type"]);
        let none = r#"{"name":"x","type":1,"cidrs":[{"cidr":"10.0.0.1","state":2}],"state":7}"#;
        assert_eq!(reasons(none), ["cidrs", "state"]);
    }

    #[test]
    fn what_is_absent_is_kept() {
        let body = r#"{"name":"x","type":2,"description":"d","cidrs":[{"cidr":"10.0.0.1/8"}]}"#;
        let body: IpRestrictionBody = from_json(body.as_bytes()).unwrap();
        let old = body.over(None, "user:1".parse().unwrap()).unwrap();
        let renamed: IpRestrictionBody = from_json(br#"{"name":"y"}"#).unwrap();
        let new = renamed.over(Some(old.clone()), "user:2".parse().unwrap()).unwrap();
        assert_eq!(new, Spec { name: Name::parse("y").unwrap(), ..old });
    }
}
