//! What stands in results, catalogs and looks at sources is there to be read.

use domain::{
    artifact::{Catalog, Period, RunResults, SemanticManifest, Sources, Status, Text},
    source_freshness::Verdict,
};
use serde_json::{Value, json};

use crate::files::{CATALOG, LATER_RESULTS, RESULTS, SOURCES, bytes, entries, json};

pub(crate) const SEMANTIC_MANIFEST: &[u8] = include_bytes!("../artifacts/semantic_manifest.json");

/// A phase of a result as the file has it.
fn written(result: &Value, name: &str) -> Option<[String; 2]> {
    let timing = result["timing"].as_array().unwrap();
    let phase = timing.iter().find(|phase| phase["name"] == name)?;
    let time = |key: &str| phase[key].as_str().unwrap().replace('Z', "+00:00");
    Some([time("started_at"), time("completed_at")])
}

fn read(period: Period) -> Option<[String; 2]> {
    Some([period.started_at?.to_string(), period.completed_at?.to_string()])
}

#[test]
fn every_result_is_read_with_its_fields() {
    for bytes in [RESULTS, LATER_RESULTS] {
        let (ours, file) = (RunResults::parse(bytes).unwrap(), json(bytes));
        let theirs = file["results"].as_array().unwrap();
        assert_eq!(ours.results.len(), theirs.len());
        for (our, their) in ours.results.iter().zip(theirs) {
            let as_read = json!({
                "unique_id": our.unique_id.as_str(),
                "status": our.status.word(),
                "message": our.message.as_deref(),
                "failures": our.failures,
                "thread_id": our.thread_id.as_deref(),
                "compiled_code": our.compiled_code.as_deref(),
            });
            for (key, value) in as_read.as_object().unwrap() {
                assert_eq!(*value, their[key], "{key} of {}", our.unique_id);
            }
            assert_eq!(our.execution_time, their["execution_time"].as_f64());
            assert_eq!(read(our.compile()), written(their, "compile"));
            assert_eq!(read(our.execute()), written(their, "execute"));
        }
        assert_eq!(json!(ours.elapsed_time), file["elapsed_time"]);
        assert_eq!(json!(ours.which()), file["args"]["which"]);
        assert!(ours.is_execution());
    }
}

#[test]
fn results_of_docs_and_compilations_execute_nothing() {
    let mut file = json(RESULTS);
    for which in ["generate", "compile", "docs", "freshness", "run-operation", "parse", "show"] {
        file["args"]["which"] = which.into();
        assert!(!RunResults::parse(&bytes(&file)).unwrap().is_execution(), "{which}");
    }
    file.as_object_mut().unwrap().remove("args");
    assert!(!RunResults::parse(&bytes(&file)).unwrap().is_execution());
}

#[test]
fn each_status_has_the_word_that_dbt_writes() {
    let words = [
        "success",
        "error",
        "skipped",
        "partial success",
        "pass",
        "fail",
        "warn",
        "runtime error",
        "no-op",
    ];
    for word in words {
        let text = json!({"metadata": {"dbt_schema_version": "x/run-results/v6.json"},
            "results": [{"unique_id": "model.a.b", "status": word}]});
        let read = RunResults::parse(&bytes(&text)).unwrap();
        assert_eq!(read.results[0].status.word(), word);
        assert_eq!(Status::from_word(word), Some(read.results[0].status));
    }
    let text = json!({"metadata": {"dbt_schema_version": "x/run-results/v6.json"},
        "results": [{"unique_id": "model.a.b", "status": "reused"}]});
    assert_eq!(RunResults::parse(&bytes(&text)).unwrap().results[0].status, Status::Unknown);
}

