//! The permission catalogue: `catalogue.toml` as bits.

use std::{collections::BTreeMap, str::FromStr as _, sync::LazyLock};

use serde::Deserialize;

use super::{Access, Action, License, PermissionSet, ResourceKind, Rights, SystemTask};
use crate::{Plan, seats::Seats};

/// The catalogue that this build was made with.
#[must_use]
pub fn catalogue() -> &'static Catalogue {
    static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
        Catalogue::parse(include_str!("catalogue.toml"))
            .expect("the embedded catalogue loads: a test reads it")
    });
    &CATALOGUE
}

/// Where a grant can be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For the whole account only.
    Account,
    /// For all projects or for some.
    Project,
}

/// A permission set, as the catalogue has it.
#[derive(Debug, Clone)]
pub struct SetRow {
    /// The set itself.
    pub set: PermissionSet,
    /// The wire's spelling.
    pub key: String,
    /// The name that people read.
    pub label: String,
    /// What it is for, in a sentence.
    pub about: String,
    /// Where a grant of it can be held.
    pub level: Level,
    /// Whether an account-level set may also be held to projects.
    pub also_project_level: bool,
    /// The plans on which a service token may carry it.
    pub plans: Vec<Plan>,
    /// What it allows, wherever its grant is held.
    pub rights: Rights,
    /// What writable environment categories add; empty for most sets.
    pub raised: Rights,
    /// Where the row comes from.
    pub source: String,
}

/// A kind of resource, as the catalogue has it.
#[derive(Debug, Clone)]
pub struct ResourceRow {
    /// The kind itself.
    pub kind: ResourceKind,
    /// The name that people read.
    pub label: String,
    /// Where a grant of it can be held.
    pub level: Level,
    /// The most that exists.
    pub max: Access,
    /// What belongs to it.
    pub about: String,
    /// Where the row comes from.
    pub source: String,
    implied: Option<Implied>,
    face: Face,
    lives_in: Option<LivesIn>,
}

impl ResourceRow {
    /// Whether grants give it; what is implied comes by what a principal is.
    #[must_use]
    pub const fn is_granted(&self) -> bool {
        self.implied.is_none()
    }

    /// Whether each object is an environment, or in one.
    pub(super) const fn has_environment(&self) -> bool {
        self.lives_in.is_some()
    }

    /// Whether each object is a job, or belongs to one.
    pub(super) const fn has_job(&self) -> bool {
        matches!(self.lives_in, Some(LivesIn::Job))
    }
}

/// A licence, as the catalogue has it.
#[derive(Debug, Clone)]
pub(super) struct LicenseRow {
    /// Whether groups count.
    pub(super) inherits: bool,
    /// What replaces them if they do not.
    pub(super) sets: Vec<PermissionSet>,
    /// Whether its user may make service tokens.
    pub(super) makes_service_tokens: bool,
}

/// A group that every account begins with.
#[derive(Debug, Clone)]
pub struct BuiltInGroup {
    /// What it is called.
    pub name: String,
    /// What it gives, on all projects.
    pub sets: Vec<PermissionSet>,
    /// Whether new users are put into it.
    pub assign_by_default: bool,
    /// Whether the account's first admin is in it.
    pub first_admin: bool,
}

/// Who holds a resource that stands in no set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Implied {
    EveryPrincipal,
    AdminApi,
    User,
}

/// What objects of a kind belong to, besides their project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LivesIn {
    /// An environment.
    Environment,
    /// A job, and so the environment that it runs in.
    Job,
}

/// The face that a cell opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Face {
    #[default]
    Admin,
    Discovery,
    SemanticLayer,
    Scim,
}

/// Why a catalogue does not load.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The text is not TOML of the expected form.
    #[error("the catalogue does not parse: {0}")]
    Syntax(#[from] toml::de::Error),
    /// A row breaks a rule.
    #[error("the catalogue's `{row}`: {rule}")]
    Rule {
        /// The row's key.
        row: String,
        /// The rule that it breaks.
        rule: String,
    },
}

/// Every permission set, resource, licence and plan: the data that decisions are made from.
#[derive(Debug, Clone)]
pub struct Catalogue {
    /// Indexed by [`PermissionSet`]; the rows of licences and system tasks stand behind the
    /// named sets.
    rows: Vec<SetRow>,
    named: usize,
    /// In the order of [`ResourceKind::ALL`].
    resources: Vec<ResourceRow>,
    licenses: Vec<LicenseRow>,
    systems: Vec<PermissionSet>,
    tiers: BTreeMap<String, Plan>,
    raises: Vec<ResourceKind>,
    seats: BTreeMap<Plan, Seats>,
    groups: Vec<BuiltInGroup>,
}

