//! Invitations: sent by who may, accepted with the secret of their link.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    AccountId, GroupId, InviteId, UserId,
    authz::{Grant, Invitations, License, Permit, PrincipalId, Read, Write, contained},
    group::Group,
    invite::{Invite, InviteState},
    list::{ListQuery, Paged, StateFilter},
    secret::TokenSecret,
    user::{Email, UserGroup},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, JoinType, QueryFilter as _,
    QuerySelect as _, RelationTrait as _, Select, UpdateMany,
    sea_query::{Expr, ExprTrait as _, SimpleExpr},
};
use serde_json::{Value, json};

use crate::{
    Store, StoreError,
    entities::{
        invite::{ActiveModel, Column, Entity, Model},
        membership, time, user,
    },
    groups,
    list::{Collection, Field, Kind, State},
    memberships,
    rows::{from_text, only, to_text},
    seats,
    tx::Tx,
};

/// Who is to be invited, to what.
#[derive(Debug, Clone)]
pub struct NewInvites {
    /// Whom.
    pub emails: BTreeSet<Email>,
    /// The licence that they will have.
    pub license: License,
    /// The groups that they will be in, besides those that every new user is put into.
    pub groups: BTreeSet<GroupId>,
}

static COLLECTION: Collection<Column> = Collection {
    id: Column::Id,
    fields: &[
        Field { name: "email_address", column: Column::Email, kind: Kind::Text },
        Field { name: "license_type", column: Column::License, kind: Kind::Text },
        Field { name: "created_at", column: Column::CreatedAt, kind: Kind::Time },
        Field { name: "redeemed_at", column: Column::RedeemedAt, kind: Kind::Time },
    ],
    state: State {
        active: || Column::RedeemedAt.is_null().and(Column::WithdrawnAt.is_null()),
        default: StateFilter::All,
    },
};

impl Store {
    /// Invitations of the permit's account, whatever came of them.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (order or filter), [`StoreError::Unavailable`].
    pub async fn invites(
        &self,
        permit: &Permit<Read, Invitations>,
        query: &ListQuery,
    ) -> Result<Paged<Invite>, StoreError> {
        let page = self.page(of(permit.account()), &COLLECTION, query).await?;
        let rows = whole(self.reader(), permit.account(), page.rows).await?;
        Ok(Paged { rows, total: page.total })
    }

    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn invite(
        &self,
        permit: &Permit<Read, Invitations>,
        id: InviteId,
    ) -> Result<Invite, StoreError> {
        let row = only(of(permit.account()).filter(Column::Id.eq(id.get())), self.reader()).await?;
        let invites = whole(self.reader(), permit.account(), vec![row]).await?;
        invites.into_iter().next().ok_or(StoreError::NotFound)
    }

    /// Invites people, all or none: each secret is for the address at its place. An open
    /// invitation of the same address is taken back. Who invites has to hold what the licence and
    /// the groups will give.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (a group is not the account's), [`StoreError::Exceeds`],
    /// [`StoreError::Conflict`] (somebody is in the account already, or no seat is left),
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn send_invites(
        &self,
        permit: &Permit<Write, Invitations>,
        new: NewInvites,
        secrets: &[TokenSecret],
    ) -> Result<Vec<Invite>, StoreError> {
        let mut tx = self.begin(permit).await?;
        let mut joined = memberships::named(&tx, &new.groups, "group_ids").await?;
        joined.extend(groups::by_default(tx.db(), tx.account()).await?);
        let grants: Vec<Grant> = joined.iter().flat_map(Group::grants).collect();
        contained(&grants, permit.principal())?;
        contained(&new.license.holdings(grants), permit.principal())?;
        check_strangers(&tx, &new.emails).await?;
        withdraw(
            &tx,
            Column::Email.is_in(new.emails.iter().map(Email::as_str)),
            "another took its place",
        )
        .await?;
        seats::check_room(&tx, new.license, new.emails.len()).await?;
        let mut rows = Vec::with_capacity(new.emails.len());
        for (email, secret) in new.emails.iter().zip(secrets) {
            rows.push(insert(&mut tx, permit.author(), email, &new, secret).await?);
        }
        let invites = whole(tx.db(), tx.account(), rows).await?;
        tx.commit().await?;
        Ok(invites)
    }
}

async fn insert(
    tx: &mut Tx,
    by: PrincipalId,
    email: &Email,
    new: &NewInvites,
    secret: &TokenSecret,
) -> Result<Model, StoreError> {
    let key = tx.keyring().digest_key();
    let row = ActiveModel {
        account_id: Set(tx.account().get()),
        email: Set(email.as_str().to_owned()),
        license: Set(new.license.key().to_owned()),
        group_ids: Set(to_text(&new.groups)?),
        invited_by: Set(by.to_string()),
        digest_key_id: Set(key.id().into()),
        digest: Set(secret.digest(key).as_bytes().to_vec()),
        expires_at: Set(tx.now().plus_seconds(Invite::LIFETIME_SECONDS).micros()),
        created_at: Set(tx.now().micros()),
        ..Default::default()
    };
    let row = Entity::insert(row).exec_with_returning(tx.db()).await.map_err(StoreError::db)?;
    let object = format!("invite:{}", row.id);
    tx.record("invite.sent", object, None, None, Some(said(&row)?)).await?;
    Ok(row)
}

