//! Hooks: where a git host tells of what happens in a repository, and how it proves that it is
//! the host.
//!
//! One secret serves the three ways in which hosts prove themselves, since it has the form that
//! the strictest of them asks for: `whsec_` and the Base64 of 32 bytes (Standard Webhooks).

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::CryptoRng;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{AccountId, ProjectId, RepositoryId, Timestamp, kept::Hidden, webhook::GitHookKey};

/// The hook of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitHook {
    /// What its address ends with.
    pub key: GitHookKey,
    /// The account that it belongs to.
    pub account: AccountId,
    /// The project of its repository.
    pub project: ProjectId,
    /// The repository whose host sends to it.
    pub repository: RepositoryId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it got the secret that it has.
    pub rotated_at: Timestamp,
}

const PREFIX: &str = "whsec_";
const KEY_BYTES: usize = 32;

/// A new secret for a hook.
pub fn mint_secret(rng: &mut impl CryptoRng) -> Hidden {
    let mut key = zeroize::Zeroizing::new([0; KEY_BYTES]);
    rng.fill_bytes(&mut *key);
    Hidden::new(format!("{PREFIX}{}", STANDARD.encode(*key)))
}

/// How a delivery says that the host sent it.
#[derive(Debug, Clone, Copy)]
pub enum Proof<'a> {
    /// GitHub's `X-Hub-Signature-256`: `sha256=`, and the HMAC-SHA-256 of the body under the
    /// secret's text in hex.
    OfBody(&'a str),
    /// Standard Webhooks, which GitLab takes for a signing token: the HMAC-SHA-256 of id, time and
    /// body under the secret's 32 bytes in Base64, behind `v1,`; one of several is enough.
    OfMessage {
        /// `webhook-id`
        id: &'a str,
        /// `webhook-timestamp`: seconds since 1970.
        at: &'a str,
        /// `webhook-signature`
        signatures: &'a str,
    },
    /// GitLab's `X-Gitlab-Token`: the secret's text.
    Token(&'a str),
    /// Not at all.
    None,
}

/// How far the time of a signed message may be from now: 5 minutes, as Standard Webhooks has it.
const TOLERANCE_SECONDS: i64 = 300;

impl Proof<'_> {
    /// Whether it proves that the body was sent by who knows the secret. Without a secret (the hook
    /// is unknown) it is no, after as much work.
    #[must_use]
    pub fn holds(&self, secret: Option<&Hidden>, body: &[u8], now: Timestamp) -> bool {
        const DECOY: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let text = secret.map_or(DECOY, Hidden::reveal);
        let fits = match *self {
            Self::OfBody(signature) => of_body(text, signature, body),
            Self::OfMessage { id, at, signatures } => {
                let signed = [id.as_bytes(), b".", at.as_bytes(), b".", body];
                !id.is_empty() & is_recent(at, now) & of_message(text, signatures, &signed)
            }
            Self::Token(token) => text.as_bytes().ct_eq(token.as_bytes()).into(),
            Self::None => false,
        };
        fits & secret.is_some()
    }
}

/// What tells a body from others: its SHA-256, in hex.
#[must_use]
pub fn digest(body: &[u8]) -> String {
    Sha256::digest(body).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn of_body(secret: &str, signature: &str, body: &[u8]) -> bool {
    let given = signature.strip_prefix("sha256=").and_then(from_hex).unwrap_or_default();
    mac(secret.as_bytes(), &[body]).is_some_and(|mac| mac.verify_slice(&given).is_ok())
}

fn of_message(secret: &str, signatures: &str, signed: &[&[u8]]) -> bool {
    let key = secret.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
    let key = zeroize::Zeroizing::new(key.unwrap_or_default());
    let Some(mac) = mac(&key, signed) else { return false };
    let given = signatures.split(' ').filter_map(|one| one.strip_prefix("v1,"));
    given.take(MOST_SIGNATURES).fold(false, |fits, one| {
        let given = STANDARD.decode(one).unwrap_or_default();
        fits | mac.clone().verify_slice(&given).is_ok()
    })
}

/// A host that changes its key sends two signatures for a while.
const MOST_SIGNATURES: usize = 4;

fn mac(key: &[u8], parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac)
}

