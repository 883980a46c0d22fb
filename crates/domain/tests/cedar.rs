//! A second opinion: `cedar-policy` decides the same questions, from policies that are written
//! from the catalogue's text, and says the same in every cell.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a failure is a failed test"
)]

#[path = "common/cedar.rs"]
mod cedar;
#[path = "common/table.rs"]
mod table;
#[path = "common/world.rs"]
mod world;

use std::{collections::BTreeSet, thread};

use cedar::{Engine, Object, Who, policies, policies_under, request, request_from};
use cedar_policy::Request;
use domain::{
    Plan, UserId,
    authz::{
        AccountTerms, Action, Categories, Category, Credential, Decision, Extent, License, Place,
        Principal, ResourceKind, Restrictions, decide,
    },
    ip_restriction::Cidr,
    networks::Networks,
    rate::Rate,
};
use table::{Row, Table};
use world::{environment, environment_id, grant, job_id, project, terms, token};

/// The project that is asked about; grants name it, another one, or none.
const HERE: i64 = 1;
const THERE: i64 = 2;

/// The objects to ask about for this action.
fn objects(table: &Table, action: Action) -> Vec<Object> {
    if table.kinds[action.on.key()].of_account {
        return vec![Object::Account];
    }
    let environments = Category::ALL.map(|category| Object::Environment(HERE, category));
    environments.into_iter().chain([Object::Project(HERE)]).collect()
}

/// What we say.
fn allows(principal: &Principal, action: Action, object: Object) -> bool {
    let Decision::Allow(scope) = decide(principal, action) else { return false };
    match object {
        Object::Account => scope.everywhere() == Categories::ALL,
        Object::Project(id) => scope.categories_in(project(id)) == Categories::ALL,
        Object::Environment(id, category) | Object::Job(id, category) => {
            scope.categories_in(project(id)).has(category)
        }
    }
}

/// What we say of a principal that is restricted, from an address.
fn allows_from(principal: &Principal, action: Action, object: Object, from: &str) -> bool {
    let place = match object {
        Object::Account => None,
        Object::Project(id) => Some(Place::project(project(id))),
        Object::Environment(id, category) => Some(environment(project(id), category)),
        Object::Job(id, category) => {
            Some(environment(project(id), category).of_job(job_id(id, category)))
        }
    };
    let here = place.is_none_or(|place| Extent::of(principal, action).covers(place));
    let from = from.parse().unwrap();
    principal.holds(action) && here && principal.restrictions().admit(Some(from))
}

/// A question in our words, and in the engine's.
type Question = (Action, Object, Request);

/// Both engines, and what they are asked.
struct Comparison {
    table: Table,
    engine: Engine,
    /// By whether the one who asks opens the Admin API and may mint, in the engine's words too.
    questions: Vec<(Who, Vec<Question>)>,
}

impl Comparison {
    /// About each action on each object that `about` lets pass, asked by users or by tokens.
    fn new(is_user: bool, about: impl Fn(Action, Object) -> bool) -> Self {
        let table = Table::read();
        let all: Vec<_> = Action::all()
            .flat_map(|action| objects(&table, action).into_iter().map(move |it| (action, it)))
            .filter(|(action, object)| about(*action, *object))
            .collect();
        let in_words = |who| {
            let ask = |(action, object): &_| (*action, *object, request(who, *action, *object));
            (who, all.iter().map(ask).collect())
        };
        let questions = Who::every().filter(|who| who.is_user == is_user).map(in_words).collect();
        Self { table, engine: Engine::new(), questions }
    }

    /// How many questions there are.
    fn len(&self) -> usize {
        self.questions.first().map_or(0, |(_, questions)| questions.len())
    }

    /// Asks both everything about a principal, and about its rows that count.
    fn of(&self, live: &[Row], principal: &Principal) -> Differences {
        let may_mint = principal.terms().tokens_may_mint;
        let opens_admin = self.table.open_admin(live);
        let (who, questions) = self
            .questions
            .iter()
            .find(|(who, _)| who.may_mint == may_mint && who.opens_admin == opens_admin)
            .unwrap();
        let policies = policies(&self.table, live);
        let mut differ = Differences { asked: questions.len(), ..Differences::default() };
        for (action, object, request) in questions {
            let ours = allows(principal, *action, *object);
            if ours != self.engine.allows(&policies, request) {
                differ.at.push(format!("{live:?} {who:?}: {action} {object:?}: we say {ours}"));
            }
        }
        differ
    }
}

/// How often both were asked, and where they differ.
#[derive(Debug, Default)]
struct Differences {
    asked: usize,
    at: Vec<String>,
}

