//! Model notifications: the owners whom a project names are told how their models went.
//!
//! Source: docs.getdbt.com/docs/deploy/model-notifications.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    EnvironmentId,
    authz::Environments,
    kept::{FieldKind, Level, Noun, Reference},
    run_report::RunReport,
    user::Email,
};

/// The most owners that are told of one run: who writes the project names their addresses.
pub const MOST_OWNERS: usize = 100;

/// Of which ends the owners of an environment's models are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, as the API has them")]
pub struct ModelNotifications {
    /// The environment; it has at most one of these.
    pub environment_id: EnvironmentId,
    /// Whether anything is told at all.
    pub enabled: bool,
    /// Of models that were built and tests that passed.
    pub on_success: bool,
    /// Of models and tests that failed.
    pub on_failure: bool,
    /// Of tests that warned.
    pub on_warning: bool,
    /// Of models and tests that were skipped.
    pub on_skipped: bool,
}

impl ModelNotifications {
    /// What holds where nobody has said anything: nothing is told.
    #[must_use]
    pub const fn none(environment_id: EnvironmentId) -> Self {
        let off = false;
        Self {
            environment_id,
            enabled: off,
            on_success: off,
            on_failure: off,
            on_warning: off,
            on_skipped: off,
        }
    }

    /// Whether an end with dbt's status (`run_results/v6`) is told.
    fn wants(self, status: &str) -> bool {
        self.enabled
            && match status {
                "success" | "pass" => self.on_success,
                "error" | "fail" | "partial success" => self.on_failure,
                "warn" => self.on_warning,
                "skipped" => self.on_skipped,
                _ => false,
            }
    }
}

impl Noun for ModelNotifications {
    const WORD: &str = "model_notifications";
    const PARAMETER: &str = "model_notifications_id";
    const LEVEL: Level = Level::Project;
    const FIELDS: &[(&str, FieldKind)] = &[("environment_id", FieldKind::Int)];
    type Resource = Environments;

    fn references(&self) -> Vec<(&'static str, Reference)> {
        vec![("environment_id", Reference::Environment(self.environment_id))]
    }

    fn unique(&self) -> Option<(&'static str, String)> {
        Some(("environment_id", self.environment_id.to_string()))
    }

    fn goes_with(&self, gone: Reference) -> bool {
        gone == Reference::Environment(self.environment_id)
    }
}

/// How one node of a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeEnd {
    /// `model.shop.orders`
    pub unique_id: String,
    /// dbt's word: `error`.
    pub status: String,
}

/// What one owner is told of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerReport {
    /// Whom it goes to.
    pub to: Email,
    /// The run.
    pub run: RunReport,
    /// The owner's nodes, by id.
    pub nodes: Vec<NodeEnd>,
}

/// The bytes are no artifact of dbt.
#[derive(Debug, thiserror::Error)]
#[error("{file} is not dbt's: {wrong}")]
pub struct InvalidArtifact {
    file: &'static str,
    wrong: serde_json::Error,
}

/// Who is told what of a run: of each owner the nodes that ended in a way that is told. `results`
/// are the `run_results.json` of the run's steps in order; of a node that ran twice the later end
/// counts. A test without a group is told to the owners of what it tests. What is no address is
/// left out; after [`MOST_OWNERS`], by address, nobody is told.
///
/// # Errors
/// [`InvalidArtifact`]
pub fn owners(
    settings: ModelNotifications,
    manifest: &[u8],
    results: &[impl AsRef<[u8]>],
) -> Result<BTreeMap<Email, Vec<NodeEnd>>, InvalidArtifact> {
    let manifest: Manifest = read("manifest.json", manifest)?;
    let mut ends = BTreeMap::new();
    for step in results {
        let Results { args, results } = read("run_results.json", step.as_ref())?;
        if args.runs() {
            ends.extend(results.into_iter().map(|result| (result.unique_id, result.status)));
        }
    }
    let mut told = BTreeMap::<Email, Vec<NodeEnd>>::new();
    for (unique_id, status) in ends.into_iter().filter(|(_, status)| settings.wants(status)) {
        for owner in manifest.owners_of(&unique_id) {
            let end = NodeEnd { unique_id: unique_id.clone(), status: status.clone() };
            told.entry(owner).or_default().push(end);
        }
    }
    Ok(told.into_iter().take(MOST_OWNERS).collect())
}