#[test]
fn every_table_of_a_catalog_is_read_with_its_columns() {
    let (ours, mut file) = (Catalog::parse(CATALOG).unwrap(), json(CATALOG));
    for (key, tables) in [("nodes", &ours.nodes), ("sources", &ours.sources)] {
        assert_eq!(tables.len(), entries(&file, key).len());
        assert!(!tables.is_empty(), "{key}");
        for table in tables {
            let of = &file[key][table.unique_id.as_str()];
            let described = json!({ "type": table.kind().map(Text::as_str),
                "owner": table.owner().map(Text::as_str),
                "comment": table.comment().map(Text::as_str) });
            for (key, value) in described.as_object().unwrap() {
                assert_eq!(*value, of["metadata"][key], "{}", table.unique_id);
            }
            let columns: Vec<Value> = table
                .columns
                .iter()
                .map(|it| {
                    json!({ "name": it.name.as_str(), "type": it.kind.as_deref(),
                        "index": it.index, "comment": it.comment.as_deref() })
                })
                .collect();
            let mut written: Vec<Value> =
                of["columns"].as_object().unwrap().values().cloned().collect();
            written.sort_by_key(|column| column["index"].as_i64());
            let mut columns = columns;
            columns.sort_by_key(|column| column["index"].as_i64());
            assert_eq!(columns, written, "{}", table.unique_id);
            let stats: Vec<Value> = table
                .stats
                .iter()
                .map(|it| {
                    json!({ "id": it.id.as_str(), "label": it.label.as_deref(),
                        "value": it.value.to_value(), "include": it.include,
                        "description": it.description.as_deref() })
                })
                .collect();
            let written: Vec<Value> = of["stats"].as_object().unwrap().values().cloned().collect();
            assert_eq!(stats, written);
        }
    }
    let first = ours.nodes[0].unique_id.clone();
    file["nodes"][first.as_str()]["stats"] = json!({
        "bytes": {"id": "bytes", "label": "Bytes", "value": 1234.0, "include": true, "description": ""},
        "has_stats": {"id": "has_stats", "label": "", "value": true, "include": false, "description": ""},
    });
    let with_numbers = Catalog::parse(&bytes(&file)).unwrap();
    let table = with_numbers.nodes.iter().find(|table| table.unique_id == first).unwrap();
    assert_eq!(table.number(&["num_bytes", "bytes"]), Some(1234.0));
    assert_eq!(table.number(&["has_stats", "num_rows"]), None);
}

#[test]
fn every_look_at_a_source_is_read() {
    let (ours, file) = (Sources::parse(SOURCES).unwrap(), json(SOURCES));
    let theirs = file["results"].as_array().unwrap();
    assert_eq!(ours.results.len(), theirs.len());
    for (our, their) in ours.results.iter().zip(theirs) {
        let Verdict::Looked { status, age, max_loaded_at, .. } = &our.verdict else {
            panic!("{our:?}")
        };
        assert_eq!(json!(our.unique_id), their["unique_id"]);
        assert_eq!(json!(status.word()), their["status"]);
        assert_eq!(json!(age), their["max_loaded_at_time_ago_in_s"]);
        let loaded = max_loaded_at.as_datetime().to_rfc3339();
        assert_eq!(json!(loaded), their["max_loaded_at"]);
    }
    let written = file["metadata"]["generated_at"].as_str().unwrap().replace('Z', "+00:00");
    assert_eq!(ours.metadata.generated_at.unwrap().to_string(), written);
}

#[test]
fn the_semantic_manifest_is_read_without_a_version() {
    let (ours, file) =
        (SemanticManifest::parse(SEMANTIC_MANIFEST).unwrap(), json(SEMANTIC_MANIFEST));
    let names = |key: &str| -> Vec<&str> {
        file[key].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect()
    };
    let read: Vec<_> = ours.semantic_models.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(read, names("semantic_models"));
    let read: Vec<_> = ours.metrics.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(read, names("metrics"));
    let read: Vec<_> = ours.saved_queries.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(read, names("saved_queries"));
    for (our, their) in ours.metrics.iter().zip(file["metrics"].as_array().unwrap()) {
        assert_eq!(our.type_params.to_value(), their["type_params"]);
        assert_eq!(json!(our.metric_type.as_str()), their["type"]);
    }
    for (our, their) in ours.semantic_models.iter().zip(file["semantic_models"].as_array().unwrap())
    {
        assert_eq!(our.node_relation.to_value(), their["node_relation"]);
        assert_eq!(our.measures.len(), their["measures"].as_array().unwrap().len());
    }
    assert_eq!(ours.project_configuration.to_value(), file["project_configuration"]);
}
