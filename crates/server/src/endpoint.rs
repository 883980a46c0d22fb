//! What a handler's own types say of its route: the action that it needs and its documentation.
//!
//! [`Endpoint`] holds for handlers whose first argument is a [`Permit`] and for no others, so a
//! handler without one does not fit the list of routes.

use std::collections::BTreeMap;

use axum::{extract::State, http::StatusCode};
use domain::authz::{AccessMarker, Action, KindMarker, Permit};
use serde_json::{Value, json};
use utoipa::ToSchema;
use wire::{Extra, Status};

use crate::{
    app::App,
    error::ApiError,
    extract::{At, Body, Follow, IdempotencyKey, NoParameters, PathId, Query, Remainder, Standing},
};

/// What is known of a route from its handler's types.
#[derive(Debug, Clone, Default)]
pub(crate) struct Described {
    /// The schema of the body that it reads.
    pub(crate) body: Option<Value>,
    /// Whether it reads the parameters of lists.
    pub(crate) lists: bool,
    /// Whether it reads an `Idempotency-Key`.
    pub(crate) replays: bool,
    /// Whether it can be followed.
    pub(crate) follows: bool,
    /// Its good answer.
    pub(crate) answer: Option<(u16, Value)>,
    /// A good answer with another status, where it may be one or the other.
    pub(crate) other_answer: Option<(u16, Value)>,
    /// Schemas that are named in it.
    pub(crate) schemas: BTreeMap<String, Value>,
}

impl Described {
    /// A good answer in the envelope: one object.
    pub(crate) fn answers_one<T: ToSchema>(&mut self, status: StatusCode) {
        let data = self.reference::<T>();
        self.answers(status, &json!({ "data": data }), &["status", "data"]);
    }

    /// A good answer in the envelope: a page of a list.
    pub(crate) fn answers_page<T: ToSchema>(&mut self) {
        let data = json!({ "type": "array", "items": self.reference::<T>() });
        let extra = self.reference::<Extra>();
        let properties = json!({ "data": data, "extra": extra });
        self.answers(StatusCode::OK, &properties, &["status", "data", "extra"]);
    }

    fn answers(&mut self, status: StatusCode, properties: &Value, required: &[&str]) {
        let mut properties = properties.clone();
        if let Some(properties) = properties.as_object_mut() {
            properties.insert("status".to_owned(), self.reference::<Status>());
        }
        let schema = json!({ "type": "object", "properties": properties, "required": required });
        let content = json!({ "application/json": { "schema": schema } });
        self.answer = Some((status.as_u16(), content));
    }

    /// A good answer that is a file: any JSON, bytes, or events.
    pub(crate) fn answers_file(&mut self, status: StatusCode, types: &[&str]) {
        let schema = |media: &str| match media {
            "application/json" => json!({ "schema": {} }),
            // A schema would be that of each event.
            "text/event-stream" => json!({}),
            _ => json!({ "schema": { "type": "string", "format": "binary" } }),
        };
        let content: serde_json::Map<_, _> =
            types.iter().map(|media| ((*media).to_owned(), schema(media))).collect();
        self.answer = Some((status.as_u16(), content.into()));
    }

    /// Adds another good answer: its media types, or the whole where its status is another.
    pub(crate) fn also(&mut self, other: Option<(u16, Value)>) {
        match (&mut self.answer, other) {
            (Some((status, Value::Object(content))), Some((as_well, Value::Object(more))))
                if *status == as_well =>
            {
                content.extend(more);
            }
            (_, other) => self.other_answer = other,
        }
    }

    fn reads<T: ToSchema>(&mut self) {
        let schema = self.reference::<T>();
        self.body = Some(json!({ "application/json": { "schema": schema } }));
    }

    /// Names a schema, and notes it with those that it names in turn.
    pub(crate) fn reference<T: ToSchema>(&mut self) -> Value {
        let mut schemas = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut schemas);
        self.schemas.extend(schemas.into_iter().map(|(name, schema)| (name, json!(schema))));
        json!({ "$ref": format!("#/components/schemas/{}", T::name()) })
    }
}

/// An argument of a handler, besides its permit.
pub(crate) trait Part {
    /// What it adds to the documentation.
    fn describe(_doc: &mut Described) {}
}

impl Part for State<App> {}
impl<I: PathId> Part for At<I> {}
impl Part for Remainder {}
impl Part for NoParameters {}
impl Part for Standing {}

impl Part for IdempotencyKey {
    fn describe(doc: &mut Described) {
        doc.replays = true;
    }
}

impl Part for Follow {
    fn describe(doc: &mut Described) {
        doc.follows = true;
    }
}

impl Part for Query {
    fn describe(doc: &mut Described) {
        doc.lists = true;
    }
}

impl<T: ToSchema> Part for Body<T> {
    fn describe(doc: &mut Described) {
        doc.reads::<T>();
    }
}

/// A good answer of a handler.
pub(crate) trait Answer {
    /// What it adds to the documentation.
    fn describe(doc: &mut Described);
}

/// A handler whose first argument is its permit.
pub(crate) trait Endpoint<T> {
    /// The action that the permit stands for.
    fn action() -> Action;
    /// What its types say.
    fn describe() -> Described;
}

macro_rules! endpoints {
    ($(($($part:ident),*))*) => {$(
        impl<F, Fut, R, A, K, $($part),*> Endpoint<(Permit<A, K>, $($part,)*)> for F
        where
            F: Fn(Permit<A, K>, $($part),*) -> Fut,
            Fut: Future<Output = Result<R, ApiError>>,
            R: Answer,
            A: AccessMarker,
            K: KindMarker,
            $($part: Part,)*
        {
            fn action() -> Action {
                Action::of::<A, K>()
            }

            fn describe() -> Described {
                let mut doc = Described::default();
                $($part::describe(&mut doc);)*
                R::describe(&mut doc);
                doc
            }
        }
    )*};
}

endpoints! {
    ()
    (P1)
    (P1, P2)
    (P1, P2, P3)
    (P1, P2, P3, P4)
    (P1, P2, P3, P4, P5)
}