fn read<T: for<'a> Deserialize<'a>>(
    file: &'static str,
    bytes: &[u8],
) -> Result<T, InvalidArtifact> {
    serde_json::from_slice(bytes).map_err(|wrong| InvalidArtifact { file, wrong })
}

/// Of a manifest (`manifest/v12`) what tells owners.
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    nodes: BTreeMap<String, Node>,
    #[serde(default)]
    unit_tests: BTreeMap<String, Node>,
    #[serde(default)]
    groups: BTreeMap<String, Group>,
}

#[derive(Deserialize)]
struct Node {
    #[serde(default)]
    package_name: String,
    group: Option<String>,
    #[serde(rename = "attached_node")]
    attached_to: Option<String>,
    #[serde(default)]
    depends_on: DependsOn,
}

#[derive(Deserialize, Default)]
struct DependsOn {
    #[serde(default)]
    nodes: Vec<String>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    owner: Owner,
}

#[derive(Deserialize, Default)]
struct Owner {
    email: Option<Emails>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Emails {
    One(String),
    Many(Vec<String>),
}

/// Of a `run_results.json` (`run-results/v6`) how nodes ended.
#[derive(Deserialize)]
struct Results {
    #[serde(default)]
    args: Args,
    results: Vec<NodeEnd>,
}

#[derive(Deserialize, Default)]
struct Args {
    #[serde(default)]
    which: String,
}

impl Args {
    /// Whether the command builds or tests; `compile` and `docs generate` write results as well.
    fn runs(&self) -> bool {
        matches!(&*self.which, "build" | "run" | "test" | "seed" | "snapshot" | "retry")
    }
}

impl Manifest {
    fn owners_of(&self, unique_id: &str) -> BTreeSet<Email> {
        let Some(node) = self.node(unique_id) else { return BTreeSet::new() };
        let tests = unique_id.starts_with("test.") || unique_id.starts_with("unit_test.");
        if node.group.is_some() || !tests {
            return self.owners_by_group(node).collect();
        }
        let tested: Vec<_> = match &node.attached_to {
            Some(one) => vec![one],
            None => node.depends_on.nodes.iter().collect(),
        };
        let tested = tested.into_iter().filter_map(|id| self.node(id));
        tested.flat_map(|node| self.owners_by_group(node)).collect()
    }

    fn node(&self, unique_id: &str) -> Option<&Node> {
        self.nodes.get(unique_id).or_else(|| self.unit_tests.get(unique_id))
    }

