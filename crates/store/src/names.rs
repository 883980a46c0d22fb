//! What things are called: names for pages that point to what they do not show.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    EnvironmentId, JobId, ProjectId, ServiceTokenId, UserId,
    authz::{
        AccessMarker, Environments, Jobs, KindMarker, Members, Permit, PrincipalId, Read,
        ServiceTokens, SystemTask, kinds::Projects,
    },
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, EntityTrait, FromQueryResult, JoinType,
    QueryFilter as _, QuerySelect as _, QueryTrait as _, RelationTrait as _, Select,
    sea_query::{Asterisk, Expr, ExprTrait as _, Query, SelectStatement, SimpleExpr, UnionType},
};

use crate::{
    Store, StoreError,
    entities::{environment, job, membership, project, service_token, user},
    rows::{ACTIVE, Placed as _},
};

/// What a name is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Named {
    /// A project.
    Project(ProjectId),
    /// An environment.
    Environment(EnvironmentId),
    /// A job.
    Job(JobId),
    /// A user, by the name that they gave, or their address.
    User(UserId),
    /// A service token.
    ServiceToken(ServiceTokenId),
}

/// Narrowgate's own tasks have no name.
impl TryFrom<PrincipalId> for Named {
    type Error = SystemTask;

    fn try_from(id: PrincipalId) -> Result<Self, SystemTask> {
        match id {
            PrincipalId::User(id) => Ok(Self::User(id)),
            PrincipalId::ServiceToken(id) => Ok(Self::ServiceToken(id)),
            PrincipalId::System(task) => Err(task),
        }
    }
}

/// The names of things, as far as their reader may read them.
pub type Names = BTreeMap<Named, String>;

/// Something that can be chosen from: it is there, and the reader may read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What it is.
    pub named: Named,
    /// What it is called.
    pub name: String,
    /// The project that it is or lies in; service tokens lie in none.
    pub project: Option<ProjectId>,
}

/// The most of a kind that is given to choose from.
const MOST_CHOICES: u64 = 500;

const PROJECT: &str = "project";
const ENVIRONMENT: &str = "environment";
const JOB: &str = "job";
const USER: &str = "user";
const TOKEN: &str = "service_token";

#[derive(FromQueryResult)]
struct Row {
    kind: String,
    id: i64,
    name: String,
    project_id: i64,
}

