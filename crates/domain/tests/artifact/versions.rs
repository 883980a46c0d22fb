//! Which versions of dbt's schemas are read.

use domain::artifact::{Catalog, InvalidArtifact, Kind, Manifest, RunResults, Sources};
use serde_json::{Value, json};

use crate::files::{CATALOG, MANIFEST, RESULTS, SOURCES, bytes, json};

fn of_version(file: &[u8], schema: &str, version: u32) -> Value {
    let mut file = json(file);
    let url = format!("https://schemas.getdbt.com/dbt/{schema}/v{version}.json");
    file["metadata"]["dbt_schema_version"] = url.into();
    file
}

/// What a manifest of this version does not have yet.
fn manifest(version: u32) -> Vec<u8> {
    let mut file = of_version(MANIFEST, "manifest", version);
    let top = file.as_object_mut().unwrap();
    let absent: &[&str] = match version {
        9 => &["semantic_models", "saved_queries", "unit_tests"],
        10 => &["saved_queries", "unit_tests"],
        11 => &["unit_tests"],
        _ => &[],
    };
    for key in absent {
        top.remove(*key);
    }
    for node in file["nodes"].as_object_mut().unwrap().values_mut() {
        let node = node.as_object_mut().unwrap();
        if version < 12 {
            node.remove("time_spine");
            node.remove("primary_key");
            node.remove("doc_blocks");
        }
        if version < 11 {
            node.remove("attached_node");
        }
    }
    if version == 9 {
        for metric in file["metrics"].as_object_mut().unwrap().values_mut() {
            *metric = json!({ "name": metric["name"], "unique_id": metric["unique_id"],
                "label": metric["label"], "calculation_method": "sum", "expression": "amount",
                "resource_type": "metric", "package_name": "shop", "path": "a.yml",
                "original_file_path": "models/a.yml", "fqn": ["shop", "a"],
                "depends_on": {"macros": [], "nodes": []}, "filters": [], "window": null });
        }
    }
    bytes(&file)
}

#[test]
fn manifests_from_v9_on_are_read_as_far_as_they_have_fields() {
    let newest = Manifest::parse(MANIFEST).unwrap();
    for version in 9..=12 {
        let read = Manifest::parse(&manifest(version)).unwrap();
        assert_eq!(read.nodes.len(), newest.nodes.len());
        assert_eq!(read.unit_tests.is_empty(), version < 12);
        assert_eq!(read.saved_queries.is_empty(), version < 11);
        assert_eq!(read.semantic_models.is_empty(), version < 10);
        assert_eq!(read.metrics.len(), newest.metrics.len());
        let methods = read.metrics.iter().filter(|metric| metric.calculation_method.is_some());
        assert_eq!(methods.count() > 0, version == 9);
    }
}

#[test]
fn results_from_v4_on_are_read() {
    for version in 4..=6 {
        let mut file = of_version(RESULTS, "run-results", version);
        for result in file["results"].as_array_mut().unwrap() {
            if version < 5 {
                result.as_object_mut().unwrap().remove("compiled_code");
            }
        }
        let read = RunResults::parse(&bytes(&file)).unwrap();
        assert_eq!(read.results.iter().any(|it| it.compiled_code.is_some()), version >= 5);
    }
}

#[test]
fn an_unknown_version_is_named() {
    let wrong = [
        Manifest::parse(&bytes(&of_version(MANIFEST, "manifest", 8))).unwrap_err(),
        Manifest::parse(&bytes(&of_version(MANIFEST, "manifest", 13))).unwrap_err(),
        Manifest::parse(&bytes(&of_version(MANIFEST, "run-results", 12))).unwrap_err(),
        RunResults::parse(&bytes(&of_version(RESULTS, "run-results", 7))).unwrap_err(),
        Sources::parse(&bytes(&of_version(SOURCES, "sources", 4))).unwrap_err(),
        Catalog::parse(&bytes(&of_version(CATALOG, "catalog", 2))).unwrap_err(),
    ];
    let names = [
        "manifest/v8",
        "manifest/v13",
        "run-results/v12",
        "run-results/v7",
        "sources/v4",
        "catalog/v2",
    ];
    for (wrong, name) in wrong.iter().zip(names) {
        assert!(matches!(wrong, InvalidArtifact::UnknownVersion { .. }), "{wrong:?}");
        assert!(wrong.to_string().contains(name), "{wrong}");
    }
    // Of a future version, which may have anything anywhere, it is the version that is wrong.
    let mut future = of_version(MANIFEST, "manifest", 14);
    future["nodes"] = json!([1, 2, 3]);
    let wrong = Manifest::parse(&bytes(&future)).unwrap_err();
    assert!(wrong.to_string().contains("manifest/v14"), "{wrong}");
    let mut file = json(MANIFEST);
    file["metadata"].as_object_mut().unwrap().remove("dbt_schema_version");
    let wrong = Manifest::parse(&bytes(&file)).unwrap_err();
    assert!(matches!(wrong, InvalidArtifact::UnknownVersion { .. }), "{wrong:?}");
}

#[test]
fn unknown_fields_and_kinds_pass_by() {
    let mut file = json(MANIFEST);
    let before = Manifest::parse(MANIFEST).unwrap();
    file["novelties"] = json!({"a": [1, {"b": null}]});
    for node in file["nodes"].as_object_mut().unwrap().values_mut() {
        node["novelty"] = json!({"deep": [[]]});
        node["config"]["novelty"] = json!([1.5]);
    }
    file["nodes"]["hologram.shop.x"] =
        json!({"unique_id": "hologram.shop.x", "name": "x", "resource_type": "hologram"});
    let read = Manifest::parse(&bytes(&file)).unwrap();
    assert_eq!(read.nodes.len(), before.nodes.len() + 1);
    assert!(read.nodes.iter().any(|node| node.resource_type == Kind::Other));
}
