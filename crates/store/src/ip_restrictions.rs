//! IP restrictions: rules that are kept like other nouns, a switch, and what both come to.
//!
//! Whoever may not come in is refused where the credential is read (see `credential`). A change
//! that would shut out its own author is refused here, inside its transaction.

use std::{net::IpAddr, sync::Arc};

use domain::{
    AccountId,
    authz::{Permit, Read, Write, kinds::IpRestrictions},
    ip_restriction::{AddressRules, IpRestriction, RuleSet},
    kept::{Id, Kept},
    list::{ListQuery, Paged},
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    sea_query::{Expr, ExprTrait as _},
};
use serde_json::json;

use crate::{
    Store, StoreError,
    db::lock,
    entities::{
        account::{Column, Entity, Model},
        kept as kept_entity, time,
    },
    kept,
    rows::{ACTIVE, only},
    tx::Tx,
};

/// A rule, and the set that it is in.
pub type RuleOfSet = (Kept<IpRestriction>, RuleSet);

/// The most networks that the rules of an account name together.
const MAX_CIDRS: usize = 1_000;

impl Store {
    /// The account's rules.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (order or filter), [`StoreError::Unavailable`].
    pub async fn ip_restrictions(
        &self,
        permit: &Permit<Read, IpRestrictions>,
        query: &ListQuery,
    ) -> Result<Paged<RuleOfSet>, StoreError> {
        let set = set_of(self.reader(), permit.account()).await?;
        let page = self.kept::<IpRestriction>(permit, None, query).await?;
        Ok(page.map(|rule| (rule, set)))
    }

    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn ip_restriction(
        &self,
        permit: &Permit<Read, IpRestrictions>,
        id: Id<IpRestriction>,
    ) -> Result<RuleOfSet, StoreError> {
        let row = kept::of_account::<IpRestriction>(permit.account())
            .filter(kept_entity::Column::Id.eq(id.get()))
            .filter(kept_entity::Column::State.eq(ACTIVE))
            .find_also_related(Entity)
            .one(self.reader())
            .await
            .map_err(StoreError::db)?;
        let Some((rule, Some(account))) = row else { return Err(StoreError::NotFound) };
        Ok((rule.into_domain()?, set_in(&account)?))
    }

    /// Whether the caller's own address is admitted by the rules, be they enforced or not; as if
    /// one of them were not there, where it is named.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn admits_its_caller(
        &self,
        permit: &Permit<Read, IpRestrictions>,
        without: Option<Id<IpRestriction>>,
    ) -> Result<bool, StoreError> {
        if let Some(id) = without {
            self.kept_one(permit, id).await?;
        }
        let rules = rules_of(self.reader(), permit.account(), without).await?;
        Ok(rules.admit(permit.origin().address))
    }

    /// Makes a rule; with `enable`, switches the set on or off along.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (it would shut out its author; too many networks),
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn create_ip_restriction(
        &self,
        permit: &Permit<Write, IpRestrictions>,
        spec: IpRestriction,
        enable: Option<bool>,
    ) -> Result<RuleOfSet, StoreError> {
        let mut tx = self.begin(permit).await?;
        let before = rules_of(tx.db(), tx.account(), None).await?;
        let made = kept::insert(&mut tx, permit, None, spec, None).await?;
        let set = settle(&mut tx, permit, enable, &before, "cidrs").await?;
        tx.commit().await?;
        Ok((made, set))
    }

    /// Changes a rule; with `enable`, switches the set on or off along.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Conflict`] (it was the last allow rule of a set
    /// that is enforced), as making one, and whatever `change` gives.
    pub async fn update_ip_restriction<E: From<StoreError>>(
        &self,
        permit: &Permit<Write, IpRestrictions>,
        id: Id<IpRestriction>,
        enable: Option<bool>,
        change: impl FnOnce(IpRestriction) -> Result<IpRestriction, E> + Send,
    ) -> Result<RuleOfSet, E> {
        let mut tx = self.begin(permit).await?;
        let before = rules_of(tx.db(), tx.account(), None).await?;
        let old = kept::find(tx.db(), tx.account(), id).await?;
        let spec = change(old.spec.clone())?;
        let rule = kept::change(&mut tx, old, spec, None).await?;
        let set = settle(&mut tx, permit, enable, &before, "cidrs").await?;
        tx.commit().await?;
        Ok((rule, set))
    }

    /// Deletes a rule. Gives what it was, as deleted.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Conflict`] (it is the last allow rule of a set that
    /// is enforced), [`StoreError::Invalid`] (it would shut out its author),
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn delete_ip_restriction(
        &self,
        permit: &Permit<Write, IpRestrictions>,
        id: Id<IpRestriction>,
    ) -> Result<RuleOfSet, StoreError> {
        let mut tx = self.begin(permit).await?;
        let before = rules_of(tx.db(), tx.account(), None).await?;
        let rule = kept::find(tx.db(), tx.account(), id).await?;
        let deleted = kept::remove(&mut tx, rule).await?;
        let set = settle(&mut tx, permit, None, &before, "id").await?;
        tx.commit().await?;
        Ok((deleted, set))
    }

    /// Switches the set on or off.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (it would shut out its author), [`StoreError::CredentialChanged`],
    /// [`StoreError::Unavailable`].
    pub async fn enable_ip_restrictions(
        &self,
        permit: &Permit<Write, IpRestrictions>,
        enabled: bool,
    ) -> Result<RuleSet, StoreError> {
        let mut tx = self.begin(permit).await?;
        let was = set_of(tx.db(), tx.account()).await?;
        if was.enabled == enabled {
            return Ok(was);
        }
        let before = rules_of(tx.db(), tx.account(), None).await?;
        let set = settle(&mut tx, permit, Some(enabled), &before, "enabled").await?;
        tx.commit().await?;
        Ok(set)
    }

    /// Whether an address may come in, by rules of this revision.
    pub(crate) async fn admits(
        &self,
        account: AccountId,
        revision: i64,
        address: Option<IpAddr>,
    ) -> Result<bool, StoreError> {
        let known = lock(self.address_rules()).get(&account).cloned();
        let rules = match known {
            Some((known, rules)) if known == revision => rules,
            _ => {
                let rules = match rules_of(self.reader(), account, None).await {
                    Ok(rules) => Some(Arc::new(rules)),
                    // What cannot be read admits nobody.
                    Err(StoreError::Corrupt(reason)) => {
                        tracing::error!(%account, %reason, "IP restrictions cannot be read");
                        None
                    }
                    Err(error) => return Err(error),
                };
                lock(self.address_rules()).insert(account, (revision, rules.clone()));
                rules
            }
        };
        Ok(rules.is_some_and(|rules| rules.admit(address)))
    }
}

