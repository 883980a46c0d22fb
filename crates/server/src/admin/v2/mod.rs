//! `/api/v2`.

pub(crate) mod accounts;
pub(crate) mod artifacts;
pub(crate) mod constants;
pub(crate) mod environments;
pub(crate) mod invites;
pub(crate) mod jobs;
pub(crate) mod licenses;
pub(crate) mod notifications;
pub(in crate::admin) mod related;
pub(crate) mod repositories;
pub(crate) mod runs;
pub(crate) mod ssh_tunnels;
pub(crate) mod step_logs;
pub(crate) mod steps;
pub(crate) mod users;
pub(crate) mod whoami;
