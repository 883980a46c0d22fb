//! The catalogue's text, read a second time and without the crate's own loader, so that an oracle
//! shares no code with what it judges.

use std::collections::{BTreeMap, BTreeSet};

use domain::authz::{Access, Category};
use toml::{Table as Toml, Value};

/// A permission set.
pub(crate) struct Set {
    pub(crate) key: String,
    pub(crate) plans: Vec<String>,
    /// Whether a grant of it can name projects.
    pub(crate) names_projects: bool,
    /// What it holds: write includes read.
    pub(crate) cells: BTreeSet<(String, Access)>,
    /// What it holds besides where its grant names the category of the environment.
    pub(crate) raised: BTreeSet<(String, Access)>,
}

/// A kind of resource.
pub(crate) struct Kind {
    pub(crate) of_account: bool,
    pub(crate) opens_admin: bool,
    pub(crate) implied: Option<String>,
    pub(crate) max: Access,
    /// `environment` or `job`.
    pub(crate) lives_in: Option<String>,
}

/// The catalogue.
pub(crate) struct Table {
    pub(crate) sets: Vec<Set>,
    pub(crate) kinds: BTreeMap<String, Kind>,
}

/// One permission row as the wire has it: the place of its set, `None` for all projects, and the
/// writable environment categories.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) set: usize,
    pub(crate) projects: Option<BTreeSet<i64>>,
    pub(crate) raised: Vec<Category>,
}

fn words(row: &Toml, key: &str) -> Vec<String> {
    let list = row.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    list.iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

fn said(row: &Toml, key: &str) -> bool {
    row.get(key).and_then(Value::as_bool).unwrap_or(false)
}

fn set(key: &str, row: &Toml, raises: &[String]) -> Set {
    let own = words(row, "own_only");
    let reads = ["read", "write"].iter().flat_map(|list| words(row, list));
    let writes = words(row, "write").into_iter().filter(|kind| !own.contains(kind));
    Set {
        key: key.to_owned(),
        plans: words(row, "plans"),
        names_projects: row["level"].as_str() == Some("project") || said(row, "also_project_level"),
        cells: reads
            .map(|kind| (kind, Access::Read))
            .chain(writes.map(|kind| (kind, Access::Write)))
            .collect(),
        raised: raises
            .iter()
            .filter(|_| said(row, "raisable"))
            .flat_map(|kind| Access::ALL.map(|access| (kind.clone(), access)))
            .collect(),
    }
}

fn kind(row: &Toml) -> Kind {
    Kind {
        of_account: row["level"].as_str() == Some("account"),
        opens_admin: !row.contains_key("face") && !row.contains_key("implied"),
        implied: row.get("implied").map(|implied| implied.as_str().unwrap().to_owned()),
        lives_in: row.get("lives_in").map(|place| place.as_str().unwrap().to_owned()),
        max: if row["max"].as_str() == Some("write") { Access::Write } else { Access::Read },
    }
}

impl Table {
    pub(crate) fn read() -> Self {
        let file: Toml = include_str!("../../src/authz/catalogue.toml").parse().unwrap();
        let rows = |table: &str| file[table].as_table().unwrap().clone();
        let raises = words(&rows("environment_write"), "raises");
        let sets = rows("permission_set");
        Self {
            sets: sets
                .iter()
                .map(|(key, row)| set(key, row.as_table().unwrap(), &raises))
                .collect(),
            kinds: rows("resource")
                .iter()
                .map(|(key, row)| (key.clone(), kind(row.as_table().unwrap())))
                .collect(),
        }
    }

    /// Whether any of the rows opens the Admin API.
    pub(crate) fn open_admin<'a>(&self, rows: impl IntoIterator<Item = &'a Row>) -> bool {
        rows.into_iter()
            .flat_map(|row| &self.sets[row.set].cells)
            .any(|(kind, _)| self.kinds[kind].opens_admin)
    }
}
