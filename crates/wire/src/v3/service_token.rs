//! Service tokens and their permission rows (documents: `ServiceToken`, `CreateServiceToken`,
//! `ServiceTokenPermissionResponse`).

use domain::{
    Name, ProjectId, Timestamp, UserId,
    authz::{Categories, Grant, PermissionSet, Projects, Restrictions},
    secret::TokenSecret,
    service_token::{GrantRow, TokenState},
    token_policy::End,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{TokenRestrictions, TokenRestrictionsBody};
use crate::{Invalid, Patch};

/// A service token, without its secret.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "the wire has them")]
pub struct ServiceToken {
    /// Its id.
    pub id: i64,
    /// The account that it belongs to.
    pub account_id: i64,
    /// Its id as text.
    pub uid: String,
    /// What people call it.
    pub name: String,
    /// 1 active, 2 deleted.
    pub state: u8,
    /// What it may do.
    pub permission_grants: Vec<PermissionGrant>,
    /// The same, row by row; null unless asked for by `include_related`.
    pub service_token_permissions: Option<Vec<PermissionRow>>,
    /// A documented addition: what it is held to, beside its grants; null if nothing.
    pub restrictions: Option<TokenRestrictions>,
    /// A documented addition: the user who answers for it; null if nobody does.
    pub responsible_user_id: Option<i64>,
    /// When it last authorised a request, to within ten seconds.
    pub last_used: Option<String>,
    /// When it ends by itself; null is never.
    pub expires_at: Option<String>,
    /// A documented addition: it authorises nothing until it is enabled again.
    pub disabled: bool,
    /// A documented addition: what people are told about its age; null if nothing.
    pub advisory: Option<Advisory>,
    /// A documented addition: it was imported without a secret and works once it is rotated.
    pub awaits_rotation: bool,
    /// A documented addition: it is a canary, which grants nothing and whose use is told.
    pub canary: bool,
    /// Always empty in this build.
    pub semantic_layer_credentials: Vec<String>,
    /// Whether Metadata Only is all it has.
    pub metadata_only: bool,
    /// Whether Webhooks Only is all it has.
    pub webhooks_only: bool,
    /// When it was made.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

/// What people are told about a token that has become unsafe by its age.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Advisory {
    /// What to do: `rotate`.
    pub action: String,
    /// Tokens created on or before this day (UTC) are meant.
    pub created_until: String,
    /// Why.
    pub reason: String,
}

/// A grant, as tokens carry it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PermissionGrant {
    /// The permission set.
    pub permission_set: String,
    /// The project; null is all projects.
    pub project_id: Option<i64>,
    /// `all`, or some of development, staging, production, other.
    pub writable_environment_categories: Vec<String>,
}

/// A permission row.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PermissionRow {
    /// Its id.
    pub id: i64,
    /// The account.
    pub account_id: i64,
    /// Its token.
    pub service_token_id: i64,
    /// The permission set.
    pub permission_set: String,
    /// Whether it holds on every project.
    pub all_projects: bool,
    /// The project; null is all projects.
    pub project_id: Option<i64>,
    /// `all`, or some of development, staging, production, other.
    pub writable_environment_categories: Vec<String>,
    /// 1
    pub state: u8,
    /// When it was assigned.
    pub created_at: String,
    /// The same: a row never changes.
    pub updated_at: String,
}

/// A service token with its secret: the only answer that ever carries `token_string`.
#[derive(Serialize, ToSchema)]
pub struct ServiceTokenWithSecret {
    /// The token.
    #[serde(flatten)]
    pub token: ServiceToken,
    /// The secret. It is shown here, once.
    pub token_string: String,
}