impl Differences {
    fn and(mut self, other: Self) -> Self {
        self.at.extend(other.at);
        Self { asked: self.asked + other.asked, ..self }
    }

    /// Fails if there is one; says how often both agreed.
    fn are_none(&self, of: usize, what: &str) {
        println!("{} comparisons over {of} {what}", self.asked);
        assert!(self.at.is_empty(), "{} differ: {:#?}", self.at.len(), self.at);
    }
}

/// Does `work` for each of a list, side by side.
fn side_by_side<T: Sync>(all: &[T], work: impl Fn(&T) -> Differences + Sync) -> Differences {
    let part = all.len().div_ceil(thread::available_parallelism().map_or(1, Into::into));
    let work = &work;
    thread::scope(|scope| {
        let parts: Vec<_> = all
            .chunks(part)
            .map(|part| scope.spawn(move || part.iter().map(work).collect::<Vec<_>>()))
            .collect();
        let answers = parts.into_iter().flat_map(|part| part.join().unwrap());
        answers.fold(Differences::default(), Differences::and)
    })
}

/// Nothing, each category alone, all of them.
fn raises() -> Vec<Vec<Category>> {
    let single = Category::ALL.map(|category| vec![category]);
    [vec![]].into_iter().chain(single).chain([Category::ALL.to_vec()]).collect()
}

/// Every set, on all projects, on the one that is asked about, on another, each with every raise.
/// A set that names no projects has no grant that would, and so no row.
fn shapes(table: &Table) -> Vec<Vec<Row>> {
    let scopes = [None, Some(BTreeSet::from([HERE])), Some(BTreeSet::from([THERE]))];
    let mut shapes = Vec::new();
    for (set, row) in table.sets.iter().enumerate() {
        for projects in &scopes {
            for raised in raises() {
                let can_be = projects.is_none() || row.names_projects;
                let projects = projects.clone();
                shapes.push(can_be.then_some(Row { set, projects, raised }).into_iter().collect());
            }
        }
    }
    shapes
}

fn offers(table: &Table, row: &Row, plan: Option<Plan>) -> bool {
    plan.is_some_and(|plan| table.sets[row.set].plans.iter().any(|key| key == plan.key()))
}

/// On a user, whom no plan holds back, so that every set counts.
#[test]
fn cedar_says_the_same_of_every_set_resource_access_scope_and_category() {
    let both = Comparison::new(true, |_, _| true);
    let shapes = shapes(&both.table);
    let differ = side_by_side(&shapes, |rows| {
        let grants = rows.iter().map(|row| grant(&both.table, row)).collect();
        let (id, terms) = (UserId::new(5).unwrap(), terms(Some(Plan::Enterprise)));
        let user = Principal::user(id, Credential::Process, terms, License::Developer, grants);
        both.of(rows, &user)
    });
    differ.are_none(shapes.len(), "shapes of a grant");
    assert_eq!(shapes.len(), 31 * 3 * 6, "sets, scopes, raises");
    assert_eq!(both.len(), 2 * (23 + 15 * 5), "accesses; account kinds; other kinds, places");
    assert_eq!(differ.asked, shapes.len() * both.len());
}

#[test]
fn cedar_says_the_same_of_every_plan_and_of_tokens_that_may_not_mint() {
    let whole = |_, object| object == Object::Account || object == Object::Project(HERE);
    let both = Comparison::new(false, whole);
    let plans = Plan::ALL.map(Some).into_iter().chain([None]);
    let sets = 0..both.table.sets.len();
    let all: Vec<_> = plans
        .flat_map(|plan| {
            sets.clone().flat_map(move |set| [true, false].map(|mint| (plan, set, mint)))
        })
        .collect();
    let differ = side_by_side(&all, |(plan, set, tokens_may_mint)| {
        let row = Row { set: *set, projects: None, raised: Vec::new() };
        let terms = AccountTerms { tokens_may_mint: *tokens_may_mint, ..terms(*plan) };
        let token = token(terms, vec![grant(&both.table, &row)]);
        let live: Vec<_> =
            Some(row).filter(|row| offers(&both.table, row, *plan)).into_iter().collect();
        both.of(&live, &token)
    });
    differ.are_none(all.len(), "sets on plans");
    assert_eq!(differ.asked, 5 * 31 * 2 * both.len());
}

