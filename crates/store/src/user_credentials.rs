//! Users' own credentials: kept as other nouns are (see [`crate::kept`]), but seen and written by
//! their user alone.

use domain::{
    CredentialId, ProjectId, UserId,
    authz::{AccessMarker, OwnTokens, Permit, PrincipalId, Read, Write},
    kept::{Id, Kept},
    list::{ListQuery, Paged},
    user_credentials::UserCredentials,
};

use crate::{Store, StoreError, kept, tx::Tx, warehouse_credentials};

impl Store {
    /// The principal's own. `user` is the path's: any other than the principal is not found.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Invalid`] (order or filter),
    /// [`StoreError::Unavailable`].
    pub async fn user_credentials(
        &self,
        permit: &Permit<Read, OwnTokens>,
        user: UserId,
        query: &ListQuery,
    ) -> Result<Paged<Kept<UserCredentials>>, StoreError> {
        own(permit, user)?;
        self.kept(permit, None, &query.clone().with_in("user_id", [user])).await
    }

    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn one_of_user_credentials(
        &self,
        permit: &Permit<Read, OwnTokens>,
        user: UserId,
        id: Id<UserCredentials>,
    ) -> Result<Kept<UserCredentials>, StoreError> {
        own(permit, user)?;
        let found = self.kept_one(permit, id).await?;
        if found.spec.user_id == user { Ok(found) } else { Err(StoreError::NotFound) }
    }

    /// Makes them: one a project.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Invalid`] (no such credential in the project, or
    /// the user has some there already), [`StoreError::CredentialChanged`],
    /// [`StoreError::Unavailable`].
    pub async fn create_user_credentials(
        &self,
        permit: &Permit<Write, OwnTokens>,
        project: ProjectId,
        spec: UserCredentials,
    ) -> Result<Kept<UserCredentials>, StoreError> {
        own(permit, spec.user_id)?;
        self.keep(permit, Some(project), spec, None).await
    }

    /// Names another credential of the same project; `None` keeps the old one.
    ///
    /// # Errors
    /// As making them.
    pub async fn update_user_credentials(
        &self,
        permit: &Permit<Write, OwnTokens>,
        id: Id<UserCredentials>,
        credential: Option<CredentialId>,
    ) -> Result<Kept<UserCredentials>, StoreError> {
        let change = |old: UserCredentials| {
            own(permit, old.user_id)?;
            let credentials_id = credential.unwrap_or(old.credentials_id);
            Ok(UserCredentials { credentials_id, ..old })
        };
        self.update_kept::<UserCredentials, StoreError>(permit, id, None, change).await
    }

    /// Deletes them; the credential itself stays. Gives what they were, as deleted.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn delete_user_credentials(
        &self,
        permit: &Permit<Write, OwnTokens>,
        user: UserId,
        id: Id<UserCredentials>,
    ) -> Result<Kept<UserCredentials>, StoreError> {
        self.one_of_user_credentials(&permit.also()?, user, id).await?;
        self.delete_kept(permit, id).await
    }
}

/// The credentials that a user develops with.
pub(crate) async fn named_by(tx: &Tx, user: UserId) -> Result<Vec<CredentialId>, StoreError> {
    let all = kept::all::<UserCredentials>(tx.db(), tx.account()).await?;
    let own = all.into_iter().filter(|one| one.spec.user_id == user);
    Ok(own.map(|one| one.spec.credentials_id).collect())
}

/// Deletes, with their secrets, those of the credentials that nothing names any more: they were
/// somebody's own.
pub(crate) async fn delete_unnamed(
    tx: &mut Tx,
    credentials: Vec<CredentialId>,
) -> Result<(), StoreError> {
    for id in credentials {
        if !kept::is_named(tx, domain::kept::Reference::Credential(id)).await? {
            match warehouse_credentials::remove(tx, id).await {
                Ok(_) | Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// That the path's user is who asks.
fn own<A: AccessMarker>(permit: &Permit<A, OwnTokens>, user: UserId) -> Result<(), StoreError> {
    if permit.author() == PrincipalId::User(user) { Ok(()) } else { Err(StoreError::NotFound) }
}
