//! Warehouse credentials of a project (documents: `PostgresCredentials`, `DbtAdapterCredentials`).

use domain::{
    kept::Hidden,
    warehouse_credential::{CredentialSpec, Login, WarehouseCredential, WarehouseSecret},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::{Invalid, Patch, field, invalid::Collector};

/// A credential. Its secret is in no answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Credential {
    /// Its id.
    pub id: i64,
    /// The account that it belongs to.
    pub account_id: i64,
    /// The project whose environments use it.
    pub project_id: i64,
    /// `postgres`, or `adapter` for what the documents have no word of its own for.
    pub r#type: String,
    /// The data platform: `duckdb_v0` (a documented addition) or `postgres_v0`.
    pub adapter_version: String,
    /// Always null.
    pub adapter_id: Option<i64>,
    /// The user; null where nobody has to log in.
    pub username: Option<String>,
    /// The schema that dbt builds into.
    pub default_schema: String,
    /// The name of the target in `profiles.yml`.
    pub target_name: String,
    /// How many threads dbt uses, 1 to 64.
    pub threads: u8,
    /// The same once more, as type `adapter` has it: `{"fields":{"schema":{"value":"…"}}}`.
    #[schema(value_type = Object)]
    pub credential_details: Value,
    /// 1 active, 2 deleted.
    pub state: u8,
    /// When it was made.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

impl From<&WarehouseCredential> for Credential {
    fn from(credential: &WarehouseCredential) -> Self {
        let spec = &credential.spec;
        let platform = Kind::of(&spec.login);
        Self {
            id: credential.id.get(),
            account_id: credential.account.get(),
            project_id: credential.project.get(),
            r#type: platform.word().to_owned(),
            adapter_version: platform.version().to_owned(),
            adapter_id: None,
            username: username(&spec.login).map(str::to_owned),
            default_schema: spec.schema.clone(),
            target_name: spec.target_name.clone(),
            threads: spec.threads,
            credential_details: details(spec),
            state: 1,
            created_at: credential.created_at.to_string(),
            updated_at: credential.updated_at.to_string(),
        }
    }
}

impl Credential {
    /// The same, deleted.
    #[must_use]
    pub fn deleted(self) -> Self {
        Self { state: 2, ..self }
    }
}

fn username(login: &Login) -> Option<&str> {
    match login {
        Login::DuckDb => None,
        Login::Postgres { username } => Some(username),
    }
}

/// What is no secret, as `credential_details` has it.
fn details(spec: &CredentialSpec) -> Value {
    let mut fields = Map::new();
    let mut add = |name: &str, value: Value| {
        fields.insert(name.to_owned(), json!({ "value": value }));
    };
    if let Some(username) = username(&spec.login) {
        add("user", username.into());
    }
    add("schema", spec.schema.as_str().into());
    add("target_name", spec.target_name.as_str().into());
    add("threads", spec.threads.into());
    fields.sort_keys();
    let order: Vec<_> = fields.keys().cloned().collect();
    json!({ "field_order": order, "fields": fields })
}

/// Which platform a credential is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    DuckDb,
    Postgres,
}

impl Kind {
    const fn of(login: &Login) -> Self {
        match login {
            Login::DuckDb => Self::DuckDb,
            Login::Postgres { .. } => Self::Postgres,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::DuckDb => "adapter",
            Self::Postgres => "postgres",
        }
    }

    const fn version(self) -> &'static str {
        match self {
            Self::DuckDb => "duckdb_v0",
            Self::Postgres => "postgres_v0",
        }
    }
}

/// A secret in a body: a text. What is none is refused without being repeated.
#[derive(Debug, Clone)]
pub struct SecretText(WarehouseSecret);

impl SecretText {
    /// The text, to be sealed.
    #[must_use]
    pub fn into_hidden(self) -> Hidden {
        Hidden::new(self.0.reveal().to_owned())
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(WarehouseSecret::new(text))),
            _ => Err(D::Error::custom("it must be a text")),
        }
    }
}

impl Serialize for SecretText {
    /// A secret is written nowhere.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_none()
    }
}

/// `credential_details` of a body; keys but `fields` are ignored.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct CredentialDetails {
    /// Name → value, or `{"value": value}`: `schema`, `user` (or `username`), `password`,
    /// `threads`, `target_name`.
    #[schema(value_type = Option<Object>)]
    pub fields: Patch<Map<String, Value>>,
}

impl Serialize for CredentialDetails {
    /// There may be a secret in it, and that is written nowhere.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_none()
    }
}

impl std::fmt::Debug for CredentialDetails {
    /// There may be a secret in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CredentialDetails(hidden)")
    }
}

