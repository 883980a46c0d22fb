//! Warehouse credentials of a project (documents: `PostgresCredentials`, `DbtAdapterCredentials`).

use std::collections::BTreeSet;

use domain::{
    adapter::{self, AdapterVersion},
    kept::{Hidden, Id},
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
    /// `postgres`, `redshift`, `snowflake`, `bigquery`, or `adapter` for what the documents have no
    /// word of its own for.
    pub r#type: String,
    /// The data platform, as connections have it.
    pub adapter_version: String,
    /// The adapter of the project that it was made by.
    pub adapter_id: Option<i64>,
    /// The user; null where nobody has to log in.
    pub username: Option<String>,
    /// The schema that dbt builds into.
    pub default_schema: String,
    /// The same, as the types `snowflake` and `bigquery` have it.
    pub schema: String,
    /// How the types `snowflake` and `redshift` log in.
    pub auth_type: Option<String>,
    /// The same as `username`, as the type `snowflake` has it.
    pub user: Option<String>,
    /// Of the type `snowflake`.
    pub role: Option<String>,
    /// Of the type `snowflake`.
    pub database: Option<String>,
    /// Of the type `snowflake`.
    pub warehouse: Option<String>,
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
        let version = spec.login.adapter_version();
        let word = AdapterVersion::parse(version).map_or("adapter", |adapter| adapter.word);
        let told = |name| match &spec.login {
            Login::Other { fields, .. } => {
                fields.get(name).and_then(Value::as_str).map(str::to_owned)
            }
            Login::DuckDb | Login::Postgres { .. } => None,
        };
        Self {
            id: credential.id.get(),
            account_id: credential.account.get(),
            project_id: credential.project.get(),
            r#type: word.to_owned(),
            adapter_version: version.to_owned(),
            adapter_id: spec.adapter_id.map(Id::get),
            username: username(&spec.login).map(str::to_owned),
            default_schema: spec.schema.clone(),
            schema: spec.schema.clone(),
            auth_type: told("auth_type"),
            user: username(&spec.login).map(str::to_owned),
            role: told("role"),
            database: told("database"),
            warehouse: told("warehouse"),
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
        Login::Other { fields, .. } => {
            fields.get("user").or_else(|| fields.get("username")).and_then(Value::as_str)
        }
    }
}