/// Each set here with each other one elsewhere, which names every category: what one grant names
/// never raises or widens another.
#[test]
fn cedar_says_the_same_of_every_pair_of_sets() {
    use ResourceKind::{Environments, Jobs, Runs, ServiceTokens, Webhooks};
    let kinds = [Environments, Jobs, Runs, ServiceTokens, Webhooks];
    let both = Comparison::new(false, |action, _| kinds.contains(&action.on));
    let row = |set: usize, project: i64, raised: &[Category]| {
        let projects = both.table.sets[set].names_projects.then(|| [project].into());
        Row { set, projects, raised: raised.to_vec() }
    };
    let sets = 0..both.table.sets.len();
    let pairs: Vec<_> = sets
        .clone()
        .flat_map(|one| sets.clone().map(move |other| (one, other)))
        .map(|(one, other)| [row(one, HERE, &[]), row(other, THERE, &Category::ALL)])
        .collect();
    let plan = Some(Plan::Enterprise);
    let differ = side_by_side(&pairs, |rows| {
        let grants = rows.iter().map(|row| grant(&both.table, row)).collect();
        let live: Vec<_> =
            rows.iter().filter(|row| offers(&both.table, row, plan)).cloned().collect();
        both.of(&live, &token(terms(plan), grants))
    });
    differ.are_none(pairs.len(), "pairs of grants");
    assert_eq!(differ.asked, 31 * 31 * both.len());
}

/// Each restriction alone, with each other one, and all of them.
fn restricted() -> Vec<Restrictions> {
    use Category::{Production, Staging};
    let cidrs = ["10.0.0.0/8", "2001:db8::/32"].map(|text| Cidr::parse(text).unwrap());
    let ten = 10.try_into().unwrap();
    let none = Restrictions::default;
    let alone = [
        Restrictions { addresses: Some(Networks::new(cidrs)), ..none() },
        Restrictions { environments: Some([environment_id(HERE, Staging)].into()), ..none() },
        Restrictions {
            jobs: Some([Staging, Production].map(|of| job_id(HERE, of)).into()),
            ..none()
        },
        Restrictions { read_only: true, ..none() },
        Restrictions { rate: Some(Rate { per_second: ten, burst: ten }), ..none() },
    ];
    let pair = |(first, one): (usize, &Restrictions)| {
        alone.iter().skip(first).map(|other| one.clone().meet(other.clone())).collect::<Vec<_>>()
    };
    let pairs = alone.iter().enumerate().flat_map(pair);
    let all = alone.iter().cloned().fold(none(), Restrictions::meet);
    let nowhere = Restrictions { environments: Some([].into()), ..none() };
    pairs.chain([none(), all, nowhere]).collect()
}

/// The object that an action is about: of the account, of a project, an environment, or a job.
fn object_of(table: &Table, action: Action, category: Category) -> Object {
    let kind = &table.kinds[action.on.key()];
    match kind.lives_in.as_deref() {
        Some("job") => Object::Job(HERE, category),
        Some("environment") => Object::Environment(HERE, category),
        _ if kind.of_account => Object::Account,
        _ => Object::Project(HERE),
    }
}

#[test]
fn cedar_says_the_same_of_every_set_under_every_restriction_and_two() {
    let (table, engine, plan) = (Table::read(), Engine::new(), Some(Plan::Enterprise));
    let restricted = restricted();
    let sets = 0..table.sets.len();
    let all: Vec<_> =
        sets.flat_map(|set| restricted.iter().map(move |by| (set, by.clone()))).collect();
    let differ = side_by_side(&all, |(set, by)| {
        let row = Row { set: *set, projects: None, raised: vec![Category::Staging] };
        let principal = token(terms(plan), vec![grant(&table, &row)]).restricted(by.clone());
        let live: Vec<_> = Some(row).filter(|row| offers(&table, row, plan)).into_iter().collect();
        let who = Who { is_user: false, may_mint: true, opens_admin: table.open_admin(&live) };
        let policies = policies_under(by, &table, &live);
        let mut differ = Differences::default();
        for action in Action::all() {
            for category in [Category::Staging, Category::Production] {
                let object = object_of(&table, action, category);
                let placed = matches!(object, Object::Job(..) | Object::Environment(..));
                let froms = ["10.1.2.3", "192.0.2.1", "2001:db8::7"];
                let froms = if placed { &froms[..] } else { &froms[..2] };
                if !placed && category == Category::Production {
                    continue;
                }
                for from in froms {
                    differ.asked += 1;
                    let ours = allows_from(&principal, action, object, from);
                    let request = request_from(who, action, object, from);
                    if ours != engine.allows(&policies, &request) {
                        let at =
                            format!("{live:?} {by:?}: {action} {object:?} {from}: we say {ours}");
                        differ.at.push(at);
                    }
                }
            }
        }
        differ
    });
    differ.are_none(all.len(), "sets under restrictions");
    assert_eq!(restricted.len(), 5 + 10 + 3);
    assert_eq!(differ.asked, 31 * 18 * 2 * (35 * 2 + 3 * 2 * 3));
}