/// The body that makes or changes a credential. Keys that are absent keep their value, the
/// secret too; other keys are ignored, but for those in `credential_details.fields`, which are
/// refused.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct CredentialBody {
    /// The account, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub account_id: Patch<i64>,
    /// The project, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub project_id: Patch<i64>,
    /// `postgres` or `adapter`; required, and never changed.
    #[schema(value_type = Option<String>)]
    pub r#type: Patch<String>,
    /// `duckdb_v0` or `postgres_v0`; required where the type is `adapter`.
    #[schema(value_type = Option<String>)]
    pub adapter_version: Patch<String>,
    /// The schema that dbt builds into; required.
    #[schema(value_type = Option<String>)]
    pub default_schema: Patch<String>,
    /// The user; required for `postgres`.
    #[schema(value_type = Option<String>)]
    pub username: Patch<String>,
    /// The secret: in no answer.
    #[schema(value_type = Option<String>, write_only)]
    pub password: Patch<SecretText>,
    /// The name of the target in `profiles.yml`; `default` unless given.
    #[schema(value_type = Option<String>)]
    pub target_name: Patch<String>,
    /// How many threads dbt uses, 1 to 64; 4 unless given.
    #[schema(value_type = Option<i64>)]
    pub threads: Patch<i64>,
    /// The same as the fields above, as type `adapter` has it; where it changes something, it goes
    /// before them.
    #[schema(value_type = Option<CredentialDetails>)]
    pub credential_details: Patch<CredentialDetails>,
    /// 1; or 2, which deletes it.
    #[schema(value_type = Option<i64>)]
    pub state: Patch<i64>,
}

/// What a body says, read field by field: from wherever in the body it stands.
struct Given {
    schema: Patch<String>,
    username: Patch<String>,
    password: Option<WarehouseSecret>,
    target_name: Patch<String>,
    threads: Patch<u8>,
}

impl CredentialBody {
    /// Whether the body deletes the credential.
    #[must_use]
    pub const fn deletes(&self) -> bool {
        field::deletes(&self.state)
    }

    /// The credential that it makes, and its secret if it has one.
    ///
    /// # Errors
    /// [`Invalid`] names every wrong field.
    pub fn create(self) -> Result<(CredentialSpec, Option<WarehouseSecret>), Invalid> {
        self.over(None)
    }

    /// What it makes of a credential that is there, and the new secret if it has one.
    ///
    /// # Errors
    /// [`Invalid`] names every wrong field.
    pub fn apply(
        self,
        old: CredentialSpec,
    ) -> Result<(CredentialSpec, Option<WarehouseSecret>), Invalid> {
        self.over(Some(old))
    }

