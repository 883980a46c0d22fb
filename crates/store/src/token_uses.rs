//! What tokens were used for, and by whom: noted in memory, written down with the last uses.
//!
//! Both are bounded. What comes beyond [`MOST_ROWS`] a token and day is counted as used wherever the
//! token reaches, so that nothing that it did is taken for needless.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::IpAddr,
    sync::Mutex,
};

use domain::{
    ServiceTokenId, Timestamp,
    authz::{Action, Decisions, Origin, Permit, Read, Runs, ServiceTokens, Use, UsedAt, Write},
    service_token::ServiceToken,
    token_use::{Day, Days, RefusalCount, TokenUses, UseCount},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, DatabaseTransaction, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, QueryTrait as _,
    sea_query::{Expr, ExprTrait as _, OnConflict},
};
use serde_json::{Value, json};

use crate::{
    Store, StoreError,
    db::lock,
    dialect,
    entities::{
        service_token, token_sender,
        token_use::{self, Column, Entity, columns},
        token_use_action::{self, name},
    },
    retention::keeper_alone,
    service_tokens::find,
};

/// The most rows of a token and day. Beyond come only those of actions used wherever it reaches, one
/// an action.
pub(crate) const MOST_ROWS: usize = 200;
/// The most that are noted in memory until they are written, of all tokens.
const MOST_NOTED: usize = 100_000;
/// The most senders that are kept of a token: those that were seen last.
pub(crate) const MOST_SENDERS: usize = 100;

/// What is not written down yet.
#[derive(Default)]
pub(crate) struct NotedUses(Mutex<Uses>);

/// Counts and senders, by token.
#[derive(Default)]
pub(crate) struct Uses {
    counts: HashMap<(ServiceTokenId, Day), HashMap<Use, Count>>,
    rows: usize,
    senders: HashMap<ServiceTokenId, Vec<Sent>>,
}

/// How often something was decided.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    allowed: u64,
    refused: u64,
}

/// What somebody sent.
struct Sent {
    address: Option<IpAddr>,
    agent: String,
    first: Timestamp,
    last: Timestamp,
    requests: u64,
}

impl NotedUses {
    /// A request of a token was decided.
    pub(crate) fn note(
        &self,
        token: ServiceTokenId,
        at: Timestamp,
        origin: &Origin,
        decisions: &Decisions,
    ) {
        let mut noted = lock(&self.0);
        let day = Day::of(at);
        for used in &decisions.allowed {
            noted.count((token, day), *used, Count { allowed: 1, refused: 0 });
        }
        for action in &decisions.refused {
            let used = Use { action: *action, at: UsedAt::Somewhere };
            noted.count((token, day), used, Count { allowed: 0, refused: 1 });
        }
        noted.sent(token, origin.address, &origin.agent, (at, at), 1);
    }

    /// What there is to write.
    pub(crate) fn take(&self) -> Uses {
        std::mem::take(&mut *lock(&self.0))
    }

    /// It could not be written: it is kept for the next time.
    pub(crate) fn put_back(&self, uses: Uses) {
        let mut noted = lock(&self.0);
        for (of, counts) in uses.counts {
            for (used, count) in counts {
                noted.count(of, used, count);
            }
        }
        for (token, senders) in uses.senders {
            for sent in senders {
                let seen = (sent.first, sent.last);
                noted.sent(token, sent.address, &sent.agent, seen, sent.requests);
            }
        }
    }
}

impl Uses {
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.senders.is_empty()
    }

    fn count(&mut self, of: (ServiceTokenId, Day), used: Use, count: Count) {
        let counts = self.counts.entry(of).or_default();
        let full = counts.len() >= MOST_ROWS || self.rows >= MOST_NOTED;
        let used = if full && !counts.contains_key(&used) { anywhere(used) } else { used };
        let noted = counts.entry(used).or_insert_with(|| {
            self.rows += 1;
            Count::default()
        });
        noted.allowed += count.allowed;
        noted.refused += count.refused;
    }

    fn sent(
        &mut self,
        token: ServiceTokenId,
        address: Option<IpAddr>,
        agent: &str,
        (first, last): (Timestamp, Timestamp),
        requests: u64,
    ) {
        let senders = self.senders.entry(token).or_default();
        let known = senders.iter_mut().find(|sent| sent.address == address && sent.agent == agent);
        if let Some(sent) = known {
            (sent.first, sent.last) = (sent.first.min(first), sent.last.max(last));
            sent.requests += requests;
            return;
        }
        if senders.len() >= MOST_SENDERS {
            let oldest = senders.iter().enumerate().min_by_key(|(_, sent)| sent.last);
            if let Some((oldest, _)) = oldest {
                senders.swap_remove(oldest);
            }
        }
        senders.push(Sent { address, agent: agent.to_owned(), first, last, requests });
    }
}

