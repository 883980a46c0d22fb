//! Environment variables that runs are given: of a project, of an environment, of a job; and what
//! users put in their place for themselves.

use serde::{Deserialize, Serialize};

use crate::{
    EnvironmentId, JobId, UserId,
    authz::CustomEnvVariables,
    kept::{FieldKind, Hidden, Level, Noun, Reference},
};

/// The value of a variable in one place. The value of a secret one is kept beside it, sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentVariable {
    /// Its name; the same in every place.
    pub name: VariableName,
    /// Where the value holds.
    #[serde(flatten)]
    pub place: Place,
    /// The value; `None` for a secret.
    pub value: Option<VariableValue>,
}

impl EnvironmentVariable {
    /// A variable with this value; a secret one is given back to be sealed.
    ///
    /// # Errors
    /// [`InvalidVariableValue`]
    pub fn new(
        name: VariableName,
        place: Place,
        value: Hidden,
    ) -> Result<(Self, Option<Hidden>), InvalidVariableValue> {
        VariableValue::check(value.reveal())?;
        Ok(if name.is_secret() {
            (Self { name, place, value: None }, Some(value))
        } else {
            let value = Some(VariableValue(value.reveal().to_owned()));
            (Self { name, place, value }, None)
        })
    }
}

/// Where a value holds. Of several, a run takes the job's, else the environment's, else the
/// project's; a user's own is for that user alone, and no run takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Place {
    /// In the whole project.
    Project,
    /// In an environment.
    Environment {
        /// Which.
        environment_id: EnvironmentId,
    },
    /// In a job.
    Job {
        /// Which.
        job_definition_id: JobId,
    },
    /// For a user.
    User {
        /// Whom.
        user_id: UserId,
    },
}

impl Place {
    /// The wire's `type`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Environment { .. } => "environment",
            Self::Job { .. } => "job",
            Self::User { .. } => "user",
        }
    }

    const fn reference(self) -> Option<(&'static str, Reference)> {
        match self {
            Self::Project => None,
            Self::Environment { environment_id } => {
                Some(("environment_id", Reference::Environment(environment_id)))
            }
            Self::Job { job_definition_id } => {
                Some(("job_definition_id", Reference::Job(job_definition_id)))
            }
            Self::User { user_id } => Some(("user_id", Reference::User(user_id))),
        }
    }

    fn key(self) -> String {
        match self {
            Self::Project => "project".to_owned(),
            Self::Environment { environment_id } => format!("environment:{environment_id}"),
            Self::Job { job_definition_id } => format!("job:{job_definition_id}"),
            Self::User { user_id } => format!("user:{user_id}"),
        }
    }
}

impl Noun for EnvironmentVariable {
    const WORD: &str = "environment_variable";
    const PARAMETER: &str = "environment_variable_id";
    const LEVEL: Level = Level::Project;
    const FIELDS: &[(&str, FieldKind)] = &[
        ("name", FieldKind::Text),
        ("type", FieldKind::Text),
        ("environment_id", FieldKind::Int),
        ("job_definition_id", FieldKind::Int),
        ("user_id", FieldKind::Int),
    ];
    type Resource = CustomEnvVariables;

    fn references(&self) -> Vec<(&'static str, Reference)> {
        self.place.reference().into_iter().collect()
    }

    fn unique(&self) -> Option<(&'static str, String)> {
        Some(("name", format!("{} {}", self.name.as_str(), self.place.key())))
    }

    /// A value goes with the environment, the job or the user that it is for.
    fn goes_with(&self, gone: Reference) -> bool {
        self.place.reference().is_some_and(|(_, reference)| reference == gone)
    }
}

/// The name of a variable: `DBT_` and at least one more upper-case letter, digit or `_`, at most
/// 300 characters; none of those that the runner itself gives to dbt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VariableName(String);

/// Why a text is no [`VariableName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidVariableName {
    /// Not of the form.
    #[error(
        "must begin with `DBT_` and go on with upper-case letters, digits and `_`, at most 300 characters"
    )]
    Form,
    /// One of the runner's own.
    #[error("is a name that the runner itself gives to dbt: choose another")]
    Reserved,
}

impl VariableName {
    const MOST: usize = 300;
    /// What the value of a secret goes under.
    const SECRET: &str = "DBT_ENV_SECRET_";

    /// Checks a name.
    ///
    /// # Errors
    /// [`InvalidVariableName`]
    pub fn parse(text: &str) -> Result<Self, InvalidVariableName> {
        const RESERVED: [&str; 5] = [
            "DBT_PROFILE",
            "DBT_PROFILES_DIR",
            "DBT_PROJECT_DIR",
            "DBT_TARGET_PATH",
            "DBT_USE_COLORS",
        ];
        let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let rest = text.strip_prefix("DBT_").unwrap_or_default();
        if rest.is_empty() || text.len() > Self::MOST || !rest.chars().all(plain) {
            Err(InvalidVariableName::Form)
        } else if RESERVED.contains(&text)
            || text.starts_with("DBT_CLOUD_")
            || text.starts_with("DBT_ENV_SECRET_NARROWGATE_")
        {
            Err(InvalidVariableName::Reserved)
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether its values are secrets: sealed, and never read back.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.0.starts_with(Self::SECRET)
    }
}

impl TryFrom<String> for VariableName {
    type Error = InvalidVariableName;
    fn try_from(text: String) -> Result<Self, InvalidVariableName> {
        Self::parse(&text)
    }
}

impl From<VariableName> for String {
    fn from(name: VariableName) -> Self {
        name.0
    }
}

/// A value: 1 to 16,384 bytes, none of them NUL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VariableValue(String);

/// The text is no value of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to 16384 bytes, none of them NUL")]
pub struct InvalidVariableValue;

impl VariableValue {
    /// Checks a value.
    ///
    /// # Errors
    /// [`InvalidVariableValue`]
    pub fn check(text: &str) -> Result<(), InvalidVariableValue> {
        let fine = (1..=16_384).contains(&text.len()) && !text.contains('\0');
        if fine { Ok(()) } else { Err(InvalidVariableValue) }
    }

    /// The value as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for VariableValue {
    type Error = InvalidVariableValue;
    fn try_from(text: String) -> Result<Self, InvalidVariableValue> {
        Self::check(&text).map(|()| Self(text))
    }
}

impl From<VariableValue> for String {
    fn from(value: VariableValue) -> Self {
        value.0
    }
}