/// What an audit record says of an invitation; never its secret.
pub(crate) fn said(row: &Model) -> Result<Value, StoreError> {
    let groups: Vec<i64> = from_text(&row.group_ids)?;
    let expires_at = time(row.expires_at)?;
    Ok(json!({
        "email": row.email,
        "license": row.license,
        "group_ids": groups,
        "expires_at": expires_at,
    }))
}

/// That none of these is in the account already.
async fn check_strangers(tx: &Tx, emails: &BTreeSet<Email>) -> Result<(), StoreError> {
    let known = memberships::of(tx.account())
        .join(JoinType::InnerJoin, membership::Relation::User.def())
        .filter(user::Column::Email.is_in(emails.iter().map(Email::as_str)))
        .select_only()
        .column(user::Column::Email)
        .into_tuple::<String>()
        .one(tx.db())
        .await
        .map_err(StoreError::db)?;
    match known {
        None => Ok(()),
        Some(email) => Err(StoreError::Conflict(format!("`{email}` is in the account already"))),
    }
}

/// Takes back what a user who leaves has sent.
pub(crate) async fn withdraw_those_by(tx: &Tx, user: UserId) -> Result<(), StoreError> {
    let by = PrincipalId::User(user).to_string();
    withdraw(tx, Column::InvitedBy.eq(by), "who sent it has left").await
}

async fn withdraw(tx: &Tx, those: SimpleExpr, why: &str) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::WithdrawnAt, Expr::value(tx.now().micros()))
        .col_expr(Column::WithdrawnWhy, Expr::value(why))
        .filter(Column::AccountId.eq(tx.account().get()))
        .filter(unsettled())
        .filter(those)
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}

/// Notes that an invitation was accepted.
pub(crate) async fn redeem(tx: &Tx, id: i64, user: UserId) -> Result<(), StoreError> {
    let redeemed: UpdateMany<Entity> = Entity::update_many()
        .col_expr(Column::RedeemedAt, Expr::value(tx.now().micros()))
        .col_expr(Column::RedeemedBy, Expr::value(user.get()))
        .filter(Column::Id.eq(id));
    redeemed.exec(tx.db()).await.map(drop).map_err(StoreError::db)
}

/// Invitations that can be accepted now: each promises a seat.
pub(crate) fn open(account: AccountId, now: i64) -> Select<Entity> {
    of(account).filter(unsettled()).filter(Column::ExpiresAt.gt(now))
}

fn unsettled() -> Condition {
    Condition::all().add(Column::RedeemedAt.is_null()).add(Column::WithdrawnAt.is_null())
}

fn of(account: AccountId) -> Select<Entity> {
    Entity::find().filter(Column::AccountId.eq(account.get()))
}

/// Rows with the groups that they name: one statement for all.
async fn whole(
    db: &impl ConnectionTrait,
    account: AccountId,
    rows: Vec<Model>,
) -> Result<Vec<Invite>, StoreError> {
    let mut named: BTreeSet<GroupId> = BTreeSet::new();
    for row in &rows {
        named.extend(from_text::<Vec<GroupId>>(&row.group_ids)?);
    }
    let groups: BTreeMap<GroupId, UserGroup> = if named.is_empty() {
        BTreeMap::new()
    } else {
        let groups = groups::with_ids(db, account, named.into_iter()).await?;
        groups.iter().map(|group| (group.id, UserGroup::from(group))).collect()
    };
    rows.into_iter().map(|row| row.into_domain(&groups)).collect()
}

impl Model {
    /// What it means.
    pub(crate) fn into_domain(
        self,
        groups: &BTreeMap<GroupId, UserGroup>,
    ) -> Result<Invite, StoreError> {
        let named: Vec<GroupId> = from_text(&self.group_ids)?;
        Ok(Invite {
            id: InviteId::new(self.id).map_err(StoreError::corrupt)?,
            account: AccountId::new(self.account_id).map_err(StoreError::corrupt)?,
            state: self.state()?,
            email: Email::parse(&self.email).map_err(StoreError::corrupt)?,
            license: self.license.parse().map_err(StoreError::corrupt)?,
            groups: named.iter().filter_map(|id| groups.get(id).cloned()).collect(),
            by: self.invited_by.parse().map_err(StoreError::corrupt)?,
            expires_at: time(self.expires_at)?,
            created_at: time(self.created_at)?,
        })
    }

    fn state(&self) -> Result<InviteState, StoreError> {
        match (self.redeemed_at, self.redeemed_by, self.withdrawn_at) {
            (Some(at), Some(user), _) => {
                let user = UserId::new(user).map_err(StoreError::corrupt)?;
                Ok(InviteState::Redeemed { at: time(at)?, user })
            }
            (_, _, Some(at)) => Ok(InviteState::Withdrawn { at: time(at)? }),
            _ => Ok(InviteState::Open),
        }
    }
}
