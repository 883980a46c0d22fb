//! OAuth configurations.

use domain::oauth_configuration::OauthConfiguration;

use super::{DELETE, GET, POST, ServedRoute, served};
use crate::admin::kept;

/// Its routes, in the order of paths.
pub(super) fn routes() -> Vec<ServedRoute> {
    const ALL: &str = "/api/v3/accounts/{account_id}/oauth-configurations";
    const ONE: &str = "/api/v3/accounts/{account_id}/oauth-configurations/{oauth_configuration_id}";
    vec![
        served(GET, ALL, "List OAuthConfigurations", kept::list::<OauthConfiguration>),
        served(POST, ALL, "Create OAuthConfiguration", kept::create::<OauthConfiguration>),
        served(GET, ONE, "Retrieve OAuth Configuration", kept::show::<OauthConfiguration>),
        served(POST, ONE, "Update OAuth Configuration", kept::update::<OauthConfiguration>),
        served(DELETE, ONE, "Destroy OAuth Configuration", kept::delete::<OauthConfiguration>),
    ]
}