    fn over(
        self,
        old: Option<CredentialSpec>,
    ) -> Result<(CredentialSpec, Option<WarehouseSecret>), Invalid> {
        let mut bad = Invalid::collector();
        field::state(&mut bad, &self.state);
        let kept = old.as_ref().map(|old| Kind::of(&old.login));
        let kind = kind(&mut bad, &self.r#type, &self.adapter_version, kept);
        let given = self.read(&mut bad, kind, old.as_ref());
        let schema = given.schema.value().or_else(|| old.as_ref().map(|old| old.schema.clone()));
        if schema.is_none() {
            bad.note("default_schema", "is required");
        }
        let login = match kind {
            None => None,
            Some(Kind::DuckDb) => {
                refuse_login(&mut bad, &given.username, given.password.as_ref());
                Some(Login::DuckDb)
            }
            Some(Kind::Postgres) => {
                let before = old.as_ref().and_then(|old| username(&old.login)).map(str::to_owned);
                let username = given.username.value().or(before);
                if username.is_none() {
                    bad.note("username", "is required");
                }
                username.map(|username| Login::Postgres { username })
            }
        };
        bad.finish()?;
        let (target_name, threads) =
            old.map_or_else(|| ("default".to_owned(), 4), |old| (old.target_name, old.threads));
        match (login, schema) {
            (Some(login), Some(schema)) => {
                let target_name = given.target_name.or_keep(target_name);
                let threads = given.threads.or_keep(threads);
                Ok((CredentialSpec { login, schema, target_name, threads }, given.password))
            }
            (None, _) => Err(Invalid::field("type", "is required")),
            (_, None) => Err(Invalid::field("default_schema", "is required")),
        }
    }

    fn read(self, bad: &mut Collector, kind: Option<Kind>, old: Option<&CredentialSpec>) -> Given {
        let mut given = Given {
            schema: one_line(bad, "default_schema", field::or_null(self.default_schema)),
            username: one_line(bad, "username", field::or_null(self.username)),
            password: self.password.value().and_then(|secret| password(bad, "password", secret.0)),
            target_name: one_line(bad, "target_name", field::or_null(self.target_name)),
            threads: field::read(bad, "threads", self.threads, threads),
        };
        let stored = old.map(details).unwrap_or_default();
        let stored = |name: &str| stored.get("fields")?.get(name)?.get("value").cloned();
        let details = self.credential_details.value().and_then(|details| details.fields.value());
        for (name, value) in details.unwrap_or_default() {
            let field = format!("credential_details.fields.{name}");
            // `{"value": …}`, or the value itself.
            let value = match value {
                Value::Object(mut object) => object.remove("value").unwrap_or_default(),
                plain => plain,
            };
            // What repeats the stored value came along with an object that was read.
            if !value.is_null() && stored(&name).as_ref() != Some(&value) {
                given.take(bad, kind, &name, &field, value);
            }
        }
        given
    }
}

impl Given {
    /// Takes one of `credential_details.fields`.
    fn take(
        &mut self,
        bad: &mut Collector,
        kind: Option<Kind>,
        name: &str,
        field: &str,
        value: Value,
    ) {
        if name == "threads" {
            let number = value.as_i64().or_else(|| value.as_str().and_then(|n| n.parse().ok()));
            let number = number.map_or(Err(THREADS), threads);
            self.threads = bad.take(field, number).map_or(Patch::Absent, Patch::Value);
            return;
        }
        let Value::String(text) = value else {
            bad.note(field, "must be a text");
            return;
        };
        let text = field::or_null(Patch::Value(text));
        match (name, kind) {
            ("schema", _) => self.schema = one_line(bad, field, text),
            ("target_name", _) => self.target_name = one_line(bad, field, text),
            ("user" | "username", Some(Kind::Postgres) | None) => {
                self.username = one_line(bad, field, text);
            }
            ("password", Some(Kind::Postgres) | None) => {
                let secret = text.value().map(WarehouseSecret::new);
                self.password = secret.and_then(|secret| password(bad, field, secret));
            }
            (_, Some(kind)) => {
                bad.note(field, format!("is not a field of `{}`", kind.version()));
            }
            (_, None) => {}
        }
    }
}

/// Nobody logs in to DuckDB.
fn refuse_login(bad: &mut Collector, username: &Patch<String>, password: Option<&WarehouseSecret>) {
    let reason = "is not a field of `duckdb_v0`";
    if matches!(username, Patch::Value(_)) {
        bad.note("username", reason);
    }
    if password.is_some() {
        bad.note("password", reason);
    }
}

/// Which platform: the one that is `kept`, or what type and adapter say together.
fn kind(
    bad: &mut Collector,
    word: &Patch<String>,
    version: &Patch<String>,
    kept: Option<Kind>,
) -> Option<Kind> {
    let text = |given: &Patch<String>| given.clone().value();
    let (word, version) = (text(word), text(version));
    let asked = match (word.as_deref(), version.as_deref()) {
        (None, None) => match kept {
            Some(kept) => Ok(kept),
            None => Err(("type", "is required".to_owned())),
        },
        (Some("postgres"), None | Some("postgres_v0"))
        | (None | Some("adapter"), Some("postgres_v0")) => Ok(Kind::Postgres),
        (None | Some("adapter"), Some("duckdb_v0")) => Ok(Kind::DuckDb),
        (Some("adapter"), None) => match kept {
            Some(kept) => Ok(kept),
            None => Err(("adapter_version", "is required where the type is `adapter`".to_owned())),
        },
        (Some("postgres"), Some(_)) => Err((
            "adapter_version",
            "must be `postgres_v0` where the type is `postgres`".to_owned(),
        )),
        (None | Some("adapter"), Some(_)) => {
            let reason = "is not supported: `duckdb_v0` and `postgres_v0` are".to_owned();
            Err(("adapter_version", reason))
        }
        (Some(_), _) => Err(("type", "is not supported: `postgres` and `adapter` are".to_owned())),
    };
    match (asked, kept) {
        (Ok(asked), Some(kept)) if asked != kept => {
            bad.note("type", format!("cannot be changed: it is for `{}`", kept.version()));
            None
        }
        (Ok(asked), _) => Some(asked),
        (Err((field, reason)), _) => {
            bad.note(field, reason);
            None
        }
    }
}

const THREADS: &str = "must be a whole number from 1 to 64";

fn threads(number: i64) -> Result<u8, &'static str> {
    u8::try_from(number).ok().filter(|threads| (1..=64).contains(threads)).ok_or(THREADS)
}

fn one_line(bad: &mut Collector, field: &str, given: Patch<String>) -> Patch<String> {
    field::read(bad, field, given, |text| field::line(text, 255))
}

/// A password; an empty one counts as absent.
fn password(bad: &mut Collector, field: &str, secret: WarehouseSecret) -> Option<WarehouseSecret> {
    let text = secret.reveal();
    if text.chars().count() > 4096 || text.contains('\0') {
        bad.note(field, "must have at most 4096 characters, none of them NUL");
        return None;
    }
    (!text.is_empty()).then_some(secret)
}
