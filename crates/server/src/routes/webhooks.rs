//! Webhooks.

use super::{DELETE, GET, POST, PUT, ServedRoute, served};
use crate::admin::v3::webhooks;

/// Its routes, in the order of paths.
pub(super) fn routes() -> Vec<ServedRoute> {
    const EVENT: &str = "/api/v3/accounts/{account_id}/webhooks/event/{event_id}";
    const RECEIPTS: &str = "/api/v3/accounts/{account_id}/webhooks/event/{event_id}/receipts";
    const RECEIPT: &str = "/api/v3/accounts/{account_id}/webhooks/receipt/{receipt_id}";
    const ONE: &str = "/api/v3/accounts/{account_id}/webhooks/subscription/{subscription_id}";
    const ITS_RECEIPTS: &str = "/api/v3/accounts/{account_id}/webhooks/subscription/{subscription_id}/event/{event_id}/receipt";
    const EVENTS: &str =
        "/api/v3/accounts/{account_id}/webhooks/subscription/{subscription_id}/events";
    const TEST: &str = "/api/v3/accounts/{account_id}/webhooks/subscription/{subscription_id}/test";
    const ALL: &str = "/api/v3/accounts/{account_id}/webhooks/subscriptions";
    vec![
        served(GET, EVENT, "Retrieve Webhooks Event", webhooks::event),
        served(GET, RECEIPTS, "List Webhooks Event Receipts", webhooks::receipts),
        served(GET, RECEIPT, "Retrieve Webhooks Receipt", webhooks::receipt),
        served(GET, ONE, "Retrieve Webhooks Subscription", webhooks::show),
        served(PUT, ONE, "Update Webhooks Subscription", webhooks::update),
        served(DELETE, ONE, "Destroy Webhooks Subscription", webhooks::delete),
        served(
            GET,
            ITS_RECEIPTS,
            "List Webhooks Subscription Event Receipt",
            webhooks::receipts_of,
        ),
        served(GET, EVENTS, "List Webhooks Events", webhooks::events),
        served(GET, TEST, "Test Webhooks Subscription", webhooks::test),
        served(GET, ALL, "List Webhooks Subscriptions", webhooks::list),
        served(POST, ALL, "Create Webhooks Subscription", webhooks::create),
    ]
}
