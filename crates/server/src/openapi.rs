//! The OpenAPI document of what is served, made from the list of routes and the handlers' types.

use std::collections::BTreeSet;

use domain::authz::Access;
use serde_json::{Map, Value, json};

use crate::{
    endpoint::Described,
    routes::{ServedRoute, served_routes},
};

/// The document: OpenAPI 3.1, paths with a slash at their end, as dbt's documents have them.
#[must_use]
pub fn openapi() -> Value {
    let routes = served_routes();
    let mut common = Described::default();
    let failure = json!({
        "type": "object",
        "properties": {
            "status": common.reference::<wire::Status>(),
            "data": { "oneOf": [{ "type": "null" }, common.reference::<wire::Reasons>()] },
        },
        "required": ["status", "data"],
    });
    let mut schemas = common.schemas;
    schemas.insert("Failure".to_owned(), failure);
    let mut paths = Map::new();
    let mut ids = BTreeSet::new();
    for route in &routes {
        schemas.extend(route.described.schemas.clone());
        let item = paths.entry(documented_path(route.path)).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            let id = operation_id(route, &mut ids);
            item.insert(route.method.as_str().to_lowercase(), operation(route, &id));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Narrowgate Admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" },
        },
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

/// A path as the document shows it: wildcards as plain parameters.
fn documented_path(path: &str) -> String {
    let path = path.replace("{*", "{");
    if path.ends_with("{remainder}") { path } else { format!("{path}/") }
}

fn operation(route: &ServedRoute, id: &str) -> Value {
    let (status, content) = route.described.answer.clone().unwrap_or((200, json!({})));
    let mut responses = Map::new();
    responses.insert(status.to_string(), json!({ "description": "done", "content": content }));
    if let Some((status, content)) = &route.described.other_answer {
        let description = "taken, and done once a second person accepts it";
        let other = json!({ "description": description, "content": content });
        responses.insert(status.to_string(), other);
    }
    for (status, description) in failures(route) {
        let schema = json!({ "$ref": "#/components/schemas/Failure" });
        responses.insert(
            status.to_owned(),
            json!({
                "description": description,
                "content": { "application/json": { "schema": schema } },
            }),
        );
    }
    let mut operation = json!({
        "operationId": id,
        "summary": route.name,
        "description": format!("Needs {}.", route.action),
        "parameters": parameters(route),
        "responses": responses,
    });
    if let (Some(body), Some(operation)) = (&route.described.body, operation.as_object_mut()) {
        operation.insert("requestBody".to_owned(), json!({ "required": true, "content": body }));
    }
    operation
}

fn failures(route: &ServedRoute) -> Vec<(&'static str, &'static str)> {
    let mut failures = vec![
        ("400", "a parameter, a field or the way the token was presented is wrong"),
        ("401", "no valid token"),
        ("403", "the token's grants do not hold the action, or its restrictions take it away"),
        ("404", "no such object within the token's reach"),
    ];
    // What can be downloaded may not be there yet, such as the code of an empty repository; and a
    // few operations change things by GET.
    let writes = route.method != axum::http::Method::GET || route.action.access == Access::Write;
    let downloads = ["/download", "/file"].iter().any(|end| route.path.ends_with(end));
    if writes || downloads {
        failures.push(("409", "the state of things does not allow it"));
    }
    if route.described.body.is_some() {
        failures.push(("413", "the body is larger than 1 MiB"));
        failures.push(("415", "the body is not application/json"));
    }
    if route.described.replays {
        failures.push(("422", "the Idempotency-Key was used for another request"));
    }
    failures.push(if route.described.follows {
        ("429", "the token asks too often, or has as many streams as it may have")
    } else {
        ("429", "the token asks too often, or too many wrong ones came from there")
    });
    failures.push(("503", "the store is not available"));
    failures
}

/// `v3_list_service_tokens_get`; where that is taken, with what the path goes through.
fn operation_id(route: &ServedRoute, taken: &mut BTreeSet<String>) -> String {
    let version = route.path.split('/').nth(2).unwrap_or_default();
    let method = route.method.as_str().to_lowercase();
    let name = route.name.to_lowercase().replace(' ', "_");
    let id = format!("{version}_{name}_{method}");
    let nouns: Vec<_> = route.path.split('/').skip(3).filter(|part| !part.contains('{')).collect();
    let longer = format!("{id}_of_{}", nouns.join("_").replace('-', "_"));
    let id = if taken.contains(&id) { longer } else { id };
    taken.insert(id.clone());
    id
}

fn parameters(route: &ServedRoute) -> Vec<Value> {
    let in_path = route.path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        let key = |word: &str| {
            let pattern = format!("^{word}_[0-9A-Za-z]{{27}}$");
            json!({ "type": "string", "pattern": pattern })
        };
        let schema = match name {
            "*remainder" => json!({ "type": "string" }),
            "subscription_id" => key("wsu"),
            "event_id" => key("wev"),
            "receipt_id" => key("wrc"),
            "export_id" => json!({ "type": "string", "format": "uuid" }),
            _ => json!({ "type": "integer", "format": "int64", "minimum": 1 }),
        };
        let name = name.trim_start_matches('*');
        Some(json!({ "name": name, "in": "path", "required": true, "schema": schema }))
    });
    let list = [
        (
            "limit",
            "How many rows at most",
            json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 100 }),
        ),
        (
            "offset",
            "How many rows to leave out before",
            json!({ "type": "integer", "minimum": 0, "default": 0 }),
        ),
        (
            "order_by",
            "A field, `-` before it for descending; ties by id",
            json!({ "type": "string", "default": "id" }),
        ),
        (
            "state",
            "Active (1) or deleted (2) rows",
            json!({ "type": "string", "enum": ["1", "2", "active", "deleted", "all"] }),
        ),
        (
            "include_related",
            "Related objects: `a,b`, or a list in JSON, or the key repeated",
            json!({ "type": "string" }),
        ),
    ];
    let in_query = list
        .into_iter()
        .map(|(name, description, schema)| {
            json!({ "name": name, "in": "query", "description": description, "schema": schema })
        })
        .chain([filters()])
        .filter(|_| route.described.lists);
    let follow = route.described.follows.then(follow).into_iter().flatten();
    let replay = route.described.replays.then(replay);
    in_path.chain(in_query).chain(follow).chain(replay).collect()
}

