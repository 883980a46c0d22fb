//! Notifications: who is told when jobs end.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    JobId, UserId,
    authz::kinds::JobNotifications,
    kept::{FieldKind, Level, Noun, Reference},
    run::Outcome,
    user::Email,
};

/// Who is told of the ends of which jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// Whose it is; a user is told at the address that they sign in with.
    pub user_id: UserId,
    /// The wire's type: 1 the user's address, 4 another one.
    pub r#type: NotificationType,
    /// The address of type 4.
    pub external_email: Option<Email>,
    /// Jobs of whose cancelled runs they are told.
    pub on_cancel: BTreeSet<JobId>,
    /// Of failed ones.
    pub on_failure: BTreeSet<JobId>,
    /// Of successful ones.
    pub on_success: BTreeSet<JobId>,
    /// Of ones that ended with warnings.
    pub on_warning: BTreeSet<JobId>,
}

impl Notification {
    /// Whether its reader is told that a run of this job ended so. A success with warnings is a
    /// success, and is told to those who want warnings besides.
    #[must_use]
    pub fn wants(&self, job: JobId, outcome: Outcome, warned: bool) -> bool {
        match outcome {
            Outcome::Success => {
                self.on_success.contains(&job) || warned && self.on_warning.contains(&job)
            }
            Outcome::Error => self.on_failure.contains(&job),
            Outcome::Cancelled => self.on_cancel.contains(&job),
        }
    }
}

/// Where a notification goes. (Slack, the wire's 2, is not served.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum NotificationType {
    /// 1: the user's own address.
    User,
    /// 4: another address.
    External,
}

impl TryFrom<u8> for NotificationType {
    type Error = &'static str;
    fn try_from(code: u8) -> Result<Self, &'static str> {
        match code {
            1 => Ok(Self::User),
            4 => Ok(Self::External),
            _ => Err("must be 1 (the user's address) or 4 (another address)"),
        }
    }
}

impl From<NotificationType> for u8 {
    fn from(kind: NotificationType) -> Self {
        match kind {
            NotificationType::User => 1,
            NotificationType::External => 4,
        }
    }
}

impl Noun for Notification {
    const WORD: &str = "notification";
    const PARAMETER: &str = "notification_id";
    const LEVEL: Level = Level::Account;
    const FIELDS: &[(&str, FieldKind)] = &[
        ("user_id", FieldKind::Int),
        ("type", FieldKind::Int),
        ("external_email", FieldKind::Text),
    ];
    type Resource = JobNotifications;

    fn references(&self) -> Vec<(&'static str, Reference)> {
        let lists = [
            ("on_cancel", &self.on_cancel),
            ("on_failure", &self.on_failure),
            ("on_success", &self.on_success),
            ("on_warning", &self.on_warning),
        ];
        let jobs = lists
            .into_iter()
            .flat_map(|(field, jobs)| jobs.iter().map(move |job| (field, Reference::Job(*job))));
        std::iter::once(("user_id", Reference::User(self.user_id))).chain(jobs).collect()
    }

    /// A job that goes leaves the lists.
    fn without(mut self, gone: Reference) -> Option<Self> {
        let Reference::Job(job) = gone else { return None };
        for jobs in
            [&mut self.on_cancel, &mut self.on_failure, &mut self.on_success, &mut self.on_warning]
        {
            jobs.remove(&job);
        }
        Some(self)
    }

    /// It is nobody's once its user has left.
    fn goes_with(&self, gone: Reference) -> bool {
        gone == Reference::User(self.user_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_with_warnings_is_told_to_those_who_want_either() {
        let job = |id| JobId::new(id).unwrap();
        let notification = Notification {
            user_id: UserId::new(1).unwrap(),
            r#type: NotificationType::User,
            external_email: None,
            on_cancel: [job(1)].into(),
            on_failure: [job(2)].into(),
            on_success: [job(3)].into(),
            on_warning: [job(4)].into(),
        };
        let wants = |outcome, warned| {
            let told = (1..=5).filter(|id| notification.wants(job(*id), outcome, warned));
            told.collect::<Vec<_>>()
        };
        assert_eq!(wants(Outcome::Cancelled, true), [1]);
        assert_eq!(wants(Outcome::Error, true), [2]);
        assert_eq!(wants(Outcome::Success, false), [3]);
        assert_eq!(wants(Outcome::Success, true), [3, 4]);
    }
}
