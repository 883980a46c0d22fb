//! Groups of users, and what they give.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    AccountId, GroupId, Name, ProjectId, UserId,
    authz::{Grant, Groups, Permit, Principal, Read, Write, contained},
    event::Event,
    group::{Group, GroupSpec},
    kept::Reference,
    list::{ListQuery, Paged, StateFilter},
    service_token::GrantRow,
    user::UserGroup,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, Select, UpdateMany,
    sea_query::{Expr, ExprTrait as _, SimpleExpr},
};
use serde_json::{Value, json};

use crate::{
    Store, StoreError,
    entities::{
        group::{ActiveModel, Column, Entity, Model},
        group_member, group_permission as permission, membership, time,
    },
    grant_rows::{GrantKey, check_no_row_twice, check_projects, keys},
    kept,
    list::{Collection, Field, Kind, State},
    memberships,
    rows::{ACTIVE, DELETED, from_text, only, to_text},
    tx::Tx,
};

static COLLECTION: Collection<Column> = Collection {
    id: Column::Id,
    fields: &[
        Field { name: "name", column: Column::Name, kind: Kind::Text },
        Field { name: "assign_by_default", column: Column::AssignByDefault, kind: Kind::Bool },
        Field { name: "created_at", column: Column::CreatedAt, kind: Kind::Time },
        Field { name: "updated_at", column: Column::UpdatedAt, kind: Kind::Time },
    ],
    state: State { active: || Column::State.eq(ACTIVE), default: StateFilter::Active },
};

impl Store {
    /// Groups of the permit's account.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (order or filter), [`StoreError::Unavailable`].
    pub async fn groups(
        &self,
        permit: &Permit<Read, Groups>,
        query: &ListQuery,
    ) -> Result<Paged<Group>, StoreError> {
        let page = self.page(of(permit.account()), &COLLECTION, query).await?;
        Ok(Paged { rows: whole(self.reader(), page.rows).await?, total: page.total })
    }

