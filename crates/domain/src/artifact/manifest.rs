//! `manifest.json`: the project as dbt understood it.

use serde::{Deserialize, Deserializer};

use super::{
    InvalidArtifact, Metadata,
    read::{self, Form},
    text::{Interner, Json, Share, Text},
};

const FORM: Form = Form {
    file: "manifest.json",
    schema: "manifest",
    versions: (9, 12),
    known: "manifest/v9 to manifest/v12",
};

/// Unique ids, and for each those that it is built on.
pub type ParentMap = Box<[(Text, Box<[Text]>)]>;

/// What a manifest says, without what nobody asks for (docs blocks, disabled nodes, selectors).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// Of the manifest itself.
    pub metadata: Metadata,
    /// Models, tests, seeds, snapshots, analyses and operations.
    #[serde(deserialize_with = "read::values")]
    pub nodes: Box<[Node]>,
    /// Tables of sources.
    #[serde(deserialize_with = "read::values")]
    pub sources: Box<[Source]>,
    /// Macros, those of dbt and its packages among them.
    #[serde(deserialize_with = "read::values")]
    pub macros: Box<[Macro]>,
    /// Exposures.
    #[serde(deserialize_with = "read::values")]
    pub exposures: Box<[Exposure]>,
    /// Metrics.
    #[serde(deserialize_with = "read::values")]
    pub metrics: Box<[Metric]>,
    /// Groups.
    #[serde(deserialize_with = "read::values")]
    pub groups: Box<[Group]>,
    /// Semantic models; from v10 on.
    #[serde(deserialize_with = "read::values")]
    pub semantic_models: Box<[SemanticModel]>,
    /// Saved queries; from v11 on.
    #[serde(deserialize_with = "read::values")]
    pub saved_queries: Box<[SavedQuery]>,
    /// Unit tests; from v12 on.
    #[serde(deserialize_with = "read::values")]
    pub unit_tests: Box<[UnitTest]>,
    /// For each unique id, those that it is built on; `None` if the manifest has no such map.
    #[serde(deserialize_with = "read::map_of_texts")]
    pub parent_map: Option<ParentMap>,
}

impl Manifest {
    /// Reads the bytes of a `manifest.json`.
    ///
    /// # Errors
    /// [`InvalidArtifact`] says where and what.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidArtifact> {
        FORM.read(bytes, |manifest: &Self| &manifest.metadata)
    }
}

/// What kind of thing a unique id names; the word before its first dot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An analysis: compiled, never run.
    Analysis,
    /// What is built outside of dbt on what dbt builds.
    Exposure,
    /// A function of the data platform.
    Function,
    /// A group of resources with an owner.
    Group,
    /// A macro.
    Macro,
    /// A metric.
    Metric,
    /// A model.
    Model,
    /// A hook that runs at a run's start or end.
    #[serde(alias = "sql operation", alias = "sql_operation")]
    Operation,
    /// A saved query.
    SavedQuery,
    /// A seed.
    Seed,
    /// A semantic model.
    SemanticModel,
    /// A snapshot.
    Snapshot,
    /// A source's table.
    Source,
    /// A data test, generic or singular.
    Test,
    /// A unit test.
    UnitTest,
    /// What is not known here.
    #[serde(other)]
    Other,
}

impl Kind {
    /// The artifact's word, such as `semantic_model`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Analysis => "analysis",
            Self::Exposure => "exposure",
            Self::Function => "function",
            Self::Group => "group",
            Self::Macro => "macro",
            Self::Metric => "metric",
            Self::Model => "model",
            Self::Operation => "operation",
            Self::SavedQuery => "saved_query",
            Self::Seed => "seed",
            Self::SemanticModel => "semantic_model",
            Self::Snapshot => "snapshot",
            Self::Source => "source",
            Self::Test => "test",
            Self::UnitTest => "unit_test",
            Self::Other => "other",
        }
    }
}

