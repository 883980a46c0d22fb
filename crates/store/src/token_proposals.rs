//! Proposals to let a service token do more: made by one person, accepted by another.

use domain::{
    ServiceTokenId, TokenProposalId, UserId,
    authz::{
        Access, Action, Grant, License, Permit, Principal, PrincipalId, Read, ResourceKind,
        Restrictions, ServiceTokens, Write, contained_under,
    },
    list::{ListQuery, Paged, StateFilter},
    service_token::ServiceToken,
    token_proposal::{Outcome, ProposalState, TokenProposal, Widening},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    QuerySelect as _, Select, sea_query::Expr,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Store, StoreError,
    entities::{
        membership, service_token,
        service_token_permission::grant,
        time,
        token_proposal::{ActiveModel, Column, Entity, Model},
    },
    grant_rows::{GrantKey, keys},
    list::{Collection, Field, Kind, State},
    memberships,
    rows::{from_text, only, said, to_text},
    service_tokens::{check_replaced, find, write_grants},
    token_policies, token_restrictions,
    tx::Tx,
};

static COLLECTION: Collection<Column> = Collection {
    id: Column::Id,
    fields: &[
        Field { name: "service_token_id", column: Column::ServiceTokenId, kind: Kind::Int },
        Field { name: "proposed_by_user_id", column: Column::ProposedBy, kind: Kind::Int },
        Field { name: "expires_at", column: Column::ExpiresAt, kind: Kind::Time },
        Field { name: "created_at", column: Column::CreatedAt, kind: Kind::Time },
    ],
    state: State { active: || Column::Outcome.is_null(), default: StateFilter::Active },
};

impl Store {
    /// Proposals of the permit's account. Settled ones come with `state` deleted or all.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (order or filter), [`StoreError::Unavailable`].
    pub async fn token_proposals(
        &self,
        permit: &Permit<Read, ServiceTokens>,
        query: &ListQuery,
    ) -> Result<Paged<TokenProposal>, StoreError> {
        let rows = Entity::find().filter(Column::AccountId.eq(permit.account().get()));
        let page = self.page(rows, &COLLECTION, query).await?;
        let rows = page.rows.into_iter().map(Model::into_domain);
        Ok(Paged { rows: rows.collect::<Result<_, _>>()?, total: page.total })
    }