    /// One of them; a deleted one is not found.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn group(
        &self,
        permit: &Permit<Read, Groups>,
        id: GroupId,
    ) -> Result<Group, StoreError> {
        find(self.reader(), permit.account(), id).await
    }

    /// Which rows of which groups name these projects: what a project's own page shows.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn group_grants_on(
        &self,
        permit: &Permit<Read, Groups>,
        projects: &[ProjectId],
    ) -> Result<Vec<(ProjectId, GroupId, GrantRow)>, StoreError> {
        let rows = permission::Entity::find()
            .filter(permission::Column::AccountId.eq(permit.account().get()))
            .filter(permission::Column::ProjectId.is_in(projects.iter().map(|id| id.get())))
            .order_by_asc(permission::Column::Id)
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        let whole = |row: permission::Model| {
            let project = ProjectId::new(row.project_id.unwrap_or_default());
            let group = GroupId::new(row.group_id).map_err(StoreError::corrupt)?;
            Ok((project.map_err(StoreError::corrupt)?, group, row.into_domain()?))
        };
        rows.into_iter().map(whole).collect()
    }

    /// Makes one, without members and grants.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] (too many), [`StoreError::CredentialChanged`],
    /// [`StoreError::Unavailable`].
    pub async fn create_group(
        &self,
        permit: &Permit<Write, Groups>,
        spec: GroupSpec,
    ) -> Result<Group, StoreError> {
        let mut tx = self.begin(permit).await?;
        let there = of(tx.account()).filter(Column::State.eq(ACTIVE)).count(tx.db());
        if there.await.map_err(StoreError::db)? >= Group::MAX_PER_ACCOUNT {
            let most = Group::MAX_PER_ACCOUNT;
            return Err(StoreError::Conflict(format!("an account has at most {most} groups")));
        }
        let group = insert(&mut tx, spec, &[]).await?;
        tx.commit().await?;
        Ok(group)
    }

    /// Changes what can be edited: `change` gets what it is and gives what it shall be. Who lets
    /// a group take in more people by itself has to hold what it gives.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Exceeds`], [`StoreError::CredentialChanged`],
    /// [`StoreError::Unavailable`], and whatever `change` gives.
    pub async fn update_group<E: From<StoreError>>(
        &self,
        permit: &Permit<Write, Groups>,
        id: GroupId,
        change: impl FnOnce(GroupSpec) -> Result<GroupSpec, E> + Send,
    ) -> Result<Group, E> {
        let mut tx = self.begin(permit).await?;
        let before = find(tx.db(), tx.account(), id).await?;
        let spec = change(before.spec.clone())?;
        if spec.takes_in_more_than(&before.spec) {
            contained(&before.grants(), permit.principal()).map_err(StoreError::from)?;
        }
        let after = Group { spec, updated_at: tx.now(), ..before.clone() };
        update(&after)
            .col_expr(Column::Name, Expr::value(after.spec.name.as_str()))
            .col_expr(Column::AssignByDefault, Expr::value(after.spec.assign_by_default))
            .col_expr(
                Column::SsoMappingGroups,
                Expr::value(to_text(&after.spec.sso_mapping_groups)?),
            )
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        record(&mut tx, "group.updated", Some(&before), Some(&after)).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Deletes it: its members are in it no longer, and hold what it gave no longer.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Conflict`] (nobody would be left to run the
    /// account, or something else names it), [`StoreError::CredentialChanged`],
    /// [`StoreError::Unavailable`].
    pub async fn delete_group(
        &self,
        permit: &Permit<Write, Groups>,
        id: GroupId,
    ) -> Result<Group, StoreError> {
        let mut tx = self.begin(permit).await?;
        let before = find(tx.db(), tx.account(), id).await?;
        kept::let_go(&mut tx, Reference::Group(id)).await?;
        touch_members(&mut tx, vec![id.get()]).await?;
        group_member::Entity::delete_many()
            .filter(group_member::Column::GroupId.eq(id.get()))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        delete_rows(&tx, permission::Column::GroupId.eq(id.get())).await?;
        let after = Group { deleted: true, updated_at: tx.now(), ..before.clone() };
        let change = update(&after).col_expr(Column::State, Expr::value(DELETED));
        change.exec(tx.db()).await.map_err(StoreError::db)?;
        memberships::check_administered(&tx).await?;
        record(&mut tx, "group.deleted", Some(&before), None).await?;
        tx.commit().await?;
        Ok(Group { member_count: 0, grants: Vec::new(), ..after })
    }

    /// Replaces all that it gives. The grants must be offered by the plan, name projects of the
    /// account, and be within what the maker holds. A row that is wanted again stays as it is.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::NotOffered`], [`StoreError::Exceeds`],
    /// [`StoreError::Invalid`], [`StoreError::Conflict`] (nobody would be left to run the
    /// account), [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn replace_group_grants(
        &self,
        permit: &Permit<Write, Groups>,
        id: GroupId,
        grants: Vec<Grant>,
    ) -> Result<Group, StoreError> {
        let mut tx = self.begin(permit).await?;
        let before = find(tx.db(), tx.account(), id).await?;
        check_grants(&tx, permit.principal(), &grants).await?;
        replace_rows(&tx, &before, &grants).await?;
        touch_members(&mut tx, vec![id.get()]).await?;
        let touched = Group { updated_at: tx.now(), ..before.clone() };
        update(&touched).exec(tx.db()).await.map_err(StoreError::db)?;
        memberships::check_administered(&tx).await?;
        let after = find(tx.db(), tx.account(), id).await?;
        record(&mut tx, "group.grants_replaced", Some(&before), Some(&after)).await?;
        tx.commit().await?;
        Ok(after)
    }
}

