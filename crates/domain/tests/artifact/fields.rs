//! What stands in a manifest is there to be read.

use domain::artifact::{Column, Config, Json, Kind, Manifest, Metadata, Text};
use serde_json::{Value, json};

use crate::files::{LATER_MANIFEST, MANIFEST, entries, json, texts};

/// A text of ours as JSON.
fn text(text: &Text) -> Value {
    Value::from(text.as_str())
}

fn maybe(of: Option<&Text>) -> Value {
    of.map_or(Value::Null, text)
}

fn raw(of: Option<&Json>) -> Value {
    of.map_or(Value::Null, Json::to_value)
}

fn list(of: &[Text]) -> Value {
    of.iter().map(text).collect()
}

/// A field of the file, with null where there is none.
fn field<'a>(of: &'a Value, path: &str) -> &'a Value {
    of.pointer(path).unwrap_or(&Value::Null)
}

/// Holds each pair to be equal.
macro_rules! same {
    ($id:expr, $of:expr, $($path:literal: $ours:expr),* $(,)?) => {$(
        assert_eq!($ours, *field($of, $path), "{} of {}", $path, $id);
    )*};
}

fn same_columns(id: &str, ours: &[Column], file: &Value) {
    let theirs = file["columns"].as_object().unwrap();
    assert_eq!(ours.len(), theirs.len(), "{id}");
    for column in ours {
        let of = &theirs[column.name.as_str()];
        same!(id, of,
            "/name": text(&column.name),
            "/description": maybe(column.description.as_ref()),
            "/data_type": maybe(column.data_type.as_ref()),
            "/meta": raw(column.meta.as_ref()),
            "/tags": list(&column.tags),
        );
        let kinds: Vec<_> = column.constraints.iter().map(|it| maybe(it.kind.as_ref())).collect();
        let wanted = of["constraints"].as_array().unwrap();
        let wanted: Vec<_> = wanted.iter().map(|it| it["type"].clone()).collect();
        assert_eq!(kinds, wanted, "{id}");
    }
}

fn same_config(id: &str, ours: &Config, file: &Value) {
    same!(id, file,
        "/config": ours.json.to_value(),
        "/config/materialized": maybe(ours.materialized.as_ref()),
        "/config/severity": maybe(ours.severity.as_ref()),
        "/config/meta": raw(ours.meta.as_ref()),
    );
    assert_eq!(list(&ours.tags), Value::from(texts(&file["config"]["tags"])), "{id}");
}

#[test]
fn metadata_is_read() {
    let (read, file) = (Manifest::parse(MANIFEST).unwrap(), json(MANIFEST));
    let Metadata {
        dbt_schema_version,
        dbt_version,
        generated_at,
        invocation_id,
        project_name,
        adapter_type,
    } = read.metadata;
    same!("metadata", &file["metadata"],
        "/dbt_schema_version": maybe(dbt_schema_version.as_ref()),
        "/dbt_version": maybe(dbt_version.as_ref()),
        "/invocation_id": maybe(invocation_id.as_ref()),
        "/project_name": maybe(project_name.as_ref()),
        "/adapter_type": maybe(adapter_type.as_ref()),
    );
    let written = file["metadata"]["generated_at"].as_str().unwrap();
    assert_eq!(generated_at.unwrap().to_string(), written.replace('Z', "+00:00"));
}