    /// One of them, also after it is settled.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn token_proposal(
        &self,
        permit: &Permit<Read, ServiceTokens>,
        id: TokenProposalId,
    ) -> Result<TokenProposal, StoreError> {
        let rows = Entity::find().filter(Column::AccountId.eq(permit.account().get()));
        only(rows.filter(Column::Id.eq(id.get())), self.reader()).await?.into_domain()
    }

    /// Proposes what would let a token do more. Whoever proposes it has to hold all that the token
    /// would have, as if they did it themselves; `forced` is about a list of addresses that does not
    /// admit their own.
    ///
    /// # Errors
    /// [`StoreError::UserOnly`], [`StoreError::NotFound`], [`StoreError::Conflict`] (one about the
    /// token is open, or it would gain nothing), and as [`Store::replace_grants`] or
    /// [`Store::replace_token_restrictions`].
    pub async fn propose(
        &self,
        permit: &Permit<Write, ServiceTokens>,
        token: ServiceTokenId,
        asked: Widening,
        forced: bool,
    ) -> Result<TokenProposal, StoreError> {
        let mut tx = self.begin(permit).await?;
        let by = person(permit)?;
        let token = find(tx.db(), tx.account(), token).await?;
        let widens = match &asked {
            Widening::Grants(grants) => {
                check_replaced(&tx, permit, &token, grants).await?;
                token.gains_by(grants, permit.principal().terms())
            }
            Widening::Restrictions(after) => {
                contained_under(after, &token.granted(), permit.principal())?;
                token_restrictions::check(&tx, permit, &token.restrictions, after, forced).await?;
                !after.within(&token.restrictions)
            }
        };
        if !widens {
            let message = "it gives the token nothing more: change it at once".to_owned();
            return Err(StoreError::Conflict(message));
        }
        check_none_is_open(&tx, token.id).await?;
        forget_oldest(&tx).await?;
        let row = insert(&tx, &token, &asked, by).await?;
        record(&mut tx, "service_token_proposal.made", &row).await?;
        tx.commit().await?;
        row.into_domain()
    }

    /// Does what was proposed. Whoever accepts is another person than who proposed, both hold now
    /// all that the token will have, and the token is as it was when it was proposed.
    ///
    /// # Errors
    /// [`StoreError::UserOnly`], [`StoreError::OwnProposal`], [`StoreError::NotFound`],
    /// [`StoreError::Conflict`] (it is settled or over, the token changed, or who proposed it may not
    /// any more), [`StoreError::Exceeds`] (who accepts holds less), [`StoreError::Invalid`],
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn accept_proposal(
        &self,
        permit: &Permit<Write, ServiceTokens>,
        id: TokenProposalId,
    ) -> Result<TokenProposal, StoreError> {
        let mut tx = self.begin(permit).await?;
        let row = open(&tx, id).await?;
        let proposal = row.clone().into_domain()?;
        if person(permit)? == proposal.by {
            return Err(StoreError::OwnProposal);
        }
        let token = find(tx.db(), tx.account(), proposal.token).await?;
        if revision(&tx, token.id).await? != row.revision {
            let message = "the token changed since this was proposed: propose it anew".to_owned();
            return Err(StoreError::Conflict(message));
        }
        let (grants, restrictions) = would_have(&token, &proposal.asked);
        let proposer = proposer(&tx, permit, proposal.by).await?;
        if contained_under(&restrictions, &grants, &proposer).is_err() {
            return Err(may_not_any_more());
        }
        match &proposal.asked {
            Widening::Grants(_) => {
                check_replaced(&tx, permit, &token, &grants).await?;
                write_grants(&mut tx, &token, &grants, "service_token.grants_replaced").await?;
            }
            Widening::Restrictions(_) => {
                contained_under(&restrictions, &grants, permit.principal())?;
                let before = &token.restrictions;
                token_restrictions::check(&tx, permit, before, &restrictions, true).await?;
                token_restrictions::replace(&mut tx, &token, &restrictions).await?;
            }
        }
        let settled = settle(&mut tx, row, Outcome::Accepted).await?;
        tx.commit().await?;
        settled.into_domain()
    }

    /// Refuses a proposal: nothing is done. Who may write tokens may do so; whoever proposed it takes
    /// it back by this.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Conflict`] (it is settled or over),
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn reject_proposal(
        &self,
        permit: &Permit<Write, ServiceTokens>,
        id: TokenProposalId,
    ) -> Result<TokenProposal, StoreError> {
        let mut tx = self.begin(permit).await?;
        let row = open(&tx, id).await?;
        let own = permit.author() == PrincipalId::User(row.proposer()?);
        let outcome = if own { Outcome::Withdrawn } else { Outcome::Rejected };
        let settled = settle(&mut tx, row, outcome).await?;
        tx.commit().await?;
        settled.into_domain()
    }
}

/// That the account's policy lets one person alone widen a token.
pub(crate) async fn check_alone(tx: &Tx) -> Result<(), StoreError> {
    let policy = token_policies::of(tx.db(), tx.account()).await?;
    if policy.widening_is_proposed { Err(StoreError::NeedsSecond) } else { Ok(()) }
}

/// Takes back what a user who leaves has proposed.
pub(crate) async fn withdraw_those_by(tx: &mut Tx, user: UserId) -> Result<(), StoreError> {
    let rows = unsettled(tx).filter(Column::ProposedBy.eq(user.get()));
    withdraw(tx, rows).await
}

/// Takes back what is proposed about a token that is gone.
pub(crate) async fn withdraw_those_about(
    tx: &mut Tx,
    token: ServiceTokenId,
) -> Result<(), StoreError> {
    let rows = unsettled(tx).filter(Column::ServiceTokenId.eq(token.get()));
    withdraw(tx, rows).await
}

async fn withdraw(tx: &mut Tx, rows: Select<Entity>) -> Result<(), StoreError> {
    for row in rows.all(tx.db()).await.map_err(StoreError::db)? {
        settle(tx, row, Outcome::Withdrawn).await?;
    }
    Ok(())
}

