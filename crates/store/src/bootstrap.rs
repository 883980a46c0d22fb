//! An account's first admin: before, there is nobody who could hold a permit.

use domain::{
    AccountId, AccountPlan, GroupId, Name, Plan, UserId,
    account::Account,
    authz::{Grant, License, Origin, PrincipalId, Projects},
    event::Event,
    personal_token::PersonalToken,
    secret::TokenSecret,
    user::{Email, User},
};
use rand::{RngExt as _, distr::Alphanumeric, rand_core::UnwrapErr, rngs::SysRng};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, DatabaseTransaction,
    EntityTrait as _, QueryFilter as _,
};
use serde_json::json;

use crate::{
    Store, StoreError, accounts, audit,
    entities::{account, group, group_member, group_permission, membership, user},
    grant_rows::{GrantKey, keys},
    personal_tokens,
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
        let owner = "account_admin".parse().map_err(StoreError::corrupt)?;
        let owner = Grant::new(owner, Projects::All).map_err(StoreError::corrupt)?;
        let admin = add_member(&mut tx, admin, License::Developer, "Owner", &[owner]).await?;
        let name = Name::parse("first admin").map_err(StoreError::corrupt)?;
        let end = Some(tx.now().plus_seconds(PersonalToken::FIRST_LIFETIME_SECONDS));
        let token =
            personal_tokens::insert(&mut tx, self.keyring(), admin.id, name, end, secret).await?;
        tx.event(Event::AccountChanged { id: account.id }).await?;
        tx.commit().await?;
        Ok(Bootstrapped { account, admin, token })
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
        let member = membership::Entity::find_by_id((account.get(), user.id)).one(db).await;
        if member.map_err(StoreError::db)?.is_some() {
            let reason = format!("`{}` is in the account already", email.as_str());
            return Err(StoreError::Conflict(reason));
        }
        let author = PrincipalId::User(UserId::new(user.id).map_err(StoreError::corrupt)?);
        let mut tx = Tx::over(self, write, account, author, Origin::local());
        let user = add_member(&mut tx, user, license, email.as_str(), &grants).await?;
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
async fn user_with(
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

/// Puts a user into the account, and into a group that has these grants.
async fn add_member(
    tx: &mut Tx,
    user: user::Model,
    license: License,
    group_name: &str,
    grants: &[Grant],
) -> Result<User, StoreError> {
    let membership = membership::Model {
        account_id: tx.account().get(),
        user_id: user.id,
        license: license.key().to_owned(),
        revision: 1,
        created_at: tx.now().micros(),
    };
    let row = membership::ActiveModel::from(membership.clone()).reset_all();
    membership::Entity::insert(row)
        .exec_without_returning(tx.db())
        .await
        .map_err(StoreError::db)?;
    let group = insert_group(tx, group_name, user.id, grants).await?;
    let user = users::into_domain(&membership, user)?;
    let grants: Vec<_> = keys(grants).iter().map(GrantKey::said).collect();
    let said = json!({
        "email": user.email.as_str(),
        "license": license.key(),
        "group": { "id": group, "name": group_name, "grants": grants },
    });
    tx.record("user.added", format!("user:{}", user.id), None, None, Some(said)).await?;
    tx.event(Event::UserChanged { id: user.id }).await?;
    Ok(user)
}

async fn insert_group(
    tx: &Tx,
    name: &str,
    member: i64,
    grants: &[Grant],
) -> Result<GroupId, StoreError> {
    let (account_id, now) = (tx.account().get(), tx.now().micros());
    let row = group::ActiveModel {
        account_id: Set(account_id),
        name: Set(name.to_owned()),
        created_at: Set(now),
        ..Default::default()
    };
    let group_id =
        group::Entity::insert(row).exec(tx.db()).await.map_err(StoreError::db)?.last_insert_id;
    let row = group_member::ActiveModel { group_id: Set(group_id), user_id: Set(member) };
    group_member::Entity::insert(row)
        .exec_without_returning(tx.db())
        .await
        .map_err(StoreError::db)?;
    let rows: Vec<_> = keys(grants)
        .into_iter()
        .map(|key| group_permission::ActiveModel {
            account_id: Set(account_id),
            group_id: Set(group_id),
            permission_set: Set(key.set),
            project_id: Set(key.project),
            categories: Set(key.categories),
            created_at: Set(now),
            ..Default::default()
        })
        .collect();
    if !rows.is_empty() {
        let inserted = group_permission::Entity::insert_many(rows).exec_without_returning(tx.db());
        inserted.await.map_err(StoreError::db)?;
    }
    GroupId::new(group_id).map_err(StoreError::corrupt)
}
