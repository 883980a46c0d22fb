//! Principals: who acts.

use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use super::{
    Access, Action, Grant, License, PermissionSet, Projects, ResourceKind, Restrictions, Rights,
    Rule, catalogue,
};
use crate::{
    AccountId, PersonalTokenId, Plan, ServiceTokenId, SessionId, TokenCredentialId, UserId,
};

/// Who acts: the author of an audit record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalId {
    /// A service token: it belongs to an account, not to a person.
    ServiceToken(ServiceTokenId),
    /// A user, by a personal token or a session.
    User(UserId),
    /// One of Narrowgate's own tasks.
    System(SystemTask),
}

impl std::fmt::Display for PrincipalId {
    /// `service_token:3`, `user:1`, `system:runner`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ServiceToken(id) => write!(f, "service_token:{id}"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::System(task) => write!(f, "system:{}", task.key()),
        }
    }
}

/// The text names no principal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a principal: use service_token:ID, user:ID or system:TASK")]
pub struct UnknownPrincipal(pub String);

impl std::str::FromStr for PrincipalId {
    type Err = UnknownPrincipal;
    fn from_str(text: &str) -> Result<Self, UnknownPrincipal> {
        let unknown = || UnknownPrincipal(text.to_owned());
        let (kind, id) = text.split_once(':').ok_or_else(unknown)?;
        match kind {
            "service_token" => id.parse().map(Self::ServiceToken).map_err(|_| unknown()),
            "user" => id.parse().map(Self::User).map_err(|_| unknown()),
            "system" => SystemTask::ALL
                .into_iter()
                .find(|task| task.key() == id)
                .map(Self::System)
                .ok_or_else(unknown),
            _ => Err(unknown()),
        }
    }
}

/// Narrowgate's own tasks. Each has a row in the catalogue, like any other principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SystemTask {
    /// Claims and executes runs.
    Runner,
    /// `narrowgate audit verify`.
    Auditor,
    /// `narrowgate token import`.
    Importer,
    /// Sends webhooks and mail.
    Messenger,
    /// Removes artifacts that are older than they are kept.
    Keeper,
    /// A git host, by the signed hook of a repository.
    GitHost,
    /// Reminds of tokens that end, ends those that leaked, tells of canaries.
    Watcher,
}

impl SystemTask {
    /// Every task.
    pub const ALL: [Self; 7] = [
        Self::Runner,
        Self::Auditor,
        Self::Importer,
        Self::Messenger,
        Self::Keeper,
        Self::GitHost,
        Self::Watcher,
    ];

    /// The key of the catalogue.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Runner => "runner",
            Self::Auditor => "auditor",
            Self::Importer => "importer",
            Self::Messenger => "messenger",
            Self::Keeper => "keeper",
            Self::GitHost => "git_host",
            Self::Watcher => "watcher",
        }
    }
}

/// What of an account bears on decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountTerms {
    /// The account.
    pub id: AccountId,
    /// Its tier; `None` (cancelled) offers no permission set to service tokens.
    pub plan: Option<Plan>,
    /// Whether its service tokens may make and change service tokens (where they are granted it).
    pub tokens_may_mint: bool,
}

/// What was presented to prove who acts. A write checks it once more inside its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// A service token, and the revision of its grants that was read.
    ServiceToken {
        /// Which.
        id: ServiceTokenId,
        /// Counts up with every change of its grants or state.
        revision: i64,
        /// Which of its secrets; `None` of a token that is only asked about.
        presented: Option<TokenCredentialId>,
    },
    /// A personal token, and the revision of its user's rights that was read.
    PersonalToken {
        /// Which.
        id: PersonalTokenId,
        /// Counts up with every change of the user's licence or groups.
        revision: i64,
    },
    /// A session of the console, and the revision of its user's rights that was read.
    Session {
        /// Which.
        id: SessionId,
        /// Counts up with every change of the user's licence or groups.
        revision: i64,
    },
    /// The server's own process.
    Process,
}

/// What plan, licence and account settings leave of the grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ceiling {
    offered: Offered,
    withheld: Rights,
}

/// Which permission sets count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offered {
    /// Every one: users and Narrowgate's own tasks.
    Every,
    /// Those that the plan offers to service tokens; any other is inert.
    By(Option<Plan>),
}

impl Ceiling {
    /// Whether the action is left, if a grant holds it.
    #[must_use]
    pub(super) const fn admits(&self, action: Action) -> bool {
        !self.withheld.allow(action)
    }

    /// What it withholds by: a setting of the account from tokens, a licence from users.
    const fn rule(&self) -> Rule {
        match self.offered {
            Offered::Every => Rule::License,
            Offered::By(_) => Rule::AccountSetting,
        }
    }

    fn admits_grant(&self, grant: &Grant) -> bool {
        match self.offered {
            Offered::Every => true,
            Offered::By(plan) => grant.offered_by(plan).is_ok(),
        }
    }
}

/// Who acts, for which account, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    id: PrincipalId,
    terms: AccountTerms,
    credential: Credential,
    grants: Vec<Grant>,
    ceiling: Ceiling,
    /// Held by what it is, not by a grant.
    implied: Rights,
    /// Apart, so that what each request looks at stays together.
    restrictions: Arc<Restrictions>,
    /// What grants and nature give, before anything is taken away.
    given: Rights,
    /// What grants would give whose sets the plan does not offer.
    inert: Rights,
    /// Everything that is allowed somewhere: the bits that [`authorize`](super::authorize) tests.
    held: Rights,
}

