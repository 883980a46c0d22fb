//! `catalog.json`: what the data platform says of tables and columns.

use serde::Deserialize;

use super::{
    InvalidArtifact, Metadata,
    read::{self, Form},
    text::{Interner, Json, Share, Text},
};

const FORM: Form =
    Form { file: "catalog.json", schema: "catalog", versions: (1, 1), known: "catalog/v1" };

/// What `dbt docs generate` asked the data platform for.
#[derive(Debug, Clone, Deserialize)]
pub struct Catalog {
    /// Of the file.
    pub metadata: Metadata,
    /// Of models, seeds and snapshots.
    #[serde(deserialize_with = "read::values")]
    pub nodes: Box<[CatalogTable]>,
    /// Of sources.
    #[serde(default, deserialize_with = "read::values")]
    pub sources: Box<[CatalogTable]>,
}

impl Catalog {
    /// Reads the bytes of a `catalog.json`.
    ///
    /// # Errors
    /// [`InvalidArtifact`] says where and what.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidArtifact> {
        FORM.read(bytes, |catalog: &Self| &catalog.metadata)
    }
}

/// A table or view in the data platform.
#[derive(Debug, Clone, Deserialize)]
pub struct CatalogTable {
    /// Of the node or source that it is of.
    pub unique_id: Text,
    metadata: TableMetadata,
    /// Its columns, in the file's order.
    #[serde(default, deserialize_with = "read::values")]
    pub columns: Box<[CatalogColumn]>,
    /// What is counted of it.
    #[serde(default, deserialize_with = "read::values")]
    pub stats: Box<[Stat]>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct TableMetadata {
    #[serde(rename = "type")]
    kind: Option<Text>,
    owner: Option<Text>,
    comment: Option<Text>,
}

impl CatalogTable {
    /// `BASE TABLE`, `VIEW`, …
    #[must_use]
    pub const fn kind(&self) -> Option<&Text> {
        self.metadata.kind.as_ref()
    }

    /// Whose it is in the data platform.
    #[must_use]
    pub const fn owner(&self) -> Option<&Text> {
        self.metadata.owner.as_ref()
    }

    /// The data platform's comment.
    #[must_use]
    pub const fn comment(&self) -> Option<&Text> {
        self.metadata.comment.as_ref()
    }

    /// The number that stands in the first of these stats that there is: adapters name them
    /// differently (`num_bytes`, `bytes`).
    #[must_use]
    pub fn number(&self, names: &[&str]) -> Option<f64> {
        let stat = |name: &&str| self.stats.iter().find(|stat| stat.id == *name);
        names.iter().filter_map(stat).find_map(Stat::number)
    }
}

impl Share for CatalogTable {
    fn share(&mut self, all: &mut Interner) {
        all.maybe(&mut self.metadata.kind);
        all.maybe(&mut self.metadata.owner);
        for column in &mut self.columns {
            column.share(all);
        }
        for stat in &mut self.stats {
            stat.share(all);
        }
    }
}

/// A column in the data platform.
#[derive(Debug, Clone, Deserialize)]
pub struct CatalogColumn {
    /// Its name there.
    pub name: Text,
    /// Its type there.
    #[serde(default, rename = "type")]
    pub kind: Option<Text>,
    /// Its place, from 1.
    #[serde(default)]
    pub index: i64,
    /// The data platform's comment.
    #[serde(default)]
    pub comment: Option<Text>,
}

impl Share for CatalogColumn {
    fn share(&mut self, all: &mut Interner) {
        all.text(&mut self.name);
        all.maybe(&mut self.kind);
        all.maybe(&mut self.comment);
    }
}

/// Something that is counted of a table.
#[derive(Debug, Clone, Deserialize)]
pub struct Stat {
    /// `num_rows`
    pub id: Text,
    /// Its name for people.
    #[serde(default)]
    pub label: Option<Text>,
    /// How much: a number, a text or a flag.
    #[serde(default)]
    pub value: Json,
    /// Whether it is worth showing.
    #[serde(default, deserialize_with = "read::or_default")]
    pub include: bool,
    /// In words.
    #[serde(default)]
    pub description: Option<Text>,
}

impl Stat {
    fn number(&self) -> Option<f64> {
        self.value.read().ok()
    }
}

impl Share for Stat {
    fn share(&mut self, all: &mut Interner) {
        all.text(&mut self.id);
        all.maybe(&mut self.label);
        all.maybe(&mut self.description);
        all.json(&mut self.value);
    }
}
