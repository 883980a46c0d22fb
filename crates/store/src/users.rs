//! Users, as one account sees them.

use std::collections::BTreeMap;

use crate::{
    Store, StoreError,
    entities::{group, group_member, maybe_time, membership, personal_token, time, user},
    groups,
    list::{Collection, Field, Kind, State},
    memberships,
    rows::{ACTIVE, DELETED},
    tx::Tx,
};
use domain::{
    AccountId, GroupId, LicenseId, UserId,
    authz::{Identity, Members, OwnTokens, Permit, PrincipalId, Read, Write},
    list::{ListQuery, Paged, StateFilter},
    user::{Email, User, UserGroup},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait as _, FromQueryResult, JoinType, QueryFilter as _,
    QueryOrder as _, QuerySelect, QueryTrait as _, RelationTrait as _,
    sea_query::{Expr, ExprTrait as _, SimpleExpr},
};
use serde_json::json;

static COLLECTION: Collection<membership::Column> = Collection {
    id: membership::Column::UserId,
    fields: &[
        Field { name: "email", column: membership::Column::UserId, kind: Kind::Elsewhere(email) },
        Field {
            name: "name",
            column: membership::Column::UserId,
            kind: Kind::Elsewhere(full_name),
        },
        Field {
            name: "fullname",
            column: membership::Column::UserId,
            kind: Kind::Elsewhere(full_name),
        },
        Field { name: "first_name", column: membership::Column::FirstName, kind: Kind::Text },
        Field { name: "last_name", column: membership::Column::LastName, kind: Kind::Text },
        Field { name: "license_type", column: membership::Column::License, kind: Kind::Text },
        Field { name: "created_at", column: membership::Column::CreatedAt, kind: Kind::Time },
        Field { name: "updated_at", column: membership::Column::UpdatedAt, kind: Kind::Time },
    ],
    state: State { active: || membership::Column::State.eq(ACTIVE), default: StateFilter::Active },
};

fn email() -> SimpleExpr {
    user::Column::Email.into_expr()
}

fn full_name() -> SimpleExpr {
    let names = [membership::Column::FirstName, membership::Column::LastName];
    Expr::cust_with_exprs("? || ' ' || ?", names.map(ColumnTrait::into_expr))
}

/// A person's names, as far as they change; `None` keeps.
#[derive(Debug, Clone, Default)]
pub struct NamesChange {
    /// The first name.
    pub first_name: Option<String>,
    /// The last name.
    pub last_name: Option<String>,
}

impl Store {
    /// The user that the permit's principal is; `None` for a service token.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn me(&self, permit: &Permit<Read, Identity>) -> Result<Option<User>, StoreError> {
        let PrincipalId::User(id) = permit.author() else { return Ok(None) };
        match find(self.reader(), permit.account(), id).await {
            Ok(user) => Ok(Some(user)),
            Err(StoreError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The account's users. Those who left come with `state` deleted or all.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (order or filter), [`StoreError::Unavailable`].
    pub async fn users(
        &self,
        permit: &Permit<Read, Members>,
        query: &ListQuery,
    ) -> Result<Paged<User>, StoreError> {
        let account = permit.account();
        let rows = membership::Entity::find()
            .join(JoinType::InnerJoin, membership::Relation::User.def())
            .filter(membership::Column::AccountId.eq(account.get()));
        let page = self.page(rows, &COLLECTION, query).await?;
        let rows = of_memberships(self.reader(), account, page.rows).await?;
        Ok(Paged { rows, total: page.total })
    }

    /// One of them; who left is not found.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn user(
        &self,
        permit: &Permit<Read, Members>,
        id: UserId,
    ) -> Result<User, StoreError> {
        find(self.reader(), permit.account(), id).await
    }

    /// Changes the names of the permit's own user: they are as much their own as their tokens are.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a service token, [`StoreError::CredentialChanged`],
    /// [`StoreError::Unavailable`].
    pub async fn rename_me(
        &self,
        permit: &Permit<Write, OwnTokens>,
        change: NamesChange,
    ) -> Result<User, StoreError> {
        let PrincipalId::User(id) = permit.author() else { return Err(StoreError::NotFound) };
        rename(self.begin(permit).await?, id, change).await
    }

    /// Changes the names of a user of the account, as this account knows them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn rename_user(
        &self,
        permit: &Permit<Write, Members>,
        id: UserId,
        change: NamesChange,
    ) -> Result<User, StoreError> {
        rename(self.begin(permit).await?, id, change).await
    }
}