/// A model, test, seed, snapshot, analysis or operation.
#[derive(Debug, Clone, Deserialize)]
pub struct Node {
    /// `model.shop.orders`
    pub unique_id: Text,
    /// `orders`
    pub name: Text,
    /// What it is.
    pub resource_type: Kind,
    /// `shop`
    #[serde(default)]
    pub package_name: Text,
    /// Its file, from its own folder of resources on: `marts/orders.sql`.
    #[serde(default)]
    pub path: Text,
    /// Its file, from the project's folder on: `models/marts/orders.sql`.
    #[serde(default)]
    pub original_file_path: Text,
    /// Where its description stands: `shop://models/marts.yml`.
    #[serde(default)]
    pub patch_path: Option<Text>,
    /// Package, folders, name.
    #[serde(default, deserialize_with = "read::texts")]
    pub fqn: Box<[Text]>,
    /// Of its relation.
    #[serde(default)]
    pub database: Option<Text>,
    /// Of its relation.
    #[serde(default)]
    pub schema: Option<Text>,
    /// The name of its relation: the identifier.
    #[serde(default)]
    pub alias: Option<Text>,
    /// The whole name of its relation, quoted.
    #[serde(default)]
    pub relation_name: Option<Text>,
    /// Its tags, in dbt's order.
    #[serde(default, deserialize_with = "read::texts")]
    pub tags: Box<[Text]>,
    /// What the project says of it.
    #[serde(default)]
    pub meta: Option<Json>,
    /// In words.
    #[serde(default)]
    pub description: Option<Text>,
    /// The columns that the project describes, in dbt's order.
    #[serde(default, deserialize_with = "read::values")]
    pub columns: Box<[Column]>,
    /// As it was written.
    #[serde(default)]
    pub raw_code: Option<Text>,
    /// As dbt made it, if that call of dbt compiled it.
    #[serde(default)]
    pub compiled_code: Option<Text>,
    /// `sql` or `python`
    #[serde(default)]
    pub language: Option<Text>,
    /// The group it belongs to, by name.
    #[serde(default)]
    pub group: Option<Text>,
    /// `private`, `protected` or `public`; of models alone.
    #[serde(default)]
    pub access: Option<Text>,
    /// Of the model as a whole.
    #[serde(default, deserialize_with = "read::or_default")]
    pub constraints: Vec<Constraint>,
    /// Its version, of a model that has versions.
    #[serde(default, deserialize_with = "read::scalar")]
    pub version: Option<Text>,
    /// The version that `ref` means without one.
    #[serde(default, deserialize_with = "read::scalar")]
    pub latest_version: Option<Text>,
    /// When it is to go.
    #[serde(default)]
    pub deprecation_date: Option<Text>,
    #[serde(default, deserialize_with = "read::or_default")]
    contract: Contract,
    /// Its configuration.
    #[serde(default)]
    pub config: Config,
    #[serde(default, deserialize_with = "read::or_default")]
    depends_on: DependsOn,
    /// Of a generic test, the column it looks at.
    #[serde(default)]
    pub column_name: Option<Text>,
    /// Of a generic test, what it is a test of.
    #[serde(default)]
    pub attached_node: Option<Text>,
    /// Of a generic test; a singular one has none.
    #[serde(default)]
    pub test_metadata: Option<TestMetadata>,
}

impl Node {
    /// Whether dbt holds its columns to what the project says.
    #[must_use]
    pub const fn contract_enforced(&self) -> bool {
        self.contract.enforced
    }

    /// The unique ids of what it is built on, in dbt's order.
    #[must_use]
    pub fn depends_on(&self) -> &[Text] {
        &self.depends_on.nodes
    }
}

