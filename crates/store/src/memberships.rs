//! Memberships: a user in an account, with a licence and in groups.

use std::collections::{BTreeSet, HashMap};

use domain::{
    AccountId, GroupId, LicenseId, UserId,
    authz::{
        AccountTerms, Credential, Grant, License, Licenses, Members, Permit, Principal, Write,
        catalogue, contained, gained,
    },
    group::Group,
    kept::Reference,
    user::{User, UserGroup},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, JoinType, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _, RelationTrait as _,
    Select, UpdateMany,
    sea_query::{Expr, ExprTrait as _, SimpleExpr},
};
use serde_json::json;

use crate::{
    Store, StoreError,
    entities::{
        group_member, group_permission,
        membership::{ActiveModel, Column, Entity, Model},
        service_token_permission::grant,
    },
    groups, invites, kept, personal_tokens, responsible,
    rows::{ACTIVE, DELETED, only},
    seats, sessions, token_proposals,
    tx::Tx,
    user_credentials, users,
};

impl Store {
    /// Gives a user another licence. Who does so has to hold whatever it lets the user do that
    /// they could not do before.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Exceeds`], [`StoreError::Conflict`] (no seat is
    /// left, or nobody would be left to run the account), [`StoreError::CredentialChanged`],
    /// [`StoreError::Unavailable`].
    pub async fn change_license(
        &self,
        permit: &Permit<Write, Licenses>,
        id: LicenseId,
        license: License,
    ) -> Result<User, StoreError> {
        let mut tx = self.begin(permit).await?;
        let (row, before) = find(&tx, Column::LicenseId.eq(id.get())).await?;
        if before.license == license {
            return Ok(before);
        }
        let held = grants_of(tx.db(), tx.account(), before.id).await?;
        let with = |license| principal(before.id, permit.principal().terms(), license, &held);
        gained(Some(&with(before.license)), &with(license), permit.principal())?;
        seats::check_room(&tx, license, 1).await?;
        let change = update(&row).col_expr(Column::License, Expr::value(license.key()));
        change.exec(tx.db()).await.map_err(StoreError::db)?;
        groups::touch(&mut tx, [row.user_id]).await?;
        check_administered(&tx).await?;
        let said = |license: License| Some(json!({ "license": license.key() }));
        let (before_said, after_said) = (said(before.license), said(license));
        let object = format!("user:{}", before.id);
        tx.record("user.license_changed", object, None, before_said, after_said).await?;
        let after = User { license, updated_at: tx.now(), ..before };
        tx.commit().await?;
        Ok(after)
    }

    /// Takes a user out of the account: their personal tokens work no longer, what was theirs
    /// alone goes along, and invitations and proposals that they made are taken back. Service tokens
    /// stay; somebody else answers for them then: `heir`; or else who removes the user, or answers for
    /// the token that does; or else who has run the account for longest.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Invalid`] (the heir is not in the account),
    /// [`StoreError::Conflict`] (nobody would be left to run the account, or something names the
    /// user), [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn remove_user(
        &self,
        permit: &Permit<Write, Licenses>,
        id: LicenseId,
        heir: Option<UserId>,
    ) -> Result<User, StoreError> {
        let mut tx = self.begin(permit).await?;
        let (row, before) = find(&tx, Column::LicenseId.eq(id.get())).await?;
        let own = user_credentials::named_by(&tx, before.id).await?;
        kept::let_go(&mut tx, Reference::User(before.id)).await?;
        user_credentials::delete_unnamed(&mut tx, own).await?;
        invites::withdraw_those_by(&tx, before.id).await?;
        token_proposals::withdraw_those_by(&mut tx, before.id).await?;
        let tokens = personal_tokens::revoke_all(&tx, before.id).await?;
        sessions::forget(&tx, before.id).await?;
        let held = before.groups.iter().map(|group| group.id);
        groups::remove_member(&tx, before.id, held).await?;
        let change = update(&row).col_expr(Column::State, Expr::value(DELETED));
        change.exec(tx.db()).await.map_err(StoreError::db)?;
        groups::touch(&mut tx, [row.user_id]).await?;
        check_administered(&tx).await?;
        responsible::hand_on(&mut tx, permit, before.id, heir).await?;
        let before_said = json!({
            "email": before.email.as_str(),
            "license": before.license.key(),
            "group_ids": ids(&before.groups),
            "personal_tokens": tokens,
        });
        let object = format!("user:{}", before.id);
        tx.record("user.removed", object, None, Some(before_said), None).await?;
        let after = User { groups: Vec::new(), left: true, updated_at: tx.now(), ..before };
        tx.commit().await?;
        Ok(after)
    }

    /// Puts a user into exactly these groups. Who does so has to hold what those groups give that
    /// the user was not in before: nobody lets another, or themselves, gain more than they hold.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (the user or a group is not the account's), [`StoreError::Exceeds`],
    /// [`StoreError::Conflict`] (nobody would be left to run the account),
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn assign_groups(
        &self,
        permit: &Permit<Write, Members>,
        user: UserId,
        desired: BTreeSet<GroupId>,
    ) -> Result<Vec<Group>, StoreError> {
        let mut tx = self.begin(permit).await?;
        let (row, before) = match find(&tx, Column::UserId.eq(user.get())).await {
            Err(StoreError::NotFound) => return Err(names_no_user()),
            found => found?,
        };
        let groups = named(&tx, &desired, "desired_group_ids").await?;
        let held: BTreeSet<GroupId> = before.groups.iter().map(|group| group.id).collect();
        let added: Vec<_> = groups.iter().filter(|group| !held.contains(&group.id)).collect();
        let gain: Vec<Grant> = added.iter().flat_map(|group| group.grants()).collect();
        contained(&gain, permit.principal())?;
        if desired == held {
            return Ok(groups);
        }
        groups::add_member(&tx, user, added.iter().map(|group| group.id)).await?;
        groups::remove_member(&tx, user, held.difference(&desired).copied()).await?;
        groups::touch(&mut tx, [row.user_id]).await?;
        check_administered(&tx).await?;
        let said = |ids: Vec<i64>| Some(json!({ "group_ids": ids }));
        let after = said(desired.iter().map(|id| id.get()).collect());
        let object = format!("user:{user}");
        tx.record("user.groups_assigned", object, None, said(ids(&before.groups)), after).await?;
        let groups = groups::with_ids(tx.db(), tx.account(), desired.into_iter()).await?;
        tx.commit().await?;
        Ok(groups)
    }
}

