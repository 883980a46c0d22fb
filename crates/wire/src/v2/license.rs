//! How the licences of an account are taken (document: `LicenseAllocationResponse`).

use std::collections::BTreeMap;

use domain::{Plan, authz::License, seats::Allocation};
use serde::Serialize;
use utoipa::ToSchema;

/// The seats of each licence.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LicenseAllocation {
    /// Developer.
    pub developer: LicenseDetail,
    /// Read-only.
    pub read_only: LicenseDetail,
    /// IT.
    pub it: LicenseDetail,
    /// Analyst.
    pub analyst: LicenseDetail,
    /// Explorer: nobody has it here.
    pub explorer: LicenseDetail,
}

/// The seats of one licence.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LicenseDetail {
    /// Whether there is an end to them.
    pub limited: bool,
    /// Whether more users have it than there are seats.
    pub over_limit: bool,
    /// How many there are; 0 where there is no end to them.
    pub total: u64,
    /// How many users have it.
    pub in_use: u64,
    /// How many more can be given or promised; 0 where there is no end to them.
    pub available: u64,
    /// How many users have it, or are promised it by an open invitation.
    pub assigned: u64,
    /// Whether the account is on an Enterprise plan.
    pub enterprise_plan: bool,
}

impl LicenseAllocation {
    /// From the domain.
    #[must_use]
    pub fn new(plan: Option<Plan>, all: &BTreeMap<License, Allocation>) -> Self {
        let enterprise_plan = plan == Some(Plan::Enterprise);
        let none = Allocation { total: Some(0), in_use: 0, invited: 0 };
        let detail = |allocation: &Allocation| LicenseDetail {
            limited: allocation.total.is_some(),
            over_limit: allocation.is_over(),
            total: allocation.total.unwrap_or_default().into(),
            in_use: allocation.in_use,
            available: allocation.available().unwrap_or_default(),
            assigned: allocation.assigned(),
            enterprise_plan,
        };
        let of = |license| detail(all.get(&license).unwrap_or(&none));
        Self {
            developer: of(License::Developer),
            read_only: of(License::ReadOnly),
            it: of(License::It),
            analyst: of(License::Analyst),
            explorer: detail(&none),
        }
    }
}
