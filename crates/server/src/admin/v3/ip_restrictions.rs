//! IP restrictions: from which addresses an account's tokens may be used.

use axum::extract::State;
use domain::{
    AccountId, InvalidId,
    authz::{Permit, Read, Write, kinds::IpRestrictions},
    ip_restriction::IpRestriction as Rule,
    kept::Id,
};
use wire::v3::{
    IpRestriction, IpRestrictionBody, IpRestrictionSet, IpRestrictionSetBody,
    IpRestrictionValidation,
};

use super::same_account;
use crate::{
    answer::{Created, Object, Page},
    app::App,
    error::ApiError,
    extract::{At, Body, PathId, Query},
};

/// `GET /api/v3/accounts/{account_id}/ip-restrictions/`
pub(crate) async fn list(
    permit: Permit<Read, IpRestrictions>,
    State(app): State<App>,
    Query(params): Query,
) -> Result<Page<IpRestriction>, ApiError> {
    let rules = app.store.ip_restrictions(&permit, &params.query).await?;
    Ok(Page(params, rules.map(|(rule, set)| IpRestriction::new(&rule, set))))
}

/// `GET /api/v3/accounts/{account_id}/ip-restrictions/{ip_restriction_id}`
pub(crate) async fn show(
    permit: Permit<Read, IpRestrictions>,
    State(app): State<App>,
    At(id): At<Id<Rule>>,
) -> Result<Object<IpRestriction>, ApiError> {
    let (rule, set) = app.store.ip_restriction(&permit, id).await?;
    Ok(Object(IpRestriction::new(&rule, set)))
}

/// `POST /api/v3/accounts/{account_id}/ip-restrictions/`
pub(crate) async fn create(
    permit: Permit<Write, IpRestrictions>,
    State(app): State<App>,
    Body(body): Body<IpRestrictionBody>,
) -> Result<Created<IpRestriction>, ApiError> {
    same_account(&permit, &body.account_id)?;
    let enable = body.enables();
    let spec = body.over(None, permit.author())?;
    let (rule, set) = app.store.create_ip_restriction(&permit, spec, enable).await?;
    Ok(Created(IpRestriction::new(&rule, set)))
}

/// `PUT /api/v3/accounts/{account_id}/ip-restrictions/{ip_restriction_id}`
pub(crate) async fn update(
    permit: Permit<Write, IpRestrictions>,
    State(app): State<App>,
    At(id): At<Id<Rule>>,
    Body(body): Body<IpRestrictionBody>,
) -> Result<Object<IpRestriction>, ApiError> {
    same_account(&permit, &body.account_id)?;
    let (enable, author) = (body.enables(), permit.author());
    let change = |old| body.over(Some(old), author).map_err(ApiError::from);
    let (rule, set) = app.store.update_ip_restriction(&permit, id, enable, change).await?;
    Ok(Object(IpRestriction::new(&rule, set)))
}

/// `DELETE /api/v3/accounts/{account_id}/ip-restrictions/{ip_restriction_id}`: gives what it was,
/// at state 2.
pub(crate) async fn delete(
    permit: Permit<Write, IpRestrictions>,
    State(app): State<App>,
    At(id): At<Id<Rule>>,
) -> Result<Object<IpRestriction>, ApiError> {
    let (rule, set) = app.store.delete_ip_restriction(&permit, id).await?;
    Ok(Object(IpRestriction::new(&rule, set)))
}

/// `POST /api/v3/accounts/{account_id}/ip-restrictions-set/`
pub(crate) async fn enable(
    permit: Permit<Write, IpRestrictions>,
    State(app): State<App>,
    Body(body): Body<IpRestrictionSetBody>,
) -> Result<Object<IpRestrictionSet>, ApiError> {
    let set = app.store.enable_ip_restrictions(&permit, body.enabled()?).await?;
    Ok(Object(IpRestrictionSet::new(permit.account(), set)))
}

/// `GET /api/v3/accounts/{account_id}/ip-restrictions-set/{ip_restrictions_set_id}/validate/`
pub(crate) async fn validate(
    permit: Permit<Read, IpRestrictions>,
    State(app): State<App>,
    At(set): At<SetId>,
) -> Result<Object<IpRestrictionValidation>, ApiError> {
    valid(&app, &permit, set, None).await
}

/// `GET …/ip-restrictions-set/{ip_restrictions_set_id}/validate/{validate_id}`: without that rule.
pub(crate) async fn validate_without(
    permit: Permit<Read, IpRestrictions>,
    State(app): State<App>,
    At(set): At<SetId>,
    At(WithoutId(rule)): At<WithoutId>,
) -> Result<Object<IpRestrictionValidation>, ApiError> {
    valid(&app, &permit, set, Some(rule)).await
}

/// The id of an account's set of rules: the account's.
pub(crate) struct SetId(AccountId);

impl PathId for SetId {
    const NAME: &str = "ip_restrictions_set_id";
}

impl std::str::FromStr for SetId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map(Self)
    }
}

/// The rule that a validation leaves out.
pub(crate) struct WithoutId(Id<Rule>);

impl PathId for WithoutId {
    const NAME: &str = "validate_id";
}

impl std::str::FromStr for WithoutId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map(Self)
    }
}

async fn valid(
    app: &App,
    permit: &Permit<Read, IpRestrictions>,
    SetId(set): SetId,
    without: Option<Id<Rule>>,
) -> Result<Object<IpRestrictionValidation>, ApiError> {
    if set != permit.account() {
        return Err(ApiError::NotFound);
    }
    let is_valid_for_admin = app.store.admits_its_caller(permit, without).await?;
    Ok(Object(IpRestrictionValidation { is_valid_for_admin }))
}