impl ServiceToken {
    /// From the domain; `rows` adds `service_token_permissions`.
    #[must_use]
    pub fn new(token: &domain::service_token::ServiceToken, rows: bool) -> Self {
        let grants: Vec<_> =
            token.grants.iter().flat_map(|row| PermissionGrant::of(&row.grant)).collect();
        let only = |key: &str| {
            !grants.is_empty() && grants.iter().all(|grant| grant.permission_set == key)
        };
        let state = match token.state {
            TokenState::Active | TokenState::Disabled | TokenState::Imported => 1,
            TokenState::Revoked { .. } => 2,
        };
        let held_to = !token.restrictions.are_none();
        Self {
            id: token.id.get(),
            account_id: token.account.get(),
            uid: token.uid.clone(),
            name: token.name.to_string(),
            state,
            metadata_only: only("metadata_only"),
            webhooks_only: only("webhooks_only"),
            permission_grants: grants,
            service_token_permissions: rows.then(|| PermissionRow::all_of(token)),
            restrictions: held_to.then(|| TokenRestrictions::from(&token.restrictions)),
            responsible_user_id: token.responsible.map(domain::UserId::get),
            last_used: token.last_used.map(|time| time.to_string()),
            expires_at: token.expires_at().map(|time| time.to_string()),
            disabled: matches!(token.state, TokenState::Disabled),
            advisory: token.advisory().map(Advisory::from),
            awaits_rotation: matches!(token.state, TokenState::Imported),
            canary: token.is_canary,
            semantic_layer_credentials: Vec::new(),
            created_at: token.created_at.to_string(),
            updated_at: token.updated_at.to_string(),
        }
    }
}

impl ServiceTokenWithSecret {
    /// The one answer that carries the secret.
    #[must_use]
    pub fn new(token: &domain::service_token::ServiceToken, secret: &TokenSecret) -> Self {
        let token_string = secret.reveal().to_owned();
        Self { token: ServiceToken::new(token, true), token_string }
    }
}

impl From<&domain::service_token::Advisory> for Advisory {
    fn from(advisory: &domain::service_token::Advisory) -> Self {
        Self {
            action: advisory.action.to_owned(),
            created_until: advisory.created_until.to_owned(),
            reason: advisory.reason.to_owned(),
        }
    }
}

impl PermissionGrant {
    /// A grant on the wire: one for each project that it names.
    #[must_use]
    pub fn of(grant: &Grant) -> Vec<Self> {
        let one = |project_id| Self {
            permission_set: grant.permission_set().key().to_owned(),
            project_id,
            writable_environment_categories: words(grant.raised()),
        };
        match grant.projects() {
            Projects::All => vec![one(None)],
            Projects::Only(projects) => {
                projects.iter().map(|project| one(Some(project.get()))).collect()
            }
        }
    }
}

impl PermissionRow {
    /// The rows of a token.
    #[must_use]
    pub fn all_of(token: &domain::service_token::ServiceToken) -> Vec<Self> {
        token.grants.iter().flat_map(|row| Self::of(token, row)).collect()
    }

    fn of(token: &domain::service_token::ServiceToken, row: &GrantRow) -> Vec<Self> {
        let one = |grant: PermissionGrant| Self {
            id: row.id.get(),
            account_id: token.account.get(),
            service_token_id: token.id.get(),
            permission_set: grant.permission_set,
            all_projects: grant.project_id.is_none(),
            project_id: grant.project_id,
            writable_environment_categories: grant.writable_environment_categories,
            state: 1,
            created_at: row.created_at.to_string(),
            updated_at: row.created_at.to_string(),
        };
        PermissionGrant::of(&row.grant).into_iter().map(one).collect()
    }
}

fn words(categories: Categories) -> Vec<String> {
    categories.words().into_iter().map(str::to_owned).collect()
}

/// The body that makes or changes a service token: the documents' `permission_grants`, or the
/// whole object that Terraform and dbtc echo. Other keys are ignored.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ServiceTokenBody {
    /// The account, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub account_id: Patch<i64>,
    /// 1 to 255 characters.
    #[schema(value_type = Option<String>)]
    pub name: Patch<String>,
    /// 1; or 2, which deletes it.
    #[schema(value_type = Option<i64>)]
    pub state: Patch<i64>,
    /// A documented addition: when it ends by itself, a time or `never`. Null, like absent, keeps it,
    /// and leaves it to the account's policy when it is made.
    #[schema(value_type = Option<String>)]
    pub expires_at: Patch<String>,
    /// A documented addition: whether it authorises nothing for now.
    #[schema(value_type = Option<bool>)]
    pub disabled: Patch<bool>,
    /// What it may do; at most 500. Only when it is made.
    #[schema(value_type = Option<Vec<GrantBody>>)]
    pub permission_grants: Patch<Vec<GrantBody>>,
    /// A documented addition: whether it is a canary, which is granted nothing and held to nothing.
    /// Only when it is made.
    #[schema(value_type = Option<bool>)]
    pub canary: Patch<bool>,
    /// A documented addition: what it is held to, beside its grants. Only when it is made; later, an
    /// echo of what was read.
    #[schema(value_type = Option<TokenRestrictionsBody>)]
    pub restrictions: Patch<TokenRestrictionsBody>,
    /// A documented addition: the user who answers for it. Null, like absent, keeps them; when it is
    /// made, its maker.
    #[schema(value_type = Option<i64>)]
    pub responsible_user_id: Patch<i64>,
}