#[test]
fn every_node_is_read_with_its_fields() {
    for bytes in [MANIFEST, LATER_MANIFEST] {
        let (read, file) = (Manifest::parse(bytes).unwrap(), json(bytes));
        assert_eq!(read.nodes.len(), entries(&file, "nodes").len());
        for node in &read.nodes {
            let id = node.unique_id.as_str();
            let of = &file["nodes"][id];
            same!(id, of,
                "/unique_id": text(&node.unique_id),
                "/name": text(&node.name),
                "/resource_type": Value::from(node.resource_type.word()),
                "/package_name": text(&node.package_name),
                "/path": text(&node.path),
                "/original_file_path": text(&node.original_file_path),
                "/patch_path": maybe(node.patch_path.as_ref()),
                "/fqn": list(&node.fqn),
                "/database": maybe(node.database.as_ref()),
                "/schema": maybe(node.schema.as_ref()),
                "/alias": maybe(node.alias.as_ref()),
                "/relation_name": maybe(node.relation_name.as_ref()),
                "/tags": list(&node.tags),
                "/meta": raw(node.meta.as_ref()),
                "/description": maybe(node.description.as_ref()),
                "/raw_code": maybe(node.raw_code.as_ref()),
                "/compiled_code": maybe(node.compiled_code.as_ref()),
                "/language": maybe(node.language.as_ref()),
                "/group": maybe(node.group.as_ref()),
                "/access": maybe(node.access.as_ref()),
                "/deprecation_date": maybe(node.deprecation_date.as_ref()),
                "/column_name": maybe(node.column_name.as_ref()),
                "/attached_node": maybe(node.attached_node.as_ref()),
            );
            let enforced = of.pointer("/contract/enforced").unwrap_or(&Value::Bool(false));
            assert_eq!(Value::from(node.contract_enforced()), *enforced, "{id}");
            let version = |field: &str| of[field].as_u64().map(|number| number.to_string());
            assert_eq!(node.version.as_deref(), version("version").as_deref(), "{id}");
            assert_eq!(node.latest_version.as_deref(), version("latest_version").as_deref());
            let parents = texts(&of["depends_on"]["nodes"]);
            assert_eq!(list(node.depends_on()), Value::from(parents), "{id}");
            let constraints = of["constraints"].as_array().map_or(0, Vec::len);
            assert_eq!(node.constraints.len(), constraints, "{id}");
            same_columns(id, &node.columns, of);
            same_config(id, &node.config, of);
            let test = node.test_metadata.as_ref();
            same!(id, of,
                "/test_metadata/name": maybe(test.map(|test| &test.name)),
                "/test_metadata/namespace": maybe(test.and_then(|test| test.namespace.as_ref())),
                "/test_metadata/kwargs": raw(test.map(|test| &test.kwargs)),
            );
        }
        let versioned = read.nodes.iter().filter(|node| node.version.is_some()).count();
        assert!(
            versioned >= 2
                && read
                    .nodes
                    .iter()
                    .any(|node| !node.constraints.is_empty() || !node.columns.is_empty())
        );
    }
}

#[test]
fn every_source_is_read_with_its_fields() {
    let (read, file) = (Manifest::parse(MANIFEST).unwrap(), json(MANIFEST));
    assert_eq!(read.sources.len(), entries(&file, "sources").len());
    for source in &read.sources {
        let id = source.unique_id.as_str();
        let of = &file["sources"][id];
        same!(id, of,
            "/name": text(&source.name),
            "/source_name": text(&source.source_name),
            "/source_description": maybe(source.source_description.as_ref()),
            "/identifier": maybe(source.identifier.as_ref()),
            "/loader": maybe(source.loader.as_ref()),
            "/package_name": text(&source.package_name),
            "/path": text(&source.path),
            "/original_file_path": text(&source.original_file_path),
            "/patch_path": maybe(source.patch_path.as_ref()),
            "/fqn": list(&source.fqn),
            "/database": maybe(source.database.as_ref()),
            "/schema": maybe(source.schema.as_ref()),
            "/relation_name": maybe(source.relation_name.as_ref()),
            "/tags": list(&source.tags),
            "/meta": raw(source.meta.as_ref()),
            "/source_meta": raw(source.source_meta.as_ref()),
            "/description": maybe(source.description.as_ref()),
            "/loaded_at_field": maybe(source.loaded_at_field.as_ref()),
        );
        let criteria = &source.freshness;
        let span = |of: &Option<(u64, String)>| {
            of.as_ref().map_or(Value::Null, |(count, period)| json!([count, period]))
        };
        let file_span = |key: &str| match field(of, &format!("/freshness/{key}")) {
            Value::Object(span) if !span["count"].is_null() => {
                json!([span["count"], span["period"]])
            }
            _ => Value::Null,
        };
        assert_eq!(span(&criteria.warn_after.0), file_span("warn_after"), "{id}");
        assert_eq!(span(&criteria.error_after.0), file_span("error_after"), "{id}");
        same_columns(id, &source.columns, of);
    }
}