impl Store {
    /// What these are called, also where they are deleted: of each kind, those that the caller may
    /// read. One statement, or none if there is nothing to ask.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn names<A: AccessMarker, K: KindMarker>(
        &self,
        permit: &Permit<A, K>,
        of: &BTreeSet<Named>,
    ) -> Result<Names, StoreError> {
        let mut ids: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for named in of {
            let (kind, id) = named.row();
            ids.entry(kind).or_default().push(id);
        }
        let parts = ids.into_iter().filter_map(|(kind, ids)| match kind {
            PROJECT => projects(permit, |rows| rows.filter(project::Column::Id.is_in(ids))),
            ENVIRONMENT => {
                environments(permit, |rows| rows.filter(environment::Column::Id.is_in(ids)))
            }
            JOB => jobs(permit, |rows| rows.filter(job::Column::Id.is_in(ids))),
            USER => users(permit, membership::Column::UserId.is_in(ids)),
            _ => service_tokens(permit, service_token::Column::Id.is_in(ids)),
        });
        let rows = self.rows_of(parts).await?;
        rows.into_iter().map(|row| Ok((row.named()?, row.name))).collect()
    }

    /// Users and service tokens whose name has this text in it, without regard to case: those that
    /// the caller may read, also those that are gone, in one statement.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn principals_named<A: AccessMarker, K: KindMarker>(
        &self,
        permit: &Permit<A, K>,
        text: &str,
    ) -> Result<Vec<PrincipalId>, StoreError> {
        let has = |name| crate::dialect::contains(name, text);
        let parts = [
            users(permit, has(user_name()).or(has(Expr::col((user::Entity, user::Column::Email))))),
            service_tokens(permit, has(Expr::col(service_token::Column::Name))),
        ];
        let rows = self.rows_of(parts.into_iter().flatten().map(first)).await?;
        let principal = |row: Row| {
            Ok(match row.named()? {
                Named::User(id) => Some(PrincipalId::User(id)),
                Named::ServiceToken(id) => Some(PrincipalId::ServiceToken(id)),
                Named::Project(_) | Named::Environment(_) | Named::Job(_) => None,
            })
        };
        rows.into_iter().map(principal).filter_map(Result::transpose).collect()
    }

    /// The account's projects, the environments and jobs of one of them, or of all, and if wanted its
    /// service tokens: those that the caller may read, by name, at most 500 of each kind (tokens:
    /// all), in one statement.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn choices<A: AccessMarker, K: KindMarker>(
        &self,
        permit: &Permit<A, K>,
        of: Option<ProjectId>,
        with_tokens: bool,
    ) -> Result<Vec<Choice>, StoreError> {
        use environment::Column as EnvironmentColumn;

        let of = of.map(ProjectId::get);
        let parts = [
            projects(permit, |rows| rows.filter(project::Column::State.eq(ACTIVE))),
            environments(permit, |rows| {
                let rows = rows.filter(EnvironmentColumn::State.eq(ACTIVE));
                rows.apply_if(of, |rows, id| rows.filter(EnvironmentColumn::ProjectId.eq(id)))
            }),
            jobs(permit, |rows| {
                let rows = rows.filter(job::Column::State.eq(ACTIVE));
                rows.apply_if(of, |rows, id| rows.filter(job::Column::ProjectId.eq(id)))
            }),
        ];
        let tokens = with_tokens.then(|| {
            service_tokens(permit, service_token::Column::State.ne(service_token::REVOKED))
        });
        let parts = parts.into_iter().flatten().map(first).chain(tokens.flatten());
        let rows = self.rows_of(parts).await?;
        let choice = |row: Row| {
            let project = ProjectId::new(row.project_id).ok();
            Ok(Choice { named: row.named()?, name: row.name, project })
        };
        let mut choices = rows.into_iter().map(choice).collect::<Result<Vec<_>, StoreError>>()?;
        choices.sort_by_cached_key(|choice| (choice.name.to_lowercase(), choice.named));
        Ok(choices)
    }

    /// The rows of these selects together.
    async fn rows_of(
        &self,
        parts: impl Iterator<Item = SelectStatement>,
    ) -> Result<Vec<Row>, StoreError> {
        let Some(all) = parts.reduce(|mut all, part| all.union(UnionType::All, part).take()) else {
            return Ok(Vec::new());
        };
        let rows = self.reader().query_all(&all).await.map_err(StoreError::db)?;
        rows.iter().map(|row| Row::from_query_result(row, "").map_err(StoreError::db)).collect()
    }
}

impl Named {
    fn row(self) -> (&'static str, i64) {
        match self {
            Self::Project(id) => (PROJECT, id.get()),
            Self::Environment(id) => (ENVIRONMENT, id.get()),
            Self::Job(id) => (JOB, id.get()),
            Self::User(id) => (USER, id.get()),
            Self::ServiceToken(id) => (TOKEN, id.get()),
        }
    }
}

impl Row {
    fn named(&self) -> Result<Named, StoreError> {
        let named = match self.kind.as_str() {
            PROJECT => ProjectId::new(self.id).map(Named::Project),
            ENVIRONMENT => EnvironmentId::new(self.id).map(Named::Environment),
            JOB => JobId::new(self.id).map(Named::Job),
            USER => UserId::new(self.id).map(Named::User),
            _ => ServiceTokenId::new(self.id).map(Named::ServiceToken),
        };
        named.map_err(StoreError::corrupt)
    }
}

/// The first of these rows by name, for a part of a union.
fn first(mut rows: SelectStatement) -> SelectStatement {
    let rows = rows.order_by("name", sea_orm::Order::Asc).limit(MOST_CHOICES).take();
    Query::select().column(Asterisk).from_subquery(rows, "first").take()
}

