//! Nouns that are kept alike (see [`domain::kept`]): one table, and one piece of code for all.

use std::collections::BTreeSet;

use domain::{
    AccountId, ProjectId,
    authz::{AccessMarker, Permit, Read, Write},
    environment_variable::EnvironmentVariable,
    kept::{FieldKind, Hidden, Id, Kept, Level, Noun, Reference},
    list::{ListQuery, Paged, StateFilter},
    model_notification::ModelNotifications,
    notification::Notification,
    profile::Profile,
    semantic_layer::{SemanticLayerConfiguration, SemanticLayerMapping},
    ssh_tunnel::SshTunnel,
    user_credentials::UserCredentials,
    webhook::Webhook,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, JoinType,
    PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, RelationTrait as _,
    Select, sea_query::Expr,
};
use serde_json::Value;

use crate::{
    Store, StoreError, connections,
    entities::{
        group,
        kept::{ActiveModel, Column, Entity, Model},
        kept_reference, membership, service_token, time,
    },
    environments, jobs,
    list::{Collection, Field, Kind, State, in_scope},
    outbox, profiles, project_adapters, projects,
    rows::{ACTIVE, DELETED, found, from_text, named, note_page, only, said, to_text},
    seal::{self, Place},
    tx::Tx,
    warehouse_credentials,
};

impl Store {
    /// Those that the permit reaches; of one project, if it is named.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (order or filter), [`StoreError::Unavailable`].
    pub async fn kept<N: Noun>(
        &self,
        permit: &Permit<Read, N::Resource>,
        project: Option<ProjectId>,
        query: &ListQuery,
    ) -> Result<Paged<Kept<N>>, StoreError> {
        let mut rows = reached::<N, Read>(permit);
        if let Some(project) = project {
            rows = rows.filter(Column::ProjectId.eq(project.get()));
        }
        let fields = fields::<N>();
        let state = State { active: || Column::State.eq(ACTIVE), default: StateFilter::Active };
        let collection = Collection { id: Column::Id, fields: &fields, state };
        let page = self.page(rows, &collection, query).await?;
        match project {
            Some(project) => permit.note_project(project),
            None => note_page(permit, query, &page.rows, Column::ProjectId),
        }
        let rows = page.rows.into_iter().map(Model::into_domain).collect::<Result<_, _>>()?;
        Ok(Paged { rows, total: page.total })
    }

    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn kept_one<N: Noun>(
        &self,
        permit: &Permit<Read, N::Resource>,
        id: Id<N>,
    ) -> Result<Kept<N>, StoreError> {
        let rows = reached::<N, Read>(permit)
            .filter(Column::Id.eq(id.get()))
            .filter(Column::State.eq(ACTIVE));
        found(permit, rows, Column::ProjectId, self.reader()).await?.into_domain()
    }

    /// Makes one. A noun of a project needs one; one of the account may be about one.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or [`StoreError::Denied`] (the project),
    /// [`StoreError::Invalid`] (what it names is not there, or it shares what it may not),
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn keep<N: Noun>(
        &self,
        permit: &Permit<Write, N::Resource>,
        project: Option<ProjectId>,
        spec: N,
        secret: Option<Hidden>,
    ) -> Result<Kept<N>, StoreError> {
        let mut tx = self.begin(permit).await?;
        let made = insert(&mut tx, permit, project, spec, secret).await?;
        tx.commit().await?;
        Ok(made)
    }