fn names_no_user() -> StoreError {
    let message = "does not name a user within reach".to_owned();
    StoreError::Invalid { field: "user_id", message }
}

/// The account's groups with these ids, every one of which has to be there.
pub(crate) async fn named(
    tx: &Tx,
    ids: &BTreeSet<GroupId>,
    field: &'static str,
) -> Result<Vec<Group>, StoreError> {
    let groups = groups::with_ids(tx.db(), tx.account(), ids.iter().copied()).await?;
    if groups.len() == ids.len() {
        Ok(groups)
    } else {
        let message = "does not name a group within reach".to_owned();
        Err(StoreError::Invalid { field, message })
    }
}

/// A new member's row, or that of one who comes back.
pub(crate) async fn join(tx: &Tx, user: i64, license: License) -> Result<Model, StoreError> {
    let now = tx.now().micros();
    if let Some(row) =
        Entity::find_by_id((tx.account().get(), user)).one(tx.db()).await.map_err(StoreError::db)?
    {
        if row.state == ACTIVE {
            return Err(StoreError::Conflict("the user is in the account already".to_owned()));
        }
        update(&row)
            .col_expr(Column::State, Expr::value(ACTIVE))
            .col_expr(Column::License, Expr::value(license.key()))
            .col_expr(Column::Revision, Expr::col(Column::Revision).add(1))
            .col_expr(Column::CreatedAt, Expr::value(now))
            .col_expr(Column::UpdatedAt, Expr::value(now))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        let license = license.key().to_owned();
        return Ok(Model { state: ACTIVE, license, created_at: now, updated_at: now, ..row });
    }
    // Rows are never deleted and writers pass one by one, so the largest id and one is new.
    let last: Option<Option<i64>> = Entity::find()
        .select_only()
        .column_as(Column::LicenseId.max(), "last")
        .into_tuple()
        .one(tx.db())
        .await
        .map_err(StoreError::db)?;
    let row = ActiveModel {
        account_id: Set(tx.account().get()),
        user_id: Set(user),
        license: Set(license.key().to_owned()),
        revision: Set(1),
        created_at: Set(now),
        license_id: Set(last.flatten().unwrap_or(0) + 1),
        state: Set(ACTIVE),
        first_name: Set(String::new()),
        last_name: Set(String::new()),
        updated_at: Set(now),
    };
    Entity::insert(row).exec_with_returning(tx.db()).await.map_err(StoreError::db)
}

