//! SeaORM's view of the tables: private to this crate, one file a noun.
#![expect(unreachable_pub, reason = "SeaORM's derive macros write `pub`")]

pub(crate) mod account;
pub(crate) mod applied_node;
pub(crate) mod artifact;
pub(crate) mod artifact_pruning;
pub(crate) mod audit_export;
pub(crate) mod audit_head;
pub(crate) mod audit_record;
pub(crate) mod connection;
pub(crate) mod environment;
pub(crate) mod environment_state;
pub(crate) mod event;
pub(crate) mod folded_step;
pub(crate) mod git_delivery;
pub(crate) mod git_hook;
pub(crate) mod group;
pub(crate) mod group_member;
pub(crate) mod group_permission;
pub(crate) mod invite;
pub(crate) mod job;
pub(crate) mod job_schedule;
pub(crate) mod kept;
pub(crate) mod kept_reference;
pub(crate) mod membership;
pub(crate) mod node_execution;
pub(crate) mod old_secret_use;
pub(crate) mod outbox;
pub(crate) mod password;
pub(crate) mod personal_token;
pub(crate) mod project;
pub(crate) mod recovery_code;
pub(crate) mod repository;
pub(crate) mod run;
pub(crate) mod run_count;
pub(crate) mod run_lease;
pub(crate) mod run_step;
pub(crate) mod run_usage;
pub(crate) mod second_factor;
pub(crate) mod service_token;
pub(crate) mod service_token_credential;
pub(crate) mod service_token_permission;
pub(crate) mod service_token_restriction;
pub(crate) mod session;
pub(crate) mod sign_in_link;
pub(crate) mod step_debug_chunk;
pub(crate) mod step_log_chunk;
pub(crate) mod token_narrowing;
pub(crate) mod token_policy;
pub(crate) mod token_proposal;
pub(crate) mod token_reminder;
pub(crate) mod token_rotation;
pub(crate) mod token_sender;
pub(crate) mod token_use;
pub(crate) mod token_use_action;
pub(crate) mod user;
pub(crate) mod warehouse_credential;
pub(crate) mod webhook_event;
pub(crate) mod webhook_receipt;

use domain::Timestamp;

use crate::StoreError;

/// A stored time.
pub(crate) fn time(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_micros(micros)
        .ok_or_else(|| StoreError::Corrupt(format!("{micros} is no time")))
}

/// A stored time that may be missing.
pub(crate) fn maybe_time(micros: Option<i64>) -> Result<Option<Timestamp>, StoreError> {
    micros.map(time).transpose()
}