impl ServiceTokenBody {
    /// What it is held to, and whether a list of addresses counts that does not admit the caller's
    /// own.
    ///
    /// # Errors
    /// [`Invalid`] names each wrong field: `restrictions.addresses[1]`.
    pub fn restrictions(&self) -> Result<(Restrictions, bool), Invalid> {
        let body = self.restrictions.clone().value().unwrap_or_default();
        Ok((body.restrictions("restrictions.")?, body.forced()))
    }

    /// Restrictions where they are no more than an echo of what was read; `None` if there are none.
    ///
    /// # Errors
    /// [`Invalid`] names each wrong field.
    pub fn echoed_restrictions(&self) -> Result<Option<Restrictions>, Invalid> {
        let body = self.restrictions.clone().value();
        body.map(|body| body.restrictions("restrictions.")).transpose()
    }

    /// Who answers for it, if that is said.
    ///
    /// # Errors
    /// [`Invalid`] names `responsible_user_id`.
    pub fn responsible(&self) -> Result<Option<UserId>, Invalid> {
        let id = self.responsible_user_id.value().map(UserId::new).transpose();
        id.map_err(|error| Invalid::field("responsible_user_id", error))
    }

    /// Whether a canary is to be made.
    ///
    /// # Errors
    /// [`Invalid`] names what a canary has not: `permission_grants`, `restrictions`.
    pub fn is_canary(&self) -> Result<bool, Invalid> {
        if self.canary.value() != Some(true) {
            return Ok(false);
        }
        let mut bad = Invalid::collector();
        if self.permission_grants.clone().value().is_some_and(|grants| !grants.is_empty()) {
            bad.note("permission_grants", "must be empty: a canary is granted nothing");
        }
        if self.restrictions.clone().value().is_some() {
            bad.note("restrictions", "must be absent: a canary opens nothing");
        }
        bad.finish()?;
        Ok(true)
    }

    /// The name, which has to be there when the token is made.
    ///
    /// # Errors
    /// [`Invalid`] names `name`.
    pub fn required_name(&self) -> Result<Name, Invalid> {
        self.name()?.ok_or_else(|| Invalid::field("name", "is required"))
    }

    /// The name, if there is one.
    ///
    /// # Errors
    /// [`Invalid`] names `name`.
    pub fn name(&self) -> Result<Option<Name>, Invalid> {
        let name = self.name.clone().value().map(Name::parse).transpose();
        name.map_err(|error| Invalid::field("name", error))
    }

    /// When it is to end, if that is said.
    ///
    /// # Errors
    /// [`Invalid`] names `expires_at`.
    pub fn end(&self) -> Result<Option<End>, Invalid> {
        let read = |text: String| match text.trim() {
            "never" => Ok(End::Never),
            text => Timestamp::parse(text).map(End::At),
        };
        let end = self.expires_at.clone().value().map(read).transpose();
        end.map_err(|error| Invalid::field("expires_at", format!("{error}, or `never`")))
    }

    /// Whether the body deletes the token.
    ///
    /// # Errors
    /// [`Invalid`] names `state` if it is neither 1 nor 2.
    pub fn deletes(&self) -> Result<bool, Invalid> {
        match self.state {
            Patch::Absent | Patch::Null | Patch::Value(1) => Ok(false),
            Patch::Value(2) => Ok(true),
            Patch::Value(_) => Err(Invalid::field("state", "must be 1 (active) or 2 (deleted)")),
        }
    }