impl Catalogue {
    /// Reads a catalogue and checks it.
    ///
    /// # Errors
    /// [`CatalogueError`] if it does not parse, names something unknown, leaves out a source, or
    /// has a write beyond a resource's `max`.
    pub fn parse(text: &str) -> Result<Self, CatalogueError> {
        Loader::load(toml::from_str(text)?)
    }

    /// The sets that a grant can name, in the order of the file.
    pub fn sets(&self) -> impl Iterator<Item = &SetRow> {
        self.rows.iter().take(self.named)
    }

    /// The kinds of resources, in the order of the file.
    #[must_use]
    pub fn resources(&self) -> &[ResourceRow] {
        &self.resources
    }

    /// A set's row.
    pub(super) fn row(&self, set: PermissionSet) -> &SetRow {
        self.rows.get(usize::from(set.0)).expect("a PermissionSet is made from a row of it")
    }

    /// A kind's row.
    #[must_use]
    pub fn resource(&self, kind: ResourceKind) -> &ResourceRow {
        self.resources.get(kind as usize).expect("loading checks that every kind has a row")
    }

    pub(super) fn level(&self, kind: ResourceKind) -> Level {
        self.resource(kind).level
    }

    pub(super) fn license(&self, license: License) -> &LicenseRow {
        self.licenses.get(license as usize).expect("loading checks that every licence has a row")
    }

    pub(super) fn system(&self, task: SystemTask) -> PermissionSet {
        *self.systems.get(task as usize).expect("loading checks that every task has a row")
    }

    /// The tier that an account's `plan` on the wire means.
    #[must_use]
    pub fn tier(&self, plan: &str) -> Option<Plan> {
        self.tiers.get(plan).copied()
    }

    /// The kinds that writable environment categories raise from read to write.
    #[must_use]
    pub fn raises(&self) -> &[ResourceKind] {
        &self.raises
    }

    /// How many users of a plan may have each licence; `None` is as many as the account says.
    #[must_use]
    pub fn seats(&self, plan: Plan) -> Option<&Seats> {
        self.seats.get(&plan)
    }

    /// The groups that every account begins with.
    #[must_use]
    pub fn built_in_groups(&self) -> &[BuiltInGroup] {
        &self.groups
    }

    /// The licences and the sets of which a user needs one each to run the account: to change
    /// its settings, and everybody's groups, licences and tokens.
    #[must_use]
    pub fn administering(&self) -> (Vec<License>, Vec<PermissionSet>) {
        let runs: Rights = [
            ResourceKind::AccountSettings,
            ResourceKind::Groups,
            ResourceKind::Licenses,
            ResourceKind::Members,
            ResourceKind::ServiceTokens,
        ]
        .map(|kind| Action::new(Access::Write, kind))
        .into_iter()
        .collect();
        let licenses = License::ALL.into_iter().filter(|license| {
            let row = self.license(*license);
            row.inherits && row.makes_service_tokens
        });
        let sets = self.sets().filter(|row| row.rights.contain(runs)).map(|row| row.set);
        (licenses.collect(), sets.collect())
    }

