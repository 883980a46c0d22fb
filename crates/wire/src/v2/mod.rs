//! The nouns of `/api/v2`.

mod account;
mod artifact;
mod duration;
mod environment;
mod invite;
mod job;
mod job_body;
mod license;
mod node_counts;
mod notification;
mod run;
mod schedule;
mod ssh_tunnel;
mod step;
mod text;
mod trigger;
mod user;
mod whoami;

pub use account::{Account, AccountBody, AccountEdit};
pub use artifact::ArtifactPaths;
pub use environment::Environment;
pub use invite::Invite;
pub use job::{
    Job, JobCompletionCondition, JobCompletionTrigger, JobExecution, JobSettings, JobTriggers,
};
pub use job_body::{
    JobBody, JobCompletionConditionBody, JobCompletionTriggerBody, JobExecutionBody,
    JobSettingsBody, JobTriggersBody,
};
pub use license::{LicenseAllocation, LicenseDetail};
pub use node_counts::{NodeCounts, NodeEnds};
pub use notification::{Notification, NotificationBody, Unsubscribed};
pub use run::{
    DeprecationWarnings, Run, RunAudit, RunAuditActor, RunAuditEvent, RunFailureDetails, run_href,
};
pub use schedule::{
    JobSchedule, JobScheduleBody, JobScheduleDate, JobScheduleDateBody, JobScheduleTime,
    JobScheduleTimeBody,
};
pub use ssh_tunnel::{SshTunnel, SshTunnelBody};
pub use step::{DebugLog, RunStep, RunStepCommand, RunStepInvocation};
pub use trigger::{RunTrigger, TriggerBody};
pub use user::{User, UserBody, UserLicense, UserLicenseBody};
pub use whoami::{Constants, WhoAmI, WhoAmIUser};
