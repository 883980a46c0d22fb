//! Model notifications.

use super::{GET, POST, ServedRoute, served};
use crate::admin::v3;

/// Its routes.
pub(super) fn routes() -> Vec<ServedRoute> {
    const ONE: &str =
        "/api/v3/accounts/{account_id}/environments/{environment_id}/model-notifications";
    vec![
        served(GET, ONE, "List Model Notifications", v3::model_notifications::show),
        served(POST, ONE, "Write Model Notifications", v3::model_notifications::set),
    ]
}
