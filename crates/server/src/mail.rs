//! Mail: invitations, by SMTP.

use std::time::Duration;

use domain::{Timestamp, user::Email};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor, message::Mailbox};

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
        let wrong = |error: &dyn std::fmt::Display| MailError::Message(error.to_string());
        let to: Mailbox = to.as_str().parse().map_err(|error| {
            let error: lettre::address::AddressError = error;
            wrong(&error)
        })?;
        let body = format!(
            "You were invited to Narrowgate. This link is good once, until {expires_at}:\r\n\r\n\
             {link}\r\n"
        );
        let mail = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject("Your invitation to Narrowgate")
            .body(body)
            .map_err(|error| wrong(&error))?;
        self.transport.send(mail).await.map(drop).map_err(MailError::Refused)
    }
}