/// Nothing is taken away.
static NONE: LazyLock<Arc<Restrictions>> = LazyLock::new(Arc::default);

pub(super) const MINT: Action = Action::new(Access::Write, ResourceKind::ServiceTokens);

impl Principal {
    /// A service token with its grants; `revision` is that of the row they were read from.
    #[must_use]
    pub fn service_token(
        id: ServiceTokenId,
        revision: i64,
        terms: AccountTerms,
        grants: Vec<Grant>,
    ) -> Self {
        let withheld =
            if terms.tokens_may_mint { Rights::NONE } else { Rights::only_write(MINT.on) };
        Self::with(
            PrincipalId::ServiceToken(id),
            Credential::ServiceToken { id, revision, presented: None },
            terms,
            Ceiling { offered: Offered::By(terms.plan), withheld },
            grants,
        )
    }

    /// The same token by the credential that was presented.
    #[must_use]
    pub const fn presenting(mut self, credential: TokenCredentialId) -> Self {
        if let Credential::ServiceToken { presented, .. } = &mut self.credential {
            *presented = Some(credential);
        }
        self
    }

    /// A user, with what the groups give.
    ///
    /// A Read-only or IT licence replaces that with the catalogue's fixed grants.
    #[must_use]
    pub fn user(
        id: UserId,
        credential: Credential,
        terms: AccountTerms,
        license: License,
        group_grants: Vec<Grant>,
    ) -> Self {
        let row = catalogue().license(license);
        let grants = license.holdings(group_grants);
        let withheld =
            if row.makes_service_tokens { Rights::NONE } else { Rights::only_write(MINT.on) };
        let ceiling = Ceiling { offered: Offered::Every, withheld };
        Self::with(PrincipalId::User(id), credential, terms, ceiling, grants)
    }

    /// One of Narrowgate's own tasks, with its row of the catalogue.
    #[must_use]
    pub fn system(task: SystemTask, terms: AccountTerms) -> Self {
        let ceiling = Ceiling { offered: Offered::Every, withheld: Rights::NONE };
        let grants = everywhere(&[catalogue().system(task)]);
        Self::with(PrincipalId::System(task), Credential::Process, terms, ceiling, grants)
    }

    fn with(
        id: PrincipalId,
        credential: Credential,
        terms: AccountTerms,
        ceiling: Ceiling,
        grants: Vec<Grant>,
    ) -> Self {
        let granted = grants
            .iter()
            .filter(|grant| ceiling.admits_grant(grant))
            .map(Grant::rights)
            .fold(Rights::NONE, Rights::union);
        let implied = catalogue().implied(matches!(id, PrincipalId::User(_)), granted);
        let inert = grants
            .iter()
            .filter(|grant| !ceiling.admits_grant(grant))
            .map(Grant::rights)
            .fold(Rights::NONE, Rights::union);
        let given = granted.union(implied);
        let held = given.minus(ceiling.withheld);
        let restrictions = Arc::clone(&NONE);
        Self { id, terms, credential, grants, ceiling, implied, restrictions, given, inert, held }
    }

    /// The same, held to restrictions besides those that it is held to.
    #[must_use]
    pub fn restricted(self, restrictions: Restrictions) -> Self {
        if restrictions.are_none() {
            return self;
        }
        let restrictions = Arc::unwrap_or_clone(self.restrictions).meet(restrictions);
        // What was taken away before is taken away now.
        let held = self.held.meet(restrictions.left());
        Self { restrictions: Arc::new(restrictions), held, ..self }
    }

    /// Who it is.
    #[must_use]
    pub const fn id(&self) -> PrincipalId {
        self.id
    }

    /// The account it acts for; it reaches no other.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.terms.id
    }

    /// What of that account bears on decisions.
    #[must_use]
    pub const fn terms(&self) -> &AccountTerms {
        &self.terms
    }

    /// What was presented.
    #[must_use]
    pub const fn credential(&self) -> Credential {
        self.credential
    }

    /// All grants, inert ones included.
    #[must_use]
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// The grants that count.
    pub(super) fn live_grants(&self) -> impl Iterator<Item = &Grant> {
        self.grants.iter().filter(|grant| self.ceiling.admits_grant(grant))
    }

    pub(super) const fn ceiling(&self) -> &Ceiling {
        &self.ceiling
    }

    pub(super) const fn implied(&self) -> Rights {
        self.implied
    }

    /// What it is held to, beside its grants.
    #[must_use]
    pub fn restrictions(&self) -> &Restrictions {
        &self.restrictions
    }

    /// The rule by which an action is allowed nowhere; of one that is allowed, `None`.
    #[must_use]
    pub fn refuses(&self, action: Action) -> Option<Rule> {
        if self.holds(action) {
            None
        } else if self.given.allow(action) {
            let taken = || self.restrictions.take(action).map_or(Rule::NoGrant, Rule::Restriction);
            Some(if self.ceiling.admits(action) { taken() } else { self.ceiling.rule() })
        } else if self.inert.allow(action) {
            Some(Rule::Plan)
        } else {
            Some(Rule::NoGrant)
        }
    }

    /// Whether the action is allowed somewhere: [`decide`](super::decide) without the where.
    #[must_use]
    pub const fn holds(&self, action: Action) -> bool {
        self.held.allow(action)
    }
}

pub(super) fn everywhere(sets: &[PermissionSet]) -> Vec<Grant> {
    let grant = |set: &PermissionSet| Grant::new(*set, Projects::All);
    // All projects is never refused by `Grant::new`.
    sets.iter().filter_map(|set| grant(set).ok()).collect()
}
