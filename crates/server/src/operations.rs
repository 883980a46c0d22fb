//! Every operation of dbt's two Admin API documents, and what real clients call besides.

use std::sync::{Arc, LazyLock};

use axum::{
    extract::{Request, State},
    routing::{MethodFilter, MethodRouter, on},
};
use domain::authz::{Access, Action, Caller, ResourceKind, authorize_action};
use serde::Deserialize;

use crate::{
    app::App,
    error::ApiError,
    extract::{account, caller},
};

/// An operation that the published documents have, or that a real client calls.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: String,
    /// Its path without a slash at its end; parameters in braces.
    pub path: String,
    /// Its name, as the document has it.
    pub name: String,
    /// The key of the resource that it needs.
    pub resource: String,
    /// The access that it needs.
    pub access: Access,
    /// Where it is known from.
    pub source: String,
    /// Why it is not served, if it is not.
    pub missing: Option<String>,
}

#[derive(Deserialize)]
struct File {
    operation: Vec<Operation>,
}

/// The operations, served or not, in the order of the documents.
///
/// # Panics
/// Never: a test reads the embedded file.
#[must_use]
pub fn documented_operations() -> &'static [Operation] {
    static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(|| {
        let file: File = toml::from_str(include_str!("operations.toml"))
            .expect("the embedded list of operations loads: a test reads it");
        file.operation
    });
    &OPERATIONS
}

impl Operation {
    /// The action that it needs.
    pub(crate) fn action(&self) -> Option<Action> {
        let kind: ResourceKind = self.resource.parse().ok()?;
        Some(Action::new(self.access, kind))
    }

    /// A route that authenticates, authorises and then says that it is not built yet.
    pub(crate) fn refusing(&'static self) -> Option<MethodRouter<App>> {
        let action = self.action()?;
        let method = axum::http::Method::from_bytes(self.method.as_bytes()).ok()?;
        let filter = MethodFilter::try_from(method).ok()?;
        let handler = move |State(app): State<App>, request: Request| async move {
            let (mut parts, _) = request.into_parts();
            let caller: Arc<Caller> = caller(&mut parts, &app).await?;
            let account = account(&mut parts, &caller).await?;
            authorize_action(caller.principal(), account, action)?;
            Err::<(), _>(ApiError::NotImplemented(&self.name))
        };
        Some(on(filter, handler))
    }
}
