//! `narrowgate check`: may this token do that?

use std::process::ExitCode;

use wire::v3::{AllProjects, CheckAnswer, CheckProjects, CheckRequest};

use crate::{args::CheckArgs, error::CliError, output};

/// The exit code of a no.
const REFUSED: u8 = 3;

pub(super) async fn run(args: CheckArgs) -> Result<ExitCode, CliError> {
    let asked = CheckRequest {
        resource: Some(args.resource),
        action: Some(args.access),
        project_id: args.project.map(domain::ProjectId::get),
        environment_id: args.environment.map(domain::EnvironmentId::get),
        job_id: args.job.map(domain::JobId::get),
        environment_category: args.environment_category,
        address: args.address.map(|address| address.to_string()),
        at: args.at.map(|at| at.to_string()),
        service_token_id: args.service_token.map(domain::ServiceTokenId::get),
        questions: None,
    };
    let client = &args.client;
    let answer: CheckAnswer = client.client()?.post(&client.v3("/check/"), &asked).await?;
    if client.json {
        output::json(&answer)?;
    } else {
        tell(&answer);
    }
    Ok(if answer.allowed { ExitCode::SUCCESS } else { ExitCode::from(REFUSED) })
}

fn tell(answer: &CheckAnswer) {
    let what = format!("{} on {}", answer.action, answer.resource);
    if answer.allowed {
        let place = match &answer.projects {
            CheckProjects::All(AllProjects::All) => "all projects".to_owned(),
            CheckProjects::Only(ids) => {
                let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
                format!("projects {}", ids.join(", "))
            }
        };
        output::line(format!("yes: {what} is granted on {place}"));
        return;
    }
    output::line(format!("no: {}", answer.reason.as_deref().unwrap_or("it is not granted")));
    if !answer.permission_sets.is_empty() {
        let sets: Vec<_> = answer.permission_sets.iter().map(|set| set.key.as_str()).collect();
        output::line(format!("would hold it: {}", sets.join(", ")));
    }
}