/// Makes a group inside a transaction, with its audit record.
pub(crate) async fn insert(
    tx: &mut Tx,
    spec: GroupSpec,
    grants: &[Grant],
) -> Result<Group, StoreError> {
    let now = tx.now().micros();
    let row = ActiveModel {
        account_id: Set(tx.account().get()),
        name: Set(spec.name.as_str().to_owned()),
        assign_by_default: Set(spec.assign_by_default),
        sso_mapping_groups: Set(to_text(&spec.sso_mapping_groups)?),
        state: Set(ACTIVE),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    let row = Entity::insert(row).exec_with_returning(tx.db()).await.map_err(StoreError::db)?;
    insert_rows(tx, row.id, keys(grants)).await?;
    let id = GroupId::new(row.id).map_err(StoreError::corrupt)?;
    let group = find(tx.db(), tx.account(), id).await?;
    record(tx, "group.created", None, Some(&group)).await?;
    Ok(group)
}

/// A group of the account that is not deleted.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    account: AccountId,
    id: GroupId,
) -> Result<Group, StoreError> {
    let rows = of(account).filter(Column::Id.eq(id.get())).filter(Column::State.eq(ACTIVE));
    let row = only(rows, db).await?;
    whole(db, vec![row]).await?.pop().ok_or(StoreError::NotFound)
}

/// Those of these groups that the account has, by id; with what they give.
pub(crate) async fn with_ids(
    db: &impl ConnectionTrait,
    account: AccountId,
    ids: impl Iterator<Item = GroupId>,
) -> Result<Vec<Group>, StoreError> {
    let rows = of(account)
        .filter(Column::State.eq(ACTIVE))
        .filter(Column::Id.is_in(ids.map(GroupId::get)))
        .order_by_asc(Column::Id)
        .all(db)
        .await
        .map_err(StoreError::db)?;
    whole(db, rows).await
}

/// The groups of the account that every new user is put into.
pub(crate) async fn by_default(
    db: &impl ConnectionTrait,
    account: AccountId,
) -> Result<Vec<Group>, StoreError> {
    let rows = of(account)
        .filter(Column::State.eq(ACTIVE))
        .filter(Column::AssignByDefault.eq(true))
        .order_by_asc(Column::Id)
        .all(db)
        .await
        .map_err(StoreError::db)?;
    whole(db, rows).await
}

/// The groups of the account that each of these users is in, by id.
pub(crate) async fn of_users(
    db: &impl ConnectionTrait,
    account: AccountId,
    users: impl Iterator<Item = i64>,
) -> Result<BTreeMap<i64, Vec<UserGroup>>, StoreError> {
    let rows: Vec<(i64, Option<Model>)> = group_member::Entity::find()
        .filter(group_member::Column::UserId.is_in(users))
        .find_also_related(Entity)
        .filter(Column::AccountId.eq(account.get()))
        .order_by_asc(Column::Id)
        .all(db)
        .await
        .map_err(StoreError::db)?
        .into_iter()
        .map(|(member, group)| (member.user_id, group))
        .collect();
    let mut groups: BTreeMap<i64, Vec<UserGroup>> = BTreeMap::new();
    for (user, group) in rows {
        if let Some(group) = group {
            groups.entry(user).or_default().push(group.shown()?);
        }
    }
    Ok(groups)
}

/// Puts a user into groups.
pub(crate) async fn add_member(
    tx: &Tx,
    user: UserId,
    groups: impl Iterator<Item = GroupId>,
) -> Result<(), StoreError> {
    let rows: Vec<_> = groups
        .map(|group| group_member::ActiveModel {
            group_id: Set(group.get()),
            user_id: Set(user.get()),
        })
        .collect();
    if !rows.is_empty() {
        let inserted = group_member::Entity::insert_many(rows).exec_without_returning(tx.db());
        inserted.await.map_err(StoreError::db)?;
    }
    Ok(())
}

/// Takes a user out of groups.
pub(crate) async fn remove_member(
    tx: &Tx,
    user: UserId,
    groups: impl Iterator<Item = GroupId>,
) -> Result<(), StoreError> {
    group_member::Entity::delete_many()
        .filter(group_member::Column::UserId.eq(user.get()))
        .filter(group_member::Column::GroupId.is_in(groups.map(GroupId::get)))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}

/// The groups of an account, deleted ones included.
fn of(account: AccountId) -> Select<Entity> {
    Entity::find().filter(Column::AccountId.eq(account.get()))
}

