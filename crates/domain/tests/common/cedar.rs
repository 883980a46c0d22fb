//! A second opinion: permission rows as policies of Cedar, written from the catalogue's text.
//!
//! An object is an account, a project in it, an environment in that, or the job in that. What an
//! object without an environment needs is what environments of every category need. Restrictions
//! are policies that forbid.

use std::fmt::Write as _;

use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request};
use domain::authz::{Access, Action, Category, Restrictions};
use serde_json::{Value, json};

use super::{
    table::{Row, Table},
    world::{NAMED, TOMORROW, environment_id, job_id},
};

/// What an action is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Object {
    Account,
    Project(i64),
    Environment(i64, Category),
    Job(i64, Category),
}

/// What of a principal is no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) is_user: bool,
    pub(crate) may_mint: bool,
    pub(crate) opens_admin: bool,
}

/// The engine, and a world that it knows.
pub(crate) struct Engine {
    authorizer: Authorizer,
    entities: Entities,
}

fn uid(of_type: &str, id: &str) -> EntityUid {
    format!("{of_type}::{id:?}").parse().unwrap()
}

fn entity(of_type: &str, id: &str, attributes: &Value, parent: Option<(&str, &str)>) -> Value {
    let parent = parent.map(|(of_type, id)| json!({ "type": of_type, "id": id }));
    let parents: Vec<_> = parent.into_iter().collect();
    json!({ "uid": { "type": of_type, "id": id }, "attrs": attributes, "parents": parents })
}

fn environment(project: i64, category: Category) -> String {
    format!("{project}/{}", category.key())
}

impl Object {
    fn uid(self) -> EntityUid {
        match self {
            Self::Account => uid("Account", "1"),
            Self::Project(id) => uid("Project", &id.to_string()),
            Self::Environment(id, category) => uid("Environment", &environment(id, category)),
            Self::Job(id, category) => uid("Job", &environment(id, category)),
        }
    }
}

impl Who {
    fn id(self) -> String {
        format!("mint {} admin {}", self.may_mint, self.opens_admin)
    }

    fn of_type(self) -> &'static str {
        if self.is_user { "User" } else { "Token" }
    }

    pub(crate) fn every() -> impl Iterator<Item = Self> {
        let bit = |number: u8, bit: u8| number >> bit & 1 == 1;
        (0..8).map(move |n| Self {
            is_user: bit(n, 0),
            may_mint: bit(n, 1),
            opens_admin: bit(n, 2),
        })
    }
}

impl Engine {
    pub(crate) fn new() -> Self {
        let mut entities = vec![entity("Account", "1", &json!({}), None)];
        for project in NAMED.into_iter().chain([TOMORROW]) {
            let id = project.to_string();
            let all = json!({ "categories": Category::ALL.map(Category::key) });
            entities.push(entity("Project", &id, &all, Some(("Account", "1"))));
            for category in Category::ALL {
                let one = json!({ "categories": [category.key()] });
                let place = environment(project, category);
                entities.push(entity("Environment", &place, &one, Some(("Project", &id))));
                entities.push(entity("Job", &place, &one, Some(("Environment", &place))));
            }
        }
        for who in Who::every() {
            let role = who.opens_admin.then_some(("Role", "opens the Admin API"));
            let attributes = json!({ "may_mint": who.may_mint });
            entities.push(entity(who.of_type(), &who.id(), &attributes, role));
        }
        let entities = Entities::from_json_value(Value::Array(entities), None).unwrap();
        Self { authorizer: Authorizer::new(), entities }
    }

    /// Whether the policies allow it.
    pub(crate) fn allows(&self, policies: &PolicySet, request: &Request) -> bool {
        let answer = self.authorizer.is_authorized(request, policies, &self.entities);
        assert_eq!(answer.diagnostics().errors().count(), 0, "{answer:?}");
        answer.decision() == Decision::Allow
    }
}

/// The question in the engine's words.
pub(crate) fn request(who: Who, action: Action, object: Object) -> Request {
    request_from(who, action, object, "192.0.2.1")
}

/// The same from an address.
pub(crate) fn request_from(who: Who, action: Action, object: Object, address: &str) -> Request {
    let principal = uid(who.of_type(), &who.id());
    let action = uid("Action", &action.to_string());
    let address = json!({ "address": { "__extn": { "fn": "ip", "arg": address } } });
    let context = Context::from_json_value(address, None).unwrap();
    Request::new(principal, action, object.uid(), context, None).unwrap()
}

fn named<'a>(actions: impl Iterator<Item = (&'a String, &'a Access)>) -> String {
    let names = actions.map(|(kind, access)| format!("Action::\"{} on {kind}\"", access.key()));
    names.collect::<Vec<_>>().join(", ")
}

/// The policies of the rows that count, and of what is held without any row.
pub(crate) fn policies<'a>(table: &Table, rows: impl IntoIterator<Item = &'a Row>) -> PolicySet {
    policies_under(&Restrictions::default(), table, rows)
}