#[test]
fn every_macro_exposure_and_group_is_read_with_its_fields() {
    let (read, file) = (Manifest::parse(MANIFEST).unwrap(), json(MANIFEST));
    assert_eq!(read.macros.len(), entries(&file, "macros").len());
    for found in &read.macros {
        let id = found.unique_id.as_str();
        let of = &file["macros"][id];
        let arguments: Value = found
            .arguments
            .iter()
            .map(|it| json!([it.name.as_str(), it.kind.as_deref(), it.description.as_deref()]))
            .collect();
        let written: Value = of["arguments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| json!([it["name"], it["type"], it["description"]]))
            .collect();
        assert_eq!(arguments, written, "{id}");
        same!(id, of,
            "/name": text(&found.name),
            "/package_name": text(&found.package_name),
            "/path": text(&found.path),
            "/original_file_path": text(&found.original_file_path),
            "/patch_path": maybe(found.patch_path.as_ref()),
            "/macro_sql": text(&found.macro_sql),
            "/description": maybe(found.description.as_ref()),
            "/meta": raw(found.meta.as_ref()),
            "/depends_on/macros": list(found.depends_on_macros()),
        );
    }
    assert_eq!(read.exposures.len(), entries(&file, "exposures").len());
    for exposure in &read.exposures {
        let id = exposure.unique_id.as_str();
        same!(id, &file["exposures"][id],
            "/type": maybe(exposure.exposure_type.as_ref()),
            "/label": maybe(exposure.label.as_ref()),
            "/maturity": maybe(exposure.maturity.as_ref()),
            "/url": maybe(exposure.url.as_ref()),
            "/owner/name": maybe(exposure.owner.name.as_ref()),
            "/owner/email": maybe(exposure.owner.email.as_ref()),
            "/fqn": list(&exposure.fqn),
            "/tags": list(&exposure.tags),
            "/meta": raw(exposure.meta.as_ref()),
            "/description": maybe(exposure.description.as_ref()),
            "/depends_on/nodes": list(exposure.depends_on()),
        );
    }
    assert_eq!(read.groups.len(), entries(&file, "groups").len());
    for group in &read.groups {
        let id = group.unique_id.as_str();
        same!(id, &file["groups"][id],
            "/name": text(&group.name),
            "/owner/name": maybe(group.owner.name.as_ref()),
            "/owner/email": maybe(group.owner.email.as_ref()),
            "/description": maybe(group.description.as_ref()),
            "/config/meta": raw(group.config.meta.as_ref()),
        );
    }
}

#[test]
fn everything_of_the_semantic_layer_is_read_with_its_fields() {
    let (read, file) = (Manifest::parse(MANIFEST).unwrap(), json(MANIFEST));
    assert_eq!(read.metrics.len(), entries(&file, "metrics").len());
    for metric in &read.metrics {
        let id = metric.unique_id.as_str();
        same!(id, &file["metrics"][id],
            "/label": maybe(metric.label.as_ref()),
            "/type": maybe(metric.metric_type.as_ref()),
            "/type_params": raw(metric.type_params.as_ref()),
            "/filter": raw(metric.filter.as_ref()),
            "/tags": list(&metric.tags),
            "/meta": raw(metric.meta.as_ref()),
            "/description": maybe(metric.description.as_ref()),
            "/depends_on/nodes": list(metric.depends_on()),
        );
    }
    assert_eq!(read.semantic_models.len(), entries(&file, "semantic_models").len());
    for model in &read.semantic_models {
        let id = model.unique_id.as_str();
        let of = &file["semantic_models"][id];
        same!(id, of,
            "/model": maybe(model.model.as_ref()),
            "/description": maybe(model.description.as_ref()),
            "/defaults": raw(model.defaults.as_ref()),
            "/primary_entity": maybe(model.primary_entity.as_ref()),
            "/depends_on/nodes": list(model.depends_on()),
        );
        for (place, entity) in model.entities.iter().enumerate() {
            same!(id, &of["entities"][place],
                "/name": text(&entity.name), "/type": maybe(entity.kind.as_ref()),
                "/expr": maybe(entity.expr.as_ref()), "/role": maybe(entity.role.as_ref()),
            );
        }
        for (place, dimension) in model.dimensions.iter().enumerate() {
            same!(id, &of["dimensions"][place],
                "/name": text(&dimension.name), "/type": maybe(dimension.kind.as_ref()),
                "/expr": maybe(dimension.expr.as_ref()), "/label": maybe(dimension.label.as_ref()),
                "/type_params": raw(dimension.type_params.as_ref()),
                "/is_partition": Value::from(dimension.is_partition),
            );
        }
        for (place, measure) in model.measures.iter().enumerate() {
            same!(id, &of["measures"][place],
                "/name": text(&measure.name), "/agg": maybe(measure.agg.as_ref()),
                "/expr": maybe(measure.expr.as_ref()),
                "/create_metric": Value::from(measure.create_metric),
            );
        }
        let sizes = [model.entities.len(), model.dimensions.len(), model.measures.len()];
        let written = ["entities", "dimensions", "measures"];
        assert_eq!(sizes, written.map(|key| of[key].as_array().unwrap().len()), "{id}");
    }
    let [query] = &read.saved_queries[..] else { panic!("{:?}", read.saved_queries) };
    let id = query.unique_id.as_str();
    let of = &file["saved_queries"][id];
    let templates: Vec<_> = query.query_params.where_sql_templates().map(text).collect();
    let written = of["query_params"]["where"]["where_filters"].as_array().unwrap();
    let written: Vec<_> = written.iter().map(|it| it["where_sql_template"].clone()).collect();
    assert_eq!(templates, written);
    same!(id, of,
        "/query_params/metrics": list(&query.query_params.metrics),
        "/query_params/group_by": list(&query.query_params.group_by),
        "/exports/0/name": text(&query.exports[0].name),
        "/exports/0/config": query.exports[0].config.to_value(),
        "/depends_on/nodes": list(query.depends_on()),
    );
}

#[test]
fn every_unit_test_is_read_with_its_fields() {
    let (read, file) = (Manifest::parse(MANIFEST).unwrap(), json(MANIFEST));
    assert_eq!(read.unit_tests.len(), entries(&file, "unit_tests").len());
    for test in &read.unit_tests {
        let id = test.unique_id.as_str();
        let of = &file["unit_tests"][id];
        same!(id, of,
            "/name": text(&test.name),
            "/model": maybe(test.model.as_ref()),
            "/given": test.given.to_value(),
            "/expect": test.expect.to_value(),
            "/overrides": raw(test.overrides.as_ref()),
            "/schema": maybe(test.schema.as_ref()),
            "/depends_on/nodes": list(test.depends_on()),
        );
        assert_eq!(test.num_given(), of["given"].as_array().unwrap().len());
    }
}

#[test]
fn texts_that_repeat_are_kept_once() {
    let read = Manifest::parse(MANIFEST).unwrap();
    let tests: Vec<_> = read.nodes.iter().filter(|node| node.resource_type == Kind::Test).collect();
    assert!(tests.len() > 10);
    assert!(tests.iter().all(|test| test.package_name.is_shared_with(&tests[0].package_name)));
    let schemas: Vec<_> = tests.iter().filter_map(|test| test.schema.as_ref()).collect();
    assert!(schemas.iter().all(|schema| schema.is_shared_with(schemas[0])));
}