impl Model {
    fn spec(&self) -> Result<GroupSpec, StoreError> {
        spec(&self.name, self.assign_by_default, &self.sso_mapping_groups)
    }

    /// As its members show it.
    fn shown(&self) -> Result<UserGroup, StoreError> {
        Ok(UserGroup {
            id: GroupId::new(self.id).map_err(StoreError::corrupt)?,
            account: AccountId::new(self.account_id).map_err(StoreError::corrupt)?,
            spec: self.spec()?,
        })
    }
}

/// What a group's columns say of it.
pub(crate) fn spec(
    name: &str,
    assign_by_default: bool,
    mappings: &str,
) -> Result<GroupSpec, StoreError> {
    Ok(GroupSpec {
        name: Name::parse(name).map_err(StoreError::corrupt)?,
        assign_by_default,
        sso_mapping_groups: from_text(mappings)?,
    })
}

/// Rows with what they give and how many are in them: one statement each for all.
async fn whole(db: &impl ConnectionTrait, rows: Vec<Model>) -> Result<Vec<Group>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids = || rows.iter().map(|row| row.id);
    let mut grants: BTreeMap<i64, Vec<GrantRow>> = BTreeMap::new();
    let permissions = permission::Entity::find()
        .filter(permission::Column::GroupId.is_in(ids()))
        .order_by_asc(permission::Column::Id)
        .all(db)
        .await
        .map_err(StoreError::db)?;
    for row in permissions {
        grants.entry(row.group_id).or_default().push(row.into_domain()?);
    }
    let counts: Vec<(i64, i64)> = group_member::Entity::find()
        .select_only()
        .column(group_member::Column::GroupId)
        .column_as(group_member::Column::UserId.count(), "members")
        .filter(group_member::Column::GroupId.is_in(ids()))
        .group_by(group_member::Column::GroupId)
        .into_tuple()
        .all(db)
        .await
        .map_err(StoreError::db)?;
    let counts: BTreeMap<i64, i64> = counts.into_iter().collect();
    rows.into_iter()
        .map(|row| {
            let shown = row.shown()?;
            let members = counts.get(&row.id).copied().unwrap_or_default();
            Ok(Group {
                id: shown.id,
                account: shown.account,
                spec: shown.spec,
                grants: grants.remove(&row.id).unwrap_or_default(),
                member_count: u64::try_from(members).map_err(StoreError::corrupt)?,
                deleted: row.state == DELETED,
                created_at: time(row.created_at)?,
                updated_at: time(row.updated_at)?,
            })
        })
        .collect()
}

/// Whether the maker may give them to a group: as for a service token's.
async fn check_grants(tx: &Tx, maker: &Principal, grants: &[Grant]) -> Result<(), StoreError> {
    const FIELD: &str = "permission_set";
    let rows = keys(grants);
    if rows.len() > Group::MAX_GRANTS {
        let message = format!("a group has at most {} rows", Group::MAX_GRANTS);
        return Err(StoreError::Invalid { field: "body", message });
    }
    for grant in grants {
        grant.offered_to_groups(maker.terms().plan)?;
    }
    check_no_row_twice(&rows, FIELD)?;
    contained(grants, maker)?;
    check_projects(tx, grants).await
}

/// Deletes the rows that are not wanted, and makes those that are missing.
async fn replace_rows(tx: &Tx, group: &Group, grants: &[Grant]) -> Result<(), StoreError> {
    let mut wanted: Vec<GrantKey> = keys(grants);
    let mut unwanted = Vec::new();
    for row in &group.grants {
        let held = keys(std::slice::from_ref(&row.grant));
        if held.iter().all(|key| wanted.contains(key)) {
            wanted.retain(|key| !held.contains(key));
        } else {
            unwanted.push(row.id.get());
        }
    }
    if !unwanted.is_empty() {
        delete_rows(tx, permission::Column::Id.is_in(unwanted)).await?;
    }
    insert_rows(tx, group.id.get(), wanted).await
}

