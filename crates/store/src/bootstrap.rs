//! An account's first admin: before, there is nobody who could hold a permit.

use domain::{
    AccountId, AccountPlan, Name, Plan, Timestamp, UserId,
    account::Account,
    authz::{
        BuiltInGroup, Grant, License, Origin, PermissionSet, PrincipalId, Projects, catalogue,
    },
    event::Event,
    group::{Group, GroupSpec},
    personal_token::PersonalToken,
    secret::TokenSecret,
    session::LINK_SECONDS,
    user::{Email, User},
};
use rand::{RngExt as _, distr::Alphanumeric, rand_core::UnwrapErr, rngs::SysRng};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, EntityTrait as _, JoinType,
    QueryFilter as _, QuerySelect as _, RelationTrait as _,
};
use serde_json::json;

use crate::{
    Store, StoreError, accounts, audit,
    entities::{account, membership, sign_in_link, user},
    groups, memberships, personal_tokens,
    rows::ACTIVE,
    second_factors, sign_in_links,
    tx::Tx,
    users,
};

/// What an account is made of.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Its name.
    pub name: Name,
    /// Its plan.
    pub plan: Plan,
    /// The first admin: Developer licence, Account Admin by a group.
    pub admin_email: Email,
}

/// What was made.
#[derive(Debug, Clone)]
pub struct Bootstrapped {
    /// The account.
    pub account: Account,
    /// Its first admin.
    pub admin: User,
    /// The admin's personal token, whose secret was passed in.
    pub token: PersonalToken,
}

impl Store {
    /// Makes an account, its first admin (in a group with Account Admin on everything) and a
    /// personal token of that admin.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn create_account(
        &self,
        new: NewAccount,
        secret: &TokenSecret,
    ) -> Result<Bootstrapped, StoreError> {
        let write = self.write().await?;
        let db = &write.1;
        let account = insert_account(db, &new, self.clock().now().micros()).await?;
        let admin = user_with(db, &new.admin_email, self.clock().now().micros()).await?;
        audit::begin_chain(db, self.keyring(), account.id).await?;

        let author = PrincipalId::User(UserId::new(admin.id).map_err(StoreError::corrupt)?);
        let mut tx = Tx::over(self, write, account.id, author, Origin::local());
        let object = format!("account:{}", account.id);
        tx.record("account.created", object, None, None, Some(accounts::said(&account))).await?;
        let founded = found_groups(&mut tx).await?;
        let groups = founded.iter().filter(|(_, built_in)| built_in.first_admin);
        let groups: Vec<_> = groups.map(|(group, _)| group.clone()).collect();
        let admin = add_member(&mut tx, admin, License::Developer, &groups).await?;
        let name = Name::parse("first admin").map_err(StoreError::corrupt)?;
        let end = Some(tx.now().plus_seconds(PersonalToken::FIRST_LIFETIME_SECONDS));
        let token =
            personal_tokens::insert(&mut tx, self.keyring(), admin.id, name, end, secret).await?;
        tx.event(Event::AccountChanged { id: account.id }).await?;
        tx.commit().await?;
        Ok(Bootstrapped { account, admin, token })
    }

    /// Makes a link by which a user of the account chooses a password and comes in, once, for 7
    /// days; its secret was passed in. Earlier links of theirs end. Gives its end.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if no user of the account has this address,
    /// [`StoreError::Unavailable`].
    pub async fn create_sign_in_link(
        &self,
        account: AccountId,
        email: &Email,
        secret: &TokenSecret,
    ) -> Result<Timestamp, StoreError> {
        let (mut tx, id) = self.for_member(account, email).await?;
        sign_in_link::Entity::delete_many()
            .filter(sign_in_link::Column::AccountId.eq(account.get()))
            .filter(sign_in_link::Column::UserId.eq(id.get()))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        let whose = (account, id);
        let end = sign_in_links::insert(&tx, self.keyring(), whose, secret, LINK_SECONDS).await?;
        let said = json!({ "expires_at": end });
        tx.record("sign_in_link.created", format!("user:{id}"), None, None, Some(said)).await?;
        tx.commit().await?;
        Ok(end)
    }

    /// Takes the second factor of a user of the account away: for whoever lost their app and their
    /// recovery codes.
    ///
    /// # Errors
    /// As [`Store::create_sign_in_link`].
    pub async fn forget_second_factor(
        &self,
        account: AccountId,
        email: &Email,
    ) -> Result<(), StoreError> {
        let (mut tx, id) = self.for_member(account, email).await?;
        second_factors::forget(&tx, id).await?;
        tx.record("second_factor.reset", format!("user:{id}"), None, None, None).await?;
        tx.commit().await
    }

    /// Begins a change for a user of the account.
    async fn for_member(
        &self,
        account: AccountId,
        email: &Email,
    ) -> Result<(Tx, UserId), StoreError> {
        let write = self.write().await?;
        let row = membership::Entity::find()
            .join(JoinType::InnerJoin, membership::Relation::User.def())
            .filter(membership::Column::AccountId.eq(account.get()))
            .filter(membership::Column::State.eq(ACTIVE))
            .filter(user::Column::Email.eq(email.as_str()))
            .one(&write.1)
            .await
            .map_err(StoreError::db)?
            .ok_or(StoreError::NotFound)?;
        let id = UserId::new(row.user_id).map_err(StoreError::corrupt)?;
        Ok((Tx::over(self, write, account, PrincipalId::User(id), Origin::local()), id))
    }

    /// Adds a user with a licence and, through a group of their own, these grants.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such account, [`StoreError::Conflict`] if the user is in it.
    pub async fn add_user(
        &self,
        account: AccountId,
        email: Email,
        license: License,
        grants: Vec<Grant>,
    ) -> Result<UserId, StoreError> {
        let write = self.write().await?;
        let db = &write.1;
        let there = account::Entity::find_by_id(account.get()).one(db).await;
        there.map_err(StoreError::db)?.ok_or(StoreError::NotFound)?;
        let user = user_with(db, &email, self.clock().now().micros()).await?;
        let author = PrincipalId::User(UserId::new(user.id).map_err(StoreError::corrupt)?);
        let mut tx = Tx::over(self, write, account, author, Origin::local());
        let mut groups = groups::by_default(tx.db(), account).await?;
        let name = Name::parse(email.as_str()).map_err(StoreError::corrupt)?;
        groups.push(groups::insert(&mut tx, plain(name), &grants).await?);
        let user = add_member(&mut tx, user, license, &groups).await?;
        tx.commit().await?;
        Ok(user.id)
    }
}

