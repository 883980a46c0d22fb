//! What has been executed, and how it went.

use std::collections::{BTreeMap, BTreeSet};

use domain::artifact::{Kind, Status, Text};
use serde_json::{Value, json};

use crate::{
    files::{
        CATALOG, LATER_MANIFEST, LATER_RESULTS, MANIFEST, RESULTS, SOURCES, bytes, entries, json,
    },
    world::{Gathering, id, ids, step},
};

/// The results of a file by unique id.
fn by_id(file: &Value) -> BTreeMap<String, Value> {
    let results = file["results"].as_array().unwrap().iter();
    results.map(|it| (it["unique_id"].as_str().unwrap().to_owned(), it.clone())).collect()
}

/// What the manifest has in these sections.
fn known(manifest: &Value, sections: &[&str]) -> BTreeSet<String> {
    let all = sections.iter().flat_map(|section| entries(manifest, section));
    all.map(|(id, _)| id.to_owned()).collect()
}

#[test]
fn of_each_node_the_newest_run_that_holds_it_counts() {
    let state = Gathering::default()
        .manifest(step(1, 4), MANIFEST)
        .results(step(1, 4), RESULTS)
        .manifest(step(2, 4), LATER_MANIFEST)
        .results(step(2, 4), LATER_RESULTS)
        .state();

    let (manifest, first, later) = (json(LATER_MANIFEST), json(RESULTS), json(LATER_RESULTS));
    let (of_first, of_later) = (by_id(&first), by_id(&later));
    let mut compared = 0;
    for node in known(&manifest, &["nodes", "unit_tests", "exposures", "saved_queries"]) {
        let ix = state.find(&node).unwrap();
        let expected = of_later.get(&node).map(|result| (2, &later, result));
        let expected = expected.or_else(|| of_first.get(&node).map(|result| (1, &first, result)));
        let found = state.execution(ix);
        let Some((run, file, result)) = expected else {
            assert!(found.is_none(), "{node}");
            continue;
        };
        let found = found.unwrap();
        assert_eq!(found.of.run.get(), run, "{node}");
        assert_eq!(json!(found.status.word()), result["status"], "{node}");
        assert_eq!(json!(found.message.as_deref()), result["message"], "{node}");
        assert_eq!(json!(found.failures), result["failures"], "{node}");
        assert_eq!(found.execution_time, result["execution_time"].as_f64(), "{node}");
        assert_eq!(json!(found.of.elapsed_time), file["elapsed_time"], "{node}");
        let time = found.of.generated_at.unwrap().to_string();
        assert_eq!(Value::from(time.replace("+00:00", "Z")), file["metadata"]["generated_at"]);
        let good =
            |result: &Value| ["success", "pass"].contains(&result["status"].as_str().unwrap());
        let last_good = if of_later.get(&node).is_some_and(good) {
            Some(2)
        } else {
            of_first.get(&node).is_some_and(good).then_some(1)
        };
        assert_eq!(found.last_success.map(|(run, _)| run.get()), last_good, "{node}");
        let went_well = good(result);
        assert_eq!(found.error().is_none(), went_well || result["message"].is_null(), "{node}");
        compared += 1;
    }
    let runs = [1, 2].map(|run| {
        state
            .all()
            .filter(|(ix, _)| state.execution(*ix).is_some_and(|it| it.of.run.get() == run))
            .count()
    });
    assert!(compared > 35 && runs[0] >= 4 && runs[1] > 30, "{compared} {runs:?}");
    let error = state.find("model.shop.broken_margin").unwrap();
    assert_eq!(state.execution(error).unwrap().status, Status::Error);
}

#[test]
fn the_applied_state_leaves_out_what_never_ran() {
    let state =
        Gathering::default().manifest(step(1, 4), MANIFEST).results(step(1, 4), RESULTS).state();
    let (manifest, results) = (json(MANIFEST), by_id(&json(RESULTS)));
    for (kind, section) in [(Kind::Model, "nodes"), (Kind::Seed, "nodes"), (Kind::Test, "nodes")] {
        let applied: BTreeSet<_> = state
            .of_kind(kind)
            .iter()
            .filter(|ix| state.is_applied(**ix))
            .map(|ix| id(&state, *ix).to_owned())
            .collect();
        let ran: BTreeSet<_> = known(&manifest, &[section])
            .into_iter()
            .filter(|id| id.starts_with(&format!("{}.", kind.word())) && results.contains_key(id))
            .collect();
        assert_eq!(applied, ran);
    }
    // An ephemeral model is defined, never run.
    let ephemeral = state.find("model.shop.int_orders_enriched").unwrap();
    assert!(!state.is_applied(ephemeral));
    assert_eq!(state.of_kind(Kind::Source).len(), entries(&manifest, "sources").len());
    assert!(state.of_kind(Kind::Source).iter().all(|source| state.is_applied(*source)));
    assert!(state.of_kind(Kind::Analysis).iter().all(|analysis| !state.is_applied(*analysis)));
}

#[test]
fn results_of_docs_are_no_executions() {
    let mut docs = json(RESULTS);
    docs["args"]["which"] = "generate".into();
    for result in docs["results"].as_array_mut().unwrap() {
        result["status"] = "success".into();
    }
    let state = Gathering::default()
        .manifest(step(1, 4), MANIFEST)
        .results(step(1, 4), RESULTS)
        .results(step(1, 5), &bytes(&docs))
        .state();
    let failed = by_id(&json(RESULTS));
    let failed: Vec<_> = failed.iter().filter(|(_, result)| result["status"] == "fail").collect();
    assert!(!failed.is_empty());
    for (test, _) in failed {
        let execution = state.execution(state.find(test).unwrap()).unwrap();
        assert_eq!((execution.status, execution.of.step), (Status::Fail, 4), "{test}");
    }
}

