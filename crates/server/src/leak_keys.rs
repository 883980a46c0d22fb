//! Whose reports of leaks are believed: public keys, by their identifiers.

use std::{collections::BTreeMap, sync::Arc};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey};
use axum::http::HeaderMap;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use rustls::pki_types::{SubjectPublicKeyInfoDer, pem::PemObject as _};
use serde::{Deserialize, Serialize};

use crate::extract::header_text;

/// Public keys of secret scanners, in PEM, by their identifiers: where there is one, every report has
/// to be signed by one of them (ECDSA, P-256, SHA-256).
///
/// GitHub's are those of `https://api.github.com/meta/public_keys/secret_scanning`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct LeakKeys(BTreeMap<String, LeakKey>);

/// A key: as it was given, and as signatures are checked by.
#[derive(Debug, Clone)]
struct LeakKey {
    pem: String,
    key: Arc<ParsedPublicKey>,
}

/// The text is no public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the key `{0}` must be a public key of the curve P-256 in PEM (`-----BEGIN PUBLIC KEY-----`)"
)]
pub struct InvalidLeakKey(pub String);

/// What speaks for a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// A signature by one of the keys.
    Signature,
    /// The secrets themselves: there are no keys.
    Secrets,
    /// Nothing: there are keys, and none of them signed it.
    None,
}

impl PartialEq for LeakKey {
    fn eq(&self, other: &Self) -> bool {
        self.pem == other.pem
    }
}

impl Eq for LeakKey {}

impl TryFrom<BTreeMap<String, String>> for LeakKeys {
    type Error = InvalidLeakKey;
    fn try_from(texts: BTreeMap<String, String>) -> Result<Self, InvalidLeakKey> {
        let read = |(identifier, pem): (String, String)| match parse(&pem) {
            Some(key) => Ok((identifier, LeakKey { pem, key })),
            None => Err(InvalidLeakKey(identifier)),
        };
        texts.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }
}

impl From<LeakKeys> for BTreeMap<String, String> {
    fn from(keys: LeakKeys) -> Self {
        keys.0.into_iter().map(|(identifier, key)| (identifier, key.pem)).collect()
    }
}

fn parse(pem: &str) -> Option<Arc<ParsedPublicKey>> {
    let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).ok()?;
    ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, der.as_ref()).ok().map(Arc::new)
}

impl LeakKeys {
    /// What speaks for a report of these bytes.
    pub(crate) fn proof(&self, headers: &HeaderMap, body: &[u8]) -> Proof {
        if self.0.is_empty() {
            return Proof::Secrets;
        }
        let is_signed = || {
            let key = self.0.get(header_text(headers, "github-public-key-identifier")?)?;
            let signature = header_text(headers, "github-public-key-signature")?;
            let signature = BASE64_STANDARD.decode(signature).ok()?;
            key.key.verify_sig(body, &signature).ok()
        };
        if is_signed().is_some() { Proof::Signature } else { Proof::None }
    }
}
