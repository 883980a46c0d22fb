//! What is built on what.

use std::collections::BTreeSet;

use domain::{
    artifact::Kind,
    discovery::{ProjectState, ReleaseVersion, Resource},
};
use serde_json::{Value, json};

use crate::{
    files::{MANIFEST, bytes, json, texts},
    world::{Gathering, id, ids, step},
};

fn defined(manifest: &[u8]) -> ProjectState {
    Gathering::default().manifest(step(1, 4), manifest).state()
}

/// All ancestors by the file's own map, one by one.
fn naive(parents: &Value, of: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut ahead = vec![of.to_owned()];
    while let Some(id) = ahead.pop() {
        for parent in texts(&parents[&id]) {
            if found.insert(parent.to_owned()) {
                ahead.push(parent.to_owned());
            }
        }
    }
    found.remove(of);
    found
}

#[test]
fn parents_and_children_are_those_of_the_manifest() {
    let (state, file) = (defined(MANIFEST), json(MANIFEST));
    let maps = [
        ("parent_map", ProjectState::parents as fn(&_, _) -> &_),
        ("child_map", ProjectState::children),
    ];
    for (map, ours) in maps {
        for (of, theirs) in file[map].as_object().unwrap() {
            let of = state.find(of).unwrap();
            let expected: BTreeSet<_> = texts(theirs).into_iter().collect();
            let found = ids(&state, ours(&state, of).to_vec());
            assert!(found.is_sorted());
            assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
        }
    }
}

#[test]
fn without_a_map_resources_say_themselves_what_they_are_built_on() {
    let mut file = json(MANIFEST);
    let with = defined(MANIFEST);
    for absent in [Value::Null, Value::Bool(false)] {
        match absent {
            Value::Null => file["parent_map"] = Value::Null,
            _ => drop(file.as_object_mut().unwrap().remove("parent_map")),
        }
        let without = defined(&bytes(&file));
        for (ix, _) in with.all() {
            assert_eq!(with.parents(ix), without.parents(ix));
        }
    }
}

#[test]
fn ancestors_are_all_that_is_above_of_the_kinds_that_are_asked_for() {
    let (state, file) = (defined(MANIFEST), json(MANIFEST));
    let kinds =
        [Kind::Model, Kind::Source, Kind::Seed, Kind::Snapshot, Kind::Exposure, Kind::Macro];
    let mut most = 0;
    for (ix, resource) in state.all() {
        let above = naive(&file["parent_map"], resource.unique_id());
        for kinds in [&kinds[..], &[Kind::Source], &[Kind::Model, Kind::Seed], &[]] {
            let expected: Vec<_> = above
                .iter()
                .filter(|id| kinds.iter().any(|kind| id.starts_with(&format!("{}.", kind.word()))))
                .map(String::as_str)
                .collect();
            most = most.max(expected.len());
            assert_eq!(ids(&state, state.ancestors(ix, kinds)), expected);
        }
    }
    assert!(most >= 8, "{most}");
}

#[test]
fn tests_are_those_that_depend_on_a_node() {
    let (state, file) = (defined(MANIFEST), json(MANIFEST));
    let mut tested = 0;
    for (ix, resource) in state.all() {
        let depends = |(test, it): &(&String, &Value)| {
            let is_test = test.starts_with("test.") || test.starts_with("unit_test.");
            is_test && texts(&it["depends_on"]["nodes"]).contains(&resource.unique_id().as_str())
        };
        let all =
            ["nodes", "unit_tests"].into_iter().flat_map(|key| file[key].as_object().unwrap());
        let mut expected: Vec<_> = all.filter(depends).map(|(test, _)| test.as_str()).collect();
        expected.sort_unstable();
        tested += expected.len();
        assert_eq!(ids(&state, state.tests(ix)), expected);
    }
    assert!(tested > 20, "{tested}");
}

#[test]
fn resources_that_are_built_on_each_other_in_a_circle_are_walked_once() {
    let mut file = json(MANIFEST);
    let map = file["parent_map"].as_object_mut().unwrap();
    map["model.shop.stg_orders"] = json!(["model.shop.fct_orders", "model.shop.stg_orders"]);
    let expected = naive(&file["parent_map"], "model.shop.stg_orders");
    let state = defined(&bytes(&file));
    let stg_orders = state.find("model.shop.stg_orders").unwrap();
    let all: Vec<_> = [Kind::Model, Kind::Source, Kind::Seed, Kind::Snapshot].into();
    let found = ids(&state, state.ancestors(stg_orders, &all));
    assert_eq!(found, expected.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(found.contains(&"model.shop.fct_orders"));
    let chosen = state.select(Some("@stg_orders 3+fct_orders+"), None).unwrap();
    assert!(chosen.contains(stg_orders));
}

#[test]
fn a_model_knows_its_versions_and_how_they_stand() {
    let (state, file) = (defined(MANIFEST), json(MANIFEST));
    for model in state.of_kind(Kind::Model) {
        let of = &file["nodes"][id(&state, *model)];
        let node = state.resource(*model).and_then(Resource::as_node).unwrap();
        let expected = match (of["version"].as_u64(), of["latest_version"].as_u64()) {
            (Some(version), Some(latest)) if version < latest => ReleaseVersion::Old,
            (Some(version), Some(latest)) if version > latest => ReleaseVersion::Prerelease,
            (Some(_), Some(_)) => ReleaseVersion::Latest,
            _ => ReleaseVersion::None,
        };
        assert_eq!(ReleaseVersion::of(node), expected);
        let same = |it: &&Value| {
            it["name"] == of["name"] && !it["version"].is_null() && !of["version"].is_null()
        };
        let versions = file["nodes"].as_object().unwrap().values().filter(same).count();
        assert_eq!(state.versions(*model).len(), versions);
    }
}

#[test]
fn a_group_has_models_and_no_tests() {
    let (state, file) = (defined(MANIFEST), json(MANIFEST));
    for (_, group) in file["groups"].as_object().unwrap() {
        let name = group["name"].as_str().unwrap();
        let nodes = file["nodes"].as_object().unwrap().iter();
        let mut expected: Vec<_> = nodes
            .filter(|(_, it)| it["resource_type"] == "model" && it["group"] == group["name"])
            .map(|(id, _)| id.as_str())
            .collect();
        expected.sort_unstable();
        assert!(!expected.is_empty());
        assert_eq!(ids(&state, state.models_of_group(name)), expected);
    }
}

#[test]
fn every_resource_is_found_by_its_id_and_by_its_kind() {
    let (state, file) = (defined(MANIFEST), json(MANIFEST));
    let sections = [
        "nodes",
        "sources",
        "macros",
        "exposures",
        "metrics",
        "groups",
        "semantic_models",
        "saved_queries",
        "unit_tests",
    ];
    let mut all = 0;
    for section in sections {
        for (id, of) in file[section].as_object().unwrap() {
            let ix = state.find(id).unwrap();
            let kind = state.resource(ix).unwrap().kind();
            assert_eq!(of["resource_type"], kind.word());
            assert!(state.of_kind(kind).contains(&ix));
            all += 1;
        }
    }
    assert_eq!(state.all().count(), all);
    assert_eq!(state.find("model.shop.nothing"), None);
}
