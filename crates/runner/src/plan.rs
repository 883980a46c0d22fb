//! What a run will do, step by step, before it does anything.

use domain::{
    RunId,
    connection::Connection,
    job::{DbtCommand, JobSpec, TakesState},
    run::{Trigger, knows_static_docs},
};

/// One step to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlannedStep {
    /// As clients see it. Prefect takes the command from between the back-ticks and ignores the
    /// first three steps.
    pub(crate) name: String,
    pub(crate) work: Work,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Work {
    /// Checks the code out.
    Clone,
    /// Writes `profiles.yml`.
    Profile,
    /// Runs `dbt retry` on what a step of an earlier run left.
    Retry { run: RunId, step: u32 },
    /// Runs dbt with these arguments.
    Dbt {
        arguments: Vec<String>,
        /// What it is given of the state of the run that is deferred to.
        takes: TakesState,
        /// Whether the run goes on if it fails.
        may_fail: bool,
    },
}

/// The steps of a run: three that set it up, then what the job says and the trigger overrides; or,
/// of a retry, the step that failed and those after it. `dbt_version` is what
/// the run asks for.
pub(crate) fn plan(
    job: &JobSpec,
    trigger: &Trigger,
    connection: Option<&Connection>,
    dbt_version: &str,
) -> Vec<PlannedStep> {
    let static_docs = knows_static_docs(dbt_version);
    let connection = connection.map_or("(none)", |connection| connection.spec.name.as_str());
    let mut steps = vec![
        PlannedStep { name: "Clone git repository".to_owned(), work: Work::Clone },
        PlannedStep {
            name: format!("Create profile from connection {connection}"),
            work: Work::Profile,
        },
        dbt("dbt deps", &["deps"], false),
    ];
    if let Some(retry) = &trigger.retry {
        let (name, work) = (
            "Invoke dbt with `dbt retry`".to_owned(),
            Work::Retry { run: retry.run, step: retry.step },
        );
        steps.push(PlannedStep { name, work });
        let later = retry.later.iter();
        steps.extend(later.map(|command| given(command, static_docs)));
        return steps;
    }
    if job.run_generate_sources {
        // As in dbt Cloud: stale sources are told, and do not end the run.
        steps.push(dbt("dbt source freshness", &["source", "freshness"], true));
    }
    let commands = trigger.steps_override.as_ref().unwrap_or(&job.execute_steps);
    steps.extend(commands.iter().map(|command| given(command, static_docs)));
    if trigger.generate_docs_override.unwrap_or(job.generate_docs) {
        steps.push(dbt("dbt docs generate", &docs(&["docs", "generate"], static_docs), false));
    }
    steps
}

/// A step of the job's own.
fn given(command: &DbtCommand, static_docs: bool) -> PlannedStep {
    let arguments = docs(command.arguments(), static_docs);
    PlannedStep {
        name: format!("Invoke dbt with `{}`", command.as_str()),
        work: Work::Dbt { arguments, takes: command.takes_state(), may_fail: false },
    }
}

/// Has `dbt docs generate` write its page into one file too, which is what is shown of a project;
/// other commands stay as they are.
fn docs(arguments: &[impl ToString], static_docs: bool) -> Vec<String> {
    const STATIC: &str = "--static";
    let mut arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
    let generates = arguments.iter().map(String::as_str).take(2).eq(["docs", "generate"]);
    if static_docs && generates && !arguments.iter().any(|argument| argument == STATIC) {
        arguments.push(STATIC.to_owned());
    }
    arguments
}

/// A step of the runner's.
fn dbt(command: &str, arguments: &[impl ToString], may_fail: bool) -> PlannedStep {
    let arguments = arguments.iter().map(ToString::to_string).collect();
    PlannedStep {
        name: format!("Invoke dbt with `{command}`"),
        work: Work::Dbt { arguments, takes: TakesState::No, may_fail },
    }
}

/// After how many seconds a run is ended; 0 is never.
pub(crate) fn time_limit(job: &JobSpec, trigger: &Trigger) -> u32 {
    trigger.timeout_seconds_override.unwrap_or(job.timeout_seconds)
}

#[cfg(test)]
mod tests {
    use domain::{
        AccountId, ConnectionId, EnvironmentId, Name, ProjectId, Timestamp, UserId,
        authz::PrincipalId,
        connection::{ConnectionSpec, DuckDbPath, Platform},
        run::Retry,
    };
    use insta::assert_snapshot;

    use super::*;

    fn job() -> JobSpec {
        let name = Name::parse("nightly").unwrap();
        JobSpec::named(ProjectId::new(1).unwrap(), EnvironmentId::new(1).unwrap(), name)
    }

