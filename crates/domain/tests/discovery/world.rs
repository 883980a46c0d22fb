//! Steps of runs, and what they leave.

use domain::{
    JobId, RunId,
    artifact::{Catalog, Manifest, RunResults, Sources},
    discovery::{Fold, Invocation, ProjectState, ResourceIx},
};

/// A step of a run of job 1 (job 2 for even runs).
pub(crate) fn step(run: i64, step: u32) -> ((RunId, u32), JobId) {
    let job = JobId::new(if run % 2 == 0 { 2 } else { 1 }).unwrap();
    ((RunId::new(run).unwrap(), step), job)
}

/// A gathering of artifacts, each of a step.
#[derive(Default)]
pub(crate) struct Gathering(Fold);

impl Gathering {
    pub(crate) fn manifest(mut self, (of, job): ((RunId, u32), JobId), bytes: &[u8]) -> Self {
        let manifest = Manifest::parse(bytes).unwrap();
        self.0.manifest(Invocation::new(of, job, &manifest.metadata), manifest);
        self
    }

    pub(crate) fn results(mut self, (of, job): ((RunId, u32), JobId), bytes: &[u8]) -> Self {
        let results = RunResults::parse(bytes).unwrap();
        self.0.results(Invocation::of_results(of, job, &results), results);
        self
    }

    pub(crate) fn catalog(mut self, (of, job): ((RunId, u32), JobId), bytes: &[u8]) -> Self {
        let catalog = Catalog::parse(bytes).unwrap();
        self.0.catalog(Invocation::new(of, job, &catalog.metadata), catalog);
        self
    }

    pub(crate) fn sources(mut self, (of, job): ((RunId, u32), JobId), bytes: &[u8]) -> Self {
        let sources = Sources::parse(bytes).unwrap();
        self.0.sources(Invocation::new(of, job, &sources.metadata), sources);
        self
    }

    pub(crate) fn state(self) -> ProjectState {
        self.0.finish()
    }
}

pub(crate) fn id(state: &ProjectState, ix: ResourceIx) -> &str {
    state.resource(ix).unwrap().unique_id()
}

pub(crate) fn ids(state: &ProjectState, of: impl IntoIterator<Item = ResourceIx>) -> Vec<&str> {
    of.into_iter().map(|ix| id(state, ix)).collect()
}
