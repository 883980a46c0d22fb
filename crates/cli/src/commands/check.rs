//! `narrowgate check`: may this token do that?

use std::{path::Path, process::ExitCode};

use wire::v3::{
    AllProjects, CheckAnswer, CheckAnswers, CheckProjects, CheckQuestion, CheckRequest,
};

use crate::{args::CheckArgs, error::CliError, output};

/// The exit code of a no.
const REFUSED: u8 = 3;

pub(super) async fn run(args: CheckArgs) -> Result<ExitCode, CliError> {
    if let Some(file) = &args.questions {
        return ask_many(&args, file).await;
    }
    let asked = CheckRequest {
        resource: args.resource,
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

/// Asks all questions of a file in one request, and prints the answers as they came.
async fn ask_many(args: &CheckArgs, file: &Path) -> Result<ExitCode, CliError> {
    let asked = CheckRequest {
        service_token_id: args.service_token.map(domain::ServiceTokenId::get),
        questions: Some(read(file)?),
        ..CheckRequest::default()
    };
    let client = &args.client;
    let answers: CheckAnswers = client.client()?.post(&client.v3("/check/"), &asked).await?;
    output::json(&answers.answers)?;
    let all = answers.answers.iter().all(|answer| answer.allowed);
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::from(REFUSED) })
}

/// A JSON list of questions, or one after the other.
fn read(file: &Path) -> Result<Vec<CheckQuestion>, CliError> {
    let wrong = |error: String| CliError::Other(format!("{}: {error}", file.display()));
    let text = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    let text = text.map_err(|error| wrong(error.to_string()))?;
    let questions = if text.trim_start().starts_with('[') {
        serde_json::from_str(&text)
    } else {
        serde_json::Deserializer::from_str(&text).into_iter().collect()
    };
    questions.map_err(|error| wrong(error.to_string()))
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
