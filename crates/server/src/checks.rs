//! May this token do that here? Answered by the decision that requests go through, for every face
//! that asks.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::Arc,
};

use domain::{
    ServiceTokenId, Timestamp,
    authz::{
        Action, Environments, Identity, Jobs, Judge, Permit, Place, Principal, Read, Refusal,
        Restriction, Rule, ServiceTokens, Whereabouts, explain, kinds::Projects,
    },
    service_token::ServiceToken,
};
use store::Places;
use wire::v3::{Check, CheckAnswer, CheckProjects, Checks, NamedSet};

use crate::{app::App, error::ApiError};

/// The answers to these questions, in their order, and the token that they are about where another
/// than the caller's own is named.
///
/// Of objects that the caller does not see, no answer about another token says that they are there.
/// Nothing is done, and nothing is counted as a use of that other token, or against its rate.
///
/// # Errors
/// [`ApiError::Denied`] where the caller may not read service tokens and asks about another one, or
/// about another address; [`ApiError::NotFound`] if there is no such token; [`ApiError::Invalid`].
pub(crate) async fn answers(
    app: &App,
    permit: &Permit<Read, Identity>,
    asked: &Checks,
) -> Result<(Vec<CheckAnswer>, Option<ServiceToken>), ApiError> {
    let subject = match asked.token {
        Some(id) => Subject::named(app, permit, id).await?,
        None => Subject::asking(app, permit, asked).await?,
    };
    let mut world = World::of(app, permit, asked).await?;
    let mut judge = Judge::of(&subject.principal);
    let answers = asked.questions.iter().map(|one| world.answer(&subject, &mut judge, one));
    Ok((answers.collect(), subject.token))
}

/// Whom it is about.
struct Subject {
    principal: Arc<Principal>,
    /// Where it is about another token, or about another time.
    token: Option<ServiceToken>,
}

impl Subject {
    /// Another token.
    async fn named(
        app: &App,
        permit: &Permit<Read, Identity>,
        id: ServiceTokenId,
    ) -> Result<Self, ApiError> {
        let (token, restrictions) = app.store.token_restrictions(&permit.also()?, id).await?;
        let grants = token.grants.iter().map(|row| row.grant.clone()).collect();
        let principal = Principal::service_token(id, 0, *permit.principal().terms(), grants);
        let principal = Arc::new(principal.restricted(restrictions));
        Ok(Self { principal, token: Some(token) })
    }

    /// The one who asks.
    async fn asking(
        app: &App,
        permit: &Permit<Read, Identity>,
        asked: &Checks,
    ) -> Result<Self, ApiError> {
        let principal = Arc::new(permit.principal().clone());
        let Some(place) = asked.questions.iter().position(|one| one.at.is_some()) else {
            return Ok(Self { principal, token: None });
        };
        let token = app.store.asking_token(permit).await?;
        if token.is_none() {
            let prefix = if asked.alone { String::new() } else { format!("questions[{place}].") };
            return Err(ApiError::field(format!("{prefix}at"), "is asked of service tokens"));
        }
        Ok(Self { principal, token })
    }
}

/// What the questions are about, read once for all.
struct World {
    now: Timestamp,
    places: Places,
    admitted: HashMap<IpAddr, bool>,
    /// What would hold an action, once it was asked for.
    sets: HashMap<Action, Vec<NamedSet>>,
}

impl World {
    async fn of(
        app: &App,
        permit: &Permit<Read, Identity>,
        asked: &Checks,
    ) -> Result<Self, ApiError> {
        let questions = || asked.questions.iter();
        let addresses: BTreeSet<_> = questions().filter_map(|one| one.address).collect();
        if !addresses.is_empty() {
            // Otherwise whoever has a token could search for the addresses that it is good from.
            permit.also::<Read, ServiceTokens>()?;
        }
        let projects: BTreeSet<_> = questions().filter_map(|one| one.project).collect();
        let environments: BTreeSet<_> = questions().filter_map(|one| one.environment).collect();
        let jobs: BTreeSet<_> = questions().filter_map(|one| one.job).collect();
        let mut places = app.store.places(permit, &projects, &environments, &jobs).await?;
        if asked.token.is_some() {
            // What the caller does not see is not there, whatever the other token may.
            let sees = |action: Action, place: Place| {
                let mut judge = Judge::of(permit.principal());
                judge.ask(action, Whereabouts::Object(place)).is_ok()
            };
            let (reads, on) = (Action::of::<Read, Jobs>(), Action::of::<Read, Environments>());
            places.jobs.retain(|_, place| sees(reads, *place));
            places.environments.retain(|_, place| sees(on, *place));
            let reads = Action::of::<Read, Projects>();
            places.projects.retain(|project| sees(reads, Place::project(*project)));
        }
        let admitted = app.store.admits_addresses(permit, &addresses).await?;
        let now = app.store.clock().now();
        Ok(Self { now, places, admitted, sets: HashMap::new() })
    }

