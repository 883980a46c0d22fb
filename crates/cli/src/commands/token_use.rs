//! `narrowgate token use`: who depends on a token, also before it is rotated or deleted.

use std::io::{IsTerminal as _, stdin};

use domain::ServiceTokenId;
use wire::v3::{PlacedAction, TokenSender, TokenUse};

use super::token::day;
use crate::{
    args::{ClientArgs, TokenUseArgs},
    error::CliError,
    output,
};

/// How many senders are named before a token is rotated or deleted.
const NAMED: usize = 5;

pub(super) async fn run(args: &TokenUseArgs) -> Result<(), CliError> {
    let used = read(&args.client, args.id, args.days.get()).await?;
    if args.client.json {
        return output::json(&used);
    }
    output::line(summary(&used));
    let senders = used.senders.iter().map(|sender| {
        let (first, last) = (day(&sender.first_used), day(&sender.last_used));
        [address(sender), sender.agent.clone(), first, last, sender.requests.to_string()]
    });
    output::table(["from", "agent", "first", "last", "requests"], senders);
    let actions = used.actions.iter().map(|it| {
        let (times, days) = (it.allowed.to_string(), it.days.to_string());
        [action(&it.used), place(&it.used), times, days, it.last_day.clone()]
    });
    output::table(["allowed", "where", "times", "days", "last"], actions);
    if !used.refusals.is_empty() {
        let refused = used.refusals.iter().map(|it| {
            [format!("{} {}", it.action, it.resource), it.refused.to_string(), it.last_day.clone()]
        });
        output::table(["refused", "times", "last"], refused);
    }
    Ok(())
}

async fn read(client: &ClientArgs, id: ServiceTokenId, days: u16) -> Result<TokenUse, CliError> {
    let path = client.v3(&format!("/service-tokens/{id}/use/?days={days}"));
    Ok(client.client()?.get(&path).await?)
}

/// Says on standard error who used a token lately.
pub(super) async fn tell(client: &ClientArgs, id: ServiceTokenId) -> Result<TokenUse, CliError> {
    let used = read(client, id, 90).await?;
    output::aside(summary(&used));
    for sender in used.senders.iter().take(NAMED) {
        let (agent, last) = (&sender.agent, day(&sender.last_used));
        output::aside(format!("  from {} `{agent}`, last on {last}", address(sender)));
    }
    if used.senders.len() > NAMED {
        output::aside(format!("  and {} more", used.senders.len() - NAMED));
    }
    Ok(used)
}

/// Says who used a token lately and, at a terminal, asks whether it is to go on all the same.
pub(super) async fn goes_on(
    client: &ClientArgs,
    id: ServiceTokenId,
    is_sure: bool,
) -> Result<bool, CliError> {
    let used = tell(client, id).await?;
    if is_sure || used.senders.is_empty() || !stdin().is_terminal() {
        return Ok(true);
    }
    output::aside("delete it all the same? [y/N]");
    let mut answer = String::new();
    stdin().read_line(&mut answer).map_err(CliError::other)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn summary(used: &TokenUse) -> String {
    let (id, name, days) = (used.service_token_id, &used.name, used.days);
    match used.senders.len() {
        0 => format!("nobody used token {id} `{name}` in the last {days} days"),
        1 => format!("token {id} `{name}` was used by one sender in the last {days} days"),
        many => format!("token {id} `{name}` was used by {many} senders in the last {days} days"),
    }
}

fn address(sender: &TokenSender) -> String {
    sender.address.clone().unwrap_or_else(|| "an unknown address".to_owned())
}

/// `write runs`
pub(super) fn action(used: &PlacedAction) -> String {
    format!("{} {}", used.action, used.resource)
}

/// Where something was used, in words.
pub(super) fn place(used: &PlacedAction) -> String {
    match (used.project_id, &used.environment_category) {
        (Some(project), Some(category)) => format!("project {project}, {category}"),
        (Some(project), None) => format!("project {project}"),
        (None, _) if used.reach == "everywhere" => "wherever it reaches".to_owned(),
        (None, _) if used.reach == "somewhere" => "nowhere in particular".to_owned(),
        (None, _) => "the account".to_owned(),
    }
}
