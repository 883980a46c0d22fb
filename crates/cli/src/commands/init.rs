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
    let store = open(&args.data).await?;
    let secret = TokenSecret::mint(TokenKind::Personal, &mut UnwrapErr(SysRng));
    let new =
        NewAccount { name: args.account_name, plan: args.plan, admin_email: args.admin_email };
    let made = store.create_account(new, &secret).await?;
    let (link, link_ends) =
        sign_in_link(&store, made.account.id, &made.admin.email, &args.public_url).await?;
    store.close().await?;
    if args.json {
        output::json(&json!({
            "account_id": made.account.id,
            "user_id": made.admin.id,
            "personal_token": secret.reveal(),
            "sign_in_link": link,
        }))?;
    } else {
        let ends = made.token.expires_at.map_or_else(String::new, |end| format!(", ends {end}"));
        output::line(format!(
            "account {} `{}`, plan {}\nadmin {} ({})\npersonal token, shown this once{ends}:\n{}\nsign-in link of the console, good once, ends {link_ends}:\n{link}",
            made.account.id,
            made.account.name,
            made.account.plan.as_str(),
            made.admin.id,
            made.admin.email.as_str(),
            secret.reveal(),
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