impl Share for Node {
    fn share(&mut self, all: &mut Interner) {
        all.text(&mut self.package_name);
        all.text(&mut self.original_file_path);
        for text in [
            &mut self.patch_path,
            &mut self.database,
            &mut self.schema,
            &mut self.description,
            &mut self.raw_code,
            &mut self.language,
            &mut self.group,
            &mut self.access,
            &mut self.version,
            &mut self.latest_version,
            &mut self.column_name,
            &mut self.attached_node,
        ] {
            all.maybe(text);
        }
        // Both are most often the name.
        all.text(&mut self.name);
        all.maybe(&mut self.alias);
        all.texts(&mut self.fqn);
        all.texts(&mut self.tags);
        all.texts(&mut self.depends_on.nodes);
        all.maybe_json(&mut self.meta);
        self.config.share(all);
        for column in &mut self.columns {
            column.share(all);
        }
        if let Some(test) = &mut self.test_metadata {
            test.share(all);
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Contract {
    #[serde(default, deserialize_with = "read::or_default")]
    enforced: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct DependsOn {
    #[serde(default, deserialize_with = "read::texts")]
    nodes: Box<[Text]>,
}

/// The configuration of a resource, and what of it is often asked for.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// All of it.
    pub json: Json,
    /// `view`, `table`, `incremental`, `ephemeral`, `test`, …
    pub materialized: Option<Text>,
    /// Of a test: `ERROR` or `WARN`.
    pub severity: Option<Text>,
    /// Where a resource says it here alone, as groups and saved queries do.
    pub meta: Option<Json>,
    /// Where a resource says them here alone, as unit tests do.
    pub tags: Box<[Text]>,
}

impl Config {
    fn share(&mut self, all: &mut Interner) {
        all.json(&mut self.json);
        all.maybe(&mut self.materialized);
        all.maybe(&mut self.severity);
        all.maybe_json(&mut self.meta);
        all.texts(&mut self.tags);
    }
}

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Known {
            #[serde(deserialize_with = "read::scalar")]
            materialized: Option<Text>,
            #[serde(deserialize_with = "read::scalar")]
            severity: Option<Text>,
            meta: Option<Json>,
            #[serde(deserialize_with = "read::texts")]
            tags: Box<[Text]>,
        }
        let json = Json::deserialize(deserializer)?;
        let Known { materialized, severity, meta, tags } = json.read().unwrap_or_default();
        Ok(Self { json, materialized, severity, meta, tags })
    }
}

/// A column as the project describes it.
#[derive(Debug, Clone, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: Text,
    /// In words.
    #[serde(default)]
    pub description: Option<Text>,
    /// The type that the project wants.
    #[serde(default)]
    pub data_type: Option<Text>,
    /// What the project says of it.
    #[serde(default)]
    pub meta: Option<Json>,
    /// Its tags.
    #[serde(default, deserialize_with = "read::texts")]
    pub tags: Box<[Text]>,
    /// What its values are held to.
    #[serde(default, deserialize_with = "read::or_default")]
    pub constraints: Vec<Constraint>,
}

impl Share for Column {
    fn share(&mut self, all: &mut Interner) {
        all.text(&mut self.name);
        all.maybe(&mut self.description);
        all.maybe(&mut self.data_type);
        all.maybe_json(&mut self.meta);
        all.texts(&mut self.tags);
    }
}

/// What a data platform holds a column or table to.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Constraint {
    /// `not_null`, `primary_key`, `check`, …
    #[serde(rename = "type")]
    pub kind: Option<Text>,
    /// Its name.
    pub name: Option<Text>,
    /// Of a check, in SQL.
    pub expression: Option<Text>,
    /// Of a model's, which columns.
    #[serde(deserialize_with = "read::texts")]
    pub columns: Box<[Text]>,
}

/// What generic test a test is.
#[derive(Debug, Clone, Deserialize)]
pub struct TestMetadata {
    /// `not_null`, `unique`, …
    pub name: Text,
    /// The package, of a test that is not dbt's own.
    #[serde(default)]
    pub namespace: Option<Text>,
    /// Its arguments.
    #[serde(default)]
    pub kwargs: Json,
}

