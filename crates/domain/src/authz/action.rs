//! Actions: an access on a kind of resource.

use serde::{Deserialize, Serialize};

/// What is done to a resource. Write includes read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Look at it.
    Read,
    /// Create, change, delete or start it.
    Write,
}

impl Access {
    /// Both, the weaker first.
    pub const ALL: [Self; 2] = [Self::Read, Self::Write];

    /// `read` or `write`.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

mod sealed {
    pub trait Sealed {}
}

/// [`Access`] as a type, for the signature of a [`Permit`](super::Permit).
pub trait AccessMarker: sealed::Sealed + Send + Sync + 'static {
    /// The access that the type stands for.
    const ACCESS: Access;
}

/// The marker of [`Access::Read`].
#[derive(Debug, Clone, Copy)]
pub struct Read;
impl sealed::Sealed for Read {}
impl AccessMarker for Read {
    const ACCESS: Access = Access::Read;
}

/// The marker of [`Access::Write`].
#[derive(Debug, Clone, Copy)]
pub struct Write;
impl sealed::Sealed for Write {}
impl AccessMarker for Write {
    const ACCESS: Access = Access::Write;
}

/// A [`ResourceKind`] as a type, for the signature of a [`Permit`](super::Permit).
pub trait KindMarker: sealed::Sealed + Send + Sync + 'static {
    /// The kind that the type stands for.
    const KIND: ResourceKind;
}

/// The text names no kind of resource. It is not repeated: it may be a secret in the wrong field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a kind of resource: use a key such as `jobs`")]
pub struct UnknownResource;

macro_rules! resources {
    ($($name:ident = $key:literal,)*) => {
        /// What a permission set's cells are about: the rows of `catalogue.toml`'s `resource`
        /// table. What each one means is said there.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each is described in catalogue.toml")]
        pub enum ResourceKind { $($name,)* }

        impl ResourceKind {
            /// Every kind, in the order of the catalogue.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The key of the catalogue.
            #[must_use]
            pub const fn key(self) -> &'static str {
                match self { $(Self::$name => $key,)* }
            }
        }

        impl std::str::FromStr for ResourceKind {
            type Err = UnknownResource;
            fn from_str(text: &str) -> Result<Self, UnknownResource> {
                match text {
                    $($key => Ok(Self::$name),)*
                    _ => Err(UnknownResource),
                }
            }
        }

        /// Each [`ResourceKind`] as a type: `Permit<Write, ServiceTokens>`.
        #[expect(missing_docs, reason = "each is described in catalogue.toml")]
        pub mod kinds {
            use super::{KindMarker, ResourceKind, sealed::Sealed};
            $(
                #[derive(Debug, Clone, Copy)]
                pub struct $name;
                impl Sealed for $name {}
                impl KindMarker for $name {
                    const KIND: ResourceKind = ResourceKind::$name;
                }
            )*
        }
    };
}

resources! {
    Identity = "identity",
    AccountRecord = "account_record",
    OwnTokens = "own_tokens",
    AccountSettings = "account_settings",
    AuditLogs = "audit_logs",
    AuthProvider = "auth_provider",
    Billing = "billing",
    Connections = "connections",
    Groups = "groups",
    Invitations = "invitations",
    IpRestrictions = "ip_restrictions",
    JobNotifications = "job_notifications",
    Licenses = "licenses",
    MarketplaceApp = "marketplace_app",
    Members = "members",
    OauthConfigurations = "oauth_configurations",
    PlatformMetadataCredentials = "platform_metadata_credentials",
    PrivateEndpoints = "private_endpoints",
    ProjectCreate = "project_create",
    PublicModels = "public_models",
    Scim = "scim",
    ServiceTokens = "service_tokens",
    Webhooks = "webhooks",
    CostInsights = "cost_insights",
    CustomEnvVariables = "custom_env_variables",
    DataPlatformConfigs = "data_platform_configs",
    Develop = "develop",
    EnvironmentCredentials = "environment_credentials",
    Environments = "environments",
    FusionUpgrade = "fusion_upgrade",
    Jobs = "jobs",
    Metadata = "metadata",
    Permissions = "permissions",
    Projects = "projects",
    Repositories = "repositories",
    Runs = "runs",
    SemanticLayerConfig = "semantic_layer_config",
    SemanticLayerQuery = "semantic_layer_query",
}

/// An access on a kind of resource: the unit that is granted, asked for and refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Action {
    /// What is done.
    pub access: Access,
    /// To what.
    pub on: ResourceKind,
}

impl Action {
    /// An action from its parts.
    #[must_use]
    pub const fn new(access: Access, on: ResourceKind) -> Self {
        Self { access, on }
    }

    /// The action that two markers stand for.
    #[must_use]
    pub const fn of<A: AccessMarker, K: KindMarker>() -> Self {
        Self::new(A::ACCESS, K::KIND)
    }

    /// Its place among all actions.
    pub(super) const fn index(self) -> u32 {
        self.on as u32 * 2 + self.access as u32
    }

    /// The action at a place of [`Action::index`].
    pub(super) fn at(index: u32) -> Option<Self> {
        let on = *ResourceKind::ALL.get(index as usize / 2)?;
        let access = if index.is_multiple_of(2) { Access::Read } else { Access::Write };
        Some(Self { access, on })
    }

    /// Every action there is.
    pub fn all() -> impl Iterator<Item = Self> {
        ResourceKind::ALL.iter().flat_map(|kind| Access::ALL.map(|access| Self::new(access, *kind)))
    }
}

impl std::fmt::Display for Action {
    /// `write on jobs`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} on {}", self.access.key(), self.on.key())
    }
}

/// A set of actions, one bit each; whoever holds write holds read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rights(u128);

impl Rights {
    /// No action at all.
    pub const NONE: Self = Self(0);

    const fn bit(action: Action) -> u128 {
        1 << action.index()
    }

    /// These rights and one action more; write brings read along.
    #[must_use]
    pub const fn with(self, action: Action) -> Self {
        let read = Self::bit(Action::new(Access::Read, action.on));
        Self(self.0 | read | Self::bit(action))
    }

    /// The bare write on a kind, for what is to be taken away while read stays.
    pub(super) const fn only_write(kind: ResourceKind) -> Self {
        Self(Self::bit(Action::new(Access::Write, kind)))
    }

    /// These rights without the bits of `taken`.
    pub(super) const fn minus(self, taken: Self) -> Self {
        Self(self.0 & !taken.0)
    }

    /// Whether the action is among them.
    #[must_use]
    pub const fn allow(self, action: Action) -> bool {
        self.0 & Self::bit(action) != 0
    }

    /// What either holds.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What both hold.
    #[must_use]
    pub(super) const fn meet(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether all of `other` is held.
    #[must_use]
    pub const fn contain(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// One bit for each action, at its [`Action::index`].
    pub(super) const fn bits(self) -> u128 {
        self.0
    }

    /// The rights of [`Rights::bits`].
    pub(super) const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// How many actions they are.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether they are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The actions, in the order of the catalogue.
    pub fn actions(self) -> impl Iterator<Item = Action> {
        Action::all().filter(move |action| self.allow(*action))
    }
}

impl FromIterator<Action> for Rights {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        actions.into_iter().fold(Self::NONE, Self::with)
    }
}
