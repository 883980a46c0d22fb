//! Service tokens as a shelf: all of an account's at once, and who made them.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    AccountId, ServiceTokenId,
    authz::{Permit, PrincipalId, Read, ServiceTokens},
    service_token::ServiceToken,
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, JoinType, QueryFilter as _,
    QuerySelect as _, RelationTrait as _,
};

use crate::{
    Store, StoreError,
    entities::{
        audit_record, membership, service_token, service_token_permission,
        service_token_restriction, user,
    },
    token_credentials,
};

/// The events that a service token begins with.
const BEGINNINGS: [&str; 2] = ["service_token.created", "service_token.imported"];

/// Who made a service token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maker {
    /// Who.
    pub principal: PrincipalId,
    /// What the account calls them: a user's name or address. `None` for whoever is no user of it.
    pub name: Option<String>,
}

impl Store {
    /// Every service token of the permit's account that was not deleted, oldest first, with its
    /// grants, credentials and restrictions, in two statements. There are at most [`ServiceToken::MAX_PER_ACCOUNT`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn every_service_token(
        &self,
        permit: &Permit<Read, ServiceTokens>,
    ) -> Result<Vec<ServiceToken>, StoreError> {
        every(self.reader(), permit.account()).await
    }

    /// Who made these service tokens of the permit's account, as the audit log has it, in two
    /// statements.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn makers_of(
        &self,
        permit: &Permit<Read, ServiceTokens>,
        tokens: &[ServiceTokenId],
    ) -> Result<BTreeMap<ServiceTokenId, Maker>, StoreError> {
        use audit_record::{Column, Entity};

        let account = permit.account().get();
        let objects = tokens.iter().map(|id| format!("service_token:{id}"));
        let records: Vec<(String, String)> = Entity::find()
            .select_only()
            .columns([Column::Object, Column::Actor])
            .filter(Column::AccountId.eq(account))
            .filter(Column::Object.is_in(objects))
            .filter(Column::Event.is_in(BEGINNINGS))
            .into_tuple()
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        let actors = records.iter().map(|(_, actor)| actor.parse().map_err(StoreError::corrupt));
        let actors: Vec<PrincipalId> = actors.collect::<Result<_, _>>()?;
        let names = self.names_of(account, &actors).await?;
        let mut makers = BTreeMap::new();
        for ((object, _), principal) in records.into_iter().zip(actors) {
            let id = object.split(':').nth(1).and_then(|id| id.parse().ok());
            let id = id.ok_or_else(|| StoreError::corrupt(format!("`{object}` is no token")))?;
            let name = match principal {
                PrincipalId::User(user) => names.get(&user.get()).cloned(),
                PrincipalId::ServiceToken(_) | PrincipalId::System(_) => None,
            };
            makers.insert(id, Maker { principal, name });
        }
        Ok(makers)
    }

    /// What the account calls those of them that are its users.
    async fn names_of(
        &self,
        account: i64,
        actors: &[PrincipalId],
    ) -> Result<BTreeMap<i64, String>, StoreError> {
        let users = actors.iter().filter_map(|actor| match actor {
            PrincipalId::User(user) => Some(user.get()),
            PrincipalId::ServiceToken(_) | PrincipalId::System(_) => None,
        });
        let rows: Vec<(i64, String, String, String)> = membership::Entity::find()
            .join(JoinType::InnerJoin, membership::Relation::User.def())
            .select_only()
            .column(membership::Column::UserId)
            .columns([membership::Column::FirstName, membership::Column::LastName])
            .column(user::Column::Email)
            .filter(membership::Column::AccountId.eq(account))
            .filter(membership::Column::UserId.is_in(users.collect::<BTreeSet<_>>()))
            .into_tuple()
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        let name = |(id, first, last, email): (i64, String, String, String)| {
            let name = format!("{first} {last}").trim().to_owned();
            (id, if name.is_empty() { email } else { name })
        };
        Ok(rows.into_iter().map(name).collect())
    }
}

/// The same of an account.
pub(crate) async fn every(
    db: &impl ConnectionTrait,
    account: AccountId,
) -> Result<Vec<ServiceToken>, StoreError> {
    use service_token::{Column, Entity, REVOKED};
    let tokens = Entity::find()
        .filter(Column::AccountId.eq(account.get()))
        .filter(Column::State.ne(REVOKED))
        .find_also_related(service_token_permission::Entity)
        .find_also_related(service_token_restriction::Entity)
        .consolidate()
        .all(db)
        .await
        .map_err(StoreError::db)?;
    let ids = tokens.iter().map(|(token, ..)| token.id);
    let mut credentials = token_credentials::of(db, ids).await?;
    let whole = tokens.into_iter().map(|(token, rows, restrictions)| {
        let credentials = credentials.remove(&token.id).unwrap_or_default();
        token.into_domain(rows, credentials, restrictions.first())
    });
    let mut whole: Vec<_> = whole.collect::<Result<_, _>>()?;
    whole.sort_by_key(|token| token.id);
    Ok(whole)
}
