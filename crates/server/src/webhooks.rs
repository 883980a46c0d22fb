//! Sending a webhook: one signed request, to where the name really leads, and no further.

use std::{net::SocketAddr, time::Duration};

use domain::{
    Timestamp,
    kept::Hidden,
    webhook::{ClientUrl, Dispatch, is_public, signature},
};
use reqwest::{Client, Response, redirect::Policy};
use serde_json::json;
use url::{Host, Url};

/// How long a delivery may take, from the look-up of the name to the end of the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of an answer is read and kept.
const MOST: usize = 16 * 1024;
/// What deliveries say of themselves.
const AGENT: &str = concat!("narrowgate/", env!("CARGO_PKG_VERSION"));

/// Where webhooks may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WebhookTargets {
    /// Out into the internet alone: a webhook must not become a way into the server's own network.
    #[default]
    Public,
    /// Anywhere, this machine and its networks included.
    Any,
}

/// Sends a body; gives what came of it, and never fails.
pub(crate) async fn send(
    targets: WebhookTargets,
    to: &ClientUrl,
    secret: &Hidden,
    body: String,
    now: Timestamp,
) -> Dispatch {
    let headers = json!({ "Content-Type": "application/json", "User-Agent": AGENT }).to_string();
    let answered = tokio::time::timeout(PATIENCE, post(targets, to, secret, &body)).await;
    let (http_status_code, response_body, error_info) = match answered {
        Ok(Ok((status, text))) if (200..300).contains(&status) => {
            (Some(status), text, String::new())
        }
        Ok(Ok((status, text))) => (Some(status), text, format!("the answer was {status}")),
        Ok(Err(reason)) => (None, String::new(), reason),
        Err(_) => (None, String::new(), format!("no answer within {} s", PATIENCE.as_secs())),
    };
    Dispatch {
        dispatched_at: now,
        http_status_code,
        error_info,
        request_headers: headers,
        request_body: body,
        response_body,
    }
}

async fn post(
    targets: WebhookTargets,
    to: &ClientUrl,
    secret: &Hidden,
    body: &str,
) -> Result<(u16, String), String> {
    let url = Url::parse(to.as_str()).map_err(|error| format!("the address is none: {error}"))?;
    let addresses = resolve(targets, &url).await?;
    let mut client = Client::builder().redirect(Policy::none()).no_proxy().user_agent(AGENT);
    if let Some(Host::Domain(name)) = url.host() {
        // The name is not asked for twice: a second answer could lead elsewhere.
        client = client.resolve_to_addrs(name, &addresses);
    }
    let request = client
        .build()
        .map_err(|error| told(&error))?
        .post(url)
        .header("Content-Type", "application/json")
        .header("Authorization", signature(secret, body.as_bytes()))
        .body(body.to_owned());
    let answer = request.send().await.map_err(|error| told(&error))?;
    let status = answer.status().as_u16();
    Ok((status, beginning(answer).await))
}

/// The addresses that the URL leads to, all of them allowed.
async fn resolve(targets: WebhookTargets, url: &Url) -> Result<Vec<SocketAddr>, String> {
    let port = url.port_or_known_default().ok_or("the address has no port")?;
    let addresses: Vec<SocketAddr> = match url.host() {
        Some(Host::Ipv4(address)) => vec![(address, port).into()],
        Some(Host::Ipv6(address)) => vec![(address, port).into()],
        Some(Host::Domain(name)) => tokio::net::lookup_host((name, port))
            .await
            .map_err(|_| format!("the name `{name}` leads nowhere"))?
            .collect(),
        None => Vec::new(),
    };
    if addresses.is_empty() {
        return Err("the name leads nowhere".to_owned());
    }
    match targets {
        WebhookTargets::Public if !addresses.iter().all(|address| is_public(address.ip())) => {
            Err("the name leads into a private network, where webhooks are not sent".to_owned())
        }
        WebhookTargets::Public | WebhookTargets::Any => Ok(addresses),
    }
}

/// The beginning of an answer, as text.
async fn beginning(mut answer: Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        let room = MOST.saturating_sub(bytes.len());
        bytes.extend(chunk.iter().take(room));
        if bytes.len() >= MOST {
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What is told of a failure: its kind, and nothing of ours.
fn told(error: &reqwest::Error) -> String {
    let why = if error.is_connect() {
        "no connection: nobody listens there, or its certificate is not trusted"
    } else if error.is_timeout() {
        "no answer in time"
    } else {
        "the request could not be sent or its answer not read"
    };
    why.to_owned()
}