/// The header of what can be sent again.
fn replay() -> Value {
    json!({
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Names the request: sent again within ten minutes by the same caller, it has \
                        the same answer.",
        "schema": { "type": "string", "minLength": 1, "maxLength": 255 },
    })
}

/// The parameters of what can be followed.
fn follow() -> [Value; 2] {
    [
        json!({
            "name": "follow",
            "in": "query",
            "description": "`1`: also what comes, as server-sent events (`log`, `progress`, `end`, `refused`).",
            "schema": { "type": "string", "enum": ["0", "1", "true", "false"], "default": "0" },
        }),
        json!({
            "name": "Last-Event-ID",
            "in": "header",
            "description": "The id of the last event that came, with `follow`: go on behind it.",
            "schema": { "type": "integer", "format": "int64", "minimum": 0 },
        }),
    ]
}

/// The filters of a list, which no document could name one by one: each is a parameter of its own.
fn filters() -> Value {
    json!({
        "name": "filters",
        "in": "query",
        "description": "A field's value (`project_id=1`), one of several (`pk__in=[1,2]`), a range \
                        of times with both ends (`created_at__range=[\"…\",\"…\"]`), or a part of a \
                        text (`name__icontains=shop`). What the list does not know is ignored.",
        "style": "form",
        "explode": true,
        "schema": {
            "type": "object",
            "additionalProperties": { "type": "string" },
            "propertyNames": { "pattern": "^[a-z][a-z_]*$" },
        },
    })
}
