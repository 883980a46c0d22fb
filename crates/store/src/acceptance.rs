//! The acceptance of an invitation, or of a sign-in link: one of the files without permits. The
//! secret of the link is the proof; before it is accepted, there is no user who could hold a
//! permit.

use std::collections::BTreeMap;

use domain::{
    AccountId, GroupId, Name, Timestamp, UserId,
    authz::{Grant, Origin, Principal, PrincipalId, contained},
    group::Group,
    invite::{Invite, InviteState},
    password::PasswordHash,
    personal_token::PersonalToken,
    secret::TokenSecret,
    user::{Email, User},
};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, Select, sea_query::Expr};
use serde_json::json;

use crate::{
    Keyring, Proven, Store, StoreError,
    bootstrap::user_with,
    credential::digest_of,
    entities::{
        invite::{Column, Entity, Model},
        membership, sign_in_link,
    },
    groups, invites, memberships, personal_tokens,
    rows::from_text,
    seats, service_tokens,
    sessions::set_password,
    tx::Tx,
    users::{self, NamesChange},
};

impl Store {
    /// Accepts an invitation, once: its user is in the account from now on, with the licence and
    /// the groups of the invitation, and gets a personal token whose secret was passed in.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (`token`: it is that of no invitation, or of one that was accepted,
    /// taken back or is too old, or whose sender does not hold any longer what it gives),
    /// [`StoreError::Conflict`] (the user is in the account already, or no seat is left),
    /// [`StoreError::Unavailable`].
    pub async fn accept_invite(
        &self,
        secret: &TokenSecret,
        personal: &TokenSecret,
        names: NamesChange,
        origin: Origin,
    ) -> Result<(User, PersonalToken), StoreError> {
        let (mut tx, id) = self.join(secret, names, origin).await?;
        let called = Name::parse("first token").map_err(StoreError::corrupt)?;
        let keyring = self.keyring();
        let token = personal_tokens::insert(&mut tx, keyring, id, called, None, personal).await?;
        let user = users::find(tx.db(), tx.account(), id).await?;
        tx.commit().await?;
        Ok((user, token))
    }

    /// Accepts an invitation, once, with a password instead of a token; or takes a sign-in link,
    /// once, whose user gets this password. Either proves who they are.
    ///
    /// # Errors
    /// As [`Store::accept_invite`].
    pub async fn come_in(
        &self,
        secret: &TokenSecret,
        hash: &PasswordHash,
        names: NamesChange,
        origin: Origin,
    ) -> Result<Proven, StoreError> {
        let link = link_of(self.keyring(), secret).one(self.reader()).await;
        let (mut tx, user) = if link.map_err(StoreError::db)?.is_some() {
            let (tx, user) = self.take_link(secret, origin).await?;
            name(&tx, user, &names).await?;
            (tx, user)
        } else {
            self.join(secret, names, origin).await?
        };
        set_password(&mut tx, user, hash, None).await?;
        let account = tx.account();
        tx.commit().await?;
        Ok(Proven::new(account, user))
    }

    /// Whose link it is that this secret is of, as long as it is good.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (`token`) as [`Store::accept_invite`], [`StoreError::Unavailable`].
    pub async fn expected_guest(&self, secret: &TokenSecret) -> Result<Email, StoreError> {
        let (reader, now) = (self.reader(), self.clock().now());
        let link = link_of(self.keyring(), secret).one(reader).await.map_err(StoreError::db)?;
        if let Some(link) = link {
            check_link(&link, now)?;
            let account = AccountId::new(link.account_id).map_err(StoreError::corrupt)?;
            let user = UserId::new(link.user_id).map_err(StoreError::corrupt)?;
            return Ok(users::find(reader, account, user).await?.email);
        }
        let invite = invite_of(self.keyring(), secret).one(reader).await.map_err(StoreError::db)?;
        let invite = invite.ok_or_else(|| refused("is not that of an invitation"))?;
        let invite = invite.into_domain(&BTreeMap::new())?;
        check_open(&invite, now)?;
        Ok(invite.email)
    }

    /// Takes a sign-in link; any other of its user is good no more.
    async fn take_link(
        &self,
        secret: &TokenSecret,
        origin: Origin,
    ) -> Result<(Tx, UserId), StoreError> {
        let write = self.write().await?;
        let link = link_of(self.keyring(), secret).one(&write.1).await.map_err(StoreError::db)?;
        let link = link.ok_or_else(|| refused("is not that of a link"))?;
        check_link(&link, self.clock().now())?;
        let account = AccountId::new(link.account_id).map_err(StoreError::corrupt)?;
        let user = UserId::new(link.user_id).map_err(StoreError::corrupt)?;
        let mut tx = Tx::over(self, write, account, PrincipalId::User(user), origin);
        users::find(tx.db(), account, user).await?;
        sign_in_link::Entity::update_many()
            .col_expr(sign_in_link::Column::UsedAt, Expr::value(tx.now().micros()))
            .filter(sign_in_link::Column::AccountId.eq(account.get()))
            .filter(sign_in_link::Column::UserId.eq(user.get()))
            .filter(sign_in_link::Column::UsedAt.is_null())
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        tx.record("sign_in_link.used", format!("user:{user}"), None, None, None).await?;
        Ok((tx, user))
    }