#[test]
fn a_later_step_of_a_run_counts_before_an_earlier_one() {
    let mut again = json(RESULTS);
    again["args"]["which"] = "test".into();
    again["results"].as_array_mut().unwrap().retain(|it| it["status"] == "fail");
    again["results"][0]["status"] = "pass".into();
    let test = again["results"][0]["unique_id"].as_str().unwrap().to_owned();
    let state = Gathering::default()
        .manifest(step(1, 4), MANIFEST)
        .results(step(1, 5), &bytes(&again))
        .results(step(1, 4), RESULTS)
        .state();
    let execution = state.execution(state.find(&test).unwrap()).unwrap();
    assert_eq!((execution.status, execution.of.step), (Status::Pass, 5));
}

#[test]
fn what_the_newest_manifest_has_no_more_is_gone() {
    let mut without = json(MANIFEST);
    let gone = "model.shop.fct_orders";
    without["nodes"].as_object_mut().unwrap().remove(gone);
    let state = Gathering::default()
        .manifest(step(1, 4), MANIFEST)
        .results(step(1, 4), RESULTS)
        .catalog(step(1, 5), CATALOG)
        .manifest(step(2, 4), &bytes(&without))
        .state();
    assert_eq!(state.find(gone), None);
    assert_eq!(state.defined_by().unwrap().run.get(), 2);
    // Its neighbours stay, without it.
    let child = state.find("model.shop.agg_daily_revenue").unwrap();
    assert!(state.is_applied(child));
    assert!(!ids(&state, state.parents(child).to_vec()).contains(&gone));
}

#[test]
fn the_order_in_which_artifacts_come_is_nothing() {
    let one = Gathering::default()
        .manifest(step(1, 4), MANIFEST)
        .results(step(1, 4), RESULTS)
        .results(step(2, 4), LATER_RESULTS)
        .catalog(step(1, 5), CATALOG)
        .sources(step(1, 6), SOURCES)
        .manifest(step(2, 4), LATER_MANIFEST)
        .state();
    let other = Gathering::default()
        .sources(step(1, 6), SOURCES)
        .manifest(step(2, 4), LATER_MANIFEST)
        .results(step(2, 4), LATER_RESULTS)
        .catalog(step(1, 5), CATALOG)
        .manifest(step(1, 4), MANIFEST)
        .results(step(1, 4), RESULTS)
        .state();
    assert_eq!(format!("{one:?}"), format!("{other:?}"));
}

#[test]
fn the_newest_catalog_and_look_at_sources_stand_beside() {
    let state = Gathering::default()
        .manifest(step(1, 4), MANIFEST)
        .catalog(step(1, 5), CATALOG)
        .sources(step(1, 6), SOURCES)
        .state();
    let catalog = json(CATALOG);
    for (ix, resource) in state.all() {
        let id = resource.unique_id().as_str();
        let table = catalog["nodes"].get(id).or_else(|| catalog["sources"].get(id));
        assert_eq!(state.catalog(ix).is_some(), table.is_some(), "{id}");
        if let (Some(ours), Some(theirs)) = (state.catalog(ix), table) {
            assert_eq!(ours.columns.len(), theirs["columns"].as_object().unwrap().len(), "{id}");
        }
    }
    let sources = by_id(&json(SOURCES));
    for source in state.of_kind(Kind::Source) {
        let id = id(&state, *source);
        assert_eq!(state.freshness(*source).is_some(), sources.contains_key(id), "{id}");
    }
    assert_eq!(state.catalogued_by().unwrap().step, 5);
    assert_eq!(state.looked_by().unwrap().step, 6);
}

#[test]
fn code_is_that_of_the_newest_run_or_else_of_the_manifest() {
    let mut parsed = json(MANIFEST);
    for node in parsed["nodes"].as_object_mut().unwrap().values_mut() {
        node["compiled_code"] = Value::Null;
    }
    let state = Gathering::default()
        .manifest(step(1, 4), &bytes(&parsed))
        .results(step(1, 4), RESULTS)
        .state();
    let results = by_id(&json(RESULTS));
    for model in state.of_kind(Kind::Model) {
        let written =
            results.get(id(&state, *model)).map_or(Value::Null, |it| it["compiled_code"].clone());
        assert_eq!(json!(state.compiled_code(*model).map(Text::as_str)), written);
    }
    let compiled = Gathering::default().manifest(step(1, 4), MANIFEST).state();
    let manifest = json(MANIFEST);
    for model in compiled.of_kind(Kind::Model) {
        let written = &manifest["nodes"][id(&compiled, *model)]["compiled_code"];
        assert_eq!(json!(compiled.compiled_code(*model).map(Text::as_str)), *written);
    }
}

#[test]
fn without_a_manifest_there_is_nothing() {
    let state = Gathering::default().results(step(1, 4), RESULTS).state();
    assert_eq!((state.all().count(), state.defined_by()), (0, None));
    assert_eq!(state.select(None, None).unwrap().iter().count(), 0);
}
