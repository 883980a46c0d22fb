//! Audit records: a chain that shows when it was tampered with.
//!
//! Each record of an account holds the SHA-256 of the record before it and of its own canonical
//! bytes, so no record can be changed, dropped or moved without every later hash being wrong.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{AccountId, Timestamp, authz::PrincipalId};

/// One link's hash: 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChainHash(pub [u8; 32]);

impl ChainHash {
    /// What stands before an account's first record.
    pub const START: Self = Self([0; 32]);
}

/// A record: who did what to which object, from where, and how it ended.
///
/// The canonical bytes are its fields in the order below as JSON, without white space, with the
/// keys inside of `change` sorted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// The account whose chain it is in.
    pub account: AccountId,
    /// Its place in the chain, from 1, without gaps.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// Who: `service_token:3`, `user:1`, `system:runner`.
    pub actor: String,
    /// What: `service_token.created`.
    pub event: String,
    /// To what: `service_token:7`.
    pub object: String,
    /// In which project, if the object has one.
    pub project: Option<i64>,
    /// What it was before and after: an object with the keys `before` and `after`, each null
    /// where there is none. Never a secret.
    pub change: serde_json::Value,
    /// The caller's address; `None` for the server's own process.
    pub address: Option<String>,
    /// The caller's `User-Agent`.
    pub agent: String,
    /// The request's id.
    pub request_id: String,
}

impl AuditRecord {
    /// The hash of this record, standing behind `before`.
    ///
    /// # Panics
    /// Never: every field serialises.
    #[must_use]
    pub fn hash(&self, before: ChainHash) -> ChainHash {
        let mut record = self.clone();
        // Whether a JSON object keeps its order is a build option of `serde_json` that any crate
        // of the build can set: a chain has to mean the same to every build.
        record.change.sort_all_objects();
        let canonical = serde_json::to_vec(&record).expect("plain fields serialise");
        let digest = Sha256::new().chain_update(before.0).chain_update(canonical).finalize();
        ChainHash(digest.into())
    }
}

impl Serialize for ChainHash {
    /// 64 digits.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let halves = self.0.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
        let digits: String = halves.filter_map(|half| char::from_digit(half.into(), 16)).collect();
        serializer.serialize_str(&digits)
    }
}

impl<'de> Deserialize<'de> for ChainHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let pairs = text.as_bytes().as_chunks::<2>();
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let bytes: Option<Vec<u8>> =
            pairs.0.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
        let hash = bytes.filter(|_| pairs.1.is_empty()).and_then(|bytes| bytes.try_into().ok());
        hash.map(Self).ok_or_else(|| serde::de::Error::custom("must be 64 hexadecimal digits"))
    }
}

/// Which records are meant: both ends included, `None` is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AuditSpan {
    /// Not before.
    pub from: Option<Timestamp>,
    /// Not after.
    pub to: Option<Timestamp>,
    /// No record behind this place.
    pub through: Option<i64>,
}

/// The id of an export: a UUID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportId(String);

/// The text is no id of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the `job_id` of an export")]
pub struct InvalidExportId;

impl ExportId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ExportId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for ExportId {
    type Err = InvalidExportId;
    fn from_str(text: &str) -> Result<Self, InvalidExportId> {
        let fits = text.len() == 36 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        fits.then(|| Self(text.to_owned())).ok_or(InvalidExportId)
    }
}

/// An export of an account's whole chain, as it was when it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditExport {
    /// Its id.
    pub id: ExportId,
    /// The account.
    pub account: AccountId,
    /// The last record that it covers; it begins with the first.
    pub through: i64,
    /// Who asked for it.
    pub requested_by: PrincipalId,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was whole; `None` while it is being written.
    pub finished_at: Option<Timestamp>,
}

/// The first line of an export's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportHead {
    /// The account.
    pub account: AccountId,
    /// How many records follow.
    pub records: i64,
    /// The hash of the last of them.
    pub last_hash: ChainHash,
    /// When the file was written.
    pub exported_at: Timestamp,
}

/// Each further line: a record and its hash.
///
/// The text behind `"record":` up to the line's last brace is the record's canonical bytes, so
/// that a hash can be checked with any SHA-256: that of the 32 bytes of the hash before (zeros for
/// the first) and these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportLine {
    /// The record's hash.
    pub hash: ChainHash,
    /// The record.
    pub record: AuditRecord,
}

/// The first record that breaks a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokenChain {
    /// A place is missing, taken twice or out of order.
    #[error("record {expected} of account {account} is missing: {found} stands in its place")]
    Gap {
        /// Whose chain.
        account: AccountId,
        /// The place that should come.
        expected: i64,
        /// The place that came.
        found: i64,
    },
    /// The record is not what its hash was made of.
    #[error("record {seq} of account {account} was changed")]
    Changed {
        /// Whose chain.
        account: AccountId,
        /// Its place.
        seq: i64,
    },
    /// The chain ends before its last record, or goes on after it.
    #[error(
        "the chain of account {account} should end with record {expected}, and ends with {found}"
    )]
    WrongEnd {
        /// Whose chain.
        account: AccountId,
        /// The place of the last record, as it was noted apart.
        expected: i64,
        /// The place of the last record found.
        found: i64,
    },
}

/// Walks a chain, record by record, and stops at the first that is wrong.
#[derive(Debug, Clone)]
pub struct ChainWalk {
    account: AccountId,
    seq: i64,
    hash: ChainHash,
}

impl ChainWalk {
    /// Stands before the account's first record.
    #[must_use]
    pub const fn new(account: AccountId) -> Self {
        Self { account, seq: 0, hash: ChainHash::START }
    }

    /// Takes the next record, with the hash that is stored beside it.
    ///
    /// # Errors
    /// [`BrokenChain`] if it is not the next, or not what the hash was made of.
    pub fn step(&mut self, record: &AuditRecord, stored: ChainHash) -> Result<(), BrokenChain> {
        let expected = self.seq + 1;
        if record.seq != expected {
            let account = self.account;
            return Err(BrokenChain::Gap { account, expected, found: record.seq });
        }
        let hash = record.hash(self.hash);
        if hash != stored || record.account != self.account {
            return Err(BrokenChain::Changed { account: self.account, seq: expected });
        }
        self.seq = expected;
        self.hash = hash;
        Ok(())
    }

    /// Ends the walk at the head that was noted apart.
    ///
    /// # Errors
    /// [`BrokenChain`] if it ends elsewhere.
    pub fn end(self, seq: i64, hash: ChainHash) -> Result<i64, BrokenChain> {
        let account = self.account;
        if self.seq != seq {
            Err(BrokenChain::WrongEnd { account, expected: seq, found: self.seq })
        } else if self.hash == hash {
            Ok(seq)
        } else {
            Err(BrokenChain::Changed { account, seq })
        }
    }
}