/// A use that there is no room to tell the place of.
const fn anywhere(used: Use) -> Use {
    match used.at {
        UsedAt::Somewhere => used,
        UsedAt::Wherever | UsedAt::Project(..) => Use { at: UsedAt::Wherever, ..used },
    }
}

/// Writes it down.
pub(crate) async fn write(db: &DatabaseTransaction, uses: &Uses) -> Result<(), StoreError> {
    if !uses.counts.is_empty() {
        write_counts(db, uses).await?;
    }
    if !uses.senders.is_empty() {
        write_senders(db, uses).await?;
    }
    Ok(())
}

async fn write_counts(db: &DatabaseTransaction, uses: &Uses) -> Result<(), StoreError> {
    let (actions, sizes) = (numbers(db, uses).await?, sizes(db, uses).await?);
    let mut rows: HashMap<[i64; 5], Count> = HashMap::new();
    for ((token, day), counts) in &uses.counts {
        let of = (token.get(), day.number());
        let size = sizes.get(&of).copied().unwrap_or(0);
        // Most have room for all of them, and need not be read.
        let has_room = size + counts.len() <= MOST_ROWS;
        let written = if has_room { HashSet::new() } else { keys(db, of).await? };
        let mut room = MOST_ROWS.saturating_sub(size);
        for (used, count) in counts {
            let mut key = key(of, *used, &actions)?;
            if !written.contains(&key) {
                if room == 0 {
                    key = self::key(of, anywhere(*used), &actions)?;
                }
                room = room.saturating_sub(1);
            }
            let row = rows.entry(key).or_default();
            row.allowed += count.allowed;
            row.refused += count.refused;
        }
    }
    let row = |(key, count): (&[i64; 5], &Count)| json!([key, count.allowed, count.refused]);
    let rows: Vec<Value> = rows.iter().map(row).collect();
    db.execute_raw(dialect::count_uses(&rows)).await.map(drop).map_err(StoreError::db)
}

async fn write_senders(db: &DatabaseTransaction, uses: &Uses) -> Result<(), StoreError> {
    let mut rows = Vec::new();
    for (token, senders) in &uses.senders {
        for Sent { address, agent, first, last, requests } in senders {
            let address = address.map(|address| address.to_string()).unwrap_or_default();
            let (first, last) = (first.micros(), last.micros());
            rows.push(json!([token.get(), address, agent, first, last, requests]));
        }
    }
    let tokens: Vec<i64> = uses.senders.keys().map(|token| token.get()).collect();
    for statement in [dialect::note_senders(&rows), dialect::keep_senders(&tokens, MOST_SENDERS)] {
        db.execute_raw(statement).await.map_err(StoreError::db)?;
    }
    Ok(())
}

/// The columns of a row: token, day, action, project, place.
fn key(
    (token, day): (i64, i64),
    used: Use,
    actions: &HashMap<String, i64>,
) -> Result<[i64; 5], StoreError> {
    let unknown = || StoreError::Corrupt(format!("{} has no number", used.action));
    let action = *actions.get(&name(used.action)).ok_or_else(unknown)?;
    let (project, place) = columns(used.at);
    Ok([token, day, action, project, place])
}

/// How many rows there are of each token and day that there is something to write of.
async fn sizes(
    db: &impl ConnectionTrait,
    uses: &Uses,
) -> Result<HashMap<(i64, i64), usize>, StoreError> {
    let tokens: HashSet<i64> = uses.counts.keys().map(|(token, _)| token.get()).collect();
    let days: HashSet<i64> = uses.counts.keys().map(|(_, day)| day.number()).collect();
    let sizes: Vec<(i64, i64, i64)> = Entity::find()
        .select_only()
        .columns([Column::ServiceTokenId, Column::Day])
        .expr(Expr::col(Column::Place).count())
        .filter(Column::ServiceTokenId.is_in(tokens))
        .filter(Column::Day.is_in(days))
        .group_by(Column::ServiceTokenId)
        .group_by(Column::Day)
        .into_tuple()
        .all(db)
        .await
        .map_err(StoreError::db)?;
    let size = |(token, day, rows): (i64, i64, i64)| {
        Ok(((token, day), usize::try_from(rows).map_err(StoreError::corrupt)?))
    };
    sizes.into_iter().map(size).collect()
}