impl Share for TestMetadata {
    fn share(&mut self, all: &mut Interner) {
        all.text(&mut self.name);
        all.maybe(&mut self.namespace);
    }
}

/// A table of a source.
#[derive(Debug, Clone, Deserialize)]
pub struct Source {
    /// `source.shop.raw.orders`
    pub unique_id: Text,
    /// The table's name in the project.
    pub name: Text,
    /// The source's name.
    #[serde(default)]
    pub source_name: Text,
    /// The source in words.
    #[serde(default)]
    pub source_description: Option<Text>,
    /// The table's name in the data platform.
    #[serde(default)]
    pub identifier: Option<Text>,
    /// What loads it.
    #[serde(default)]
    pub loader: Option<Text>,
    /// `shop`
    #[serde(default)]
    pub package_name: Text,
    /// The file that describes it.
    #[serde(default)]
    pub path: Text,
    /// The same, from the project's folder on.
    #[serde(default)]
    pub original_file_path: Text,
    /// The file that describes it further.
    #[serde(default)]
    pub patch_path: Option<Text>,
    /// Package, folders, source, name.
    #[serde(default, deserialize_with = "read::texts")]
    pub fqn: Box<[Text]>,
    /// Where it lies.
    #[serde(default)]
    pub database: Option<Text>,
    /// Where it lies.
    #[serde(default)]
    pub schema: Option<Text>,
    /// Its whole name, quoted.
    #[serde(default)]
    pub relation_name: Option<Text>,
    /// Its tags.
    #[serde(default, deserialize_with = "read::texts")]
    pub tags: Box<[Text]>,
    /// What the project says of it.
    #[serde(default)]
    pub meta: Option<Json>,
    /// What the project says of the source.
    #[serde(default)]
    pub source_meta: Option<Json>,
    /// The table in words.
    #[serde(default)]
    pub description: Option<Text>,
    /// The columns that the project describes.
    #[serde(default, deserialize_with = "read::values")]
    pub columns: Box<[Column]>,
    /// When it counts as stale.
    #[serde(default, deserialize_with = "read::or_default")]
    pub freshness: crate::source_freshness::Criteria,
    /// The column that says when a row was loaded.
    #[serde(default)]
    pub loaded_at_field: Option<Text>,
    /// Its configuration; from v9 on only whether it is enabled, later more.
    #[serde(default)]
    pub config: Config,
}

impl Share for Source {
    fn share(&mut self, all: &mut Interner) {
        all.text(&mut self.source_name);
        all.text(&mut self.package_name);
        all.text(&mut self.path);
        all.text(&mut self.original_file_path);
        all.text(&mut self.name);
        for text in [
            &mut self.source_description,
            &mut self.identifier,
            &mut self.loader,
            &mut self.patch_path,
            &mut self.database,
            &mut self.schema,
            &mut self.loaded_at_field,
        ] {
            all.maybe(text);
        }
        all.texts(&mut self.fqn);
        all.texts(&mut self.tags);
        all.maybe_json(&mut self.meta);
        all.maybe_json(&mut self.source_meta);
        self.config.share(all);
        for column in &mut self.columns {
            column.share(all);
        }
    }
}

/// A macro.
#[derive(Debug, Clone, Deserialize)]
pub struct Macro {
    /// `macro.shop.cents_to_units`
    pub unique_id: Text,
    /// Its name.
    pub name: Text,
    /// Whose it is.
    #[serde(default)]
    pub package_name: Text,
    /// Its file.
    #[serde(default)]
    pub path: Text,
    /// Its file.
    #[serde(default)]
    pub original_file_path: Text,
    /// Where its description stands.
    #[serde(default)]
    pub patch_path: Option<Text>,
    /// Its code.
    #[serde(default)]
    pub macro_sql: Text,
    /// The arguments that the project describes.
    #[serde(default, deserialize_with = "read::or_default")]
    pub arguments: Box<[Argument]>,
    /// In words.
    #[serde(default)]
    pub description: Option<Text>,
    /// What the project says of it.
    #[serde(default)]
    pub meta: Option<Json>,
    #[serde(default, deserialize_with = "read::or_default")]
    depends_on: MacrosUsed,
}

