//! Notifications, as far as they are not like every kept noun: a user leaves them all.

use domain::{
    authz::{OwnTokens, Permit, PrincipalId, Write},
    notification::{Notification, NotificationType},
};

use crate::{Store, StoreError, kept};

impl Store {
    /// Deletes every notification of the account that goes to the caller's own address; gives how
    /// many there were.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the caller is no user, [`StoreError::CredentialChanged`],
    /// [`StoreError::Unavailable`].
    pub async fn unsubscribe(&self, permit: &Permit<Write, OwnTokens>) -> Result<u64, StoreError> {
        let PrincipalId::User(user) = permit.author() else { return Err(StoreError::NotFound) };
        let mut tx = self.begin(permit).await?;
        let mut left = 0;
        for one in kept::all::<Notification>(tx.db(), tx.account()).await? {
            if one.spec.user_id == user && one.spec.r#type == NotificationType::User {
                kept::remove(&mut tx, one).await?;
                left += 1;
            }
        }
        if left > 0 {
            tx.commit().await?;
        }
        Ok(left)
    }
}