/// The rows that there are of a token and day.
async fn keys(
    db: &impl ConnectionTrait,
    (token, day): (i64, i64),
) -> Result<HashSet<[i64; 5]>, StoreError> {
    let rows = Entity::find()
        .filter(Column::ServiceTokenId.eq(token))
        .filter(Column::Day.eq(day))
        .all(db)
        .await
        .map_err(StoreError::db)?;
    let key = |row: token_use::Model| {
        [row.service_token_id, row.day, row.action_id, row.project_id, row.place]
    };
    Ok(rows.into_iter().map(key).collect())
}

/// The numbers of all actions, those that have none yet given one.
async fn numbers(
    db: &DatabaseTransaction,
    uses: &Uses,
) -> Result<HashMap<String, i64>, StoreError> {
    use token_use_action::{ActiveModel, Column, Entity};
    let known = actions(db).await?;
    let known: HashSet<&str> = known.values().map(|row| row.name.as_str()).collect();
    let names = uses.counts.values().flat_map(HashMap::keys).map(|it| name(it.action));
    let new: HashSet<String> = names.filter(|name| !known.contains(name.as_str())).collect();
    if !new.is_empty() {
        let row = |name| ActiveModel { name: Set(name), ..Default::default() };
        let mut once = OnConflict::column(Column::Name);
        Entity::insert_many(new.into_iter().map(row))
            .on_conflict(once.do_nothing().to_owned())
            .exec_without_returning(db)
            .await
            .map_err(StoreError::db)?;
    }
    Ok(actions(db).await?.into_values().map(|row| (row.name, row.id)).collect())
}

async fn actions(
    db: &impl ConnectionTrait,
) -> Result<HashMap<i64, token_use_action::Model>, StoreError> {
    let rows = token_use_action::Entity::find().all(db).await.map_err(StoreError::db)?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

impl Store {
    /// What a token was used for in these days, and by whom, to this moment.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn token_uses(
        &self,
        permit: &Permit<Read, ServiceTokens>,
        id: ServiceTokenId,
        days: Days,
    ) -> Result<(ServiceToken, TokenUses), StoreError> {
        self.flush_last_used().await?;
        let token = find(self.reader(), permit.account(), id).await?;
        let uses = of(self.reader(), id, days, self.clock().now()).await?;
        Ok((token, uses))
    }

    /// Forgets what the account's tokens were used for before this day, and who used them last
    /// before it.
    ///
    /// # Errors
    /// [`StoreError::Denied`] if the permit is not the keeper's, [`StoreError::Unavailable`].
    pub async fn forget_token_uses(
        &self,
        permit: &Permit<Write, Runs>,
        before: Day,
    ) -> Result<(), StoreError> {
        keeper_alone(permit)?;
        let tokens = || {
            service_token::Entity::find()
                .select_only()
                .column(service_token::Column::Id)
                .filter(service_token::Column::AccountId.eq(permit.account().get()))
                .into_query()
        };
        let tx = self.begin(permit).await?;
        Entity::delete_many()
            .filter(Column::ServiceTokenId.in_subquery(tokens()))
            .filter(Column::Day.lt(before.number()))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        let begins = before.begins().map_or(i64::MIN, Timestamp::micros);
        token_sender::Entity::delete_many()
            .filter(token_sender::Column::ServiceTokenId.in_subquery(tokens()))
            .filter(token_sender::Column::LastUsed.lt(begins))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        tx.commit_unrecorded().await
    }
}

/// What is written of a token's uses in these days.
pub(crate) async fn of(
    db: &impl ConnectionTrait,
    token: ServiceTokenId,
    days: Days,
    now: Timestamp,
) -> Result<TokenUses, StoreError> {
    let since = days.since(now);
    let rows = Entity::find()
        .filter(Column::ServiceTokenId.eq(token.get()))
        .filter(Column::Day.gte(since.number()))
        .order_by_asc(Column::Day)
        .all(db)
        .await
        .map_err(StoreError::db)?;
    let begins = since.begins().map_or(i64::MIN, Timestamp::micros);
    let senders = token_sender::Entity::find()
        .filter(token_sender::Column::ServiceTokenId.eq(token.get()))
        .filter(token_sender::Column::LastUsed.gte(begins))
        .order_by_desc(token_sender::Column::LastUsed)
        .order_by_desc(token_sender::Column::Id)
        .all(db)
        .await
        .map_err(StoreError::db)?;
    let actions = actions(db).await?;
    let senders = senders.into_iter().map(token_sender::Model::into_domain);
    let mut uses = TokenUses { senders: senders.collect::<Result<_, _>>()?, ..Default::default() };
    let mut allowed: BTreeMap<Use, UseCount> = BTreeMap::new();
    let mut refused: BTreeMap<Action, RefusalCount> = BTreeMap::new();
    for row in rows {
        let action = actions.get(&row.action_id).and_then(token_use_action::Model::action);
        // What a newer build knows and this one does not is no action here.
        let Some(action) = action else { continue };
        add(&row, action, &mut allowed, &mut refused)?;
    }
    uses.allowed = allowed.into_values().collect();
    uses.refused = refused.into_values().collect();
    Ok(uses)
}