    /// Puts the invited person into the account, in a transaction that is still to be committed.
    async fn join(
        &self,
        secret: &TokenSecret,
        names: NamesChange,
        origin: Origin,
    ) -> Result<(Tx, UserId), StoreError> {
        let asked = invite_of(self.keyring(), secret);
        // Nobody who guesses keeps writers waiting.
        let found = asked.clone().one(self.reader()).await.map_err(StoreError::db)?;
        found.ok_or_else(|| refused("is not that of an invitation"))?;
        let write = self.write().await?;
        let found: Option<Model> = asked.one(&write.1).await.map_err(StoreError::db)?;
        let row = found.ok_or_else(|| refused("is not that of an invitation"))?;
        let invite = row.clone().into_domain(&BTreeMap::new())?;
        let now = self.clock().now();
        check_open(&invite, now)?;
        let user = user_with(&write.1, &invite.email, now.micros()).await?;
        let id = UserId::new(user.id).map_err(StoreError::corrupt)?;
        let mut tx = Tx::over(self, write, invite.account, PrincipalId::User(id), origin);
        let groups = groups_of(&tx, &row).await?;
        check_sender(&tx, &invite, &groups).await?;
        seats::check_promised(&tx, invite.license).await?;
        memberships::join(&tx, user.id, invite.license).await?;
        name(&tx, id, &names).await?;
        groups::add_member(&tx, id, groups.iter().map(|group| group.id)).await?;
        invites::redeem(&tx, row.id, id).await?;
        let object = format!("invite:{}", row.id);
        let before = invites::said(&row)?;
        let after = json!({ "user_id": id, "invited_by": row.invited_by });
        tx.record("invite.accepted", object, None, Some(before), Some(after)).await?;
        groups::touch(&mut tx, [user.id]).await?;
        Ok((tx, id))
    }
}

fn invite_of(keyring: &Keyring, secret: &TokenSecret) -> Select<Entity> {
    Entity::find().filter(digest_of(keyring, secret, Column::DigestKeyId, Column::Digest))
}

fn link_of(keyring: &Keyring, secret: &TokenSecret) -> Select<sign_in_link::Entity> {
    use sign_in_link::Column;
    let digest = digest_of(keyring, secret, Column::DigestKeyId, Column::Digest);
    sign_in_link::Entity::find().filter(digest)
}

fn check_link(link: &sign_in_link::Model, now: Timestamp) -> Result<(), StoreError> {
    if link.used_at.is_some() {
        Err(refused("was used already"))
    } else if now.micros() >= link.expires_at {
        Err(refused("has expired: ask for another"))
    } else {
        Ok(())
    }
}

fn refused(why: &str) -> StoreError {
    StoreError::Invalid { field: "token", message: why.to_owned() }
}

fn check_open(invite: &Invite, now: Timestamp) -> Result<(), StoreError> {
    match invite.state {
        InviteState::Redeemed { .. } => Err(refused("was accepted already")),
        InviteState::Withdrawn { .. } => Err(refused("was taken back: ask for another")),
        InviteState::Open if !invite.is_open(now) => Err(refused("has expired: ask for another")),
        InviteState::Open => Ok(()),
    }
}

/// The groups that the new user will be in: those of the invitation that are still there, and
/// those that every new user is put into.
async fn groups_of(tx: &Tx, row: &Model) -> Result<Vec<Group>, StoreError> {
    let named: Vec<GroupId> = from_text(&row.group_ids)?;
    let mut groups = groups::with_ids(tx.db(), tx.account(), named.into_iter()).await?;
    for group in groups::by_default(tx.db(), tx.account()).await? {
        if !groups.iter().any(|there| there.id == group.id) {
            groups.push(group);
        }
    }
    Ok(groups)
}

/// That whoever sent it still holds what it gives.
async fn check_sender(tx: &Tx, invite: &Invite, groups: &[Group]) -> Result<(), StoreError> {
    const GONE: &str = "no longer stands, since its sender does not hold what it gives: ask for \
                        another";
    let sender = match sender(tx, invite.by).await {
        Err(StoreError::NotFound) => return Err(refused(GONE)),
        found => found?,
    };
    let grants: Vec<Grant> = groups.iter().flat_map(Group::grants).collect();
    let holdings = invite.license.holdings(grants.clone());
    contained(&grants, &sender)
        .and_then(|()| contained(&holdings, &sender))
        .map_err(|_| refused(GONE))
}

/// Who sent it, with what they hold now.
async fn sender(tx: &Tx, by: PrincipalId) -> Result<Principal, StoreError> {
    let (db, account) = (tx.db(), tx.account());
    let terms = tx.account_terms().await?.ok_or(StoreError::NotFound)?;
    match by {
        PrincipalId::User(id) => {
            let user = users::find(db, account, id).await?;
            let grants = memberships::grants_of(db, account, id).await?;
            Ok(memberships::principal(id, &terms, user.license, &grants))
        }
        PrincipalId::ServiceToken(id) => {
            let token = service_tokens::find(db, account, id).await?;
            let usable = token.is_usable(tx.now());
            let grants = token.grants.into_iter().map(|row| row.grant).collect();
            usable
                .then(|| Principal::service_token(id, 0, terms, grants))
                .ok_or(StoreError::NotFound)
        }
        PrincipalId::System(_) => Err(StoreError::NotFound),
    }
}

/// The names that they give themselves.
async fn name(tx: &Tx, user: UserId, names: &NamesChange) -> Result<(), StoreError> {
    let mut change = membership::Entity::update_many()
        .filter(membership::Column::AccountId.eq(tx.account().get()))
        .filter(membership::Column::UserId.eq(user.get()))
        .col_expr(membership::Column::UpdatedAt, Expr::value(tx.now().micros()));
    if let Some(first) = &names.first_name {
        change = change.col_expr(membership::Column::FirstName, Expr::value(first.as_str()));
    }
    if let Some(last) = &names.last_name {
        change = change.col_expr(membership::Column::LastName, Expr::value(last.as_str()));
    }
    change.exec(tx.db()).await.map(drop).map_err(StoreError::db)
}