async fn delete_rows(tx: &Tx, of: SimpleExpr) -> Result<(), StoreError> {
    let deleted = permission::Entity::delete_many().filter(of).exec(tx.db());
    deleted.await.map(drop).map_err(StoreError::db)
}

async fn insert_rows(tx: &Tx, group: i64, keys: Vec<GrantKey>) -> Result<(), StoreError> {
    let rows: Vec<_> = keys
        .into_iter()
        .map(|key| permission::ActiveModel {
            account_id: Set(tx.account().get()),
            group_id: Set(group),
            permission_set: Set(key.set),
            project_id: Set(key.project),
            categories: Set(key.categories),
            created_at: Set(tx.now().micros()),
            ..Default::default()
        })
        .collect();
    if !rows.is_empty() {
        let inserted = permission::Entity::insert_many(rows).exec_without_returning(tx.db());
        inserted.await.map_err(StoreError::db)?;
    }
    Ok(())
}

fn update(group: &Group) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::UpdatedAt, Expr::value(group.updated_at.micros()))
        .filter(Column::Id.eq(group.id.get()))
}

async fn record(
    tx: &mut Tx,
    event: &str,
    before: Option<&Group>,
    after: Option<&Group>,
) -> Result<(), StoreError> {
    let Some(group) = after.or(before) else { return Ok(()) };
    let object = format!("group:{}", group.id);
    tx.record(event, object, None, before.map(said), after.map(said)).await
}

/// What an audit record says of a group.
fn said(group: &Group) -> Value {
    json!({
        "name": group.spec.name,
        "assign_by_default": group.spec.assign_by_default,
        "sso_mapping_groups": group.spec.sso_mapping_groups,
        "grants": keys(&group.grants()).iter().map(GrantKey::said).collect::<Vec<_>>(),
    })
}

/// Takes a project out of every group's grants; whoever is in one of them holds less from then on.
pub(crate) async fn drop_grants_on(tx: &mut Tx, project: ProjectId) -> Result<(), StoreError> {
    let on_project = permission::Column::ProjectId.eq(project.get());
    let rows = permission::Entity::find()
        .filter(on_project.clone())
        .all(tx.db())
        .await
        .map_err(StoreError::db)?;
    let mut lost: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for row in rows {
        lost.entry(row.group_id).or_default().push(row.permission_set);
    }
    permission::Entity::delete_many()
        .filter(on_project)
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    touch_members(tx, lost.keys().copied().collect()).await?;
    for (group, sets) in lost {
        let before = json!({ "permission_sets": sets });
        let object = format!("group:{group}");
        tx.record("group.project_deleted", object, Some(project), Some(before), None).await?;
    }
    Ok(())
}

/// Counts up the revision of the members' rights.
async fn touch_members(tx: &mut Tx, groups: Vec<i64>) -> Result<(), StoreError> {
    if groups.is_empty() {
        return Ok(());
    }
    let members = group_member::Entity::find()
        .filter(group_member::Column::GroupId.is_in(groups))
        .all(tx.db())
        .await
        .map_err(StoreError::db)?;
    let users: BTreeSet<i64> = members.into_iter().map(|row| row.user_id).collect();
    touch(tx, users).await
}

/// Counts up the revision of these users' rights: what was read of them before is no longer true.
pub(crate) async fn touch(
    tx: &mut Tx,
    users: impl IntoIterator<Item = i64>,
) -> Result<(), StoreError> {
    let users: Vec<i64> = users.into_iter().collect();
    membership::Entity::update_many()
        .col_expr(membership::Column::Revision, Expr::col(membership::Column::Revision).add(1))
        .col_expr(membership::Column::UpdatedAt, Expr::value(tx.now().micros()))
        .filter(membership::Column::AccountId.eq(tx.account().get()))
        .filter(membership::Column::UserId.is_in(users.iter().copied()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    for user in users {
        let id = UserId::new(user).map_err(StoreError::corrupt)?;
        tx.event(Event::UserChanged { id }).await?;
    }
    Ok(())
}
