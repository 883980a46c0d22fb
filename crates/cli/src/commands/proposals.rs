//! `narrowgate token proposals`, `accept` and `reject`: what would let a token do more, where the
//! account asks for a second person.

use serde_json::json;
use wire::v3::TokenProposal;

use super::{
    grants, restrictions,
    token::{all, day},
};
use crate::{
    args::{ClientArgs, ProposalArgs},
    error::CliError,
    output,
};

/// Those that are open.
pub(super) async fn list(args: &ClientArgs) -> Result<(), CliError> {
    let path = args.v3("/service-token-proposals/");
    let proposals: Vec<TokenProposal> = all(&args.client()?, &path).await?;
    if args.json {
        return output::json(&proposals);
    }
    let rows = proposals.iter().map(|proposal| {
        [
            proposal.id.to_string(),
            proposal.service_token_id.to_string(),
            asked(proposal),
            format!("user {}", proposal.proposed_by_user_id),
            proposal.status.clone(),
            day(&proposal.expires_at),
        ]
    });
    output::table(["id", "token", "would have", "proposed by", "status", "ends"], rows);
    Ok(())
}

/// Accepts or rejects one.
pub(super) async fn settle(args: &ProposalArgs, how: &str) -> Result<(), CliError> {
    let client = &args.client;
    let path = client.v3(&format!("/service-token-proposals/{}/{how}/", args.id));
    let proposal: TokenProposal = client.client()?.post(&path, &json!({})).await?;
    if client.json {
        return output::json(&proposal);
    }
    let token = proposal.service_token_id;
    output::line(format!("proposal {} about token {token} is {}", args.id, proposal.status));
    Ok(())
}

/// Says that something was proposed and not done.
pub(super) fn tell(proposal: &TokenProposal) {
    output::line(format!(
        "proposed as {}, not done: another person accepts it by `narrowgate token accept {}`, until {}",
        proposal.id, proposal.id, proposal.expires_at
    ));
}

fn asked(proposal: &TokenProposal) -> String {
    let grants = proposal.permission_grants.as_deref().map(grants::told);
    let restrictions =
        proposal.restrictions.as_ref().map(|held| restrictions::told(held).join("\n"));
    grants.or(restrictions).unwrap_or_default()
}