async fn rename(mut tx: Tx, id: UserId, change: NamesChange) -> Result<User, StoreError> {
    let before = find(tx.db(), tx.account(), id).await?;
    let after = User {
        first_name: change.first_name.unwrap_or_else(|| before.first_name.clone()),
        last_name: change.last_name.unwrap_or_else(|| before.last_name.clone()),
        updated_at: tx.now(),
        ..before.clone()
    };
    membership::Entity::update_many()
        .col_expr(membership::Column::FirstName, Expr::value(after.first_name.as_str()))
        .col_expr(membership::Column::LastName, Expr::value(after.last_name.as_str()))
        .col_expr(membership::Column::UpdatedAt, Expr::value(tx.now().micros()))
        .filter(membership::Column::AccountId.eq(tx.account().get()))
        .filter(membership::Column::UserId.eq(id.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    let said =
        |user: &User| Some(json!({ "first_name": user.first_name, "last_name": user.last_name }));
    tx.record("user.renamed", format!("user:{id}"), None, said(&before), said(&after)).await?;
    tx.commit().await?;
    Ok(after)
}

/// A membership with its user's address and last use, beside one of the user's groups here.
#[derive(FromQueryResult)]
struct Member {
    #[sea_orm(nested)]
    membership: membership::Model,
    email: String,
    last_used: Option<i64>,
    group_id: Option<i64>,
    group_name: Option<String>,
    group_assign_by_default: Option<bool>,
    group_mappings: Option<String>,
}

/// Who is in the account under this id, in one statement.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    account: AccountId,
    id: UserId,
) -> Result<User, StoreError> {
    let last_used = personal_token::Entity::find()
        .select_only()
        .expr(personal_token::Column::LastUsed.max())
        .filter(personal_token::Column::AccountId.eq(account.get()))
        .filter(personal_token::Column::UserId.eq(id.get()))
        .into_query();
    let mut rows = memberships::of(account)
        .filter(membership::Column::UserId.eq(id.get()))
        .join(JoinType::InnerJoin, membership::Relation::User.def())
        .column_as(user::Column::Email, "email")
        .expr_as(Expr::from(last_used), "last_used")
        .column_as(group::Column::Id, "group_id")
        .column_as(group::Column::Name, "group_name")
        .column_as(group::Column::AssignByDefault, "group_assign_by_default")
        .column_as(group::Column::SsoMappingGroups, "group_mappings")
        .order_by_asc(group::Column::Id);
    // Groups of other accounts are none of this one's.
    let in_groups = group_member::Entity::find()
        .select_only()
        .column(group_member::Column::GroupId)
        .filter(group_member::Column::UserId.eq(id.get()))
        .into_query();
    let of_account = group::Column::AccountId.eq(account.get());
    QuerySelect::query(&mut rows)
        .left_join(group::Entity, group::Column::Id.in_subquery(in_groups).and(of_account));
    let rows: Vec<Member> = rows.into_model().all(db).await.map_err(StoreError::db)?;
    let groups: Vec<_> =
        rows.iter().filter_map(|row| row.group(account)).collect::<Result<_, _>>()?;
    let Member { membership, email, last_used, .. } =
        rows.into_iter().next().ok_or(StoreError::NotFound)?;
    into_domain(membership, &email, groups, last_used)
}

impl Member {
    fn group(&self, account: AccountId) -> Option<Result<UserGroup, StoreError>> {
        let (id, name, mappings) =
            (self.group_id?, self.group_name.as_ref()?, self.group_mappings.as_ref()?);
        let shown = || {
            let id = GroupId::new(id).map_err(StoreError::corrupt)?;
            let spec = groups::spec(name, self.group_assign_by_default == Some(true), mappings)?;
            Ok(UserGroup { id, account, spec })
        };
        Some(shown())
    }
}

/// The users of these memberships of one account, in their order, with groups and when their
/// tokens were used: one statement each for all.
pub(crate) async fn of_memberships(
    db: &impl ConnectionTrait,
    account: AccountId,
    memberships: Vec<membership::Model>,
) -> Result<Vec<User>, StoreError> {
    if memberships.is_empty() {
        return Ok(Vec::new());
    }
    let ids = || memberships.iter().map(|row| row.user_id);
    let people = user::Entity::find().filter(user::Column::Id.is_in(ids())).all(db).await;
    let mut people: BTreeMap<i64, user::Model> =
        people.map_err(StoreError::db)?.into_iter().map(|row| (row.id, row)).collect();
    let mut groups = groups::of_users(db, account, ids()).await?;
    let last_used: Vec<(i64, Option<i64>)> = personal_token::Entity::find()
        .select_only()
        .column(personal_token::Column::UserId)
        .column_as(personal_token::Column::LastUsed.max(), "used")
        .filter(personal_token::Column::AccountId.eq(account.get()))
        .filter(personal_token::Column::UserId.is_in(ids()))
        .group_by(personal_token::Column::UserId)
        .into_tuple()
        .all(db)
        .await
        .map_err(StoreError::db)?;
    let last_used: BTreeMap<i64, Option<i64>> = last_used.into_iter().collect();
    let mut whole = Vec::with_capacity(memberships.len());
    for membership in memberships {
        let Some(user) = people.remove(&membership.user_id) else { continue };
        let groups = groups.remove(&user.id).unwrap_or_default();
        let last_used = last_used.get(&user.id).copied().flatten();
        whole.push(into_domain(membership, &user.email, groups, last_used)?);
    }
    Ok(whole)
}

fn into_domain(
    membership: membership::Model,
    email: &str,
    groups: Vec<UserGroup>,
    last_used: Option<i64>,
) -> Result<User, StoreError> {
    Ok(User {
        id: UserId::new(membership.user_id).map_err(StoreError::corrupt)?,
        email: Email::parse(email).map_err(StoreError::corrupt)?,
        license: membership.license.parse().map_err(StoreError::corrupt)?,
        license_id: LicenseId::new(membership.license_id).map_err(StoreError::corrupt)?,
        groups,
        left: membership.state == DELETED,
        created_at: time(membership.created_at)?,
        updated_at: time(membership.updated_at)?,
        first_name: membership.first_name,
        last_name: membership.last_name,
        last_used: maybe_time(last_used)?,
    })
}
