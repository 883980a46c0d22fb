//! Model notifications: one row of `kept` an environment, and the mails that they ask for.
//!
//! The end of a run leaves one row in the outbox. Whoever sends mails shares it out first: it reads
//! the run's artifacts, and makes a row of each owner's mail out of it, in one transaction.

use bytes::Bytes;
use domain::{
    AccountId, EnvironmentId,
    authz::{Environments, Permit, Read, Write, kinds::JobNotifications},
    environment::Environment,
    kept::{Kept, Noun as _},
    model_notification::{ModelNotifications, OwnerReport, owners},
    run::Run,
    run_report::{RunReport, Stage},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    QueryOrder as _,
};

use crate::{
    Store, StoreError,
    entities::{
        artifact,
        kept::{Column, Model},
        outbox,
    },
    environments, kept,
    outbox::{asker, claim, done},
    rows::{ACTIVE, from_text, to_text},
    tx::Tx,
};

/// What an owner's mail is called in the outbox.
pub(crate) const OWNER: &str = "model_owner";

impl Store {
    /// Those of an environment, and the environment; `None` if nobody has set any.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn model_notifications(
        &self,
        permit: &Permit<Read, Environments>,
        environment: EnvironmentId,
    ) -> Result<(Environment, Option<Kept<ModelNotifications>>), StoreError> {
        let environment = self.environment(permit, environment).await?;
        let found = of(self.reader(), permit.account(), environment.id).await?;
        Ok((environment, found))
    }

    /// Sets those of an environment: `change` gets what they are and gives what they shall be,
    /// inside the transaction.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Denied`], [`StoreError::CredentialChanged`],
    /// [`StoreError::Unavailable`], and whatever `change` gives.
    pub async fn set_model_notifications<E: From<StoreError>>(
        &self,
        permit: &Permit<Write, Environments>,
        environment: EnvironmentId,
        change: impl FnOnce(ModelNotifications) -> Result<ModelNotifications, E> + Send,
    ) -> Result<Kept<ModelNotifications>, E> {
        let mut tx = self.begin(permit).await?;
        let environment = environments::find(tx.db(), tx.account(), environment).await?;
        permit.at(environment.place()).map_err(StoreError::from)?;
        let before = of(tx.db(), tx.account(), environment.id).await?;
        let now = before.as_ref().map(|before| before.spec);
        let spec = change(now.unwrap_or(ModelNotifications::none(environment.id)))?;
        let after = if let Some(before) = before {
            kept::change(&mut tx, before, spec, None).await?
        } else {
            kept::insert(&mut tx, permit, Some(environment.project), spec, None).await?
        };
        tx.commit().await?;
        Ok(after)
    }

    /// Makes a mail to each owner out of what the ends of runs left, one run a call.
    pub(crate) async fn share_out(
        &self,
        permit: &Permit<Write, JobNotifications>,
    ) -> Result<(), StoreError> {
        let tx = self.begin(permit).await?;
        let due = claim(&tx, &[ModelNotifications::WORD], &[], 1).await?;
        tx.commit_unrecorded().await?;
        let Some(row) = due.into_iter().next() else { return Ok(()) };
        let mails = match self.owners_mails(permit.account(), &row).await {
            Err(error @ (StoreError::NotFound | StoreError::Corrupt(_))) => {
                tracing::error!(asked_by = row.kept_id, %error, "owners of models are told nothing");
                Vec::new()
            }
            mails => mails?,
        };
        let tx = self.begin(permit).await?;
        // Somebody else may have shared it out meanwhile, after a pause of ours.
        if !done(&tx, &row.ticket()?).await? {
            return Ok(());
        }
        let now = tx.now().micros();
        let rows = mails.iter().map(|mail| {
            Ok(outbox::ActiveModel {
                account_id: Set(row.account_id),
                word: Set(OWNER.to_owned()),
                kept_id: Set(row.kept_id),
                report: Set(to_text(mail)?),
                tries: Set(0),
                due_at: Set(now),
                created_at: Set(now),
                ..Default::default()
            })
        });
        let rows = rows.collect::<Result<Vec<_>, StoreError>>()?;
        if !rows.is_empty() {
            outbox::Entity::insert_many(rows).exec(tx.db()).await.map_err(StoreError::db)?;
        }
        tx.commit_unrecorded().await
    }

    /// What each owner is told of a run.
    async fn owners_mails(
        &self,
        account: AccountId,
        row: &outbox::Model,
    ) -> Result<Vec<OwnerReport>, StoreError> {
        let id = asker(row)?;
        let settings = kept::find::<ModelNotifications>(self.reader(), account, id).await?.spec;
        let run: RunReport = from_text(&row.report)?;
        let (mut manifest, mut results) = (None, Vec::new());
        let left = artifact::Entity::find()
            .filter(artifact::Column::RunId.eq(run.run.get()))
            .filter(artifact::Column::Path.is_in(["manifest.json", "run_results.json"]))
            .order_by_asc(artifact::Column::Step);
        for artifact in left.all(self.reader()).await.map_err(StoreError::db)? {
            let is_manifest = artifact.path == "manifest.json";
            let bytes = self.content_of(account, artifact).await?.bytes().await?;
            if is_manifest {
                manifest = Some(bytes);
            } else {
                results.push(bytes);
            }
        }
        // A run that broke off before dbt had read the project.
        let Some(manifest) = manifest else { return Ok(Vec::new()) };
        let told = move || owners(settings, &manifest, &results as &[Bytes]);
        let told = tokio::task::spawn_blocking(told).await.map_err(StoreError::corrupt)?;
        let told = told.map_err(StoreError::corrupt)?;
        Ok(told
            .into_iter()
            .map(|(to, nodes)| OwnerReport { to, run: run.clone(), nodes })
            .collect())
    }
}

/// The row that the end of a run leaves, if its environment tells owners.
pub(crate) async fn wanted(
    tx: &Tx,
    run: &Run,
    stage: Stage,
) -> Result<Option<outbox::ActiveModel>, StoreError> {
    let Stage::Ended(_) = stage else { return Ok(None) };
    let found = of(tx.db(), tx.account(), run.environment).await?;
    Ok(found.filter(|found| found.spec.enabled).map(|found| outbox::ActiveModel {
        word: Set(ModelNotifications::WORD.to_owned()),
        kept_id: Set(Some(found.id.get())),
        event_key: Set(None),
        event_type: Set(None),
        ..Default::default()
    }))
}

async fn of(
    db: &impl ConnectionTrait,
    account: AccountId,
    environment: EnvironmentId,
) -> Result<Option<Kept<ModelNotifications>>, StoreError> {
    let rows = kept::of_account::<ModelNotifications>(account)
        .filter(Column::Unique.eq(environment.to_string()))
        .filter(Column::State.eq(ACTIVE));
    rows.one(db).await.map_err(StoreError::db)?.map(Model::into_domain).transpose()
}