fn is_recent(at: &str, now: Timestamp) -> bool {
    let seconds = now.micros().div_euclid(1_000_000);
    at.parse::<i64>().is_ok_and(|at| at.abs_diff(seconds) <= TOLERANCE_SECONDS.unsigned_abs())
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    bytes.collect::<Option<_>>().filter(|_| rest.is_empty())
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_micros(1_614_265_330_000_000).unwrap()
    }

    fn secret(text: &str) -> Hidden {
        Hidden::new(text.to_owned())
    }

    /// The example of GitHub's "Validating webhook deliveries".
    #[test]
    fn a_signature_of_the_body_is_githubs() {
        const SIGNATURE: &str =
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let secret = secret("It's a Secret to Everybody");
        let holds = |signature: &str, body: &[u8]| {
            Proof::OfBody(signature).holds(Some(&secret), body, now())
        };
        assert!(holds(SIGNATURE, b"Hello, World!"));
        assert!(holds(&SIGNATURE.to_uppercase().replace("SHA", "sha"), b"Hello, World!"));
        assert!(!holds(SIGNATURE, b"Hello, World?"));
        assert!(!Proof::OfBody(SIGNATURE).holds(None, b"Hello, World!", now()));
        for wrong in ["", "sha256=", "757107ea", &SIGNATURE[..70], &SIGNATURE.replace('7', "8")] {
            assert!(!holds(wrong, b"Hello, World!"), "{wrong}");
        }
    }

    /// The example of the Standard Webhooks libraries.
    #[test]
    fn a_signature_of_the_message_is_that_of_standard_webhooks() {
        let secret = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let holds = |id: &str, at: &str, signatures: &str, now: Timestamp| {
            let proof = Proof::OfMessage { id, at, signatures };
            proof.holds(Some(&secret), br#"{"test": 2432232314}"#, now)
        };
        let (id, at) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330");
        let right = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert!(holds(id, at, right, now()));
        assert!(holds(id, at, &format!("v1,AAAA v2,x {right}"), now().plus_seconds(300)));
        assert!(!holds(id, at, right, now().plus_seconds(301)));
        assert!(!holds(id, at, right, now().plus_seconds(-301)));
        assert!(!holds("msg_other", at, right, now()));
        assert!(!holds(id, "1614265331", right, now()));
        assert!(!holds(id, "", right, now()));
        for wrong in ["", "v1,", "v1", &right[3..], &right.replace("v1", "v2")] {
            assert!(!holds(id, at, wrong, now()), "{wrong}");
        }
    }

    #[test]
    fn a_token_is_the_secret_itself_and_nothing_is_no_proof() {
        let secret = mint_secret(&mut StdRng::seed_from_u64(1));
        let holds = |token: &str| Proof::Token(token).holds(Some(&secret), b"", now());
        assert!(holds(secret.reveal()));
        for wrong in ["", "whsec_", &secret.reveal()[1..], &format!("{} ", secret.reveal())] {
            assert!(!holds(wrong));
        }
        assert!(!Proof::Token(secret.reveal()).holds(None, b"", now()));
        assert!(!Proof::None.holds(Some(&secret), b"", now()));
    }

    #[test]
    fn a_secret_is_32_random_bytes_in_the_form_that_gitlab_asks_for() {
        let mut rng = StdRng::seed_from_u64(1);
        let (one, other) = (mint_secret(&mut rng), mint_secret(&mut rng));
        assert_ne!(one, other);
        let bytes = STANDARD.decode(one.reveal().strip_prefix("whsec_").unwrap()).unwrap();
        assert_eq!(bytes.len(), 32);
    }
}
