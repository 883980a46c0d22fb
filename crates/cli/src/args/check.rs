//! `check`.

use std::path::PathBuf;

use clap::Args;
use domain::{EnvironmentId, JobId, ProjectId, ServiceTokenId, Timestamp};

use super::ClientArgs;

/// `check`
#[derive(Debug, Args)]
#[command(after_help = "\
Asks about the token that calls, or with --service-token about another one.
Exit code 0: it may; 3: it may not (of many: one of them); 1: the question failed.
  narrowgate check --resource runs --access write --project 7
  narrowgate check --resource runs --access write --job 12 --address 192.0.2.7 --service-token 3
Many at once, up to 1,000: a JSON list, or an object a line, with the keys of the API (resource, action,
project_id, environment_id, job_id, environment_category, address, at). Prints the answers as JSON.
  echo '{\"resource\": \"runs\", \"action\": \"write\", \"job_id\": 12}' | narrowgate check --questions -")]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// The kind of resource, such as `runs`, `jobs`, `service_tokens`
    #[arg(long, required_unless_present = "questions")]
    pub(crate) resource: Option<String>,
    /// read or write
    #[arg(long, default_value = "read")]
    pub(crate) access: String,
    /// In which project; anywhere unless given
    #[arg(long)]
    pub(crate) project: Option<ProjectId>,
    /// On which environment, or in it
    #[arg(long)]
    pub(crate) environment: Option<EnvironmentId>,
    /// On which job, or its runs
    #[arg(long)]
    pub(crate) job: Option<JobId>,
    /// In environments of which category
    #[arg(long)]
    pub(crate) environment_category: Option<String>,
    /// From which address; who asks has to read service tokens
    #[arg(long)]
    pub(crate) address: Option<std::net::IpAddr>,
    /// When; now unless given
    #[arg(long, value_parser = Timestamp::parse)]
    pub(crate) at: Option<Timestamp>,
    /// About which service token
    #[arg(long)]
    pub(crate) service_token: Option<ServiceTokenId>,
    /// A file of questions; `-` is standard input
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["resource", "project", "environment", "job", "environment_category", "address", "at"]
    )]
    pub(crate) questions: Option<PathBuf>,
}
