//! `narrowgate token revoke`: ends all tokens that a filter means.

use std::process::ExitCode;

use wire::v3::{ManyTokens, RevokeManyBody};

use super::many;
use crate::{args::TokenRevokeArgs, error::CliError, output};

/// How many tokens one request ends.
const AT_ONCE: usize = 500;

/// First the plan; with `--yes`, what it shows and no other.
pub(super) async fn revoke(args: &TokenRevokeArgs) -> Result<ExitCode, CliError> {
    let (client, filter) = (args.client.client()?, args.filter.body());
    let path = args.client.v3("/service-tokens/revoke/");
    let asked = RevokeManyBody { filter: Some(filter.clone()), dry_run: true, expected_ids: None };
    let plan: ManyTokens = client.post(&path, &asked).await?;
    if !args.yes {
        many::show(&plan, args.client.json)?;
        if !args.client.json {
            let number = plan.tokens.len();
            output::line(format!(
                "{number} tokens would be revoked; nothing is done without --yes"
            ));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut revoked = ManyTokens { dry_run: false, tokens: Vec::new() };
    for ids in many::ids(&plan).chunks(AT_ONCE) {
        let asked = RevokeManyBody {
            filter: Some(many::of_ids(&filter, ids)),
            dry_run: false,
            expected_ids: Some(ids.to_vec()),
        };
        let done: Result<ManyTokens, _> = client.post(&path, &asked).await;
        match done {
            Ok(done) => revoked.tokens.extend(done.tokens),
            Err(error) if revoked.tokens.is_empty() => return Err(error.into()),
            Err(error) => {
                let before = revoked.tokens.len();
                let message = format!("{error}; {before} tokens were revoked before");
                return Err(CliError::Other(message));
            }
        }
    }
    if args.client.json {
        output::json(&revoked)?;
    } else {
        for token in &revoked.tokens {
            output::line(format!("{} is revoked", many::told(token)));
        }
        output::line(format!("{} tokens are revoked", revoked.tokens.len()));
    }
    Ok(ExitCode::SUCCESS)
}