    fn owners_by_group(&self, node: &Node) -> impl Iterator<Item = Email> {
        let name = node.group.as_ref();
        let id = name.map(|name| format!("group.{}.{name}", node.package_name));
        let emails = match id.and_then(|id| self.groups.get(&id)).map(|group| &group.owner.email) {
            Some(Some(Emails::One(one))) => std::slice::from_ref(one),
            Some(Some(Emails::Many(many))) => many,
            Some(None) | None => &[],
        };
        emails.iter().filter_map(|text| Email::parse(text).ok())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn all() -> ModelNotifications {
        ModelNotifications {
            enabled: true,
            on_success: true,
            on_failure: true,
            on_warning: true,
            on_skipped: true,
            ..off()
        }
    }

    fn off() -> ModelNotifications {
        ModelNotifications::none(EnvironmentId::new(1).unwrap())
    }

    fn manifest() -> Vec<u8> {
        let node = |group: Value| json!({ "package_name": "shop", "group": group });
        let test = |attached: Value, nodes: Value| {
            json!({
                "package_name": "shop", "group": null, "attached_node": attached,
                "depends_on": { "macros": [], "nodes": nodes },
            })
        };
        let (money, people) = ("model.shop.money", "model.shop.people");
        json!({
            "nodes": {
                money: node(json!("finance")), people: node(json!("crm")),
                "model.shop.nobody": node(Value::Null),
                "test.shop.one": test(json!(money), json!([people, money])),
                "test.shop.both": test(Value::Null, json!([people, money])),
            },
            "unit_tests": { "unit_test.shop.money.adds": test(Value::Null, json!([money])) },
            "groups": {
                "group.shop.finance": { "owner": { "email": "fin@example.com", "name": "F" } },
                "group.shop.crm": { "owner": { "email": ["a@example.com", "b@example.com", "?"] } },
                "group.other.finance": { "owner": { "email": "other@example.com" } },
            },
        })
        .to_string()
        .into_bytes()
    }

    fn results(which: &str, ends: &[(&str, &str)]) -> String {
        let ends: Vec<_> = ends
            .iter()
            .map(|(id, status)| json!({ "unique_id": id, "status": status, "failures": 1 }))
            .collect();
        json!({ "args": { "which": which }, "results": ends }).to_string()
    }

    fn told(settings: ModelNotifications, results: &[String]) -> Vec<String> {
        let told = owners(settings, &manifest(), results).unwrap();
        let line = |(to, nodes): (Email, Vec<NodeEnd>)| {
            let nodes = nodes.iter().map(|end| format!("{} {}", end.unique_id, end.status));
            format!("{}: {}", to.as_str(), nodes.collect::<Vec<_>>().join(", "))
        };
        told.into_iter().map(line).collect()
    }

    #[test]
    fn an_owner_is_told_of_the_models_and_tests_of_their_groups() {
        let build = results(
            "build",
            &[
                ("model.shop.money", "error"),
                ("model.shop.people", "success"),
                ("model.shop.nobody", "error"),
                ("test.shop.one", "skipped"),
                ("test.shop.both", "warn"),
                ("unit_test.shop.money.adds", "pass"),
                ("exposure.shop.board", "no-op"),
            ],
        );
        assert_eq!(
            told(all(), &[build]),
            [
                "a@example.com: model.shop.people success, test.shop.both warn",
                "b@example.com: model.shop.people success, test.shop.both warn",
                "fin@example.com: model.shop.money error, test.shop.both warn, \
                 test.shop.one skipped, unit_test.shop.money.adds pass",
            ]
        );
    }

    #[test]
    fn each_setting_tells_its_kind_of_end_and_none_if_all_is_off() {
        let off = ModelNotifications { enabled: true, ..off() };
        let ends = ["success", "error", "warn", "skipped"];
        let settings = [
            ModelNotifications { on_success: true, ..off },
            ModelNotifications { on_failure: true, ..off },
            ModelNotifications { on_warning: true, ..off },
            ModelNotifications { on_skipped: true, ..off },
        ];
        for (wanted, settings) in ends.iter().zip(settings) {
            let told_of = |end: &&&str| !told(settings, &[one(end)]).is_empty();
            assert_eq!(ends.iter().filter(told_of).collect::<Vec<_>>(), [wanted]);
        }
        let disabled = ModelNotifications { enabled: false, ..all() };
        assert!(ends.iter().all(|end| told(disabled, &[one(end)]).is_empty()));
        assert!(ends.iter().all(|end| told(off, &[one(end)]).is_empty()));
    }

    fn one(end: &str) -> String {
        results("run", &[("model.shop.money", end)])
    }

    #[test]
    fn of_a_node_that_ran_twice_the_later_end_counts_and_compiling_counts_for_nothing() {
        let steps = [one("error"), one("success")];
        assert_eq!(told(all(), &steps), ["fin@example.com: model.shop.money success"]);
        let compiled = results("compile", &[("model.shop.money", "success")]);
        assert_eq!(told(all(), std::slice::from_ref(&compiled)), [""; 0]);
        assert_eq!(
            told(all(), &[one("error"), compiled]),
            ["fin@example.com: model.shop.money error"]
        );
    }

    #[test]
    fn what_is_not_dbts_is_named() {
        let wrong = owners(all(), b"no JSON", &[one("error")]).unwrap_err().to_string();
        assert!(wrong.starts_with("manifest.json is not dbt's: "), "{wrong}");
        let wrong = owners(all(), &manifest(), &["{}"]).unwrap_err().to_string();
        assert!(wrong.starts_with("run_results.json is not dbt's: "), "{wrong}");
    }
}