    fn trigger() -> Trigger {
        Trigger::plain(PrincipalId::User(UserId::new(1).unwrap()), "a test".to_owned())
    }

    fn connection() -> Connection {
        let path = DuckDbPath::parse("shop.duckdb").unwrap();
        let name = Name::parse("Shop Warehouse").unwrap();
        Connection {
            id: ConnectionId::new(1).unwrap(),
            account: AccountId::new(1).unwrap(),
            project: None,
            spec: ConnectionSpec::named(name, Platform::DuckDb { path }),
            created_by: None,
            environments: 1,
            tunnel: false,
            created_at: Timestamp::from_micros(0).unwrap(),
            updated_at: Timestamp::from_micros(0).unwrap(),
        }
    }

    fn names(steps: &[PlannedStep]) -> String {
        steps.iter().map(|step| step.name.as_str()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_plain_job_sets_up_and_builds() {
        let steps = plan(&job(), &trigger(), Some(&connection()), "latest");
        assert_snapshot!(names(&steps), @r"
        Clone git repository
        Create profile from connection Shop Warehouse
        Invoke dbt with `dbt deps`
        Invoke dbt with `dbt build`
        ");
    }

    #[test]
    fn sources_come_before_the_jobs_steps_and_docs_after() {
        let job = JobSpec { run_generate_sources: true, generate_docs: true, ..job() };
        let steps = plan(&job, &trigger(), None, "latest");
        assert_snapshot!(names(&steps), @r"
        Clone git repository
        Create profile from connection (none)
        Invoke dbt with `dbt deps`
        Invoke dbt with `dbt source freshness`
        Invoke dbt with `dbt build`
        Invoke dbt with `dbt docs generate`
        ");
    }

    #[test]
    fn docs_are_written_into_one_file_where_dbt_knows_how() {
        let arguments = |version: &str, commands: &[&str], generate_docs| {
            let execute_steps =
                commands.iter().map(|command| DbtCommand::parse(command).unwrap()).collect();
            let job = JobSpec { execute_steps, generate_docs, ..job() };
            let steps = plan(&job, &trigger(), None, version);
            let last = steps.last().unwrap().work.clone();
            let Work::Dbt { arguments, .. } = last else { panic!("{last:?}") };
            arguments.join(" ")
        };
        for (version, commands, generate_docs, expected) in [
            ("latest", &["dbt build"][..], true, "docs generate --static"),
            ("1.7.1", &["dbt build"], true, "docs generate --static"),
            ("1.6.0-latest", &["dbt build"], true, "docs generate"),
            ("latest", &["dbt docs generate -s a"], false, "docs generate -s a --static"),
            ("latest", &["dbt docs generate --static"], false, "docs generate --static"),
            ("latest", &["dbt run -s docs"], false, "run -s docs"),
        ] {
            assert_eq!(arguments(version, commands, generate_docs), expected, "{version}");
        }
    }

    #[test]
    fn a_retry_begins_with_the_step_that_failed() {
        let job = JobSpec { run_generate_sources: true, generate_docs: true, ..job() };
        let later = vec![DbtCommand::parse("dbt test -s a").unwrap()];
        let run = RunId::new(7).unwrap();
        let retry = Some(Retry { run, step: 5, later });
        let steps = plan(&job, &Trigger { retry, ..trigger() }, None, "latest");
        assert_snapshot!(names(&steps), @r"
        Clone git repository
        Create profile from connection (none)
        Invoke dbt with `dbt deps`
        Invoke dbt with `dbt retry`
        Invoke dbt with `dbt test -s a`
        ");
        assert_eq!(steps[3].work, Work::Retry { run, step: 5 });
    }

    #[test]
    fn a_trigger_overrides_steps_docs_and_time_limit() {
        let job = JobSpec { generate_docs: true, timeout_seconds: 60, ..job() };
        let steps = ["dbt seed", "dbt run --select 'tag:a b'"];
        let trigger = Trigger {
            steps_override: Some(steps.map(|step| DbtCommand::parse(step).unwrap()).into()),
            generate_docs_override: Some(false),
            timeout_seconds_override: Some(0),
            ..trigger()
        };
        let steps = plan(&job, &trigger, Some(&connection()), "latest");
        assert_snapshot!(names(&steps), @r"
        Clone git repository
        Create profile from connection Shop Warehouse
        Invoke dbt with `dbt deps`
        Invoke dbt with `dbt seed`
        Invoke dbt with `dbt run --select 'tag:a b'`
        ");
        let arguments = ["run", "--select", "tag:a b"].map(str::to_owned).to_vec();
        let takes = TakesState::Defers;
        assert_eq!(steps[4].work, Work::Dbt { arguments, takes, may_fail: false });
        assert_eq!(time_limit(&job, &trigger), 0);
    }
}