/// Who proposes or accepts: a person. A token may be in anybody's hands, also in those of who would
/// accept their own proposal through it.
fn person(permit: &Permit<Write, ServiceTokens>) -> Result<UserId, StoreError> {
    match permit.author() {
        PrincipalId::User(user) => Ok(user),
        PrincipalId::ServiceToken(_) | PrincipalId::System(_) => {
            Err(StoreError::UserOnly { field: "service_token_proposal" })
        }
    }
}

/// Who proposed it, with what they hold now.
async fn proposer(
    tx: &Tx,
    permit: &Permit<Write, ServiceTokens>,
    user: UserId,
) -> Result<Principal, StoreError> {
    const WRITE: Action = Action::new(Access::Write, ResourceKind::ServiceTokens);
    let row = memberships::of(tx.account())
        .filter(membership::Column::UserId.eq(user.get()))
        .one(tx.db())
        .await
        .map_err(StoreError::db)?
        .ok_or_else(may_not_any_more)?;
    let license: License = row.license.parse().map_err(StoreError::corrupt)?;
    let held = memberships::grants_of(tx.db(), tx.account(), user).await?;
    let proposer = memberships::principal(user, permit.principal().terms(), license, &held);
    if proposer.holds(WRITE) { Ok(proposer) } else { Err(may_not_any_more()) }
}

fn may_not_any_more() -> StoreError {
    let message = "who proposed this does not hold any more what the token would have";
    StoreError::Conflict(message.to_owned())
}

/// What the token would have.
fn would_have(token: &ServiceToken, asked: &Widening) -> (Vec<Grant>, Restrictions) {
    match asked {
        Widening::Grants(grants) => (grants.clone(), token.restrictions.clone()),
        Widening::Restrictions(restrictions) => (token.granted(), restrictions.clone()),
    }
}

/// What the token's revision is now: it counts up with every change of its grants, restrictions or
/// state.
async fn revision(tx: &Tx, token: ServiceTokenId) -> Result<i64, StoreError> {
    let row = service_token::Entity::find_by_id(token.get()).select_only();
    let row = row.column(service_token::Column::Revision).into_tuple::<i64>();
    row.one(tx.db()).await.map_err(StoreError::db)?.ok_or(StoreError::NotFound)
}

fn unsettled(tx: &Tx) -> Select<Entity> {
    Entity::find()
        .filter(Column::AccountId.eq(tx.account().get()))
        .filter(Column::Outcome.is_null())
}

/// A proposal that can be settled now.
async fn open(tx: &Tx, id: TokenProposalId) -> Result<Model, StoreError> {
    let rows = Entity::find().filter(Column::AccountId.eq(tx.account().get()));
    let row = only(rows.filter(Column::Id.eq(id.get())), tx.db()).await?;
    let conflict = |how| Err(StoreError::Conflict(format!("the proposal is {how}")));
    match &row.outcome {
        Some(outcome) => conflict(outcome.as_str()),
        None if row.expires_at <= tx.now().micros() => conflict("over: propose it anew"),
        None => Ok(row),
    }
}

async fn check_none_is_open(tx: &Tx, token: ServiceTokenId) -> Result<(), StoreError> {
    let open = unsettled(tx)
        .filter(Column::ServiceTokenId.eq(token.get()))
        .filter(Column::ExpiresAt.gt(tx.now().micros()))
        .count(tx.db());
    if open.await.map_err(StoreError::db)? == 0 {
        return Ok(());
    }
    let message = format!("a proposal about service token `{token}` is open: settle it first");
    Err(StoreError::Conflict(message))
}

/// Deletes what was made long ago and is over; the audit log keeps what came of it.
async fn forget_oldest(tx: &Tx) -> Result<(), StoreError> {
    let before = tx.now().plus_seconds(-TokenProposal::KEPT_SECONDS);
    Entity::delete_many()
        .filter(Column::AccountId.eq(tx.account().get()))
        .filter(Column::CreatedAt.lte(before.micros()))
        .exec(tx.db())
        .await
        .map(drop)
        .map_err(StoreError::db)
}

