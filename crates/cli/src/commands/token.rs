//! `narrowgate token …`: service tokens.

use std::{path::Path, process::ExitCode, sync::Arc};

use domain::{
    Name, Timestamp,
    authz::{Caller, Origin, Permit, ServiceTokens, SystemTask, Write, authorize},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use store::ImportedToken;
use wire::{
    client::Client,
    v3::{PermissionRow, ServiceToken},
};

use super::{
    canary,
    grants::{parse, told},
    least_privilege, open_existing, proposals, restrictions, revoke, rotate, sink, token_file,
    token_use,
};
use crate::{
    args::{
        TokenChangeArgs, TokenCommand, TokenCreateArgs, TokenDeleteArgs, TokenImportArgs,
        TokenListArgs, TokenPermissionsArgs, TokenShowArgs,
    },
    error::CliError,
    output,
};

pub(super) async fn run(command: TokenCommand) -> Result<ExitCode, CliError> {
    match command {
        TokenCommand::Create(args) => create(&args).await?,
        TokenCommand::Canary(args) => canary::make(&args).await?,
        TokenCommand::List(args) => list(&args).await?,
        TokenCommand::Show(args) => show(&args).await?,
        TokenCommand::Permissions(args) => permissions(&args).await?,
        TokenCommand::Restrictions(args) => restrictions::run(&args).await?,
        TokenCommand::Change(args) => change(&args).await?,
        TokenCommand::Rotate(args) => return rotate::rotate(&args).await,
        TokenCommand::CancelRotation(args) => rotate::cancel(&args).await?,
        TokenCommand::Revoke(args) => return revoke::revoke(&args).await,
        TokenCommand::Proposals(args) => proposals::list(&args).await?,
        TokenCommand::Accept(args) => proposals::settle(&args, "accept").await?,
        TokenCommand::Reject(args) => proposals::settle(&args, "reject").await?,
        TokenCommand::OldSecrets(args) => return rotate::old_secrets(&args).await,
        TokenCommand::Use(args) => token_use::run(&args).await?,
        TokenCommand::LeastPrivilege(args) => least_privilege::run(&args).await?,
        TokenCommand::Delete(args) => delete(&args).await?,
        TokenCommand::Export(args) => token_file::export(&args).await?,
        TokenCommand::Apply(args) => return token_file::apply(&args).await,
        TokenCommand::Import(args) => import(&args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn create(args: &TokenCreateArgs) -> Result<(), CliError> {
    let sink = args.sink.sink()?;
    sink.check(&[])?;
    let body = json!({
        "name": args.name,
        "permission_grants": args.grants.body(),
        "restrictions": args.restrictions.body(),
        "expires_at": args.expires_at,
        "responsible_user_id": args.responsible,
    });
    let client = &args.client;
    let made: Value = client.client()?.post(&client.v3("/service-tokens/"), &body).await?;
    let made = sink.keep(made, rotate::to_get_another)?;
    if client.json {
        return output::json(&made);
    }
    let token: ServiceToken = serde_json::from_value(made.clone()).map_err(CliError::other)?;
    print(&token);
    output::line(if sink.is_output() {
        format!("secret, shown this once:\n{}", sink::secret_of(&made))
    } else {
        format!("its secret is in {}", sink::place_of(&made))
    });
    Ok(())
}

async fn list(args: &TokenListArgs) -> Result<(), CliError> {
    let client = &args.client;
    let path = client.v3("/service-tokens/");
    let path = match args.unused_for {
        Some(days) => format!("{path}?unused_for_days={}", days.get()),
        None => path,
    };
    let tokens: Vec<ServiceToken> = all(&client.client()?, &path).await?;
    if client.json {
        return output::json(&tokens);
    }
    output::table(HEAD, tokens.iter().map(row));
    Ok(())
}

async fn show(args: &TokenShowArgs) -> Result<(), CliError> {
    let client = &args.client;
    let path = client.v3(&format!("/service-tokens/{}/", args.id));
    let token: ServiceToken = client.client()?.get(&path).await?;
    if client.json {
        return output::json(&token);
    }
    print(&token);
    Ok(())
}

async fn permissions(args: &TokenPermissionsArgs) -> Result<(), CliError> {
    let client = &args.client;
    let path = client.v3(&format!("/service-tokens/{}/permissions/", args.id));
    let answer: Value = if args.grants.grants.is_empty() && !args.none {
        let rows: Vec<PermissionRow> = all(&client.client()?, &path).await?;
        json!(rows)
    } else {
        client.client()?.post(&path, &args.grants.body()).await?
    };
    if client.json {
        return output::json(&answer);
    }
    if answer.is_object() {
        proposals::tell(&serde_json::from_value(answer).map_err(CliError::other)?);
        return Ok(());
    }
    let rows: Vec<PermissionRow> = serde_json::from_value(answer).map_err(CliError::other)?;
    let rows = rows.into_iter().map(|row| {
        let project = row.project_id.map_or("all".to_owned(), |id| id.to_string());
        let raised = row.writable_environment_categories.join(", ");
        [row.id.to_string(), row.permission_set, project, raised]
    });
    output::table(["id", "permission set", "project", "writable environments"], rows);
    Ok(())
}

async fn change(args: &TokenChangeArgs) -> Result<(), CliError> {
    let client = &args.client;
    let path = client.v3(&format!("/service-tokens/{}/", args.id));
    let body = json!({
        "name": args.name,
        "expires_at": args.expires_at,
        "disabled": args.disable.then_some(true).or(args.enable.then_some(false)),
        "responsible_user_id": args.responsible,
    });
    let token: ServiceToken = client.client()?.post(&path, &body).await?;
    if client.json {
        return output::json(&token);
    }
    print(&token);
    Ok(())
}

async fn delete(args: &TokenDeleteArgs) -> Result<(), CliError> {
    let client = &args.client;
    if !token_use::goes_on(client, args.id, args.yes).await? {
        output::aside("nothing is deleted");
        return Ok(());
    }
    let path = client.v3(&format!("/service-tokens/{}/", args.id));
    let token: ServiceToken = client.client()?.delete(&path).await?;
    if client.json {
        return output::json(&token);
    }
    output::line(format!("token {} `{}` is deleted and works no longer", token.id, token.name));
    Ok(())
}

/// A whole list, page by page.
pub(super) async fn all<T: DeserializeOwned>(
    client: &Client,
    path: &str,
) -> Result<Vec<T>, CliError> {
    let mut rows = Vec::new();
    let more = if path.contains('?') { '&' } else { '?' };
    loop {
        let page = format!("{path}{more}limit=100&offset={}", rows.len());
        let page: Vec<T> = client.get(&page).await?;
        let last = page.len() < 100;
        rows.extend(page);
        if last {
            return Ok(rows);
        }
    }
}

pub(super) fn print(token: &ServiceToken) {
    output::table(HEAD, [row(token)]);
    if let Some(held) = &token.restrictions {
        output::line(format!("held to: {}", restrictions::told(held).join("; ")));
    }
}

const HEAD: [&str; 7] =
    ["id", "name", "permissions", "created", "last used", "responsible", "advice"];

fn row(token: &ServiceToken) -> [String; 7] {
    [
        token.id.to_string(),
        token.name.clone(),
        told(&token.permission_grants),
        day(&token.created_at),
        token.last_used.as_deref().map_or("never".to_owned(), day),
        token.responsible_user_id.map_or_else(String::new, |id| format!("user {id}")),
        advice(token),
    ]
}

fn advice(token: &ServiceToken) -> String {
    match &token.advisory {
        _ if token.disabled => "disabled".to_owned(),
        _ if token.canary => "canary: grants nothing, each use is told".to_owned(),
        _ if token.awaits_rotation => "imported: rotate before use".to_owned(),
        Some(advisory) => format!("{}: {}", advisory.action, advisory.reason),
        None => String::new(),
    }
}

/// The day of a time on the wire.
pub(super) fn day(time: &str) -> String {
    time.get(..10).unwrap_or(time).to_owned()
}

/// A token's metadata, as a file has it.
#[derive(Debug, Deserialize)]
struct Row {
    name: String,
    created_at: String,
    #[serde(default)]
    last_used: Option<String>,
    #[serde(default)]
    permissions: Permissions,
}

/// A list in JSON; in CSV a text with semicolons.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Permissions {
    List(Vec<String>),
    Text(String),
}

impl Default for Permissions {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

async fn import(args: &TokenImportArgs) -> Result<(), CliError> {
    let rows = read(&args.file)?;
    let tokens: Result<Vec<_>, _> = rows
        .into_iter()
        .enumerate()
        .map(|(index, row)| {
            row.token().map_err(|error| CliError::Other(format!("row {}: {error}", index + 1)))
        })
        .collect();
    let store = open_existing(&args.data).await?;
    let principals = store.system_principals(SystemTask::Importer).await?;
    let importer = principals.into_iter().find(|one| one.account() == args.account);
    let importer = importer
        .ok_or_else(|| CliError::Other(format!("account {} is not there", args.account)))?;
    let caller = Arc::new(Caller::new(importer, Origin::local()));
    let permit: Permit<Write, ServiceTokens> =
        authorize(&caller, args.account).map_err(CliError::other)?;
    let made = store.import_service_tokens(&permit, tokens?).await?;
    store.close().await?;
    if args.json {
        let tokens: Vec<_> = made.iter().map(|token| ServiceToken::new(token, false)).collect();
        return output::json(&tokens);
    }
    output::line(format!("{} tokens imported; each must be rotated before use", made.len()));
    Ok(())
}

fn read(file: &Path) -> Result<Vec<Row>, CliError> {
    let wrong = |error: String| CliError::Other(format!("{}: {error}", file.display()));
    let bytes = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("json") => serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string())),
        Some("csv") => csv::Reader::from_reader(bytes.as_slice())
            .deserialize()
            .collect::<Result<_, _>>()
            .map_err(|error: csv::Error| wrong(error.to_string())),
        _ => Err(wrong("must be a .csv or a .json file".to_owned())),
    }
}

impl Row {
    fn token(self) -> Result<ImportedToken, CliError> {
        let texts = match self.permissions {
            Permissions::List(list) => list,
            Permissions::Text(text) => text.split(';').map(str::to_owned).collect(),
        };
        let texts = texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
        let time = |field: &str, text: &str| {
            Timestamp::parse(text)
                .map_err(|error| CliError::Other(format!("`{field}` {error}, not `{text}`")))
        };
        let last_used = self.last_used.as_deref().filter(|text| !text.trim().is_empty());
        Ok(ImportedToken {
            name: Name::parse(self.name)
                .map_err(|error| CliError::Other(format!("`name` {error}")))?,
            grants: texts.map(parse).collect::<Result<_, _>>()?,
            created_at: time("created_at", &self.created_at)?,
            last_used: last_used.map(|text| time("last_used", text)).transpose()?,
        })
    }
}