    /// Who holds an action that stands in no set.
    pub(super) fn holder_beside_sets(&self, action: Action) -> Option<&'static str> {
        let row = self.resource(action.on);
        match row.implied.filter(|_| action.access <= row.max)? {
            Implied::EveryPrincipal => Some("everyone holds it"),
            Implied::AdminApi => Some("every permission set that opens the Admin API brings it"),
            Implied::User => Some("users hold it, service tokens never do"),
        }
    }

    /// Whether rights open the Admin API to a principal.
    pub(super) fn opens_admin(&self, granted: Rights) -> bool {
        granted.actions().any(|action| {
            let row = self.resource(action.on);
            row.implied.is_none() && row.face == Face::Admin
        })
    }

    /// What a principal holds by what it is: `granted` tells whether the Admin API is open to it.
    pub(super) fn implied(&self, is_user: bool, granted: Rights) -> Rights {
        let opens_admin = self.opens_admin(granted);
        self.resources
            .iter()
            .filter(|row| match row.implied {
                Some(Implied::EveryPrincipal) => true,
                Some(Implied::AdminApi) => opens_admin,
                Some(Implied::User) => is_user,
                None => false,
            })
            .map(|row| Action::new(row.max, row.kind))
            .collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema_version: u32,
    plan_of_account: BTreeMap<String, Plan>,
    environment_write: EnvironmentWrite,
    license: BTreeMap<String, LicenseText>,
    seats: BTreeMap<Plan, SeatsText>,
    group: Vec<GroupText>,
    system: BTreeMap<String, SystemText>,
    resource: BTreeMap<String, ResourceText>,
    permission_set: toml::Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvironmentWrite {
    raises: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LicenseText {
    label: String,
    source: String,
    inherits: bool,
    #[serde(default)]
    sets: Vec<String>,
    #[serde(default)]
    write: Vec<String>,
    #[serde(default)]
    read: Vec<String>,
    makes_service_tokens: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeatsText {
    source: String,
    developer: u32,
    analyst: u32,
    read_only: u32,
    it: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupText {
    name: String,
    source: String,
    sets: Vec<String>,
    assign_by_default: bool,
    first_admin: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SystemText {
    label: String,
    source: String,
    #[serde(default)]
    write: Vec<String>,
    #[serde(default)]
    read: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResourceText {
    label: String,
    level: Level,
    max: Access,
    about: String,
    source: String,
    implied: Option<Implied>,
    #[serde(default)]
    face: Face,
    lives_in: Option<LivesIn>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetText {
    label: String,
    about: String,
    level: Level,
    #[serde(default)]
    also_project_level: bool,
    plans: Vec<Plan>,
    #[serde(default)]
    raisable: bool,
    #[serde(default)]
    own_only: Vec<String>,
    source: String,
    #[serde(default)]
    write: Vec<String>,
    #[serde(default)]
    read: Vec<String>,
}

/// Turns the file into the table, row by row.
struct Loader {
    rows: Vec<SetRow>,
    resources: Vec<ResourceRow>,
}

fn rule(row: &str, rule: impl Into<String>) -> CatalogueError {
    CatalogueError::Rule { row: row.to_owned(), rule: rule.into() }
}

impl Loader {
    fn load(file: File) -> Result<Catalogue, CatalogueError> {
        if file.schema_version != 1 {
            return Err(rule("schema_version", "this build reads version 1"));
        }
        let mut loader = Self { rows: Vec::new(), resources: resources(file.resource)? };
        let raises = kinds("environment_write", &file.environment_write.raises)?;
        for (key, text) in file.permission_set {
            loader.set(&key, text.try_into()?, &raises)?;
        }
        let named = loader.rows.len();
        let licenses = License::ALL
            .into_iter()
            .map(|license| loader.license(license.key(), file.license.get(license.key())))
            .collect::<Result<_, _>>()?;
        let systems = SystemTask::ALL
            .into_iter()
            .map(|task| loader.system(task.key(), file.system.get(task.key())))
            .collect::<Result<_, _>>()?;
        let seats = file.seats.iter().map(|(plan, text)| Ok((*plan, seats(*plan, text)?)));
        let seats = seats.collect::<Result<_, CatalogueError>>()?;
        let groups = file.group.iter().map(|text| loader.group(text)).collect::<Result<_, _>>()?;
        Ok(Catalogue {
            seats,
            groups,
            rows: loader.rows,
            named,
            resources: loader.resources,
            licenses,
            systems,
            tiers: file.plan_of_account,
            raises,
        })
    }

    fn set(
        &mut self,
        key: &str,
        text: SetText,
        category_kinds: &[ResourceKind],
    ) -> Result<(), CatalogueError> {
        let mut rights = self.rights(key, &text.write, &text.read)?;
        for own in kinds(key, &text.own_only)? {
            // The caller's own objects only: a service token has none.
            rights = rights.minus(Rights::only_write(own));
        }
        let raised = if text.raisable {
            category_kinds.iter().map(|kind| Action::new(Access::Write, *kind)).collect()
        } else {
            Rights::NONE
        };
        let row = SetRow {
            set: self.next(key)?,
            key: key.to_owned(),
            label: text.label,
            about: text.about,
            level: text.level,
            also_project_level: text.also_project_level,
            plans: text.plans,
            rights,
            raised,
            source: text.source,
        };
        self.push(row)
    }

    fn license(
        &mut self,
        key: &str,
        text: Option<&LicenseText>,
    ) -> Result<LicenseRow, CatalogueError> {
        let text = text.ok_or_else(|| rule(key, "every licence needs a row"))?;
        let mut sets = self.named_sets(key, &text.sets)?;
        let own = self.rights(key, &text.write, &text.read)?;
        if !own.is_empty() {
            sets.push(self.unnamed(key, &text.label, &text.source, own)?);
        }
        if text.inherits != sets.is_empty() {
            return Err(rule(key, "a licence inherits, or has cells of its own"));
        }
        let makes_service_tokens = text.makes_service_tokens;
        Ok(LicenseRow { inherits: text.inherits, sets, makes_service_tokens })
    }

    fn group(&self, text: &GroupText) -> Result<BuiltInGroup, CatalogueError> {
        if text.source.trim().is_empty() {
            return Err(rule(&text.name, "a row needs a source"));
        }
        Ok(BuiltInGroup {
            name: text.name.clone(),
            sets: self.named_sets(&text.name, &text.sets)?,
            assign_by_default: text.assign_by_default,
            first_admin: text.first_admin,
        })
    }

    fn named_sets(
        &self,
        key: &str,
        names: &[String],
    ) -> Result<Vec<PermissionSet>, CatalogueError> {
        let find = |name: &String| {
            let row = self.rows.iter().find(|row| row.key == *name);
            let unknown = || rule(key, format!("`{name}` is not a permission set"));
            row.map(|row| row.set).ok_or_else(unknown)
        };
        names.iter().map(find).collect()
    }

    fn system(
        &mut self,
        key: &str,
        text: Option<&SystemText>,
    ) -> Result<PermissionSet, CatalogueError> {
        let text = text.ok_or_else(|| rule(key, "every task needs a row"))?;
        let rights = self.rights(key, &text.write, &text.read)?;
        self.unnamed(key, &text.label, &text.source, rights)
    }

    /// A row that no grant on the wire can name.
    fn unnamed(
        &mut self,
        key: &str,
        label: &str,
        source: &str,
        rights: Rights,
    ) -> Result<PermissionSet, CatalogueError> {
        let set = self.next(key)?;
        self.push(SetRow {
            set,
            key: key.to_owned(),
            label: label.to_owned(),
            about: String::new(),
            level: Level::Account,
            also_project_level: false,
            plans: Vec::new(),
            rights,
            raised: Rights::NONE,
            source: source.to_owned(),
        })?;
        Ok(set)
    }

    fn next(&self, key: &str) -> Result<PermissionSet, CatalogueError> {
        let index = u8::try_from(self.rows.len());
        index.map(PermissionSet).map_err(|_| rule(key, "there are more than 256 rows"))
    }

    fn push(&mut self, row: SetRow) -> Result<(), CatalogueError> {
        if row.source.trim().is_empty() {
            return Err(rule(&row.key, "a row needs a source"));
        }
        self.rows.push(row);
        Ok(())
    }

    fn rights(
        &self,
        key: &str,
        write: &[String],
        read: &[String],
    ) -> Result<Rights, CatalogueError> {
        let mut rights = Rights::NONE;
        for (names, access) in [(write, Access::Write), (read, Access::Read)] {
            for kind in kinds(key, names)? {
                let resource = self
                    .resources
                    .get(kind as usize)
                    .ok_or_else(|| rule(key, "a resource is missing"))?;
                if access > resource.max {
                    return Err(rule(key, format!("`{}` has no write", kind.key())));
                }
                if resource.implied.is_some() {
                    return Err(rule(key, format!("`{}` stands in no set", kind.key())));
                }
                if rights.allow(Action::new(Access::Read, kind)) {
                    return Err(rule(key, format!("`{}` is named twice", kind.key())));
                }
                rights = rights.with(Action::new(access, kind));
            }
        }
        Ok(rights)
    }
}

fn seats(plan: Plan, text: &SeatsText) -> Result<Seats, CatalogueError> {
    if text.source.trim().is_empty() {
        return Err(rule(plan.key(), "a row needs a source"));
    }
    Ok(Seats {
        developer: Some(text.developer),
        analyst: Some(text.analyst),
        read_only: Some(text.read_only),
        it: Some(text.it),
    })
}

fn resources(
    mut texts: BTreeMap<String, ResourceText>,
) -> Result<Vec<ResourceRow>, CatalogueError> {
    let rows = ResourceKind::ALL
        .iter()
        .map(|kind| {
            let text = texts
                .remove(kind.key())
                .ok_or_else(|| rule(kind.key(), "every kind of resource needs a row"))?;
            if text.source.trim().is_empty() {
                return Err(rule(kind.key(), "a row needs a source"));
            }
            Ok(ResourceRow {
                kind: *kind,
                label: text.label,
                level: text.level,
                max: text.max,
                about: text.about,
                source: text.source,
                implied: text.implied,
                face: text.face,
                lives_in: text.lives_in,
            })
        })
        .collect();
    match texts.into_keys().next() {
        Some(unknown) => Err(rule(&unknown, "this build knows no such resource")),
        None => rows,
    }
}

fn kinds(row: &str, names: &[String]) -> Result<Vec<ResourceKind>, CatalogueError> {
    names
        .iter()
        .map(|name| ResourceKind::from_str(name).map_err(|unknown| rule(row, unknown.to_string())))
        .collect()
}
