//! `narrowgate token least-privilege`: a token narrowed to what it was used for.

use serde_json::json;
use wire::v3::{LeastPrivilege, PermissionGrant, Reach, ServiceToken};

use super::{
    grants::told,
    token_use::{action, place},
};
use crate::{args::LeastPrivilegeArgs, error::CliError, output};

pub(super) async fn run(args: &LeastPrivilegeArgs) -> Result<(), CliError> {
    if args.undo {
        return undo(args).await;
    }
    let client = &args.client;
    let path = path(args);
    let asked = format!("{path}?days={}", args.days.get());
    let plan: LeastPrivilege = client.client()?.get(&asked).await?;
    if !args.apply {
        return if client.json {
            output::json(&plan)
        } else {
            print(&plan, args);
            Ok(())
        };
    }
    if !client.json {
        explain(&plan);
    }
    let body = json!({ "proposal_id": plan.proposal_id, "days": args.days.get() });
    let token: ServiceToken = client.client()?.post(&path, &body).await?;
    done(args, &token, "is narrowed")
}

async fn undo(args: &LeastPrivilegeArgs) -> Result<(), CliError> {
    let client = args.client.client()?;
    let path = format!("{}undo/", path(args));
    let token: ServiceToken = client.post(&path, &json!({})).await?;
    done(args, &token, "has back what it had")
}

fn path(args: &LeastPrivilegeArgs) -> String {
    args.client.v3(&format!("/service-tokens/{}/least-privilege/", args.id))
}

fn done(args: &LeastPrivilegeArgs, token: &ServiceToken, what: &str) -> Result<(), CliError> {
    if args.client.json {
        return output::json(token);
    }
    let (id, name, grants) = (token.id, &token.name, &token.permission_grants);
    output::line(format!("token {id} `{name}` {what}: {}", held(grants)));
    Ok(())
}

/// The plan, and how it is made so.
fn print(plan: &LeastPrivilege, args: &LeastPrivilegeArgs) {
    explain(plan);
    let (id, days) = (args.id, args.days.get());
    if plan.is_narrow {
        output::line("it holds no more than that already");
    } else if plan.failing.is_empty() {
        output::line(format!(
            "nothing is done without --apply: narrowgate token least-privilege {id} --days {days} --apply"
        ));
    }
    if let Some(since) = &plan.undoable_since {
        output::line(format!("it was narrowed at {since}; --undo gives back what it had"));
    }
}

fn explain(plan: &LeastPrivilege) {
    let (id, name, days) = (plan.service_token_id, &plan.name, plan.days);
    output::line(format!("token {id} `{name}`, by what it was used for in the last {days} days"));
    output::line(format!("  holds: {}", held(&plan.current_grants)));
    output::line(format!("  needs: {}", held(&plan.proposed_grants)));
    let smallest = if plan.is_smallest { "" } else { "; smaller ones may do, too" };
    let (uses, failing) = (plan.replayed, plan.failing.len());
    output::line(format!("  {uses} uses decided again under it, {failing} refused{smallest}"));
    for failing in &plan.failing {
        output::line(format!("  would be refused: {} in {}", action(failing), place(failing)));
    }
    for gone in &plan.uses_not_held {
        let (what, there) = (action(gone), place(gone));
        output::line(format!("  used and no longer held: {what}, {there}"));
    }
    let lost = plan.rights_lost.iter().map(|lost| {
        let right = format!("{} {}", lost.action, lost.resource);
        [right, reach(&lost.before), reach(&lost.after)]
    });
    if !plan.rights_lost.is_empty() {
        output::table(["right lost", "from", "to"], lost);
    }
}

fn held(grants: &[PermissionGrant]) -> String {
    if grants.is_empty() { "nothing".to_owned() } else { told(grants) }
}

/// Where something is allowed, in words: `all projects`, `project 7 (staging)`.
fn reach(reach: &Reach) -> String {
    let categories = |words: &[String]| match words {
        [all] if all == "all" => String::new(),
        some => format!(" ({})", some.join(", ")),
    };
    let everywhere = Some(&reach.all_projects).filter(|words| !words.is_empty());
    let everywhere = everywhere.map(|words| format!("all projects{}", categories(words)));
    let project = |it: &wire::v3::ProjectReached| {
        format!("project {}{}", it.project_id, categories(&it.environment_categories))
    };
    let places: Vec<_> = everywhere.into_iter().chain(reach.projects.iter().map(project)).collect();
    if places.is_empty() { "nowhere".to_owned() } else { places.join(", ") }
}