/// What is no secret, as `credential_details` has it.
fn details(spec: &CredentialSpec) -> Value {
    let mut fields = Map::new();
    let mut add = |name: &str, value: Value| {
        fields.insert(name.to_owned(), json!({ "value": value }));
    };
    match &spec.login {
        Login::DuckDb => {}
        Login::Postgres { username } => add("user", username.as_str().into()),
        Login::Other { fields, .. } => {
            fields.iter().for_each(|(name, value)| add(name, value.clone()));
        }
    }
    add("schema", spec.schema.as_str().into());
    add("target_name", spec.target_name.as_str().into());
    add("threads", spec.threads.into());
    fields.sort_keys();
    let order: Vec<_> = fields.keys().cloned().collect();
    json!({ "field_order": order, "fields": fields })
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
    /// Name → value, or `{"value": value}`: `schema`, `threads`, `target_name`, and what
    /// `adapter-schema` names, such as `user` and `password`.
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
    /// `postgres`, `redshift`, `snowflake`, `bigquery` or `adapter`; required, and never changed.
    #[schema(value_type = Option<String>)]
    pub r#type: Patch<String>,
    /// The data platform, as connections have it; required where the type is `adapter` and no
    /// `adapter_id` is named.
    #[schema(value_type = Option<String>)]
    pub adapter_version: Patch<String>,
    /// An adapter of the project, which says the same.
    #[schema(value_type = Option<i64>)]
    pub adapter_id: Patch<i64>,
    /// The schema that dbt builds into; required.
    #[schema(value_type = Option<String>)]
    pub default_schema: Patch<String>,
    /// The same, as the types `snowflake` and `bigquery` have it.
    #[schema(value_type = Option<String>)]
    pub schema: Patch<String>,
    /// How the types `snowflake` (`password`, `keypair`) and `redshift` (`password`) log in.
    #[schema(value_type = Option<String>)]
    pub auth_type: Patch<String>,
    /// The same as `username`, as the type `snowflake` has it.
    #[schema(value_type = Option<String>)]
    pub user: Patch<String>,
    /// Of the type `snowflake`.
    #[schema(value_type = Option<String>)]
    pub role: Patch<String>,
    /// Of the type `snowflake`.
    #[schema(value_type = Option<String>)]
    pub database: Patch<String>,
    /// Of the type `snowflake`.
    #[schema(value_type = Option<String>)]
    pub warehouse: Patch<String>,
    /// A secret of the type `snowflake`: in no answer.
    #[schema(value_type = Option<String>, write_only)]
    pub private_key: Patch<SecretText>,
    /// A secret of the type `snowflake`: in no answer.
    #[schema(value_type = Option<String>, write_only)]
    pub private_key_passphrase: Patch<SecretText>,
    /// The user; required for `postgres`, `redshift` and `snowflake`.
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
    adapter_id: Patch<i64>,
    /// What only platforms of the table have, and which of it came in `credential_details`.
    others: Map<String, Value>,
    detailed: BTreeSet<String>,
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
        let kept = old.as_ref().map(|old| old.login.adapter_version());
        let kept = kept.and_then(|kept| AdapterVersion::parse(kept).ok());
        let kind = kind(&mut bad, &self.r#type, &self.adapter_version, kept);
        let mut given = self.read(&mut bad, kind, old.as_ref());
        let schema = std::mem::take(&mut given.schema)
            .value()
            .or_else(|| old.as_ref().map(|old| old.schema.clone()));
        if schema.is_none() {
            bad.note("default_schema", "is required");
        }
        let version = kind.map(|adapter| adapter.version);
        let adapter_id = field::id(&mut bad, "adapter_id", given.adapter_id, Id::new);
        let login = match (kind, version) {
            (None, _) | (_, None) => None,
            (_, Some("duckdb_v0")) => {
                refuse_login(&mut bad, &given.username, given.password.as_ref());
                Some(Login::DuckDb)
            }
            (_, Some("postgres_v0")) => {
                let before = old.as_ref().and_then(|old| username(&old.login)).map(str::to_owned);
                let username = std::mem::take(&mut given.username).value().or(before);
                if username.is_none() {
                    bad.note("username", "is required");
                }
                username.map(|username| Login::Postgres { username })
            }
            (Some(adapter), Some(_)) => Some(given.other(&mut bad, adapter, old.as_ref())),
        };
        bad.finish()?;
        let adapter_id = adapter_id.over(old.as_ref().and_then(|old| old.adapter_id));
        let (target_name, threads) =
            old.map_or_else(|| ("default".to_owned(), 4), |old| (old.target_name, old.threads));
        match (login, schema) {
            (Some(login), Some(schema)) => {
                let target_name = given.target_name.or_keep(target_name);
                let threads = given.threads.or_keep(threads);
                let made = CredentialSpec { login, schema, target_name, threads, adapter_id };
                Ok((made, given.password))
            }
            (None, _) => Err(Invalid::field("type", "is required")),
            (_, None) => Err(Invalid::field("default_schema", "is required")),
        }
    }

    fn read(
        self,
        bad: &mut Collector,
        kind: Option<AdapterVersion>,
        old: Option<&CredentialSpec>,
    ) -> Given {
        let others = self.others(kind);
        let schema = match field::or_null(self.schema) {
            Patch::Value(schema) => one_line(bad, "schema", Patch::Value(schema)),
            Patch::Absent | Patch::Null => Patch::Absent,
        };
        let default_schema = one_line(bad, "default_schema", field::or_null(self.default_schema));
        let mut given = Given {
            schema: if schema.is_absent() { default_schema } else { schema },
            username: one_line(bad, "username", field::or_null(self.username)),
            password: self.password.value().and_then(|secret| password(bad, "password", secret.0)),
            target_name: one_line(bad, "target_name", field::or_null(self.target_name)),
            threads: field::read(bad, "threads", self.threads, threads),
            adapter_id: self.adapter_id,
            others,
            detailed: BTreeSet::new(),
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

    /// The fields that only platforms of the table have, as far as this one has them.
    fn others(&self, kind: Option<AdapterVersion>) -> Map<String, Value> {
        let text = |given: &Patch<String>| given.clone().value().map(Value::from);
        let secret = |given: &Patch<SecretText>| {
            given.clone().value().map(|secret| secret.into_hidden().reveal().into())
        };
        let user = || text(&self.user).or_else(|| text(&self.username));
        let given = [
            ("auth_type", text(&self.auth_type)),
            ("user", user()),
            ("username", user()),
            ("role", text(&self.role)),
            ("database", text(&self.database)),
            ("warehouse", text(&self.warehouse)),
            ("password", secret(&self.password)),
            ("private_key", secret(&self.private_key)),
            ("private_key_passphrase", secret(&self.private_key_passphrase)),
        ];
        let known = |name: &str| {
            kind.is_some_and(|adapter| adapter.credential.iter().any(|field| field.name == name))
        };
        let given = given.into_iter().filter(|(name, _)| known(name));
        given.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

impl Given {
    /// Who logs in to a platform of the table; the secrets become the credential's.
    fn other(
        &mut self,
        bad: &mut Collector,
        adapter: AdapterVersion,
        old: Option<&CredentialSpec>,
    ) -> Login {
        let before = match old.map(|old| &old.login) {
            Some(Login::Other { fields, .. }) => Some(fields),
            Some(Login::DuckDb | Login::Postgres { .. }) | None => None,
        };
        let given = std::mem::take(&mut self.others);
        let filled = adapter::fill(adapter.version, adapter.credential, before, given);
        for (name, reason) in filled.wrong {
            let detailed = self.detailed.contains(&name);
            let field = if detailed { format!("credential_details.fields.{name}") } else { name };
            bad.note(&field, reason);
        }
        let secrets = (!filled.secrets.is_empty()).then(|| filled.secrets.to_text());
        self.password = secrets.map(|text| WarehouseSecret::new(text.reveal().to_owned()));
        Login::Other { adapter, fields: filled.values }
    }

    /// Takes one of `credential_details.fields`.
    fn take(
        &mut self,
        bad: &mut Collector,
        kind: Option<AdapterVersion>,
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
        let version = kind.map(|adapter| adapter.version);
        let of_the_table = !matches!(version, None | Some("duckdb_v0" | "postgres_v0"));
        if of_the_table && !["schema", "target_name"].contains(&name) {
            self.detailed.insert(name.to_owned());
            self.others.insert(name.to_owned(), value);
            return;
        }
        let Value::String(text) = value else {
            bad.note(field, "must be a text");
            return;
        };
        let text = field::or_null(Patch::Value(text));
        match (name, version) {
            ("schema", _) => self.schema = one_line(bad, field, text),
            ("target_name", _) => self.target_name = one_line(bad, field, text),
            ("user" | "username", Some("postgres_v0") | None) => {
                self.username = one_line(bad, field, text);
            }
            ("password", Some("postgres_v0") | None) => {
                let secret = text.value().map(WarehouseSecret::new);
                self.password = secret.and_then(|secret| password(bad, field, secret));
            }
            (_, Some(version)) => {
                bad.note(field, format!("is not a field of `{version}`"));
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
pub(super) fn kind(
    bad: &mut Collector,
    word: &Patch<String>,
    version: &Patch<String>,
    kept: Option<AdapterVersion>,
) -> Option<AdapterVersion> {
    let text = |given: &Patch<String>| given.clone().value();
    let asked = match (text(word), text(version)) {
        (None, None) => kept.ok_or(("type", "is required".to_owned())),
        (Some(word), None) => of_word(&word, kept),
        (word, Some(version)) => of_version(word.as_deref(), &version),
    };
    match (asked, kept) {
        (Ok(asked), Some(kept)) if asked != kept => {
            let field = if matches!(word, Patch::Value(_)) { "type" } else { "adapter_version" };
            bad.note(field, format!("cannot be changed: it is for `{}`", kept.version));
            None
        }
        (Ok(asked), _) => Some(asked),
        (Err((field, reason)), _) => {
            bad.note(field, reason);
            None
        }
    }
}

type Asked = Result<AdapterVersion, (&'static str, String)>;

/// The platform of a type, where nothing else is said.
fn of_word(word: &str, kept: Option<AdapterVersion>) -> Asked {
    let kept = kept.filter(|kept| kept.word == word || word == ADAPTER);
    match (word, kept) {
        (_, Some(kept)) => Ok(kept),
        (ADAPTER, None) => {
            Err(("adapter_version", "is required where the type is `adapter`".to_owned()))
        }
        (_, None) => AdapterVersion::all().find(|adapter| adapter.word == word).ok_or_else(|| {
            let words = "`postgres`, `redshift`, `snowflake`, `bigquery` or `adapter`";
            ("type", format!("must be {words}"))
        }),
    }
}

fn of_version(word: Option<&str>, version: &str) -> Asked {
    let adapter = AdapterVersion::parse(version)
        .map_err(|unknown| ("adapter_version", unknown.to_string()))?;
    match word {
        Some(word) if word != ADAPTER && word != adapter.word => {
            of_word(word, None)?;
            Err(("adapter_version", format!("does not go with the type `{word}`")))
        }
        Some(_) | None => Ok(adapter),
    }
}

/// The type of what the documents have no word of its own for; any may be said so.
pub(super) const ADAPTER: &str = "adapter";

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
