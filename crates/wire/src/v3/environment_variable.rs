//! Environment variables (documents: `CustomEnvironmentVariableResponse`,
//! `CustomEnvironmentVariableRequest`, `EnvVarEnvironmentData`, `EnvVarJobScopeMap`).

use std::collections::BTreeMap;

use domain::{
    EnvironmentId, JobId, UserId,
    environment_variable::{EnvironmentVariable as Spec, Place, VariableName, VariableValue},
    kept::{Hidden, Kept},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::SecretText;
use crate::{Invalid, Patch, field, invalid::Collector};

/// What stands in a secret's place.
const MASK: &str = "*****";

/// The value of an environment variable in one place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EnvironmentVariable {
    /// Its id.
    pub id: i64,
    /// The account that it belongs to.
    pub account_id: i64,
    /// The project that it belongs to.
    pub project_id: Option<i64>,
    /// Its name.
    pub name: String,
    /// Where the value holds: `project`, `environment`, `job` or `user`.
    pub r#type: String,
    /// The user of type `user`.
    pub user_id: Option<i64>,
    /// The environment of type `environment`.
    pub environment_id: Option<i64>,
    /// The job of type `job`.
    pub job_definition_id: Option<i64>,
    /// The value; of a secret (`DBT_ENV_SECRET_…`) a mask.
    pub display_value: String,
    /// 1 active, 2 deleted.
    pub state: u8,
    /// Always null.
    pub environment: Option<Value>,
    /// When it was made.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

impl From<&Kept<Spec>> for EnvironmentVariable {
    fn from(kept: &Kept<Spec>) -> Self {
        let (environment, job, user) = match kept.spec.place {
            Place::Project => (None, None, None),
            Place::Environment { environment_id } => (Some(environment_id.get()), None, None),
            Place::Job { job_definition_id } => (None, Some(job_definition_id.get()), None),
            Place::User { user_id } => (None, None, Some(user_id.get())),
        };
        Self {
            id: kept.id.get(),
            account_id: kept.account.get(),
            project_id: kept.project.map(Into::into),
            name: kept.spec.name.as_str().to_owned(),
            r#type: kept.spec.place.word().to_owned(),
            user_id: user,
            environment_id: environment,
            job_definition_id: job,
            display_value: shown(&kept.spec),
            state: field::state_of(kept.deleted),
            environment: None,
            created_at: kept.created_at.to_string(),
            updated_at: kept.updated_at.to_string(),
        }
    }
}

fn shown(spec: &Spec) -> String {
    spec.value.as_ref().map_or(MASK, VariableValue::as_str).to_owned()
}

/// A value as the tables of variables have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VariableCell {
    /// Its id.
    pub id: i64,
    /// The value; of a secret a mask.
    pub value: String,
}

impl From<&Kept<Spec>> for VariableCell {
    fn from(kept: &Kept<Spec>) -> Self {
        Self { id: kept.id.get(), value: shown(&kept.spec) }
    }
}

/// The variables of a project and its environments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnvironmentVariables {
    /// `project`, then the names of its environments, by id.
    pub environments: Vec<String>,
    /// Name → `project` or the name of an environment → value.
    pub variables: BTreeMap<String, BTreeMap<String, VariableCell>>,
}

impl EnvironmentVariables {
    /// The table of these environments (id, name) and values. Of several environments that share a
    /// name, the first by id is shown.
    #[must_use]
    pub fn new(environments: &[(EnvironmentId, String)], values: &[Kept<Spec>]) -> Self {
        let mut names = vec![PROJECT.to_owned()];
        let mut variables: BTreeMap<String, BTreeMap<String, VariableCell>> = BTreeMap::new();
        for (_, name) in environments {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        for value in values {
            let column = match value.spec.place {
                Place::Project => Some(PROJECT),
                Place::Environment { environment_id } => environments
                    .iter()
                    .find(|(id, _)| *id == environment_id)
                    .map(|(_, name)| name.as_str()),
                Place::Job { .. } | Place::User { .. } => None,
            };
            if let Some(column) = column {
                let row = variables.entry(value.spec.name.as_str().to_owned()).or_default();
                row.entry(column.to_owned()).or_insert_with(|| value.into());
            }
        }
        Self { environments: names, variables }
    }
}

const PROJECT: &str = "project";

/// What bears on one job, or on one user: name → `project`, `environment`, `job`, `user` → value.
/// A place without a value is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct VariablesInPlaces(pub BTreeMap<String, BTreeMap<String, VariableCell>>);

impl VariablesInPlaces {
    /// The values whose place `bears` on what is asked about.
    #[must_use]
    pub fn new(values: &[Kept<Spec>], bears: impl Fn(Place) -> bool) -> Self {
        let mut found = Self::default();
        for value in values.iter().filter(|value| bears(value.spec.place)) {
            let places = found.0.entry(value.spec.name.as_str().to_owned()).or_default();
            places.insert(value.spec.place.word().to_owned(), value.into());
        }
        found
    }
}

/// The body that makes or changes a value. Keys that are absent keep their value; other keys are
/// ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct EnvironmentVariableBody {
    /// The account, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub account_id: Patch<i64>,
    /// The project, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub project_id: Patch<i64>,
    /// `DBT_` and upper-case letters, digits and `_`; required.
    #[schema(value_type = Option<String>)]
    pub name: Patch<String>,
    /// `project`, `environment`, `job` or `user`; required, and never changed.
    #[schema(value_type = Option<String>)]
    pub r#type: Patch<String>,
    /// For type `user`: the caller.
    #[schema(value_type = Option<i64>)]
    pub user_id: Patch<i64>,
    /// For type `environment`: an environment of the project.
    #[schema(value_type = Option<i64>)]
    pub environment_id: Patch<i64>,
    /// For type `job`: a job of the project.
    #[schema(value_type = Option<i64>)]
    pub job_definition_id: Patch<i64>,
    /// The value, 1 to 16,384 bytes; required.
    #[schema(value_type = Option<String>, write_only)]
    pub raw_value: Patch<SecretText>,
    /// 1; or 2, which deletes it.
    #[schema(value_type = Option<i64>)]
    pub state: Patch<i64>,
}