    fn answer(&mut self, subject: &Subject, judge: &mut Judge<'_>, asked: &Check) -> CheckAnswer {
        let refused = self.refuses(subject, judge, asked).err();
        let rule = refused.as_ref().and_then(|(_, rule, _)| *rule);
        let helps = rule.is_none_or(Rule::is_lifted_by_a_grant);
        let permission_sets = match &refused {
            Some((status, ..)) if helps && *status != UNAUTHORIZED => {
                let plan = subject.principal.terms().plan;
                let sets = || explain(asked.action, plan).into_iter().map(Into::into).collect();
                self.sets.entry(asked.action).or_insert_with(sets).clone()
            }
            Some(_) | None => Vec::new(),
        };
        let (status, reason) = refused.map(|(status, _, reason)| (status, reason)).unzip();
        CheckAnswer {
            allowed: status.is_none(),
            reason,
            status,
            rule: rule.map(|rule| rule.key().to_owned()),
            restriction: rule.and_then(Rule::restriction).map(|one| one.key().to_owned()),
            resource: asked.action.on.key().to_owned(),
            action: asked.action.access.key().to_owned(),
            project_id: asked.project.map(domain::ProjectId::get),
            projects: CheckProjects::from(judge.scope(asked.action)),
            permission_sets,
        }
    }

    /// With which status a request would be refused, by which rule, and why.
    fn refuses(
        &self,
        subject: &Subject,
        judge: &mut Judge<'_>,
        asked: &Check,
    ) -> Result<(), (u16, Option<Rule>, String)> {
        let at = asked.at.unwrap_or(self.now);
        if subject.token.as_ref().is_some_and(|token| !token.is_usable(at)) {
            return Err((UNAUTHORIZED, None, "the token authorises nothing then".to_owned()));
        }
        if let Some(address) = asked.address {
            if !self.admitted.get(&address).copied().unwrap_or(false) {
                let reason = "the account's IP restrictions do not admit the address";
                return Err((FORBIDDEN, None, reason.to_owned()));
            }
            if !subject.principal.restrictions().admit(Some(address)) {
                let rule = Rule::Restriction(Restriction::Addresses);
                return Err((FORBIDDEN, Some(rule), reason(rule, judge, asked)));
            }
        }
        let refusal = match judge.ask(asked.action, self.whereabouts(asked)) {
            Ok(()) => return Ok(()),
            Err(refusal) => refusal,
        };
        let rule = match refusal {
            Refusal::Denied(denied) => denied.rule(),
            Refusal::NotFound => None,
        };
        Err(match rule {
            Some(rule) => (FORBIDDEN, Some(rule), reason(rule, judge, asked)),
            None => (NOT_FOUND, None, unseen(asked)),
        })
    }

    /// Where a question is about.
    fn whereabouts(&self, asked: &Check) -> Whereabouts {
        let found = match (asked.job, asked.environment) {
            (Some(job), _) => self.places.jobs.get(&job).copied(),
            (None, Some(environment)) => self.places.environments.get(&environment).copied(),
            (None, None) => match asked.project {
                None => return Whereabouts::Anywhere,
                Some(project) if self.places.projects.contains(&project) => {
                    return Whereabouts::Project(project, asked.category);
                }
                Some(_) => return Whereabouts::Nothing,
            },
        };
        let meant = |place: &Place| {
            let environment = place.environment.map(|(id, _)| id);
            asked.project.is_none_or(|project| project == place.project)
                && asked.environment.is_none_or(|asked| environment == Some(asked))
        };
        found.filter(meant).map_or(Whereabouts::Nothing, Whereabouts::Object)
    }
}

const UNAUTHORIZED: u16 = 401;
const FORBIDDEN: u16 = 403;
const NOT_FOUND: u16 = 404;

/// Why something is not found: the same words whether or not it is there.
fn unseen(asked: &Check) -> String {
    let (action, or) = (asked.action, "or what was named is not there");
    match asked.project {
        Some(id) => format!("{action} is granted on other projects, not on project {id}, {or}"),
        None => format!("{action} is granted elsewhere, {or}"),
    }
}

/// The rule in words.
fn reason(rule: Rule, judge: &mut Judge<'_>, asked: &Check) -> String {
    let action = asked.action;
    match rule {
        Rule::NoGrant => format!("no grant holds {action}"),
        Rule::Scope => format!("{action} is granted on other projects, not there"),
        Rule::EnvironmentCategory => {
            let held = match asked.project {
                Some(project) => judge.scope(action).categories_in(project).words().join(", "),
                None => "other".to_owned(),
            };
            format!("there {action} is granted in {held} environments only")
        }
        Rule::Restriction(restriction) => {
            format!("the token's restriction `{}` takes it away", restriction.key())
        }
        Rule::Plan => {
            format!("the account's plan does not offer the permission set that holds {action}")
        }
        Rule::AccountSetting => format!("the account keeps {action} from service tokens"),
        Rule::License => format!("the user's licence keeps {action} from them"),
    }
}
