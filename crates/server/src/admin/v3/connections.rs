//! Connections of the account.

use axum::extract::State;
use domain::{
    ConnectionId,
    authz::{Connections, Permit, Read, Write},
};
use wire::v3::{Connection, ConnectionBody, ConnectionRow};

use super::{related, same_account};
use crate::{
    answer::{Created, Object, Page},
    app::App,
    error::ApiError,
    extract::{At, Body, Query},
};

/// `GET /api/v3/accounts/{account_id}/connections/`: without `config`.
pub(crate) async fn list(
    permit: Permit<Read, Connections>,
    State(app): State<App>,
    Query(params): Query,
) -> Result<Page<ConnectionRow>, ApiError> {
    let page = app.store.connections(&permit, &params.query).await?;
    let again = async |query| app.store.connections(&permit, &query).await;
    let deleted = related::deleted(&params, &page, |row| row.id.get(), again).await?;
    let told = |row: ConnectionRow| if deleted.contains(&row.id) { row.deleted() } else { row };
    Ok(Page(params, page.map(|row| told(ConnectionRow::from(&row)))))
}

/// `GET /api/v3/accounts/{account_id}/connections/{connection_id}/`
pub(crate) async fn show(
    permit: Permit<Read, Connections>,
    State(app): State<App>,
    At(id): At<ConnectionId>,
) -> Result<Object<Connection>, ApiError> {
    let connection = app.store.connection(&permit, id).await?;
    Ok(Object(Connection::from(&connection)))
}

/// `POST /api/v3/accounts/{account_id}/connections/`
pub(crate) async fn create(
    permit: Permit<Write, Connections>,
    State(app): State<App>,
    Body(body): Body<ConnectionBody>,
) -> Result<Created<Connection>, ApiError> {
    same_account(&permit, &body.account_id)?;
    let secrets = body.secrets(None);
    let connection = app.store.create_connection(&permit, body.create()?, secrets).await?;
    Ok(Created(Connection::from(&connection)))
}

/// `PATCH /api/v3/accounts/{account_id}/connections/{connection_id}/`: what the body names, key
/// by key in `config`; or state 2.
pub(crate) async fn update(
    permit: Permit<Write, Connections>,
    State(app): State<App>,
    At(id): At<ConnectionId>,
    Body(body): Body<ConnectionBody>,
) -> Result<Object<Connection>, ApiError> {
    same_account(&permit, &body.account_id)?;
    if body.deletes() {
        return delete(permit, State(app), At(id)).await;
    }
    // A connection's platform never changes.
    let before = app.store.connection(&permit.also()?, id).await?;
    let body = if before.tunnel { body.of_tunnelled() } else { body };
    let secrets = body.secrets(Some(&before.spec.platform));
    let change = |spec| body.apply(spec).map_err(ApiError::from);
    let connection = app.store.update_connection(&permit, id, secrets, change).await?;
    Ok(Object(Connection::from(&connection)))
}

/// `DELETE /api/v3/accounts/{account_id}/connections/{connection_id}/`: gives what it was, at
/// state 2.
pub(crate) async fn delete(
    permit: Permit<Write, Connections>,
    State(app): State<App>,
    At(id): At<ConnectionId>,
) -> Result<Object<Connection>, ApiError> {
    let connection = app.store.delete_connection(&permit, id).await?;
    Ok(Object(Connection::from(&connection).deleted()))
}