/// Who can run the account: users with a licence that lets groups count, in a group that gives all it
/// takes.
fn administrators(tx: &Tx) -> Select<Entity> {
    let (licenses, sets) = catalogue().administering();
    let giving = group_permission::Entity::find()
        .select_only()
        .column(group_permission::Column::GroupId)
        .filter(group_permission::Column::AccountId.eq(tx.account().get()))
        .filter(group_permission::Column::ProjectId.is_null())
        .filter(group_permission::Column::PermissionSet.is_in(sets.iter().map(|set| set.key())))
        .into_query();
    let members = group_member::Entity::find()
        .select_only()
        .column(group_member::Column::UserId)
        .filter(group_member::Column::GroupId.in_subquery(giving))
        .into_query();
    of(tx.account())
        .filter(Column::License.is_in(licenses.iter().map(|license| license.key())))
        .filter(Column::UserId.in_subquery(members))
}

/// Of them, who has been in the account for longest.
pub(crate) async fn oldest_administrator(tx: &Tx) -> Result<UserId, StoreError> {
    let oldest = administrators(tx).order_by_asc(Column::CreatedAt).order_by_asc(Column::UserId);
    UserId::new(only(oldest.limit(1), tx.db()).await?.user_id).map_err(StoreError::corrupt)
}

/// That somebody is left who can run the account.
pub(crate) async fn check_administered(tx: &Tx) -> Result<(), StoreError> {
    if administrators(tx).count(tx.db()).await.map_err(StoreError::db)? > 0 {
        Ok(())
    } else {
        let reason = "nobody would be left who can run the account: give another user a \
                      Developer licence and a group with Account Admin before";
        Err(StoreError::Conflict(reason.to_owned()))
    }
}

/// A user of the account as a principal, with a licence and what groups give.
pub(crate) fn principal(
    user: UserId,
    terms: &AccountTerms,
    license: License,
    grants: &[Grant],
) -> Principal {
    Principal::user(user, Credential::Process, *terms, license, grants.to_vec())
}

/// What a user's groups in the account give.
pub(crate) async fn grants_of(
    db: &impl ConnectionTrait,
    account: AccountId,
    user: UserId,
) -> Result<Vec<Grant>, StoreError> {
    let in_groups = group_member::Entity::find()
        .select_only()
        .column(group_member::Column::GroupId)
        .filter(group_member::Column::UserId.eq(user.get()))
        .into_query();
    let rows = group_permission::Entity::find()
        .filter(group_permission::Column::AccountId.eq(account.get()))
        .filter(group_permission::Column::GroupId.in_subquery(in_groups))
        .all(db)
        .await
        .map_err(StoreError::db)?;
    let one =
        |row: &group_permission::Model| grant(&row.permission_set, row.project_id, &row.categories);
    rows.iter().map(one).collect()
}

/// What the account's groups give, by user.
pub(crate) async fn grants_of_all(
    db: &impl ConnectionTrait,
    account: AccountId,
) -> Result<HashMap<i64, Vec<Grant>>, StoreError> {
    let given = group_member::Relation::Permissions.def();
    let rows: Vec<(i64, String, Option<i64>, String)> = group_member::Entity::find()
        .select_only()
        .column(group_member::Column::UserId)
        .columns([
            group_permission::Column::PermissionSet,
            group_permission::Column::ProjectId,
            group_permission::Column::Categories,
        ])
        .join(JoinType::InnerJoin, given)
        .filter(group_permission::Column::AccountId.eq(account.get()))
        .into_tuple()
        .all(db)
        .await
        .map_err(StoreError::db)?;
    let mut of: HashMap<i64, Vec<Grant>> = HashMap::new();
    for (user, set, project, categories) in rows {
        of.entry(user).or_default().push(grant(&set, project, &categories)?);
    }
    Ok(of)
}

/// Users who are in the account.
pub(crate) fn of(account: AccountId) -> Select<Entity> {
    Entity::find().filter(Column::AccountId.eq(account.get())).filter(Column::State.eq(ACTIVE))
}

/// Who is in the account and meets the condition.
async fn find(tx: &Tx, is: SimpleExpr) -> Result<(Model, User), StoreError> {
    let row = only(of(tx.account()).filter(is), tx.db()).await?;
    let user = users::of_memberships(tx.db(), tx.account(), vec![row.clone()]).await?.pop();
    Ok((row, user.ok_or(StoreError::NotFound)?))
}

fn update(row: &Model) -> UpdateMany<Entity> {
    Entity::update_many()
        .filter(Column::AccountId.eq(row.account_id))
        .filter(Column::UserId.eq(row.user_id))
}

fn ids(groups: &[UserGroup]) -> Vec<i64> {
    groups.iter().map(|group| group.id.get()).collect()
}
