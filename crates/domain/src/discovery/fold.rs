//! How artifacts become a state.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    sync::Arc,
};

use super::{
    Execution, Invocation, ProjectState, Resource, ResourceIx,
    graph::Edges,
    state::{Looks, Tables, ix},
};
use crate::artifact::{Catalog, Kind, Manifest, ParentMap, RunResults, Sources, Text};

/// Gathers what artifacts say, in any order: what is newer wins.
#[derive(Debug, Default)]
pub struct Fold {
    manifest: Option<(Arc<Invocation>, Manifest)>,
    catalog: Option<(Arc<Invocation>, Catalog)>,
    sources: Option<(Arc<Invocation>, Sources)>,
    executions: HashMap<Text, Execution>,
}

impl Fold {
    /// Takes a manifest.
    pub fn manifest(&mut self, of: Invocation, manifest: Manifest) {
        take(&mut self.manifest, of, manifest);
    }

    /// Takes a catalog.
    pub fn catalog(&mut self, of: Invocation, catalog: Catalog) {
        take(&mut self.catalog, of, catalog);
    }

    /// Takes a look at sources.
    pub fn sources(&mut self, of: Invocation, sources: Sources) {
        take(&mut self.sources, of, sources);
    }

    /// Takes results, if they are of a command that executes nodes.
    pub fn results(&mut self, of: Invocation, results: RunResults) {
        if !results.is_execution() {
            return;
        }
        let of = Arc::new(of);
        for result in results.results {
            let node = result.unique_id.clone();
            self.execution(node, Execution::new(Arc::clone(&of), result));
        }
    }

    /// Takes how the run of a node went.
    pub fn execution(&mut self, node: Text, execution: Execution) {
        match self.executions.entry(node) {
            Entry::Occupied(mut known) => {
                let newer = known.get().clone().newer(execution);
                known.insert(newer);
            }
            Entry::Vacant(place) => {
                place.insert(execution);
            }
        }
    }

    /// The state that all of it makes.
    #[must_use]
    pub fn finish(mut self) -> ProjectState {
        let Some((defined_by, manifest)) = self.manifest.take() else {
            return ProjectState::default();
        };
        let (metadata, parent_map) = (manifest.metadata.clone(), manifest.parent_map.clone());
        let resources = resources(manifest);
        let mut state = ProjectState {
            metadata,
            defined_by: Some(defined_by),
            by_kind: by_kind(&resources),
            resources,
            ..ProjectState::default()
        };
        let pairs = pairs(&state, parent_map.as_ref());
        let turned = pairs.iter().map(|(child, parent)| (*parent, *child)).collect();
        state.parents = Edges::new(state.resources.len(), pairs);
        state.children = Edges::new(state.resources.len(), turned);
        state.executions = self.executions_of(&state);
        state.tables = tables(&state, self.catalog);
        state.freshness = looks(&state, self.sources);
        state
    }

    /// How each resource's newest run went. SQL that is as in the manifest is kept once.
    fn executions_of(&mut self, state: &ProjectState) -> Box<[Option<Box<Execution>>]> {
        let of = |resource: &Resource| {
            let mut execution = self.executions.remove(resource.unique_id().as_str())?;
            let known = resource.as_node().and_then(|node| node.compiled_code.as_ref());
            if known.is_some() && known == execution.compiled_code.as_ref() {
                execution.compiled_code = known.cloned();
            }
            Some(Box::new(execution))
        };
        state.resources.iter().map(of).collect()
    }
}

/// Keeps the newer.
fn take<T>(place: &mut Option<(Arc<Invocation>, T)>, of: Invocation, artifact: T) {
    if place.as_ref().is_none_or(|(known, _)| known.age() <= of.age()) {
        *place = Some((Arc::new(of), artifact));
    }
}

/// What a manifest has, by unique id.
fn resources(manifest: Manifest) -> Box<[Resource]> {
    let mut all: Vec<Resource> = Vec::new();
    all.extend(manifest.nodes.into_iter().map(|it| Resource::Node(Box::new(it))));
    all.extend(manifest.sources.into_iter().map(|it| Resource::Source(Box::new(it))));
    all.extend(manifest.macros.into_iter().map(|it| Resource::Macro(Box::new(it))));
    all.extend(manifest.exposures.into_iter().map(|it| Resource::Exposure(Box::new(it))));
    all.extend(manifest.metrics.into_iter().map(|it| Resource::Metric(Box::new(it))));
    all.extend(manifest.groups.into_iter().map(|it| Resource::Group(Box::new(it))));
    let models = manifest.semantic_models.into_iter();
    all.extend(models.map(|it| Resource::SemanticModel(Box::new(it))));
    all.extend(manifest.saved_queries.into_iter().map(|it| Resource::SavedQuery(Box::new(it))));
    all.extend(manifest.unit_tests.into_iter().map(|it| Resource::UnitTest(Box::new(it))));
    all.sort_by(|one, other| one.unique_id().cmp(other.unique_id()));
    all.dedup_by(|one, other| one.unique_id() == other.unique_id());
    all.into()
}

fn by_kind(resources: &[Resource]) -> BTreeMap<Kind, Box<[ResourceIx]>> {
    let mut by_kind: BTreeMap<Kind, Vec<ResourceIx>> = BTreeMap::new();
    for (place, resource) in resources.iter().enumerate() {
        by_kind.entry(resource.kind()).or_default().extend(ix(place));
    }
    by_kind.into_iter().map(|(kind, found)| (kind, found.into())).collect()
}

/// Children and their parents: as the manifest's map has them, or else as the resources themselves
/// say. What is not in the manifest is left out.
fn pairs(state: &ProjectState, parent_map: Option<&ParentMap>) -> Vec<(ResourceIx, ResourceIx)> {
    let places: HashMap<&str, ResourceIx> =
        state.all().map(|(ix, resource)| (resource.unique_id().as_str(), ix)).collect();
    let mut pairs = Vec::new();
    let mut add = |child: &str, parents: &[Text]| {
        let Some(child) = places.get(child) else { return };
        let parents = parents.iter().filter_map(|parent| places.get(parent.as_str()));
        pairs.extend(parents.map(|parent| (*child, *parent)));
    };
    match parent_map {
        Some(map) => map.iter().for_each(|(child, parents)| add(child, parents)),
        None => state.all().for_each(|(_, it)| add(it.unique_id(), it.depends_on())),
    }
    pairs
}

fn tables(state: &ProjectState, catalog: Option<(Arc<Invocation>, Catalog)>) -> Tables {
    let Some((of, catalog)) = catalog else { return Tables::default() };
    let tables = catalog.nodes.into_iter().chain(catalog.sources);
    let mut rows: Vec<_> =
        tables.filter_map(|table| Some((state.find(&table.unique_id)?, table))).collect();
    rows.sort_by_key(|(ix, _)| *ix);
    Tables { of: Some(of), rows: rows.into() }
}

fn looks(state: &ProjectState, sources: Option<(Arc<Invocation>, Sources)>) -> Looks {
    let Some((of, sources)) = sources else { return Looks::default() };
    let looks = sources.results.into_iter();
    let mut rows: Vec<_> =
        looks.filter_map(|look| Some((state.find(&look.unique_id)?, look))).collect();
    rows.sort_by_key(|(ix, _)| *ix);
    Looks { of: Some(of), rows: rows.into() }
}