/// Adds a day's count to those of the days before.
fn add(
    row: &token_use::Model,
    action: Action,
    allowed: &mut BTreeMap<Use, UseCount>,
    refused: &mut BTreeMap<Action, RefusalCount>,
) -> Result<(), StoreError> {
    let (used, day) = (Use { action, at: row.used_at()? }, row.on()?);
    let times = |count: i64| u64::try_from(count).map_err(StoreError::corrupt);
    if row.allowed > 0 {
        let new = UseCount { used, allowed: 0, days: 0, first: day, last: day };
        let count = allowed.entry(used).or_insert(new);
        count.allowed += times(row.allowed)?;
        count.days += 1;
        count.last = day;
    }
    if row.refused > 0 {
        let new = RefusalCount { action, refused: 0, last: day };
        let count = refused.entry(action).or_insert(new);
        count.refused += times(row.refused)?;
        count.last = day;
    }
    Ok(())
}

/// The condition that nobody used a token for so many days: it was made before them, too.
pub(crate) fn is_unused(days: Days, now: Timestamp) -> sea_orm::sea_query::SimpleExpr {
    let before = days.before(now).micros();
    let unused = Expr::col(service_token::Column::LastUsed);
    let unused = unused.clone().is_null().or(unused.lt(before));
    Expr::col(service_token::Column::CreatedAt).lt(before).and(unused)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::{
        Name, Plan, ProjectId,
        authz::{Access, Caller, Category, ResourceKind, authorize},
        secret::{TokenKind, TokenSecret},
        user::Email,
    };
    use rand::{SeedableRng as _, rngs::StdRng};
    use sea_orm::{DbBackend, Statement};

    use super::*;
    use crate::{Clock, DataDir, Keyring, NewAccount, NewServiceToken};

    struct House {
        _folder: tempfile::TempDir,
        store: Store,
        admin: Arc<Caller>,
        rng: StdRng,
    }

    async fn house() -> House {
        let folder = tempfile::TempDir::new().unwrap();
        let dir = DataDir::new(folder.path());
        let keyring = Keyring::load_or_create(&dir.keyring()).unwrap();
        let store = Store::open(&dir, keyring, Clock::System).await.unwrap();
        let mut rng = StdRng::seed_from_u64(1);
        let new = NewAccount {
            name: Name::parse("Acme").unwrap(),
            plan: Plan::Enterprise,
            admin_email: Email::parse("ada@example.com").unwrap(),
        };
        let secret = TokenSecret::mint(TokenKind::Personal, &mut rng);
        store.create_account(new, &secret).await.unwrap();
        let admin = store.authenticate(&secret).await.unwrap().unwrap();
        let admin = Arc::new(Caller::new(admin, Origin::local()));
        House { _folder: folder, store, admin, rng }
    }

    impl House {
        async fn token(&mut self) -> ServiceTokenId {
            let permit = authorize(&self.admin, self.admin.principal().account()).unwrap();
            let new = NewServiceToken {
                name: Name::parse("nightly").unwrap(),
                grants: vec![],
                end: None,
            };
            let secret = TokenSecret::mint(TokenKind::Service, &mut self.rng);
            self.store.create_service_token(&permit, new, &secret).await.unwrap().id
        }

        fn note(&self, token: ServiceTokenId, at: Timestamp, agent: &str, uses: Vec<Use>) {
            let decisions = Decisions { allowed: uses, refused: vec![] };
            let origin = Origin { agent: agent.to_owned(), ..Origin::local() };
            self.store.last_used().uses.note(token, at, &origin, &decisions);
        }

        async fn told(&self, token: ServiceTokenId) -> TokenUses {
            let permit = authorize(&self.admin, self.admin.principal().account()).unwrap();
            self.store.token_uses(&permit, token, Days::ALL).await.unwrap().1
        }

        async fn pages(&self) -> i64 {
            let statement = Statement::from_string(DbBackend::Sqlite, "PRAGMA page_count");
            let row = self.store.reader().query_one_raw(statement).await.unwrap().unwrap();
            row.try_get_by_index(0).unwrap()
        }
    }

    fn there(access: Access, on: ResourceKind, project: i64, category: Option<Category>) -> Use {
        let project = ProjectId::new(project).unwrap();
        Use { action: Action::new(access, on), at: UsedAt::Project(project, category) }
    }

    fn read_jobs(project: i64) -> Use {
        there(Access::Read, ResourceKind::Jobs, project, None)
    }

    #[tokio::test]
    async fn what_a_day_has_no_room_for_is_counted_as_used_wherever_the_token_reaches() {
        let mut house = house().await;
        let (token, now) = (house.token().await, house.store.clock().now());
        for turn in 0..3 {
            for project in 1..=150 {
                house.note(token, now, "cron", vec![read_jobs(turn * 100 + project)]);
            }
            house.store.flush_last_used().await.unwrap();
        }
        house.note(token, now, "cron", (301..=900).map(read_jobs).collect());

        let told = house.told(token).await;
        let wherever = Use { at: UsedAt::Wherever, ..read_jobs(1) };
        assert_eq!(told.allowed.len(), MOST_ROWS + 1);
        assert!(told.uses().contains(&wherever) && told.uses().contains(&read_jobs(1)));
        assert_eq!(told.allowed.iter().map(|count| count.allowed).sum::<u64>(), 3 * 150 + 600);
    }

    #[tokio::test]
    async fn of_many_senders_those_that_were_seen_last_are_kept() {
        let mut house = house().await;
        let (token, now) = (house.token().await, house.store.clock().now());
        for turn in 0..2 {
            for number in 0..80 {
                let at = now.plus_seconds(turn * 80 + number);
                house.note(token, at, &format!("agent {}", turn * 80 + number), vec![]);
            }
            house.store.flush_last_used().await.unwrap();
        }
        for number in 0..300 {
            house.note(token, now.plus_seconds(-1), &format!("older {number}"), vec![]);
        }

        let told = house.told(token).await;
        let agents: Vec<_> = told.senders.iter().map(|sender| sender.agent.as_str()).collect();
        assert_eq!(agents.len(), MOST_SENDERS);
        assert_eq!((agents[0], agents[99]), ("agent 159", "agent 60"));
    }

    #[tokio::test]
    async fn what_could_not_be_written_is_kept_for_the_next_time() {
        let mut house = house().await;
        let (token, now) = (house.token().await, house.store.clock().now());
        house.note(token, now, "cron", vec![read_jobs(1), read_jobs(1)]);
        let unwritten = house.store.last_used().take().unwrap();
        house.note(token, now, "cron", vec![read_jobs(1)]);
        house.store.last_used().put_back(unwritten);

        let told = house.told(token).await;
        assert_eq!(told.allowed.iter().map(|count| count.allowed).collect::<Vec<_>>(), [3]);
        assert_eq!(told.senders.iter().map(|sender| sender.requests).collect::<Vec<_>>(), [2]);
    }

    /// A token that triggers a job every hour and follows its runs: five rows a day. Measured: see
    /// `docs/speed.md`.
    #[tokio::test]
    async fn an_ordinary_token_takes_at_most_200_bytes_a_day() {
        const TOKENS: i64 = 20;
        const DAYS: i64 = 90;
        let mut house = house().await;
        let mut tokens = Vec::new();
        for _ in 0..TOKENS {
            tokens.push(house.token().await);
        }
        let first = house.store.clock().now();
        let uses = |project| {
            vec![
                read_jobs(project),
                there(Access::Read, ResourceKind::Runs, project, None),
                there(Access::Write, ResourceKind::Runs, project, Some(Category::Production)),
                there(Access::Read, ResourceKind::Environments, project, None),
                Use {
                    action: Action::new(Access::Read, ResourceKind::Identity),
                    at: UsedAt::Somewhere,
                },
            ]
        };
        let before = house.pages().await;
        for day in 0..DAYS {
            for (token, project) in tokens.iter().zip(100..) {
                (0..24).for_each(|_| {
                    house.note(*token, first.plus_seconds(day * 86_400), "airflow", uses(project));
                });
            }
            house.store.flush_last_used().await.unwrap();
        }
        let bytes = (house.pages().await - before) * 4_096;
        let each = bytes / (TOKENS * DAYS);
        println!("{each} bytes a token and day");
        assert!(each <= 200, "{each} bytes a token and day");
        assert_eq!(house.told(tokens[0]).await.allowed.len(), 5);
    }
}
