//! What is known of an environment.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Execution, InvalidSelector, Invocation, Resource, Selection, graph::Edges, selector::Selector,
};
use crate::{
    artifact::{CatalogTable, Kind, Metadata, Text},
    source_freshness::FreshSource,
};

/// A resource of one state: its place in the order of unique ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceIx(pub(super) u32);

impl ResourceIx {
    /// The place, from 0.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What is known of an environment. It never changes.
#[derive(Debug, Clone, Default)]
pub struct ProjectState {
    pub(super) metadata: Metadata,
    pub(super) defined_by: Option<Arc<Invocation>>,
    /// By unique id.
    pub(super) resources: Box<[Resource]>,
    pub(super) by_kind: BTreeMap<Kind, Box<[ResourceIx]>>,
    pub(super) parents: Edges,
    pub(super) children: Edges,
    /// A place each, as of what follows.
    pub(super) executions: Box<[Option<Box<Execution>>]>,
    pub(super) tables: Tables,
    pub(super) freshness: Looks,
}

/// What the newest catalog says.
#[derive(Debug, Clone, Default)]
pub(super) struct Tables {
    pub(super) of: Option<Arc<Invocation>>,
    /// By unique id.
    pub(super) rows: Box<[(ResourceIx, CatalogTable)]>,
}

/// What the newest look at sources says.
#[derive(Debug, Clone, Default)]
pub(super) struct Looks {
    pub(super) of: Option<Arc<Invocation>>,
    /// By unique id.
    pub(super) rows: Box<[(ResourceIx, FreshSource)]>,
}

impl ProjectState {
    /// What the newest manifest says of itself: dbt's version, the project's name, the adapter.
    #[must_use]
    pub const fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The step that left the newest manifest; none if there is none yet.
    #[must_use]
    pub const fn defined_by(&self) -> Option<&Arc<Invocation>> {
        self.defined_by.as_ref()
    }

    /// The resource with this unique id.
    #[must_use]
    pub fn find(&self, unique_id: &str) -> Option<ResourceIx> {
        let by_id = |resource: &Resource| resource.unique_id().as_str().cmp(unique_id);
        self.resources.binary_search_by(by_id).ok().and_then(ix)
    }

    /// A resource. One of another state gives another resource, or none.
    #[must_use]
    pub fn resource(&self, ix: ResourceIx) -> Option<&Resource> {
        self.resources.get(ix.index())
    }

    /// All resources of the newest manifest, by unique id.
    pub fn all(&self) -> impl Iterator<Item = (ResourceIx, &Resource)> {
        (0..).map(ResourceIx).zip(&self.resources)
    }

    /// The resources of a kind, by unique id.
    #[must_use]
    pub fn of_kind(&self, kind: Kind) -> &[ResourceIx] {
        self.by_kind.get(&kind).map_or(&[], |found| found)
    }

    /// Whether it is in the applied state: it has been executed, or is of a kind that is not
    /// (sources, exposures, metrics, macros, …). Analyses and operations are not.
    #[must_use]
    pub fn is_applied(&self, ix: ResourceIx) -> bool {
        let Some(resource) = self.resource(ix) else { return false };
        match resource.kind() {
            Kind::Model
            | Kind::Seed
            | Kind::Snapshot
            | Kind::Test
            | Kind::UnitTest
            | Kind::Function => self.execution(ix).is_some(),
            Kind::Analysis | Kind::Operation | Kind::Other => false,
            Kind::Exposure
            | Kind::Group
            | Kind::Macro
            | Kind::Metric
            | Kind::SavedQuery
            | Kind::SemanticModel
            | Kind::Source => true,
        }
    }

    /// How its newest run went.
    #[must_use]
    pub fn execution(&self, ix: ResourceIx) -> Option<&Execution> {
        self.executions.get(ix.index())?.as_deref()
    }

    /// As dbt compiled it: in the newest run that executed it, or else for the newest manifest.
    #[must_use]
    pub fn compiled_code(&self, ix: ResourceIx) -> Option<&Text> {
        let of_run = self.execution(ix).and_then(|execution| execution.compiled_code.as_ref());
        of_run.or_else(|| self.resource(ix)?.as_node()?.compiled_code.as_ref())
    }