    /// The grants, read field by field.
    ///
    /// # Errors
    /// [`Invalid`] names each wrong field: `permission_grants[2].permission_set`.
    pub fn grants(&self) -> Result<Vec<Grant>, Invalid> {
        let grants = self.permission_grants.clone().value().unwrap_or_default();
        GrantBody::read_all("permission_grants", &grants)
    }
}

/// The body that replaces a token's permission rows: a JSON list.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct PermissionRows(pub Vec<GrantBody>);

impl PermissionRows {
    /// The grants, read field by field.
    ///
    /// # Errors
    /// [`Invalid`] names each wrong field: `[2].permission_set`.
    pub fn grants(&self) -> Result<Vec<Grant>, Invalid> {
        GrantBody::read_all("", &self.0)
    }
}

/// One grant of a body, in the documents' form or in Terraform's.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct GrantBody {
    /// The permission set's key; required.
    pub permission_set: Option<String>,
    /// Every project. Without it, and without a project, every project is meant, as the documents
    /// have it.
    pub all_projects: Option<bool>,
    /// One project; 0 counts as none.
    pub project_id: Option<i64>,
    /// A documented addition: several projects; not empty.
    pub project_ids: Option<Vec<i64>>,
    /// `all`, or some of development, staging, production, other.
    pub writable_environment_categories: Option<Vec<String>>,
    /// 1; a row with 2 counts as not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<i64>,
}

impl GrantBody {
    fn read_all(list: &str, bodies: &[Self]) -> Result<Vec<Grant>, Invalid> {
        let most = domain::service_token::ServiceToken::MAX_GRANTS;
        if bodies.len() > most {
            let field = if list.is_empty() { "body" } else { list };
            return Err(Invalid::field(field, format!("must have at most {most} grants")));
        }
        let mut bad = Invalid::collector();
        let grants = bodies
            .iter()
            .enumerate()
            .filter(|(_, body)| body.state != Some(2))
            .filter_map(|(index, body)| {
                body.read()
                    .map_err(|(field, why)| bad.note(&format!("{list}[{index}].{field}"), why))
                    .ok()
            })
            .collect();
        bad.finish()?;
        Ok(grants)
    }

    fn read(&self) -> Result<Grant, (&'static str, String)> {
        let key =
            self.permission_set.as_deref().ok_or(("permission_set", "is required".to_owned()))?;
        let set: PermissionSet =
            key.parse().map_err(|error| ("permission_set", format!("{error}")))?;
        let projects = self.projects()?;
        let words = self.writable_environment_categories.clone().unwrap_or_default();
        let raised = Categories::parse(&words)
            .map_err(|error| ("writable_environment_categories", error.to_string()))?;
        let grant = Grant::new(set, projects).map_err(|error| ("project_id", error.to_string()))?;
        Ok(grant.raising(raised))
    }

    /// Which projects. An empty list is a mistake, never all; so is `all_projects: false` alone.
    fn projects(&self) -> Result<Projects, (&'static str, String)> {
        let ids = match (self.project_id.filter(|id| *id != 0), &self.project_ids) {
            (Some(_), Some(_)) => {
                return Err(("project_ids", "cannot stand beside project_id".to_owned()));
            }
            (Some(id), None) => vec![id],
            (None, Some(ids)) if ids.is_empty() => {
                return Err((
                    "project_ids",
                    "name at least one project, or say all_projects".to_owned(),
                ));
            }
            (None, Some(ids)) => ids.clone(),
            (None, None) => {
                return match self.all_projects {
                    Some(true) | None => Ok(Projects::All),
                    Some(false) => {
                        Err(("project_id", "is required where all_projects is false".to_owned()))
                    }
                };
            }
        };
        if self.all_projects == Some(true) {
            return Err(("all_projects", "must be false where a project is named".to_owned()));
        }
        let ids: Result<Vec<_>, _> = ids.into_iter().map(ProjectId::new).collect();
        let ids = ids.map_err(|error| ("project_id", error.to_string()))?;
        Projects::only(ids).map_err(|error| ("project_ids", error.to_string()))
    }
}
