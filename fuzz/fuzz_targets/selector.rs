//! A selector is read or refused without a panic, and chooses in a small project.

#![no_main]

use std::sync::LazyLock;

use domain::{
    JobId, RunId,
    artifact::Manifest,
    discovery::{Fold, Invocation, ProjectState},
};
use libfuzzer_sys::fuzz_target;

static STATE: LazyLock<ProjectState> = LazyLock::new(|| {
    let bytes = include_bytes!("../../crates/domain/tests/artifacts/manifest.json");
    let manifest = Manifest::parse(bytes).expect("dbt's own file");
    let (run, job) = (RunId::new(1).expect("above 0"), JobId::new(1).expect("above 0"));
    let mut fold = Fold::default();
    fold.manifest(Invocation::new((run, 1), job, &manifest.metadata), manifest);
    fold.finish()
});

fuzz_target!(|selector: &str| {
    if let Ok(chosen) = STATE.select(Some(selector), None) {
        assert!(chosen.iter().all(|ix| STATE.resource(ix).is_some()));
    }
});