impl EnvironmentVariableBody {
    /// Whether the body deletes the value.
    #[must_use]
    pub const fn deletes(&self) -> bool {
        field::deletes(&self.state)
    }

    /// The value that it makes, and its text if that is a secret; `caller` is the user who asks.
    ///
    /// # Errors
    /// [`Invalid`] names every wrong field.
    pub fn create(self, caller: Option<UserId>) -> Result<(Spec, Option<Hidden>), Invalid> {
        self.over(None, caller)
    }

    /// What it makes of a value that is there, and the new text if that is a secret.
    ///
    /// # Errors
    /// [`Invalid`] names every wrong field.
    pub fn apply(self, old: Spec) -> Result<(Spec, Option<Hidden>), Invalid> {
        self.over(Some(old), None)
    }

    fn over(
        self,
        old: Option<Spec>,
        caller: Option<UserId>,
    ) -> Result<(Spec, Option<Hidden>), Invalid> {
        let mut bad = Invalid::collector();
        field::state(&mut bad, &self.state);
        let name = field::read(&mut bad, "name", self.name, |text| VariableName::parse(&text));
        let name = name.value().or_else(|| old.as_ref().map(|old| old.name.clone()));
        let before = old.as_ref().map(|old| old.place);
        let ids = (self.environment_id, self.job_definition_id, self.user_id);
        let place = place(&mut bad, self.r#type, ids, caller, before);
        let value = self.raw_value.value().map(SecretText::into_hidden);
        if name.is_none() {
            bad.note("name", "is required");
        }
        if value.is_none() && old.is_none() {
            bad.note("raw_value", "is required");
        }
        if let (Some(name), Some(old)) = (&name, &old)
            && name.is_secret() != old.name.is_secret()
        {
            bad.note("name", "has to stay a secret, or stay none: make another variable");
        }
        bad.finish()?;
        let (Some(name), Some(place)) = (name, place) else {
            return Err(Invalid::field("name", "is required"));
        };
        match (value, old) {
            (Some(value), _) => {
                Spec::new(name, place, value).map_err(|wrong| Invalid::field("raw_value", wrong))
            }
            (None, Some(old)) => Ok((Spec { name, place, ..old }, None)),
            (None, None) => Err(Invalid::field("raw_value", "is required")),
        }
    }
}

/// Where the value holds: `type` and the id that goes with it, over what was there.
fn place(
    bad: &mut Collector,
    word: Patch<String>,
    (environment, job, user): (Patch<i64>, Patch<i64>, Patch<i64>),
    caller: Option<UserId>,
    before: Option<Place>,
) -> Option<Place> {
    const WORDS: [&str; 4] = ["project", "environment", "job", "user"];
    let word = field::read(bad, "type", word, |text| field::one_of(text, &WORDS));
    let environment = field::id(bad, "environment_id", environment, EnvironmentId::new).value();
    let job = field::id(bad, "job_definition_id", job, JobId::new).value();
    let user = field::id(bad, "user_id", user, UserId::new).value();
    if let Some(before) = before {
        let asked = word.value().unwrap_or_else(|| before.word().to_owned());
        let (environment, job, user) = match before {
            Place::Project => (None, None, None),
            Place::Environment { environment_id } => {
                (environment.filter(|id| *id != environment_id), None, None)
            }
            Place::Job { job_definition_id } => {
                (None, job.filter(|id| *id != job_definition_id), None)
            }
            Place::User { user_id } => (None, None, user.filter(|id| *id != user_id)),
        };
        if asked != before.word() || environment.is_some() || job.is_some() || user.is_some() {
            bad.note("type", "cannot be changed, nor what it is for: make another value");
        }
        return Some(before);
    }
    let needed = |bad: &mut Collector, field| {
        bad.note(field, "is required for this type");
        None
    };
    match word.value().as_deref() {
        Some("project") => Some(Place::Project),
        Some("environment") => match environment {
            Some(environment_id) => Some(Place::Environment { environment_id }),
            None => needed(bad, "environment_id"),
        },
        Some("job") => match job {
            Some(job_definition_id) => Some(Place::Job { job_definition_id }),
            None => needed(bad, "job_definition_id"),
        },
        Some("user") => match user.or(caller) {
            Some(user_id) if caller.is_none_or(|caller| caller == user_id) => {
                Some(Place::User { user_id })
            }
            Some(_) => {
                bad.note("user_id", "must be your own: a user's values are theirs alone");
                None
            }
            None => needed(bad, "user_id"),
        },
        Some(_) | None => {
            bad.note("type", "is required");
            None
        }
    }
}

/// The body of `bulk/`: one variable or a list of them. There may be secrets in it, so it has no
/// `Debug`.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct VariablesBody {
    /// `{"new_name": …, "project": …, "NAME OF AN ENVIRONMENT": …}`, or a list of such.
    #[schema(value_type = Option<Object>)]
    pub env_var: Patch<Value>,
    /// The same under another key.
    #[schema(value_type = Option<Object>)]
    pub env_vars: Patch<Value>,
}