/// The same, with what restrictions forbid.
pub(crate) fn policies_under<'a>(
    restrictions: &Restrictions,
    table: &Table,
    rows: impl IntoIterator<Item = &'a Row>,
) -> PolicySet {
    let mut text = beyond_rows(table) + &forbidden(restrictions, table);
    for row in rows {
        let set = &table.sets[row.set];
        let of_account = |(kind, _): &(&String, &Access)| table.kinds[*kind].of_account;
        let cells = || set.cells.iter().map(|(kind, access)| (kind, access));
        let (account, projects) = (
            named(cells().filter(|cell| of_account(cell))),
            named(cells().filter(|cell| !of_account(cell))),
        );
        let raised = named(set.raised.iter().map(|(kind, access)| (kind, access)));
        let held = match &row.projects {
            None => "true".to_owned(),
            Some(ids) => {
                let ids: Vec<_> = ids.iter().map(|id| format!("Project::\"{id}\"")).collect();
                format!("resource in [{}]", ids.join(", "))
            }
        };
        let words: Vec<_> = row.raised.iter().map(|word| format!("{:?}", word.key())).collect();
        let words = words.join(", ");
        writeln!(
            text,
            r#"permit (principal, action in [{account}], resource == Account::"1");
               permit (principal, action in [{projects}], resource in Account::"1")
               when {{ resource != Account::"1" && {held} }};
               permit (principal, action in [{raised}], resource in Account::"1")
               when {{ resource != Account::"1" && {held} && [{words}].containsAll(resource.categories) }};"#
        )
        .unwrap();
    }
    text.parse().unwrap()
}

fn beyond_rows(table: &Table) -> String {
    let implied = |by: &str| {
        let kinds = table.kinds.iter().filter(|(_, kind)| kind.implied.as_deref() == Some(by));
        let cells = kinds.flat_map(|(key, kind)| {
            Access::ALL
                .iter()
                .filter(|access| **access <= kind.max)
                .map(move |access| (key, access))
        });
        named(cells)
    };
    format!(
        r#"permit (principal, action in [{}], resource == Account::"1");
           permit (principal in Role::"opens the Admin API", action in [{}], resource == Account::"1");
           permit (principal is User, action in [{}], resource == Account::"1");
           forbid (principal, action == Action::"write on service_tokens", resource)
           unless {{ principal.may_mint }};"#,
        implied("every_principal"),
        implied("admin_api"),
        implied("user"),
    )
}

/// Every project, environment and job of the world, by what they are called here.
fn everywhere() -> impl Iterator<Item = (i64, Category)> {
    let projects = NAMED.into_iter().chain([TOMORROW]);
    projects.flat_map(|project| Category::ALL.map(|category| (project, category)))
}

fn forbidden(by: &Restrictions, table: &Table) -> String {
    let on = |kinds: &dyn Fn(&str) -> bool, accesses: &[Access]| {
        let kinds = table.kinds.keys().filter(|key| kinds(key));
        let cells = kinds.flat_map(|key| accesses.iter().map(move |access| (key, access)));
        named(cells)
    };
    let lives_in = |key: &str| table.kinds[key].lives_in.as_deref();
    let granted = |key: &str| table.kinds[key].implied.is_none();
    let mut text = String::new();
    if by.read_only {
        let writes = on(&|_| true, &[Access::Write]);
        writeln!(text, "forbid (principal, action in [{writes}], resource);").unwrap();
    }
    if by.rate.is_some() {
        let mint = on(&|key| key == "service_tokens", &[Access::Write]);
        writeln!(text, "forbid (principal, action in [{mint}], resource);").unwrap();
    }
    if let Some(list) = &by.addresses {
        let networks: Vec<String> = list.clone().into();
        let each = networks.iter().map(|net| format!("context.address.isInRange(ip({net:?}))"));
        let any = ["false".to_owned()].into_iter().chain(each);
        let any = any.collect::<Vec<_>>().join(" || ");
        writeln!(text, "forbid (principal, action, resource) unless {{ {any} }};").unwrap();
    }
    let mut only = |has: &dyn Fn(&str) -> bool, objects: Vec<String>| {
        let without = on(&|key| granted(key) && !has(key), &Access::ALL);
        let with = on(&|key| has(key), &Access::ALL);
        let objects = objects.join(", ");
        writeln!(
            text,
            "forbid (principal, action in [{without}], resource);
             forbid (principal, action in [{with}], resource) unless {{ resource in [{objects}] }};"
        )
        .unwrap();
    };
    if let Some(ids) = &by.environments {
        let named =
            everywhere().filter(|(project, of)| ids.contains(&environment_id(*project, *of)));
        let objects =
            named.map(|(project, of)| format!("Environment::{:?}", environment(project, of)));
        only(&|key| lives_in(key).is_some(), objects.collect());
    }
    if let Some(ids) = &by.jobs {
        let named = everywhere().filter(|(project, of)| ids.contains(&job_id(*project, *of)));
        let objects = named.map(|(project, of)| format!("Job::{:?}", environment(project, of)));
        only(&|key| lives_in(key) == Some("job"), objects.collect());
    }
    text
}