async fn insert_account(
    db: &DatabaseTransaction,
    new: &NewAccount,
    now: i64,
) -> Result<Account, StoreError> {
    let row = account::ActiveModel {
        name: Set(new.name.as_str().to_owned()),
        plan: Set(AccountPlan::from(new.plan).as_str().to_owned()),
        identifier: Set(identifier()),
        run_slots: Set(run_slots(new.plan)),
        tokens_may_mint: Set(true),
        locked: Set(false),
        lock_reason: Set(String::new()),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    let row = account::Entity::insert(row).exec_with_returning(db).await.map_err(StoreError::db)?;
    row.into_domain()
}

/// `act_` and 16 random characters of base62.
fn identifier() -> String {
    let random = UnwrapErr(SysRng).sample_iter(Alphanumeric).take(16).map(char::from);
    format!("act_{}", random.collect::<String>())
}

/// How many runs a new account may have at once.
const fn run_slots(plan: Plan) -> i32 {
    match plan {
        Plan::Developer => 1,
        Plan::Starter | Plan::Team | Plan::Enterprise => 5,
    }
}

/// The user with this address, made if there is none: one person may be in many accounts.
pub(crate) async fn user_with(
    db: &DatabaseTransaction,
    email: &Email,
    now: i64,
) -> Result<user::Model, StoreError> {
    let known = user::Entity::find().filter(user::Column::Email.eq(email.as_str())).one(db).await;
    if let Some(user) = known.map_err(StoreError::db)? {
        return Ok(user);
    }
    let row = user::ActiveModel {
        email: Set(email.as_str().to_owned()),
        first_name: Set(String::new()),
        last_name: Set(String::new()),
        created_at: Set(now),
        ..Default::default()
    };
    user::Entity::insert(row).exec_with_returning(db).await.map_err(StoreError::db)
}

/// Makes the groups that every account begins with.
async fn found_groups(tx: &mut Tx) -> Result<Vec<(Group, &'static BuiltInGroup)>, StoreError> {
    let mut founded = Vec::new();
    for built_in in catalogue().built_in_groups() {
        let grant = |set: &PermissionSet| Grant::new(*set, Projects::All);
        let grants: Result<Vec<_>, _> = built_in.sets.iter().map(grant).collect();
        let name = Name::parse(built_in.name.as_str()).map_err(StoreError::corrupt)?;
        let spec = GroupSpec { assign_by_default: built_in.assign_by_default, ..plain(name) };
        let group = groups::insert(tx, spec, &grants.map_err(StoreError::corrupt)?).await?;
        founded.push((group, built_in));
    }
    Ok(founded)
}

/// A group that nobody is put into by itself.
const fn plain(name: Name) -> GroupSpec {
    GroupSpec { name, assign_by_default: false, sso_mapping_groups: Vec::new() }
}

/// Puts a user into the account, and into groups.
async fn add_member(
    tx: &mut Tx,
    user: user::Model,
    license: License,
    groups: &[Group],
) -> Result<User, StoreError> {
    memberships::join(tx, user.id, license).await?;
    let id = UserId::new(user.id).map_err(StoreError::corrupt)?;
    groups::add_member(tx, id, groups.iter().map(|group| group.id)).await?;
    let user = users::find(tx.db(), tx.account(), id).await?;
    let ids: Vec<_> = user.groups.iter().map(|group| group.id).collect();
    let said = json!({
        "email": user.email.as_str(),
        "license": license.key(),
        "group_ids": ids,
    });
    tx.record("user.added", format!("user:{}", user.id), None, None, Some(said)).await?;
    tx.event(Event::UserChanged { id: user.id }).await?;
    Ok(user)
}