async fn insert(
    tx: &Tx,
    token: &ServiceToken,
    asked: &Widening,
    by: UserId,
) -> Result<Model, StoreError> {
    let row = ActiveModel {
        account_id: Set(tx.account().get()),
        service_token_id: Set(token.id.get()),
        revision: Set(revision(tx, token.id).await?),
        asked: Set(to_text(&Kept::from(asked))?),
        proposed_by: Set(by.get()),
        expires_at: Set(tx.now().plus_seconds(TokenProposal::LIFETIME_SECONDS).micros()),
        created_at: Set(tx.now().micros()),
        ..Default::default()
    };
    Entity::insert(row).exec_with_returning(tx.db()).await.map_err(StoreError::db)
}

/// Writes what came of it.
async fn settle(tx: &mut Tx, row: Model, outcome: Outcome) -> Result<Model, StoreError> {
    let settled = Model {
        outcome: Some(outcome.word().to_owned()),
        settled_at: Some(tx.now().micros()),
        settled_by: Some(tx.actor().to_owned()),
        ..row
    };
    Entity::update_many()
        .col_expr(Column::Outcome, Expr::value(settled.outcome.clone()))
        .col_expr(Column::SettledAt, Expr::value(settled.settled_at))
        .col_expr(Column::SettledBy, Expr::value(settled.settled_by.clone()))
        .filter(Column::Id.eq(settled.id))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    record(tx, &format!("service_token_proposal.{}", outcome.word()), &settled).await?;
    Ok(settled)
}

async fn record(tx: &mut Tx, event: &str, row: &Model) -> Result<(), StoreError> {
    let object = format!("service_token_proposal:{}", row.id);
    tx.record(event, object, None, None, Some(row.said()?)).await
}

/// What is proposed, as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kept {
    Grants(Vec<GrantKey>),
    Restrictions(Restrictions),
}

impl From<&Widening> for Kept {
    fn from(asked: &Widening) -> Self {
        match asked {
            Widening::Grants(grants) => Self::Grants(keys(grants)),
            Widening::Restrictions(restrictions) => Self::Restrictions(restrictions.clone()),
        }
    }
}

impl Model {
    fn proposer(&self) -> Result<UserId, StoreError> {
        UserId::new(self.proposed_by).map_err(StoreError::corrupt)
    }

    fn kept(&self) -> Result<Kept, StoreError> {
        from_text(&self.asked)
    }

    /// What an audit record says of it.
    fn said(&self) -> Result<Value, StoreError> {
        let asked = match self.kept()? {
            Kept::Grants(rows) => json!(rows.iter().map(GrantKey::said).collect::<Vec<_>>()),
            Kept::Restrictions(restrictions) => said(&restrictions),
        };
        Ok(json!({
            "service_token_id": self.service_token_id,
            "proposed_by": format!("user:{}", self.proposed_by),
            "asked": asked,
        }))
    }

    /// What it means.
    fn into_domain(self) -> Result<TokenProposal, StoreError> {
        let asked = match self.kept()? {
            Kept::Grants(rows) => {
                let one = |row: &GrantKey| grant(&row.set, row.project, &row.categories);
                Widening::Grants(rows.iter().map(one).collect::<Result<_, _>>()?)
            }
            Kept::Restrictions(restrictions) => Widening::Restrictions(restrictions),
        };
        Ok(TokenProposal {
            id: TokenProposalId::new(self.id).map_err(StoreError::corrupt)?,
            token: ServiceTokenId::new(self.service_token_id).map_err(StoreError::corrupt)?,
            asked,
            by: self.proposer()?,
            state: self.state()?,
            expires_at: time(self.expires_at)?,
            created_at: time(self.created_at)?,
        })
    }

    fn state(&self) -> Result<ProposalState, StoreError> {
        match (&self.outcome, self.settled_at, &self.settled_by) {
            (None, None, None) => Ok(ProposalState::Open),
            (Some(word), Some(at), Some(by)) => {
                let how = Outcome::of(word);
                Ok(ProposalState::Settled {
                    how: how.ok_or_else(|| StoreError::corrupt(format!("no outcome `{word}`")))?,
                    at: time(at)?,
                    by: by.parse().map_err(StoreError::corrupt)?,
                })
            }
            _ => Err(StoreError::corrupt(format!("proposal {} is half settled", self.id))),
        }
    }
}
