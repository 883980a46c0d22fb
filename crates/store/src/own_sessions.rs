//! A person's own sessions and password.

use domain::{
    SessionId,
    authz::{Credential, OwnTokens, Permit, PrincipalId, Read, Write},
    password::PasswordHash,
};
use sea_orm::{ColumnTrait as _, Condition, EntityTrait as _};
use serde_json::json;

use crate::{
    Candidate, Proven, Store, StoreError,
    entities::{password, session},
    sessions::{end_in, of, set_password},
};

impl Store {
    /// Ends the session that the permit was given for.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it was given for none, [`StoreError::CredentialChanged`],
    /// [`StoreError::Unavailable`].
    pub async fn close_session(&self, permit: &Permit<Write, OwnTokens>) -> Result<(), StoreError> {
        let id = own(permit)?;
        let mut tx = self.begin(permit).await?;
        let this = Condition::all().add(session::Column::Id.eq(id.get()));
        end_in(tx.db(), tx.now(), this).await?;
        tx.record("session.closed", format!("session:{id}"), None, None, None).await?;
        tx.commit().await
    }

    /// Ends every session of the permit's user in the account; gives how many.
    ///
    /// # Errors
    /// As [`Store::close_session`].
    pub async fn close_all_sessions(
        &self,
        permit: &Permit<Write, OwnTokens>,
    ) -> Result<u64, StoreError> {
        let PrincipalId::User(user) = permit.author() else { return Err(StoreError::NotFound) };
        let mut tx = self.begin(permit).await?;
        let ended = end_in(tx.db(), tx.now(), of(tx.account(), user)).await?;
        let said = json!({ "sessions_ended": ended });
        tx.record("session.all_closed", format!("user:{user}"), None, None, Some(said)).await?;
        tx.commit().await?;
        Ok(ended)
    }

    /// The permit's user, to be asked for their password once more; `None` if they have none.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a service token, [`StoreError::Unavailable`].
    pub async fn own_candidate(
        &self,
        permit: &Permit<Read, OwnTokens>,
    ) -> Result<Option<Candidate>, StoreError> {
        let PrincipalId::User(user) = permit.author() else { return Err(StoreError::NotFound) };
        let row = password::Entity::find_by_id((permit.account().get(), user.get()))
            .one(self.reader())
            .await
            .map_err(StoreError::db)?;
        row.map(password::Model::into_domain).transpose()
    }

    /// Gives the permit's user another password, once they have proved that they know the one
    /// before. Their other sessions in the account end.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the proof is another's, or the permit was not given for a
    /// session; [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn change_password(
        &self,
        permit: &Permit<Write, OwnTokens>,
        proven: Proven,
        hash: &PasswordHash,
    ) -> Result<(), StoreError> {
        let Proven { account, user, .. } = proven;
        if (PrincipalId::User(user), account) != (permit.author(), permit.account()) {
            return Err(StoreError::NotFound);
        }
        let this = own(permit)?;
        let mut tx = self.begin(permit).await?;
        set_password(&mut tx, user, hash, Some(this)).await?;
        tx.commit().await
    }
}

fn own(permit: &Permit<Write, OwnTokens>) -> Result<SessionId, StoreError> {
    match permit.principal().credential() {
        Credential::Session { id, .. } => Ok(id),
        Credential::ServiceToken { .. }
        | Credential::PersonalToken { .. }
        | Credential::Process => Err(StoreError::NotFound),
    }
}
