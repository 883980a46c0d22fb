//! What a token can do, and what changes when its grants do, in plain words.
//!
//! Both are asked of the one decision function, action by action, so that restrictions, plan and
//! account settings count as they do when the token calls.

use domain::{
    ProjectId, ServiceTokenId, Timestamp,
    authz::{
        Access, AccountTerms, Action, Categories, Category, Decision, Grant, Level, Principal,
        ResourceRow, Restrictions, Scope, catalogue, decide,
    },
};

use super::{held_to::Named, page::When, token_view::ProjectNames};

/// What a token can do.
pub(super) struct Story {
    /// Whether it can change everything that its account holds.
    pub(super) everything: bool,
    /// What it can do otherwise, line by line.
    pub(super) lines: Vec<Line>,
    /// What holds it back, a sentence each.
    pub(super) limits: Vec<String>,
}

/// Some things that it can do in one place.
pub(super) struct Line {
    /// `change` or `read`
    pub(super) verb: &'static str,
    /// `Jobs, Runs and Environments`
    pub(super) what: String,
    /// `in shop and finance`
    pub(super) place: String,
}

/// A right that is gained, lost or kept.
pub(super) struct Shift {
    /// What the stylesheet goes by: `lost`, `gained` or `same`.
    pub(super) class: &'static str,
    /// `Jobs`
    pub(super) resource: &'static str,
    /// `write, in shop`
    pub(super) says: String,
}

/// A token with these grants, held to these restrictions.
pub(super) fn token_with(
    terms: AccountTerms,
    grants: Vec<Grant>,
    restrictions: Restrictions,
) -> Principal {
    // Which token it is makes no difference to what it may do.
    let id = ServiceTokenId::new(i64::MAX).expect("ids are positive");
    Principal::service_token(id, 0, terms, grants).restricted(restrictions)
}

impl Story {
    /// What this token can do, until this end.
    pub(super) fn of(
        token: &Principal,
        end: Option<Timestamp>,
        projects: &ProjectNames,
        places: &Named,
        now: Timestamp,
    ) -> Self {
        let everything = holds_everything(token);
        let lines = if everything { Vec::new() } else { lines(token, projects) };
        let mut limits = places.limits(token.restrictions());
        limits.extend(end.map(|end| format!("Only until {}.", When::new(end, now).exact)));
        Self { everything, lines, limits }
    }

    /// Whether it can do nothing.
    pub(super) fn is_empty(&self) -> bool {
        !self.everything && self.lines.is_empty()
    }
}

/// Whether one of its sets administers the account, and nothing is taken away from it.
fn holds_everything(token: &Principal) -> bool {
    let (_, administering) = catalogue().administering();
    let mut sets = token.grants().iter().map(Grant::permission_set);
    sets.any(|set| {
        let whole = set.row().rights.actions().all(|action| token.holds(action));
        whole && administering.contains(&set)
    })
}

fn granted() -> impl Iterator<Item = &'static ResourceRow> {
    catalogue().resources().iter().filter(|row| row.is_granted())
}

/// Where the token may do it; nowhere if it may not.
fn scope(token: &Principal, access: Access, row: &ResourceRow) -> Scope {
    match decide(token, Action::new(access, row.kind)) {
        Decision::Allow(scope) => scope,
        Decision::Deny => Scope::nowhere(),
    }
}

/// Everything that is allowed, by where: what is written first, and what is read besides.
fn lines(token: &Principal, projects: &ProjectNames) -> Vec<Line> {
    let mut found: Vec<(Access, Level, Scope, Vec<&str>)> = Vec::new();
    for access in [Access::Write, Access::Read] {
        for row in granted() {
            let here = scope(token, access, row);
            let written = access == Access::Read && scope(token, Access::Write, row) == here;
            if here.is_nowhere() || written {
                continue;
            }
            let place = |other: &&mut (Access, Level, Scope, Vec<&str>)| {
                other.0 == access && other.1 == row.level && other.2 == here
            };
            match found.iter_mut().find(place) {
                Some((.., labels)) => labels.push(&row.label),
                None => found.push((access, row.level, here, vec![&row.label])),
            }
        }
    }
    let line = |(access, level, scope, labels): (_, _, _, Vec<&str>)| Line {
        verb: if access == Access::Write { "change" } else { "read" },
        what: listed(&labels),
        place: place(level, &scope, projects),
    };
    found.into_iter().map(line).collect()
}

/// What is lost, then gained, then kept.
pub(super) fn shifts(before: &Principal, after: &Principal, projects: &ProjectNames) -> Vec<Shift> {
    let (mut lost, mut gained, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for row in granted() {
        for access in [Access::Write, Access::Read] {
            let (old, new) = (scope(before, access, row), scope(after, access, row));
            let word = if access == Access::Write { "write" } else { "read" };
            let says = |class, how: &str, scope: &Scope| {
                let says = format!("{word}, {how}{}", place(row.level, scope, projects));
                Shift { class, resource: &row.label, says }
            };
            let written = [before, after].map(|token| scope(token, Access::Write, row));
            if access == Access::Read && written == [old.clone(), new.clone()] {
                continue; // It goes with the write.
            }
            if old == new {
                if !new.is_nowhere() {
                    kept.push(says("same", "", &new));
                }
                continue;
            }
            if !new.contains(&old) {
                // What is left of it stands beside what is lost, unless it is gained elsewhere.
                let some_left = old.contains(&new) && !new.is_nowhere();
                lost.push(if some_left {
                    says("lost", "now only ", &new)
                } else {
                    says("lost", "", &old)
                });
            }
            if !old.contains(&new) {
                gained.push(says("gained", "", &new));
            }
        }
    }
    lost.into_iter().chain(gained).chain(kept).collect()
}

/// Where a scope reaches, in words.
fn place(level: Level, scope: &Scope, projects: &ProjectNames) -> String {
    if level == Level::Account {
        return "in the whole account".to_owned();
    }
    let mut by_categories: Vec<(Categories, Vec<String>)> = Vec::new();
    for (project, categories) in scope.named_projects() {
        let name = name(project, projects);
        match by_categories.iter_mut().find(|(other, _)| *other == categories) {
            Some((_, names)) => names.push(name),
            None => by_categories.push((categories, vec![name])),
        }
    }
    let everywhere = scope.everywhere();
    let all = (!everywhere.is_empty())
        .then(|| format!("in all projects{}", only_in(everywhere)))
        .into_iter();
    let some = by_categories.iter().map(|(categories, names)| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        format!("in {}{}", listed(&names), only_in(*categories))
    });
    all.chain(some).collect::<Vec<_>>().join(", and ")
}