    /// What the newest catalog says of it.
    #[must_use]
    pub fn catalog(&self, ix: ResourceIx) -> Option<&CatalogTable> {
        let rows = &self.tables.rows;
        let place = rows.binary_search_by_key(&ix, |(of, _)| *of).ok()?;
        rows.get(place).map(|(_, table)| table)
    }

    /// The step that left the newest catalog.
    #[must_use]
    pub const fn catalogued_by(&self) -> Option<&Arc<Invocation>> {
        self.tables.of.as_ref()
    }

    /// What the newest look at sources says of a source; none if it was not looked at.
    #[must_use]
    pub fn freshness(&self, ix: ResourceIx) -> Option<&FreshSource> {
        let rows = &self.freshness.rows;
        let place = rows.binary_search_by_key(&ix, |(of, _)| *of).ok()?;
        rows.get(place).map(|(_, look)| look)
    }

    /// The step that looked at sources last.
    #[must_use]
    pub const fn looked_by(&self) -> Option<&Arc<Invocation>> {
        self.freshness.of.as_ref()
    }

    /// What it is built on, by unique id.
    #[must_use]
    pub fn parents(&self, ix: ResourceIx) -> &[ResourceIx] {
        self.parents.of(ix)
    }

    /// What is built on it, tests among that, by unique id.
    #[must_use]
    pub fn children(&self, ix: ResourceIx) -> &[ResourceIx] {
        self.children.of(ix)
    }

    /// All that it is built on, however far, of these kinds, by unique id. It is not among them,
    /// even where resources are built on each other in a circle.
    #[must_use]
    pub fn ancestors(&self, ix: ResourceIx, kinds: &[Kind]) -> Vec<ResourceIx> {
        let mut found = self.parents.reached([ix], None);
        found.retain(|found| *found != ix && self.is_of(*found, kinds));
        found.sort_unstable();
        found
    }

    /// The tests of a node, data tests and unit tests, by unique id.
    pub fn tests(&self, ix: ResourceIx) -> impl Iterator<Item = ResourceIx> {
        let of = self.children(ix).iter().copied();
        of.filter(|child| self.is_of(*child, &[Kind::Test, Kind::UnitTest]))
    }

    /// The models of a group, by unique id.
    pub fn models_of_group(&self, name: &str) -> impl Iterator<Item = ResourceIx> {
        let models = self.of_kind(Kind::Model).iter().copied();
        models.filter(move |model| {
            let group = self.resource(*model).and_then(Resource::group);
            group.is_some_and(|group| group == name)
        })
    }

    /// The versions of a model, itself among them, by unique id; none of one without versions.
    #[must_use]
    pub fn versions(&self, ix: ResourceIx) -> Vec<ResourceIx> {
        let node = |ix: ResourceIx| self.resource(ix).and_then(Resource::as_node);
        let Some(of) = node(ix).filter(|node| node.version.is_some()) else { return Vec::new() };
        let same = |other: &ResourceIx| {
            node(*other).is_some_and(|other| {
                other.name == of.name
                    && other.package_name == of.package_name
                    && other.version.is_some()
            })
        };
        self.of_kind(Kind::Model).iter().copied().filter(same).collect()
    }

    /// What `dbt ls --select … --exclude …` would choose; everything where nothing is selected.
    ///
    /// # Errors
    /// [`InvalidSelector`] names the part that cannot be read.
    pub fn select(
        &self,
        select: Option<&str>,
        exclude: Option<&str>,
    ) -> Result<Selection, InvalidSelector> {
        let mut chosen = match select.filter(|text| !text.trim().is_empty()) {
            Some(text) => Selector::parse(text)?.choose(self)?,
            None => Selection::all(self.resources.len()),
        };
        if let Some(text) = exclude.filter(|text| !text.trim().is_empty()) {
            chosen.remove(&Selector::parse(text)?.choose(self)?);
        }
        Ok(chosen)
    }

    pub(super) fn is_of(&self, ix: ResourceIx, kinds: &[Kind]) -> bool {
        self.resource(ix).is_some_and(|resource| kinds.contains(&resource.kind()))
    }
}

/// A place as a resource.
pub(super) fn ix(place: usize) -> Option<ResourceIx> {
    u32::try_from(place).ok().map(ResourceIx)
}
