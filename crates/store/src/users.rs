//! Users.

use crate::{
    Store, StoreError,
    entities::{membership, time, user},
};
use domain::{
    UserId,
    authz::{Identity, Permit, PrincipalId, Read},
    user::{Email, User},
};
use sea_orm::EntityTrait as _;

impl Store {
    /// The user that the permit's principal is; `None` for a service token.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn me(&self, permit: &Permit<Read, Identity>) -> Result<Option<User>, StoreError> {
        let PrincipalId::User(id) = permit.author() else { return Ok(None) };
        let row = membership::Entity::find_by_id((permit.account().get(), id.get()))
            .find_also_related(user::Entity)
            .one(self.reader())
            .await
            .map_err(StoreError::db)?;
        match row {
            Some((membership, Some(user))) => into_domain(&membership, user).map(Some),
            _ => Ok(None),
        }
    }
}

/// A user, as one account sees them.
pub(crate) fn into_domain(
    membership: &membership::Model,
    user: user::Model,
) -> Result<User, StoreError> {
    Ok(User {
        id: UserId::new(user.id).map_err(StoreError::corrupt)?,
        email: Email::parse(&user.email).map_err(StoreError::corrupt)?,
        first_name: user.first_name,
        last_name: user.last_name,
        license: membership.license.parse().map_err(StoreError::corrupt)?,
        created_at: time(membership.created_at)?,
    })
}