    /// Changes it: `change` gets what it is and gives what it shall be, inside the transaction.
    /// A secret of `None` keeps the old one.
    ///
    /// # Errors
    /// As making one, and whatever `change` gives.
    pub async fn update_kept<N: Noun, E: From<StoreError>>(
        &self,
        permit: &Permit<Write, N::Resource>,
        id: Id<N>,
        secret: Option<Hidden>,
        change: impl FnOnce(N) -> Result<N, E> + Send,
    ) -> Result<Kept<N>, E> {
        let mut tx = self.begin(permit).await?;
        let before = find(tx.db(), tx.account(), id).await?;
        held_to(permit, before.project)?;
        let spec = change(before.spec.clone())?;
        let after = self::change(&mut tx, before, spec, secret).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Deletes it; its id is never given out again. Gives what it was, as deleted.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Denied`], [`StoreError::Conflict`] (another noun
    /// names it), [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn delete_kept<N: Noun>(
        &self,
        permit: &Permit<Write, N::Resource>,
        id: Id<N>,
    ) -> Result<Kept<N>, StoreError> {
        let mut tx = self.begin(permit).await?;
        let before = find(tx.db(), tx.account(), id).await?;
        held_to(permit, before.project)?;
        let_go(&mut tx, Reference::Kept(N::WORD, id.get())).await?;
        let deleted = remove(&mut tx, before).await?;
        tx.commit().await?;
        Ok(deleted)
    }
}

/// Makes one inside a transaction.
pub(crate) async fn insert<N: Noun>(
    tx: &mut Tx,
    permit: &Permit<Write, N::Resource>,
    project: Option<ProjectId>,
    spec: N,
    secret: Option<Hidden>,
) -> Result<Kept<N>, StoreError> {
    if let Some(project) = project {
        held_to(permit, Some(project))?;
        projects::find(tx.db(), tx.account(), project).await?;
    }
    let now = tx.now().micros();
    let row = ActiveModel {
        account_id: Set(tx.account().get()),
        project_id: Set(project.map(ProjectId::get)),
        word: Set(N::WORD.to_owned()),
        unique: Set(spec.unique().map(|(_, value)| value)),
        spec: Set(to_text(&spec)?),
        state: Set(ACTIVE),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    let row = Entity::insert(row).exec_with_returning(tx.db()).await.map_err(StoreError::db)?;
    let made: Kept<N> = row.into_domain()?;
    check(tx, &made).await?;
    note_references(tx, &made).await?;
    let after = Some(said_of(&made.spec, secret.as_ref()));
    keep_secret(tx, made.id, secret).await?;
    record(tx, "created", &made, (None, after)).await?;
    Ok(made)
}

/// Makes something else of one inside a transaction; a secret of `None` keeps the old one.
pub(crate) async fn change<N: Noun>(
    tx: &mut Tx,
    before: Kept<N>,
    spec: N,
    secret: Option<Hidden>,
) -> Result<Kept<N>, StoreError> {
    let after = Kept { spec, updated_at: tx.now(), ..before.clone() };
    check(tx, &after).await?;
    save(tx, &after).await?;
    let said = (Some(said(&before.spec)), Some(said_of(&after.spec, secret.as_ref())));
    keep_secret(tx, after.id, secret).await?;
    record(tx, "updated", &after, said).await?;
    Ok(after)
}

/// Deletes one inside a transaction, with its secret.
pub(crate) async fn remove<N: Noun>(tx: &mut Tx, kept: Kept<N>) -> Result<Kept<N>, StoreError> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(DELETED))
        .col_expr(Column::Secret, Expr::value(None::<Vec<u8>>))
        .col_expr(Column::UpdatedAt, Expr::value(tx.now().micros()))
        .filter(Column::Id.eq(kept.id.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    forget_references(tx, kept.id.get()).await?;
    outbox::forget(tx, kept.id.get()).await?;
    record(tx, "deleted", &kept, (Some(said(&kept.spec)), None)).await?;
    Ok(Kept { deleted: true, updated_at: tx.now(), ..kept })
}

/// Lets go of an object that is about to be deleted: what names it is left without it, goes along,
/// or stands in the way.
///
/// # Errors
/// [`StoreError::Conflict`] names the first that stands in the way.
pub(crate) async fn let_go(tx: &mut Tx, gone: Reference) -> Result<(), StoreError> {
    // Every noun that names something stands here.
    let_go_in::<Notification>(tx, gone).await?;
    let_go_in::<ModelNotifications>(tx, gone).await?;
    let_go_in::<EnvironmentVariable>(tx, gone).await?;
    let_go_in::<Webhook>(tx, gone).await?;
    let_go_in::<SemanticLayerMapping>(tx, gone).await?;
    let_go_in::<SemanticLayerConfiguration>(tx, gone).await?;
    let_go_in::<Profile>(tx, gone).await?;
    let_go_in::<SshTunnel>(tx, gone).await?;
    let_go_in::<UserCredentials>(tx, gone).await?;
    match gone {
        Reference::Kept(word, id) => {
            profiles::check_unused(tx, word, id).await?;
            project_adapters::check_unused(tx, word, id).await
        }
        _ => Ok(()),
    }
}

async fn let_go_in<N: Noun>(tx: &mut Tx, gone: Reference) -> Result<(), StoreError> {
    let rows = of_account::<N>(tx.account())
        .join(JoinType::InnerJoin, kept_reference::Relation::Kept.def().rev())
        .filter(Column::State.eq(ACTIVE))
        .filter(kept_reference::Column::Word.eq(gone.word()))
        .filter(kept_reference::Column::NamedId.eq(id_of(gone)))
        .order_by_asc(Column::Id)
        .all(tx.db())
        .await
        .map_err(StoreError::db)?;
    for row in rows {
        let before: Kept<N> = row.into_domain()?;
        if before.spec.goes_with(gone) {
            remove(tx, before).await?;
            continue;
        }
        let Some(spec) = before.spec.clone().without(gone) else {
            let (what, id) = (N::WORD.replace('_', " "), before.id);
            return Err(StoreError::Conflict(format!("{what} `{id}` names it")));
        };
        let after = Kept { spec, updated_at: tx.now(), ..before.clone() };
        save(tx, &after).await?;
        let change = (Some(said(&before.spec)), Some(said(&after.spec)));
        record(tx, "updated", &after, change).await?;
    }
    Ok(())
}

/// Whether one that is not deleted names it.
pub(crate) async fn is_named(tx: &Tx, named: Reference) -> Result<bool, StoreError> {
    let rows = Entity::find()
        .join(JoinType::InnerJoin, kept_reference::Relation::Kept.def().rev())
        .filter(Column::AccountId.eq(tx.account().get()))
        .filter(Column::State.eq(ACTIVE))
        .filter(kept_reference::Column::Word.eq(named.word()))
        .filter(kept_reference::Column::NamedId.eq(id_of(named)));
    Ok(rows.one(tx.db()).await.map_err(StoreError::db)?.is_some())
}

/// Deletes what a deleted project leaves, with its secrets; the project's own record says so.
pub(crate) async fn forget_project(tx: &Tx, project: ProjectId) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(DELETED))
        .col_expr(Column::Secret, Expr::value(None::<Vec<u8>>))
        .col_expr(Column::UpdatedAt, Expr::value(tx.now().micros()))
        .filter(Column::ProjectId.eq(project.get()))
        .filter(Column::State.eq(ACTIVE))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}

/// One of the account that is not deleted.
pub(crate) async fn find<N: Noun>(
    db: &impl ConnectionTrait,
    account: AccountId,
    id: Id<N>,
) -> Result<Kept<N>, StoreError> {
    let rows =
        of_account::<N>(account).filter(Column::Id.eq(id.get())).filter(Column::State.eq(ACTIVE));
    only(rows, db).await?.into_domain()
}

/// All of the account that are not deleted, by id: for what the server itself works by.
pub(crate) async fn all<N: Noun>(
    db: &impl ConnectionTrait,
    account: AccountId,
) -> Result<Vec<Kept<N>>, StoreError> {
    let rows = of_account::<N>(account).filter(Column::State.eq(ACTIVE)).order_by_asc(Column::Id);
    let rows = rows.all(db).await.map_err(StoreError::db)?;
    rows.into_iter().map(Model::into_domain).collect()
}

impl Model {
    /// What it means.
    pub(crate) fn into_domain<N: Noun>(self) -> Result<Kept<N>, StoreError> {
        let project = self.project_id.map(ProjectId::new).transpose();
        Ok(Kept {
            id: Id::new(self.id).map_err(StoreError::corrupt)?,
            account: AccountId::new(self.account_id).map_err(StoreError::corrupt)?,
            project: project.map_err(StoreError::corrupt)?,
            spec: from_text(&self.spec)?,
            deleted: self.state == DELETED,
            created_at: time(self.created_at)?,
            updated_at: time(self.updated_at)?,
        })
    }
}

pub(crate) fn of_account<N: Noun>(account: AccountId) -> Select<Entity> {
    Entity::find().filter(Column::AccountId.eq(account.get())).filter(Column::Word.eq(N::WORD))
}

fn reached<N: Noun, A: AccessMarker>(permit: &Permit<A, N::Resource>) -> Select<Entity> {
    let rows = of_account::<N>(permit.account());
    let extent = permit.scope();
    let scope = extent.scope();
    // What belongs to the account itself is reached by whoever holds the action at all.
    let reached = match N::LEVEL {
        Level::Project => Condition::all().add(in_scope(Column::ProjectId, scope)),
        Level::Account => Condition::all().add(
            Condition::any()
                .add(Column::ProjectId.is_null())
                .add(in_scope(Column::ProjectId, scope)),
        ),
    };
    // None of them lies in an environment or belongs to a job.
    let reached = reached.add_option(extent.is_held_to_objects().then(|| Expr::value(false)));
    rows.filter(reached)
}

fn held_to<N: domain::authz::KindMarker>(
    permit: &Permit<Write, N>,
    project: Option<ProjectId>,
) -> Result<(), StoreError> {
    project.map_or(Ok(()), |project| permit.within(project).map_err(StoreError::from))
}

fn fields<N: Noun>() -> Vec<Field<Column>> {
    let mut fields = vec![
        Field { name: "project_id", column: Column::ProjectId, kind: Kind::Int },
        Field { name: "created_at", column: Column::CreatedAt, kind: Kind::Time },
        Field { name: "updated_at", column: Column::UpdatedAt, kind: Kind::Time },
    ];
    fields.extend(N::FIELDS.iter().map(|(name, kind)| Field {
        name,
        column: Column::Spec,
        kind: Kind::InSpec(match kind {
            FieldKind::Int => &Kind::Int,
            FieldKind::Text => &Kind::Text,
            FieldKind::Bool => &Kind::Bool,
        }),
    }));
    fields
}

async fn save<N: Noun>(tx: &Tx, kept: &Kept<N>) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::Spec, Expr::value(to_text(&kept.spec)?))
        .col_expr(Column::Unique, Expr::value(kept.spec.unique().map(|(_, value)| value)))
        .col_expr(Column::UpdatedAt, Expr::value(kept.updated_at.micros()))
        .filter(Column::Id.eq(kept.id.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    forget_references(tx, kept.id.get()).await?;
    note_references(tx, kept).await
}

/// Whether what it names is there, and it shares nothing that it may not.
async fn check<N: Noun>(tx: &Tx, kept: &Kept<N>) -> Result<(), StoreError> {
    for (field, reference) in kept.spec.references() {
        check_reference(tx, kept.project, field, reference).await?;
    }
    let Some((field, value)) = kept.spec.unique() else { return Ok(()) };
    let mut others = of_account::<N>(tx.account())
        .filter(Column::State.eq(ACTIVE))
        .filter(Column::Unique.eq(value))
        .filter(Column::Id.ne(kept.id.get()));
    if let Some(project) = kept.project {
        others = others.filter(Column::ProjectId.eq(project.get()));
    }
    if others.count(tx.db()).await.map_err(StoreError::db)? > 0 {
        let message = format!("is that of another {} already", N::WORD.replace('_', " "));
        return Err(StoreError::Invalid { field, message });
    }
    Ok(())
}

/// Whether a field names something of the account, and of the project where both belong to one.
pub(crate) async fn check_reference(
    tx: &Tx,
    project: Option<ProjectId>,
    field: &'static str,
    reference: Reference,
) -> Result<(), StoreError> {
    let (db, account) = (tx.db(), tx.account());
    let here = |of: ProjectId| project.is_none_or(|project| project == of);
    let what = (field, reference.word());
    match reference {
        Reference::Connection(id) => connections::check(tx, project, id, field).await,
        Reference::Credential(id) => {
            let found = warehouse_credentials::find(db, account, id).await;
            named(found, |credential| here(credential.project), what).map(drop)
        }
        Reference::Environment(id) => {
            let found = environments::find(db, account, id).await;
            named(found, |environment| here(environment.project), what).map(drop)
        }
        Reference::Group(id) => {
            let rows = group::Entity::find_by_id(id.get())
                .filter(group::Column::AccountId.eq(account.get()))
                .filter(group::Column::State.eq(ACTIVE));
            named(only(rows, db).await, |_| true, what).map(drop)
        }
        Reference::Job(id) => {
            let found = jobs::find(db, account, id).await;
            named(found, |job| here(job.spec.project), what).map(drop)
        }
        Reference::Project(id) => {
            named(projects::find(db, account, id).await, |_| true, what).map(drop)
        }
        Reference::ServiceToken(id) => {
            let rows = service_token::Entity::find_by_id(id.get())
                .filter(service_token::Column::AccountId.eq(account.get()))
                .filter(service_token::Column::State.ne(service_token::REVOKED));
            named(only(rows, db).await, |_| true, what).map(drop)
        }
        Reference::User(id) => {
            let rows = membership::Entity::find_by_id((account.get(), id.get()))
                .filter(membership::Column::State.eq(ACTIVE));
            named(only(rows, db).await, |_| true, what).map(drop)
        }
        Reference::Kept(word, id) => {
            let rows = Entity::find_by_id(id)
                .filter(Column::AccountId.eq(account.get()))
                .filter(Column::Word.eq(word))
                .filter(Column::State.eq(ACTIVE));
            let same = |row: &Model| match (project, row.project_id) {
                (Some(project), Some(of)) => project.get() == of,
                _ => true,
            };
            named(only(rows, db).await, same, what).map(drop)
        }
    }
}

async fn note_references<N: Noun>(tx: &Tx, kept: &Kept<N>) -> Result<(), StoreError> {
    let named: BTreeSet<_> = kept
        .spec
        .references()
        .into_iter()
        .map(|(_, reference)| (reference.word(), id_of(reference)))
        .collect();
    if named.is_empty() {
        return Ok(());
    }
    let rows = named.into_iter().map(|(word, id)| kept_reference::ActiveModel {
        kept_id: Set(kept.id.get()),
        word: Set(word.to_owned()),
        named_id: Set(id),
        ..Default::default()
    });
    kept_reference::Entity::insert_many(rows).exec(tx.db()).await.map_err(StoreError::db)?;
    Ok(())
}

async fn forget_references(tx: &Tx, id: i64) -> Result<(), StoreError> {
    kept_reference::Entity::delete_many()
        .filter(kept_reference::Column::KeptId.eq(id))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}

const fn id_of(reference: Reference) -> i64 {
    match reference {
        Reference::Connection(id) => id.get(),
        Reference::Credential(id) => id.get(),
        Reference::Environment(id) => id.get(),
        Reference::Group(id) => id.get(),
        Reference::Job(id) => id.get(),
        Reference::Project(id) => id.get(),
        Reference::ServiceToken(id) => id.get(),
        Reference::User(id) => id.get(),
        Reference::Kept(_, id) => id,
    }
}

async fn record<N: Noun>(
    tx: &mut Tx,
    what: &str,
    kept: &Kept<N>,
    (before, after): (Option<Value>, Option<Value>),
) -> Result<(), StoreError> {
    let word = N::WORD;
    let object = format!("{word}:{}", kept.id);
    tx.record(&format!("{word}.{what}"), object, kept.project, before, after).await
}

/// What an audit record says of a spec, and of its secret that it was set: nothing more.
fn said_of<N: Noun>(spec: &N, secret: Option<&Hidden>) -> Value {
    let mut said = said(spec);
    if let (Some(object), Some(_)) = (said.as_object_mut(), secret) {
        object.insert("secret".to_owned(), "set".into());
    }
    said
}

/// Seals a secret for its row, which has to be there: the seal is bound to the row's id.
async fn keep_secret<N>(tx: &Tx, id: Id<N>, secret: Option<Hidden>) -> Result<(), StoreError> {
    let Some(secret) = secret else { return Ok(()) };
    let sealed = seal::seal(tx.keyring(), place(id.get()), secret.reveal().as_bytes())?;
    Entity::update_many()
        .col_expr(Column::Secret, Expr::value(sealed))
        .filter(Column::Id.eq(id.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}

/// The secret of one, for whoever works by it.
pub(crate) async fn secret_of<N: Noun>(
    store: &Store,
    db: &impl ConnectionTrait,
    id: Id<N>,
) -> Result<Option<Hidden>, StoreError> {
    let row = Entity::find_by_id(id.get()).one(db).await.map_err(StoreError::db)?;
    let Some(sealed) = row.and_then(|row| row.secret) else { return Ok(None) };
    let bytes = seal::open(store.keyring(), place(id.get()), &sealed)?;
    let text = String::from_utf8(bytes.to_vec()).map_err(StoreError::corrupt)?;
    Ok(Some(Hidden::new(text)))
}

const fn place(id: i64) -> Place {
    Place { table: "kept", id, field: "secret" }
}
