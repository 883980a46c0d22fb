//! What mails say of tokens. Never a secret.

use domain::token_report::{TokenNews, TokenReport};

/// Where a person looks at the token: its page of the console, or their own page.
pub(crate) fn link(public_url: &str, report: &TokenReport) -> String {
    match report.user {
        None => format!("{public_url}/console/service-tokens/{}", report.id),
        Some(_) => format!("{public_url}/console/you"),
    }
}

/// The subject and the body.
pub(crate) fn told(report: &TokenReport, link: &str) -> (String, String) {
    let name = &report.name;
    let kind = if report.user.is_some() { "personal token" } else { "service token" };
    let (subject, mut lines) = match &report.news {
        TokenNews::Expiring { expires_at, days } => {
            let within = if *days == 1 { "a day".to_owned() } else { format!("{days} days") };
            (
                format!("The {kind} {name} ends within {within}"),
                vec![
                    format!("It works until {expires_at}. Rotate it, or give it another end:"),
                    "nothing revives it after that.".to_owned(),
                ],
            )
        }
        TokenNews::Leaked(leak) => (
            format!("The {kind} {name} leaked and was ended"),
            vec![
                "A secret of it was found where everybody can read it. It works no longer."
                    .to_owned(),
                format!("Where: {}", leak.url),
                format!("Found as: {}", leak.kind),
                "Look in the audit log for what was done with it.".to_owned(),
            ],
        ),
        TokenNews::CanaryUsed { uses, address, agent } => {
            let from = address.map_or("an unknown address".to_owned(), |from| from.to_string());
            let times = if *uses == 1 { "once".to_owned() } else { format!("{uses} times") };
            (
                format!("The canary {name} was used"),
                vec![
                    format!("Somebody presented its secret {times}, last from {from}."),
                    format!("User agent: {agent}"),
                    "Whoever has it has found the place where you put it.".to_owned(),
                ],
            )
        }
        TokenNews::Created => (format!("The {kind} {name} was made"), Vec::new()),
        TokenNews::Changed { .. } => (format!("The {kind} {name} was changed"), Vec::new()),
        TokenNews::Rotated => (format!("The {kind} {name} was rotated"), Vec::new()),
        TokenNews::Revoked => (format!("The {kind} {name} was revoked"), Vec::new()),
    };
    lines.extend([
        String::new(),
        format!("Token: {name} ({})", report.uid),
        format!("By: {}", report.actor),
        format!("At: {}", report.at),
        String::new(),
        link.to_owned(),
        String::new(),
    ]);
    (subject, lines.join("\r\n"))
}