fn name(project: ProjectId, projects: &ProjectNames) -> String {
    projects.get(&project).cloned().unwrap_or_else(|| format!("project {project}"))
}

/// Which environments, if not all.
fn only_in(categories: Categories) -> String {
    if categories == Categories::ALL {
        return String::new();
    }
    let words = Category::ALL.into_iter().filter(|category| categories.has(*category));
    let words: Vec<&str> = words.map(Category::key).collect();
    format!(" ({} environments only)", listed(&words))
}

/// `a, b and c`
pub(super) fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [word] => (*word).to_owned(),
        [words @ .., last] => format!("{} and {last}", words.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use domain::{AccountId, Plan, authz::Projects};

    use super::*;

    fn terms() -> AccountTerms {
        let id = AccountId::new(1).unwrap();
        AccountTerms { id, plan: Some(Plan::Enterprise), tokens_may_mint: true }
    }

    fn projects() -> ProjectNames {
        let project = |id, name: &str| (ProjectId::new(id).unwrap(), name.to_owned());
        [project(1, "shop"), project(2, "finance")].into()
    }

    fn grant(set: &str, projects: &[i64]) -> Grant {
        let projects = match projects {
            [] => Projects::All,
            ids => Projects::only(ids.iter().map(|id| ProjectId::new(*id).unwrap())).unwrap(),
        };
        Grant::new(set.parse().unwrap(), projects).unwrap()
    }

    fn told(grants: Vec<Grant>, restrictions: Restrictions) -> Story {
        let now = Timestamp::parse("2026-11-24T12:00:00Z").unwrap();
        let token = token_with(terms(), grants, restrictions);
        Story::of(&token, None, &projects(), &Named::default(), now)
    }

    #[test]
    fn what_a_token_can_do_is_told_by_where() {
        let story = told(vec![grant("job_runner", &[1, 2])], Restrictions::default());
        let lines: Vec<_> = story.lines.iter().map(|line| (line.verb, &*line.place)).collect();
        assert!(lines.contains(&("change", "in shop and finance")), "{lines:?}");
        let runs = story.lines.iter().find(|line| line.verb == "change").unwrap();
        assert!(runs.what.contains("Runs"), "{}", runs.what);
        assert!(!story.everything && story.limits.is_empty());
    }

    #[test]
    fn a_token_that_administers_is_told_so_unless_that_is_taken_away() {
        let admin = || vec![grant("account_admin", &[])];
        assert!(told(admin(), Restrictions::default()).everything);
        let reading = Restrictions { read_only: true, ..Restrictions::default() };
        let story = told(admin(), reading);
        assert!(!story.everything);
        assert!(story.lines.iter().all(|line| line.verb == "read"));
        assert_eq!(story.limits, ["Only to read: every change is refused."]);
    }

    #[test]
    fn a_token_without_grants_can_do_nothing() {
        assert!(told(Vec::new(), Restrictions::default()).is_empty());
    }

    #[test]
    fn raised_categories_are_told_with_their_environments() {
        let developer = grant("developer", &[1]);
        let raised = developer.raising(Categories::NONE.with(Category::Staging));
        let story = told(vec![raised], Restrictions::default());
        let raised = story.lines.iter().find(|line| line.place.contains("staging")).unwrap();
        assert_eq!(raised.place, "in shop (staging environments only)");
        assert!(raised.what.contains("Jobs"), "{}", raised.what);
    }

    #[test]
    fn a_change_says_what_is_lost_gained_and_kept() {
        let with = |grants| token_with(terms(), grants, Restrictions::default());
        let before = with(vec![grant("job_admin", &[1, 2]), grant("metadata_only", &[1])]);
        let after = with(vec![grant("job_runner", &[1]), grant("metadata_only", &[])]);
        let found = shifts(&before, &after, &projects());
        let of = |class: &str, resource: &str| {
            let mut those =
                found.iter().filter(|shift| (shift.class, shift.resource) == (class, resource));
            those.next().map(|shift| shift.says.as_str())
        };
        assert_eq!(of("lost", "Environments"), Some("write, in shop and finance"));
        assert_eq!(of("lost", "Runs"), Some("write, now only in shop"));
        let metadata = "Metadata GraphQL API access";
        assert_eq!(of("gained", metadata), Some("read, in all projects"));
        let classes: Vec<_> = found.iter().map(|shift| shift.class).collect();
        let sorted = ["lost", "gained", "same"];
        let place = |class: &&str| sorted.iter().position(|known| known == class);
        assert!(classes.is_sorted_by_key(place), "{classes:?}");
        assert!(shifts(&before, &before, &projects()).iter().all(|shift| shift.class == "same"));
    }
}