/// One variable of `bulk/`, read.
pub struct VariableEdit {
    /// `name`, of a variable that is there.
    pub name: Option<VariableName>,
    /// `new_name`.
    pub new_name: Option<VariableName>,
    /// Where → value; of `None` the value is deleted.
    pub values: Vec<(String, Option<Hidden>)>,
}

impl VariablesBody {
    /// The variables that it is about, at most 100.
    ///
    /// # Errors
    /// [`Invalid`] names every wrong field.
    pub fn read(self) -> Result<Vec<VariableEdit>, Invalid> {
        let given = match self.env_var.value().or(self.env_vars.value()) {
            Some(Value::Array(list)) => list,
            Some(Value::Object(one)) => vec![Value::Object(one)],
            Some(_) => return Err(Invalid::field("env_var", "must be an object or a list")),
            None => return Err(Invalid::field("env_var", "is required")),
        };
        if given.is_empty() || given.len() > 100 {
            return Err(Invalid::field("env_var", "must name 1 to 100 variables"));
        }
        let mut bad = Invalid::collector();
        let edits = given.into_iter().map(|one| variable(&mut bad, one)).collect();
        bad.finish()?;
        Ok(edits)
    }
}

fn variable(bad: &mut Collector, given: Value) -> VariableEdit {
    let mut edit = VariableEdit { name: None, new_name: None, values: Vec::new() };
    let Value::Object(given) = given else {
        bad.note("env_var", "must be an object or a list of objects");
        return edit;
    };
    for (key, value) in given {
        match (key.as_str(), value) {
            (key @ ("name" | "new_name"), Value::String(text)) => {
                let name = bad.take(key, VariableName::parse(&text));
                if key == "name" { edit.name = name } else { edit.new_name = name }
            }
            ("name" | "new_name", Value::Null) => {}
            (key @ ("name" | "new_name"), _) => bad.note(key, "must be a text"),
            (_, Value::Null) => edit.values.push((key, None)),
            (_, Value::String(text)) => {
                let value = (!text.is_empty()).then(|| Hidden::new(text));
                edit.values.push((key, value));
            }
            (key, _) => bad.note(&format!("env_var.{key}"), "must be a text or null"),
        }
    }
    edit
}

/// The body of a `DELETE …/bulk/`.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct VariableNameBody {
    /// Which variable: all its values are deleted.
    #[schema(value_type = String)]
    pub name: Patch<String>,
}

impl VariableNameBody {
    /// The name.
    ///
    /// # Errors
    /// [`Invalid`] if it is none.
    pub fn read(self) -> Result<VariableName, Invalid> {
        let name = self.name.value().ok_or_else(|| Invalid::field("name", "is required"))?;
        VariableName::parse(&name).map_err(|wrong| Invalid::field("name", wrong))
    }
}

/// What `bulk/` answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EditedVariables {
    /// What was done, in a sentence.
    pub message: String,
    /// Ids of values that were made.
    pub new_var_ids: Vec<i64>,
    /// Ids of values that were deleted.
    pub deleted_var_ids: Vec<i64>,
    /// Always empty: all is done, or nothing.
    #[schema(value_type = Object)]
    pub failures: BTreeMap<String, String>,
}
