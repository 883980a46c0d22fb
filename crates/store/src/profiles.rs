//! Profiles: which environments connect by them, and what a run connects with. They are kept as
//! other nouns are (see [`crate::kept`]).

use domain::{
    ProjectId,
    adapter::FieldSecrets,
    authz::{DataPlatformConfigs, Permit, Read},
    connection::Connection,
    environment::Environment,
    extended_attributes::ExtendedAttributes,
    kept::{Hidden, Noun as _},
    profile::Profile,
    project::Project,
    ssh_tunnel::SshTunnel,
    warehouse_credential::{WarehouseCredential, WarehouseSecret},
};
use sea_orm::{ColumnTrait as _, QueryFilter as _, QueryOrder as _, sea_query::ExprTrait as _};
use serde_json::{Map, Value};

use crate::{
    Store, StoreError, connections, dialect,
    entities::environment::{Column, Entity, Model},
    kept,
    rows::{ACTIVE, of_account},
    ssh_tunnels,
    tx::Tx,
    warehouse_credentials,
};

impl Store {
    /// The environments of a project that connect by a profile, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Denied`], [`StoreError::Unavailable`].
    pub async fn environments_with_profiles(
        &self,
        permit: &Permit<Read, DataPlatformConfigs>,
        project: ProjectId,
    ) -> Result<Vec<Environment>, StoreError> {
        permit.within(project)?;
        let rows = of_account::<Entity>(Column::AccountId, permit.account())
            .filter(Column::ProjectId.eq(project.get()))
            .filter(Column::State.eq(ACTIVE))
            .filter(dialect::in_json(Column::Spec, "profile").is_not_null())
            .order_by_asc(Column::Id);
        let rows = rows.all(self.reader()).await.map_err(StoreError::db)?;
        rows.into_iter().map(Model::into_domain).collect()
    }
}

/// An environment that connects by a profile or by extended attributes keeps them.
pub(crate) async fn check_unused(tx: &Tx, word: &str, id: i64) -> Result<(), StoreError> {
    let key = match word {
        Profile::WORD => "profile",
        ExtendedAttributes::WORD => "extended_attributes",
        _ => return Ok(()),
    };
    let rows = of_account::<Entity>(Column::AccountId, tx.account())
        .filter(Column::State.eq(ACTIVE))
        .filter(dialect::in_json(Column::Spec, key).eq(id))
        .order_by_asc(Column::Id);
    match sea_orm::QuerySelect::limit(rows, 1).one(tx.db()).await.map_err(StoreError::db)? {
        Some(row) => Err(StoreError::Conflict(format!("environment `{}` names it", row.id))),
        None => Ok(()),
    }
}

/// What a run connects with.
#[derive(Debug, Default)]
pub(crate) struct Connecting {
    pub(crate) connection: Option<Connection>,
    pub(crate) connection_secrets: FieldSecrets,
    pub(crate) tunnel: Option<SshTunnel>,
    pub(crate) tunnel_key: Option<Hidden>,
    pub(crate) credential: Option<WarehouseCredential>,
    pub(crate) secret: Option<WarehouseSecret>,
    pub(crate) attributes: Map<String, Value>,
}

/// What the environment's profile names, or else what the environment itself names; a connection
/// that neither names is the project's.
pub(crate) async fn of_run(
    store: &Store,
    tx: &Tx,
    (environment, project): (&Environment, &Project),
) -> Result<Connecting, StoreError> {
    let (db, account, spec) = (tx.db(), tx.account(), &environment.spec);
    let profile = match spec.profile {
        Some(id) => Some(kept::find(db, account, id).await?.spec),
        None => None,
    };
    let (connection, credential, attributes) = match &profile {
        Some(Profile { connection_id, credentials_id, extended_attributes_id, .. }) => {
            (Some(*connection_id), Some(*credentials_id), *extended_attributes_id)
        }
        None => {
            (spec.connection.or(project.spec.connection), spec.credential, spec.extended_attributes)
        }
    };
    let mut found = Connecting::default();
    if let Some(id) = connection {
        found.connection = Some(connections::find(db, account, id).await?);
        found.connection_secrets = connections::secrets_of(tx, id).await?;
        (found.tunnel, found.tunnel_key) = ssh_tunnels::of_connection(store, tx, id).await?.unzip();
    }
    if let Some(id) = credential {
        found.credential = Some(warehouse_credentials::find(db, account, id).await?);
        found.secret = warehouse_credentials::secret_of(tx, store.keyring(), id).await?;
    }
    if let Some(id) = attributes {
        found.attributes = kept::find(db, account, id).await?.spec.extended_attributes;
    }
    Ok(found)
}
