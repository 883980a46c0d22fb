//! `narrowgate init`: an account and its first admin.

use std::process::ExitCode;

use domain::{
    AccountId, Timestamp,
    secret::{TokenKind, TokenSecret},
    user::Email,
};
use rand::{rand_core::UnwrapErr, rngs::SysRng};
use serde_json::json;
use store::{NewAccount, Store};

use super::open;
use crate::{args::InitArgs, error::CliError, output};

pub(super) async fn run(args: InitArgs) -> Result<ExitCode, CliError> {
    let sink = args.sink.sink()?;
    sink.check(&[])?;
    let store = open(&args.data).await?;
    let secret = TokenSecret::mint(TokenKind::Personal, &mut UnwrapErr(SysRng));
    // First, so that no account is made whose admin's token is lost.
    let place = if sink.is_output() {
        None
    } else {
        Some(sink.put_as("NARROWGATE_TOKEN", "NARROWGATE_TOKEN", secret.reveal())?)
    };
    let new =
        NewAccount { name: args.account_name, plan: args.plan, admin_email: args.admin_email };
    let made = store.create_account(new, &secret).await?;
    let (link, link_ends) =
        sign_in_link(&store, made.account.id, &made.admin.email, &args.public_url).await?;
    store.close().await?;
    if args.json {
        let (key, value) = match &place {
            Some(place) => ("secret_in", place.as_str()),
            None => ("personal_token", secret.reveal()),
        };
        output::json(&json!({
            "account_id": made.account.id,
            "user_id": made.admin.id,
            key: value,
            "sign_in_link": link,
        }))?;
    } else {
        let ends = made.token.expires_at.map_or_else(String::new, |end| format!(", ends {end}"));
        let token = match &place {
            Some(place) => format!("personal token{ends}: in {place}"),
            None => format!("personal token, shown this once{ends}:\n{}", secret.reveal()),
        };
        output::line(format!(
            "account {} `{}`, plan {}\nadmin {} ({})\n{token}\nsign-in link of the console, good once, ends {link_ends}:\n{link}",
            made.account.id,
            made.account.name,
            made.account.plan.as_str(),
            made.admin.id,
            made.admin.email.as_str(),
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// A link by which a user of the account chooses a password and comes into the console, once.
/// What is secret of it stands behind the `#`, which no browser sends and no server logs.
pub(super) async fn sign_in_link(
    store: &Store,
    account: AccountId,
    email: &Email,
    url: &str,
) -> Result<(String, Timestamp), CliError> {
    let secret = TokenSecret::mint(TokenKind::Invitation, &mut UnwrapErr(SysRng));
    let ends = store.create_sign_in_link(account, email, &secret).await?;
    let url = url.trim_end_matches('/');
    Ok((format!("{url}/console/welcome#{}", secret.reveal()), ends))
}
