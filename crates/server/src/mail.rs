//! Mail, by SMTP: invitations, what notifications tell of runs, and what is urgent of tokens.

use std::time::Duration;

use domain::{
    Timestamp,
    model_notification::NodeEnd,
    run::Outcome,
    run_report::{RunReport, Stage},
    token_report::TokenReport,
    user::Email,
};
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};

use crate::token_mail;

/// How long a mail server may take for one mail.
const PATIENCE: Duration = Duration::from_secs(10);

/// The mail server, and who writes.
#[derive(Clone)]
pub struct MailConfig {
    /// `smtps://user:password@host:465`, `smtp://host:587?tls=required`, or `smtp://host:25` for
    /// a server on this machine. It may hold a password, and is shown nowhere.
    pub url: String,
    /// The sender, such as `Narrowgate <narrowgate@example.com>`.
    pub from: String,
}

impl std::fmt::Debug for MailConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailConfig").field("from", &self.from).finish_non_exhaustive()
    }
}

/// Why there can be no mail, or why one was not taken.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The URL is none of a mail server.
    #[error("`smtp_url` must be a URL such as smtps://user:password@host:465")]
    Url,
    /// The sender is none.
    #[error("`smtp_from` must be an address such as `Narrowgate <narrowgate@example.com>`")]
    From,
    /// The address or the mail cannot be written.
    #[error("the mail cannot be written: {0}")]
    Message(String),
    /// The mail server did not take it.
    #[error("the mail server did not take the mail: {0}")]
    Refused(lettre::transport::smtp::Error),
}

/// What sends mail. Cheap to clone.
#[derive(Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer {
    /// Reads the configuration; the mail server is not asked.
    ///
    /// # Errors
    /// [`MailError::Url`], [`MailError::From`].
    pub fn new(config: &MailConfig) -> Result<Self, MailError> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&config.url)
            .map_err(|_| MailError::Url)?
            .timeout(Some(PATIENCE))
            .build();
        let from = config.from.parse().map_err(|_| MailError::From)?;
        Ok(Self { transport, from })
    }

    /// Sends the link of an invitation.
    pub(crate) async fn invite(
        &self,
        to: &Email,
        link: &str,
        expires_at: Timestamp,
    ) -> Result<(), MailError> {
        let body = format!(
            "You were invited to Narrowgate. This link is good once, until {expires_at}:\r\n\r\n\
             {link}\r\n"
        );
        self.send(to, "Your invitation to Narrowgate".to_owned(), body).await
    }

    /// Sends the link by which somebody who lost their password sets another.
    pub(crate) async fn reset(
        &self,
        to: &Email,
        account: &str,
        link: &str,
        expires_at: Timestamp,
    ) -> Result<(), MailError> {
        let body = format!(
            "Somebody asked for another password of yours in {account}, on Narrowgate. If it was \
             you, this link is good once, until {expires_at}:\r\n\r\n{link}\r\n\r\n\
             If not, nothing has to be done: your password stays as it is.\r\n"
        );
        self.send(to, "Your password on Narrowgate".to_owned(), body).await
    }

    /// Tells of the end of a run, or to an owner of the ends of their nodes in it; `link` is where a
    /// person looks at it.
    pub(crate) async fn tell(
        &self,
        to: &Email,
        report: &RunReport,
        nodes: &[NodeEnd],
        link: &str,
    ) -> Result<(), MailError> {
        let (subject, body) = told(report, nodes, link);
        self.send(to, subject, body).await
    }

    /// Tells what is urgent of a token; `link` is where a person looks at it.
    pub(crate) async fn tell_of_token(
        &self,
        to: &Email,
        report: &TokenReport,
        link: &str,
    ) -> Result<(), MailError> {
        let (subject, body) = token_mail::told(report, link);
        self.send(to, subject, body).await
    }

    async fn send(&self, to: &Email, subject: String, body: String) -> Result<(), MailError> {
        let wrong = |error: &dyn std::fmt::Display| MailError::Message(error.to_string());
        let to: Mailbox = to.as_str().parse().map_err(|error| {
            let error: lettre::address::AddressError = error;
            wrong(&error)
        })?;
        let mail = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(body)
            .map_err(|error| wrong(&error))?;
        self.transport.send(mail).await.map(drop).map_err(MailError::Refused)
    }
}

/// The subject and the body of a mail about a run.
fn told(report: &RunReport, nodes: &[NodeEnd], link: &str) -> (String, String) {
    let RunReport { project_name, environment_name, job_name, run, warnings, .. } = report;
    let how = match report.stage {
        Stage::Started => "started".to_owned(),
        Stage::Ended(Outcome::Success) if *warnings == 1 => "succeeded with 1 warning".to_owned(),
        Stage::Ended(Outcome::Success) if *warnings > 0 => {
            format!("succeeded with {warnings} warnings")
        }
        Stage::Ended(Outcome::Success) => "succeeded".to_owned(),
        Stage::Ended(Outcome::Error) => "failed".to_owned(),
        Stage::Ended(Outcome::Cancelled) => "was cancelled".to_owned(),
    };
    let subject = match nodes {
        [] => format!("{job_name} {how} ({project_name}, {environment_name})"),
        [one] => format!("{}: {} ({project_name}, {environment_name})", one.unique_id, one.status),
        many => format!(
            "{} models and tests of yours in {job_name} ({project_name}, {environment_name})",
            many.len()
        ),
    };
    let mut lines = vec![
        format!("Run {run} of the job {job_name} {how}."),
        String::new(),
        format!("Project: {project_name}"),
        format!("Environment: {environment_name}"),
        format!("Cause: {}", report.cause),
    ];
    if !report.message.is_empty() {
        lines.push(format!("Reason: {}", report.message));
    }
    lines.push(format!("Ended: {}", report.at));
    if !nodes.is_empty() {
        lines.push(String::new());
        lines.extend(nodes.iter().map(|node| format!("{}: {}", node.status, node.unique_id)));
    }
    lines.extend([String::new(), link.to_owned(), String::new()]);
    (subject, lines.join("\r\n"))
}