impl Macro {
    /// The unique ids of the macros that it uses.
    #[must_use]
    pub fn depends_on_macros(&self) -> &[Text] {
        &self.depends_on.macros
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
struct MacrosUsed {
    #[serde(default, deserialize_with = "read::texts")]
    macros: Box<[Text]>,
}

impl Share for Macro {
    fn share(&mut self, all: &mut Interner) {
        all.text(&mut self.package_name);
        all.text(&mut self.path);
        all.text(&mut self.original_file_path);
        all.maybe(&mut self.patch_path);
        all.maybe(&mut self.description);
        all.maybe_json(&mut self.meta);
        all.texts(&mut self.depends_on.macros);
    }
}

/// An argument of a macro.
#[derive(Debug, Clone, Deserialize)]
pub struct Argument {
    /// Its name.
    pub name: Text,
    /// Its type, in the project's words.
    #[serde(default, rename = "type")]
    pub kind: Option<Text>,
    /// In words.
    #[serde(default)]
    pub description: Option<Text>,
}

/// Who answers for something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Owner {
    /// A person's or team's name.
    #[serde(deserialize_with = "read::scalar")]
    pub name: Option<Text>,
    /// A mail address; several with commas between.
    #[serde(deserialize_with = "read::scalar")]
    pub email: Option<Text>,
}

/// What is built outside of dbt on what dbt builds.
#[derive(Debug, Clone, Deserialize)]
pub struct Exposure {
    /// `exposure.shop.weekly_revenue`
    pub unique_id: Text,
    /// Its name.
    pub name: Text,
    /// `dashboard`, `notebook`, `analysis`, `ml` or `application`
    #[serde(default, rename = "type")]
    pub exposure_type: Option<Text>,
    /// Its name for people.
    #[serde(default)]
    pub label: Option<Text>,
    /// `high`, `medium` or `low`
    #[serde(default)]
    pub maturity: Option<Text>,
    /// Where it is.
    #[serde(default)]
    pub url: Option<Text>,
    /// Who answers for it.
    #[serde(default, deserialize_with = "read::or_default")]
    pub owner: Owner,
    /// `shop`
    #[serde(default)]
    pub package_name: Text,
    /// The file that describes it.
    #[serde(default)]
    pub path: Text,
    /// The same, from the project's folder on.
    #[serde(default)]
    pub original_file_path: Text,
    /// Package, folders, name.
    #[serde(default, deserialize_with = "read::texts")]
    pub fqn: Box<[Text]>,
    /// In words.
    #[serde(default)]
    pub description: Option<Text>,
    /// Its tags.
    #[serde(default, deserialize_with = "read::texts")]
    pub tags: Box<[Text]>,
    /// What the project says of it.
    #[serde(default)]
    pub meta: Option<Json>,
    /// Its configuration.
    #[serde(default)]
    pub config: Config,
    #[serde(default, deserialize_with = "read::or_default")]
    depends_on: DependsOn,
}

/// A metric. Those of v9 have a method and an expression, later ones a type with parameters.
#[derive(Debug, Clone, Deserialize)]
pub struct Metric {
    /// `metric.shop.revenue`
    pub unique_id: Text,
    /// Its name.
    pub name: Text,
    /// Its name for people.
    #[serde(default)]
    pub label: Option<Text>,
    /// `simple`, `ratio`, `cumulative`, `derived` or `conversion`; from v10 on.
    #[serde(default, rename = "type")]
    pub metric_type: Option<Text>,
    /// What its type needs; from v10 on.
    #[serde(default)]
    pub type_params: Option<Json>,
    /// Which rows count.
    #[serde(default)]
    pub filter: Option<Json>,
    /// The smallest span of time that it is asked for by.
    #[serde(default)]
    pub time_granularity: Option<Text>,
    /// How it is computed; v9 alone.
    #[serde(default)]
    pub calculation_method: Option<Text>,
    /// What of; v9 alone.
    #[serde(default)]
    pub expression: Option<Text>,
    /// `shop`
    #[serde(default)]
    pub package_name: Text,
    /// The file that describes it.
    #[serde(default)]
    pub path: Text,
    /// The same, from the project's folder on.
    #[serde(default)]
    pub original_file_path: Text,
    /// Package, folders, name.
    #[serde(default, deserialize_with = "read::texts")]
    pub fqn: Box<[Text]>,
    /// In words.
    #[serde(default)]
    pub description: Option<Text>,
    /// Its tags.
    #[serde(default, deserialize_with = "read::texts")]
    pub tags: Box<[Text]>,
    /// What the project says of it.
    #[serde(default)]
    pub meta: Option<Json>,
    /// The group it belongs to, by name.
    #[serde(default)]
    pub group: Option<Text>,
    /// Its configuration.
    #[serde(default)]
    pub config: Config,
    #[serde(default, deserialize_with = "read::or_default")]
    depends_on: DependsOn,
}

/// A group of resources with an owner.
#[derive(Debug, Clone, Deserialize)]
pub struct Group {
    /// `group.shop.finance`
    pub unique_id: Text,
    /// Its name, by which resources belong to it.
    pub name: Text,
    /// Who answers for it.
    #[serde(default, deserialize_with = "read::or_default")]
    pub owner: Owner,
    /// `shop`
    #[serde(default)]
    pub package_name: Text,
    /// The file that describes it.
    #[serde(default)]
    pub path: Text,
    /// The same, from the project's folder on.
    #[serde(default)]
    pub original_file_path: Text,
    /// In words.
    #[serde(default)]
    pub description: Option<Text>,
    /// Its configuration.
    #[serde(default)]
    pub config: Config,
}

/// A semantic model: what metrics are made of.
#[derive(Debug, Clone, Deserialize)]
pub struct SemanticModel {
    /// `semantic_model.shop.orders`
    pub unique_id: Text,
    /// Its name.
    pub name: Text,
    /// The model behind it, as `ref('…')`.
    #[serde(default)]
    pub model: Option<Text>,
    /// Its name for people.
    #[serde(default)]
    pub label: Option<Text>,
    /// By what rows are joined.
    #[serde(default, deserialize_with = "read::or_default")]
    pub entities: Box<[Entity]>,
    /// By what numbers are cut.
    #[serde(default, deserialize_with = "read::or_default")]
    pub dimensions: Box<[Dimension]>,
    /// Numbers.
    #[serde(default, deserialize_with = "read::or_default")]
    pub measures: Box<[Measure]>,
    /// What stands where a measure says nothing.
    #[serde(default)]
    pub defaults: Option<Json>,
    /// The entity that a row is, where no column says so.
    #[serde(default)]
    pub primary_entity: Option<Text>,
    /// `shop`
    #[serde(default)]
    pub package_name: Text,
    /// The file that describes it.
    #[serde(default)]
    pub path: Text,
    /// The same, from the project's folder on.
    #[serde(default)]
    pub original_file_path: Text,
    /// Package, folders, name.
    #[serde(default, deserialize_with = "read::texts")]
    pub fqn: Box<[Text]>,
    /// In words.
    #[serde(default)]
    pub description: Option<Text>,
    /// The group it belongs to, by name.
    #[serde(default)]
    pub group: Option<Text>,
    /// Its configuration.
    #[serde(default)]
    pub config: Config,
    #[serde(default, deserialize_with = "read::or_default")]
    depends_on: DependsOn,
}

/// By what rows of semantic models are joined.
#[derive(Debug, Clone, Deserialize)]
pub struct Entity {
    /// Its name.
    pub name: Text,
    /// `primary`, `foreign`, `unique` or `natural`
    #[serde(default, rename = "type")]
    pub kind: Option<Text>,
    /// In words.
    #[serde(default)]
    pub description: Option<Text>,
    /// Its name for people.
    #[serde(default)]
    pub label: Option<Text>,
    /// What it plays in this model.
    #[serde(default)]
    pub role: Option<Text>,
    /// In SQL.
    #[serde(default, deserialize_with = "read::scalar")]
    pub expr: Option<Text>,
}

/// By what numbers of a semantic model are cut.
#[derive(Debug, Clone, Deserialize)]
pub struct Dimension {
    /// Its name.
    pub name: Text,
    /// `time` or `categorical`
    #[serde(default, rename = "type")]
    pub kind: Option<Text>,
    /// In words.
    #[serde(default)]
    pub description: Option<Text>,
    /// Its name for people.
    #[serde(default)]
    pub label: Option<Text>,
    /// In SQL.
    #[serde(default, deserialize_with = "read::scalar")]
    pub expr: Option<Text>,
    /// Whether the table is cut into parts by it.
    #[serde(default, deserialize_with = "read::or_default")]
    pub is_partition: bool,
    /// Of time, how fine it is.
    #[serde(default)]
    pub type_params: Option<Json>,
}

/// A number of a semantic model.
#[derive(Debug, Clone, Deserialize)]
pub struct Measure {
    /// Its name.
    pub name: Text,
    /// `sum`, `count`, `average`, …
    #[serde(default)]
    pub agg: Option<Text>,
    /// In words.
    #[serde(default)]
    pub description: Option<Text>,
    /// Its name for people.
    #[serde(default)]
    pub label: Option<Text>,
    /// In SQL.
    #[serde(default, deserialize_with = "read::scalar")]
    pub expr: Option<Text>,
    /// Whether there is a metric of the same name for it.
    #[serde(default, deserialize_with = "read::or_default")]
    pub create_metric: bool,
    /// The dimension of time that it is summed by.
    #[serde(default)]
    pub agg_time_dimension: Option<Text>,
}

/// A query of metrics that the project keeps.
#[derive(Debug, Clone, Deserialize)]
pub struct SavedQuery {
    /// `saved_query.shop.revenue_by_region`
    pub unique_id: Text,
    /// Its name.
    pub name: Text,
    /// Its name for people.
    #[serde(default)]
    pub label: Option<Text>,
    /// What is asked.
    #[serde(default, deserialize_with = "read::or_default")]
    pub query_params: QueryParams,
    /// Where its results may be written.
    #[serde(default, deserialize_with = "read::or_default")]
    pub exports: Box<[Export]>,
    /// `shop`
    #[serde(default)]
    pub package_name: Text,
    /// The file that describes it.
    #[serde(default)]
    pub path: Text,
    /// The same, from the project's folder on.
    #[serde(default)]
    pub original_file_path: Text,
    /// Package, folders, name.
    #[serde(default, deserialize_with = "read::texts")]
    pub fqn: Box<[Text]>,
    /// In words.
    #[serde(default)]
    pub description: Option<Text>,
    /// Its tags.
    #[serde(default, deserialize_with = "read::texts")]
    pub tags: Box<[Text]>,
    /// The group it belongs to, by name.
    #[serde(default)]
    pub group: Option<Text>,
    /// Its configuration.
    #[serde(default)]
    pub config: Config,
    #[serde(default, deserialize_with = "read::or_default")]
    depends_on: DependsOn,
}

/// What a saved query asks.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct QueryParams {
    /// Metrics by name.
    #[serde(deserialize_with = "read::texts")]
    pub metrics: Box<[Text]>,
    /// As `Dimension('…')` and `TimeDimension('…', '…')`.
    #[serde(deserialize_with = "read::texts")]
    pub group_by: Box<[Text]>,
    /// As `Dimension('…')` and the like.
    #[serde(deserialize_with = "read::texts")]
    pub order_by: Box<[Text]>,
    /// The most rows.
    pub limit: Option<i64>,
    #[serde(rename = "where", deserialize_with = "read::or_default")]
    filters: Where,
}