/// What every part of a union has, in this order.
fn told<E: EntityTrait>(
    rows: Select<E>,
    kind: &'static str,
    (id, name, project): (SimpleExpr, SimpleExpr, SimpleExpr),
) -> SelectStatement {
    rows.select_only()
        .expr_as(Expr::value(kind), "kind")
        .expr_as(id, "id")
        .expr_as(name, "name")
        .expr_as(project, "project_id")
        .into_query()
}

fn projects<A: AccessMarker, K: KindMarker>(
    permit: &Permit<A, K>,
    which: impl FnOnce(Select<project::Entity>) -> Select<project::Entity>,
) -> Option<SelectStatement> {
    use project::Column;

    let permit = permit.also::<Read, Projects>().ok()?;
    let rows = which(project::Entity::within(&permit));
    let told_of = (Column::Id.into_expr(), Column::Name.into_expr(), Column::Id.into_expr());
    Some(told(rows, PROJECT, told_of))
}

fn environments<A: AccessMarker, K: KindMarker>(
    permit: &Permit<A, K>,
    which: impl FnOnce(Select<environment::Entity>) -> Select<environment::Entity>,
) -> Option<SelectStatement> {
    use environment::Column;

    let permit = permit.also::<Read, Environments>().ok()?;
    let rows = which(environment::Entity::within(&permit));
    let told_of = (Column::Id.into_expr(), Column::Name.into_expr(), Column::ProjectId.into_expr());
    Some(told(rows, ENVIRONMENT, told_of))
}

fn jobs<A: AccessMarker, K: KindMarker>(
    permit: &Permit<A, K>,
    which: impl FnOnce(Select<job::Entity>) -> Select<job::Entity>,
) -> Option<SelectStatement> {
    use job::Column;

    let permit = permit.also::<Read, Jobs>().ok()?;
    let rows = which(job::Entity::within(&permit));
    let told_of = (Column::Id.into_expr(), Column::Name.into_expr(), Column::ProjectId.into_expr());
    Some(told(rows, JOB, told_of))
}

/// Users of the account, or the caller alone if they may not read members.
fn users<A: AccessMarker, K: KindMarker>(
    permit: &Permit<A, K>,
    which: SimpleExpr,
) -> Option<SelectStatement> {
    use membership::Column;

    let rows = membership::Entity::find()
        .join(JoinType::InnerJoin, membership::Relation::User.def())
        .filter(Column::AccountId.eq(permit.account().get()))
        .filter(which);
    let rows = match (permit.also::<Read, Members>(), permit.author()) {
        (Ok(_), _) => rows,
        (Err(_), PrincipalId::User(me)) => rows.filter(Column::UserId.eq(me.get())),
        (Err(_), PrincipalId::ServiceToken(_) | PrincipalId::System(_)) => return None,
    };
    Some(told(rows, USER, (Column::UserId.into_expr(), user_name(), Expr::value(0))))
}

fn service_tokens<A: AccessMarker, K: KindMarker>(
    permit: &Permit<A, K>,
    which: SimpleExpr,
) -> Option<SelectStatement> {
    use service_token::Column;

    let permit = permit.also::<Read, ServiceTokens>().ok()?;
    let rows = service_token::Entity::find()
        .filter(Column::AccountId.eq(permit.account().get()))
        .filter(which);
    let told_of = (Column::Id.into_expr(), Column::Name.into_expr(), Expr::value(0));
    Some(told(rows, TOKEN, told_of))
}

/// What an account calls a user.
fn user_name() -> SimpleExpr {
    let names = [membership::Column::FirstName, membership::Column::LastName];
    let names = names.map(|column| Expr::col((membership::Entity, column)));
    let email = Expr::col((user::Entity, user::Column::Email));
    let [first, last] = names;
    Expr::cust_with_exprs("COALESCE(NULLIF(TRIM(? || ' ' || ?), ''), ?)", [first, last, email])
}
