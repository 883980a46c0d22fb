//! `narrowgate sign-in-link`: a way into the console for whoever has no password.

use std::process::ExitCode;

use store::StoreError;

use super::{init::sign_in_link, open_existing};
use crate::{args::SignInLinkArgs, error::CliError, output};

pub(super) async fn run(args: &SignInLinkArgs) -> Result<ExitCode, CliError> {
    let store = open_existing(&args.data).await?;
    let made = sign_in_link(&store, args.account, &args.email, &args.public_url).await;
    if made.is_ok() && args.forget_second_factor {
        store.forget_second_factor(args.account, &args.email).await?;
    }
    store.close().await?;
    let (link, ends) = made.map_err(|error| match error {
        CliError::Store(StoreError::NotFound) => {
            let (email, account) = (args.email.as_str(), args.account);
            CliError::Other(format!("account {account} has no user `{email}`"))
        }
        other => other,
    })?;
    output::line(format!("good once, ends {ends}:\n{link}"));
    Ok(ExitCode::SUCCESS)
}