impl QueryParams {
    /// Which rows count: SQL templates that hold all.
    pub fn where_sql_templates(&self) -> impl Iterator<Item = &Text> {
        self.filters.where_filters.iter().map(|filter| &filter.where_sql_template)
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Where {
    #[serde(default, deserialize_with = "read::or_default")]
    where_filters: Box<[WhereFilter]>,
}

#[derive(Debug, Clone, Deserialize)]
struct WhereFilter {
    where_sql_template: Text,
}

/// Where results of a saved query may be written.
#[derive(Debug, Clone, Deserialize)]
pub struct Export {
    /// Its name.
    pub name: Text,
    /// How: `export_as`, `schema_name`, `alias`, `database`.
    #[serde(default)]
    pub config: Json,
}

/// A unit test of a model.
#[derive(Debug, Clone, Deserialize)]
pub struct UnitTest {
    /// `unit_test.shop.orders.adds_up`
    pub unique_id: Text,
    /// Its name.
    pub name: Text,
    /// The model that it tests, by name.
    #[serde(default)]
    pub model: Option<Text>,
    /// What the model is given: a list.
    #[serde(default)]
    pub given: Json,
    /// What the model has to give.
    #[serde(default)]
    pub expect: Json,
    /// What stands in for macros, variables and the environment.
    #[serde(default)]
    pub overrides: Option<Json>,
    /// The version of the model.
    #[serde(default, deserialize_with = "read::scalar")]
    pub version: Option<Text>,
    /// `shop`
    #[serde(default)]
    pub package_name: Text,
    /// The file that describes it.
    #[serde(default)]
    pub path: Text,
    /// The same, from the project's folder on.
    #[serde(default)]
    pub original_file_path: Text,
    /// Package, folders, model, name.
    #[serde(default, deserialize_with = "read::texts")]
    pub fqn: Box<[Text]>,
    /// In words.
    #[serde(default)]
    pub description: Option<Text>,
    /// The schema of the model.
    #[serde(default)]
    pub schema: Option<Text>,
    /// Its configuration: its tags and `meta` stand there.
    #[serde(default)]
    pub config: Config,
    #[serde(default, deserialize_with = "read::or_default")]
    depends_on: DependsOn,
}

impl UnitTest {
    /// How many inputs the model is given.
    #[must_use]
    pub fn num_given(&self) -> usize {
        self.given.read::<Vec<serde::de::IgnoredAny>>().map_or(0, |given| given.len())
    }
}

macro_rules! described {
    ($($name:ident)*) => {$(
        impl $name {
            /// The unique ids of what it is built on, in dbt's order.
            #[must_use]
            pub fn depends_on(&self) -> &[Text] {
                &self.depends_on.nodes
            }
        }

        impl Share for $name {
            fn share(&mut self, all: &mut Interner) {
                all.text(&mut self.package_name);
                all.text(&mut self.path);
                all.text(&mut self.original_file_path);
                all.texts(&mut self.fqn);
                all.texts(&mut self.depends_on.nodes);
                self.config.share(all);
            }
        }
    )*};
}

described! { Exposure Metric SemanticModel SavedQuery UnitTest }

impl Share for Group {
    fn share(&mut self, all: &mut Interner) {
        all.text(&mut self.package_name);
        all.text(&mut self.path);
        all.text(&mut self.original_file_path);
    }
}
