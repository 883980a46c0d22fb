//! Notifications.

use domain::notification::Notification;

use super::{DELETE, GET, POST, ServedRoute, served};
use crate::admin::{kept, v2};

/// Its routes, in the order of paths.
pub(super) fn routes() -> Vec<ServedRoute> {
    const ALL: &str = "/api/v2/accounts/{account_id}/notifications";
    const ONE: &str = "/api/v2/accounts/{account_id}/notifications/{notification_id}";
    const LEAVE: &str = "/api/v2/notifications/unsubscribe";
    vec![
        served(GET, ALL, "List Notifications", kept::list::<Notification>),
        served(POST, ALL, "Create Notification", kept::create::<Notification>),
        served(GET, ONE, "Retrieve Notification", kept::show::<Notification>),
        served(POST, ONE, "Update Notification", kept::update::<Notification>),
        served(DELETE, ONE, "Destroy Notification", kept::delete::<Notification>),
        served(POST, LEAVE, "Unsubscribe from Notifications", v2::notifications::unsubscribe),
    ]
}