/// Ends a change of the rules: the switch, the revision, and whether it may be.
async fn settle(
    tx: &mut Tx,
    permit: &Permit<Write, IpRestrictions>,
    enable: Option<bool>,
    before: &AddressRules,
    field: &'static str,
) -> Result<RuleSet, StoreError> {
    let rules = rules_of(tx.db(), tx.account(), None).await?;
    if rules.networks() > MAX_CIDRS {
        let message = format!("an account's rules name at most {MAX_CIDRS} networks together");
        return Err(StoreError::Invalid { field: "cidrs", message });
    }
    let was = set_of(tx.db(), tx.account()).await?.enabled;
    let enabled = enable.unwrap_or(was);
    if enabled && before.only_allowed() && !rules.only_allowed() {
        return Err(StoreError::Conflict(
            "it is the last allow rule, and without one every address that is not denied would be \
             let in: switch the restrictions off first, or allow something else"
                .to_owned(),
        ));
    }
    // The server's own process has no address, and cannot be shut out.
    if let (true, Some(address)) = (enabled, permit.origin().address)
        && !rules.admit(Some(address))
    {
        let message = format!(
            "would shut out your own address `{address}`: allow it first, or do not deny it"
        );
        return Err(StoreError::Invalid { field, message });
    }
    Entity::update_many()
        .col_expr(Column::IpRulesEnabled, Expr::value(enabled))
        .col_expr(Column::IpRulesRevision, Expr::col(Column::IpRulesRevision).add(1))
        .filter(Column::Id.eq(tx.account().get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    if enable.is_some_and(|enable| enable != was) {
        let said = |enabled: bool| Some(json!({ "enabled": enabled }));
        let object = format!("account:{}", tx.account());
        let event = if enabled { "ip_restrictions.enabled" } else { "ip_restrictions.disabled" };
        tx.record(event, object, None, said(was), said(enabled)).await?;
    }
    set_of(tx.db(), tx.account()).await
}

/// What the rules of an account come to.
async fn rules_of(
    db: &impl ConnectionTrait,
    account: AccountId,
    without: Option<Id<IpRestriction>>,
) -> Result<AddressRules, StoreError> {
    let rules = kept::all::<IpRestriction>(db, account).await?;
    let counted = rules.iter().filter(|rule| Some(rule.id) != without);
    Ok(AddressRules::new(counted.map(|rule| &rule.spec)))
}

async fn set_of(db: &impl ConnectionTrait, account: AccountId) -> Result<RuleSet, StoreError> {
    set_in(&only(Entity::find_by_id(account.get()), db).await?)
}

fn set_in(row: &Model) -> Result<RuleSet, StoreError> {
    Ok(RuleSet {
        enabled: row.ip_rules_enabled,
        created_at: time(row.created_at)?,
        updated_at: time(row.updated_at)?,
    })
}
