//! The envelope that every JSON answer of the Admin API comes in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ListParams;

/// `{ status, data, extra }`: every JSON answer, good or bad (contract, section 3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope<T> {
    /// How it went.
    pub status: Status,
    /// What was asked for; null if it went wrong.
    pub data: T,
    /// How a list was cut; only on lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Extra>,
}

/// How a request went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The HTTP status.
    pub code: u16,
    /// Whether it is below 400.
    pub is_success: bool,
    /// For a person.
    pub user_message: String,
    /// For the person who writes the client.
    pub developer_message: Option<String>,
}

/// What `data` is where something went wrong: null, or an object that says more.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reasons {
    /// On 400: field → what would be right.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub reasons: std::collections::BTreeMap<String, String>,
    /// On 403: the permission that is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<RequiredPermission>,
    /// On 403: where it is missing; null if it is held nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<i64>,
    /// On 403: the smallest permission sets that hold it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permission_sets: Vec<String>,
}

/// A permission that was missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequiredPermission {
    /// The kind of resource.
    pub resource: String,
    /// `read` or `write`.
    pub access: String,
}

/// How a list was cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Extra {
    /// What was asked: always `limit` and `offset` as integers, and the filters as they came.
    pub filters: serde_json::Map<String, serde_json::Value>,
    /// The order, `-` before it for descending.
    pub order_by: String,
    /// What came of it.
    pub pagination: Pagination,
}

/// What came of a list's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pagination {
    /// The rows of this page.
    pub count: u64,
    /// The rows that meet the filters.
    pub total_count: u64,
}

impl<T> Envelope<T> {
    /// A good answer with this status (200 or 201).
    pub fn success(code: u16, data: T) -> Self {
        let status = Status {
            code,
            is_success: true,
            user_message: "Success!".to_owned(),
            developer_message: Some(String::new()),
        };
        Self { status, data, extra: None }
    }
}

impl<T> Envelope<Vec<T>> {
    /// A page of a list.
    #[must_use]
    pub fn page(params: &ListParams, total: u64, rows: Vec<T>) -> Self {
        let count = rows.len() as u64;
        let extra = Extra {
            filters: params.echo(),
            order_by: params.order_by(),
            pagination: Pagination { count, total_count: total },
        };
        Self { extra: Some(extra), ..Self::success(200, rows) }
    }
}
