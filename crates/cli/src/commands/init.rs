//! `narrowgate init`: an account and its first admin.

use std::process::ExitCode;

use domain::secret::{TokenKind, TokenSecret};
use rand::{rand_core::UnwrapErr, rngs::SysRng};
use serde_json::json;
use store::NewAccount;

use super::open;
use crate::{args::InitArgs, error::CliError, output};

pub(super) async fn run(args: InitArgs) -> Result<ExitCode, CliError> {
    let store = open(&args.data).await?;
    let secret = TokenSecret::mint(TokenKind::Personal, &mut UnwrapErr(SysRng));
    let new =
        NewAccount { name: args.account_name, plan: args.plan, admin_email: args.admin_email };
    let made = store.create_account(new, &secret).await?;
    store.close().await?;
    if args.json {
        output::json(&json!({
            "account_id": made.account.id,
            "user_id": made.admin.id,
            "personal_token": secret.reveal(),
        }))?;
    } else {
        let ends = made.token.expires_at.map_or_else(String::new, |end| format!(", ends {end}"));
        output::line(format!(
            "account {} `{}`, plan {}\nadmin {} ({})\npersonal token, shown this once{ends}:\n{}",
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
