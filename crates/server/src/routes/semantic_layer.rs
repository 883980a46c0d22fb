//! The Semantic Layer's settings.

use domain::semantic_layer::{
    SemanticLayerConfiguration as Configuration, SemanticLayerCredential as Credential,
    SemanticLayerMapping as Mapping,
};

use super::{DELETE, GET, POST, ServedRoute, served};
use crate::admin::kept;

/// Its routes, in the order of paths.
pub(super) fn routes() -> Vec<ServedRoute> {
    const CONFIGURATIONS: &str =
        "/api/v3/accounts/{account_id}/projects/{project_id}/semantic-layer-configurations";
    const CONFIGURATION: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/semantic-layer-configurations/{semantic_layer_configuration_id}";
    const MAPPINGS: &str =
        "/api/v3/accounts/{account_id}/semantic-layer-credential-to-service-token-mapping";
    const MAPPING: &str = "/api/v3/accounts/{account_id}/semantic-layer-credential-to-service-token-mapping/{semantic_layer_credential_to_service_token_mapping_id}";
    const CREDENTIALS: &str = "/api/v3/accounts/{account_id}/semantic-layer-credentials";
    const CREDENTIAL: &str =
        "/api/v3/accounts/{account_id}/semantic-layer-credentials/{semantic_layer_credential_id}";
    let configuration = "Write Semantic Layer Configurations";
    let credential = "Write Semantic Layer Credentials";
    vec![
        served(POST, CONFIGURATIONS, configuration, kept::create_of_project::<Configuration>),
        served(
            GET,
            CONFIGURATION,
            "Retrieve Semantic Layer Configurations",
            kept::show_of_project::<Configuration>,
        ),
        served(POST, CONFIGURATION, configuration, kept::update_of_project::<Configuration>),
        served(
            DELETE,
            CONFIGURATION,
            "Destroy Semantic Layer Configurations",
            kept::delete_of_project::<Configuration>,
        ),
        served(
            GET,
            MAPPINGS,
            "Retrieve Semantic Layer Credential To Service Token Mapping",
            kept::list::<Mapping>,
        ),
        served(
            POST,
            MAPPINGS,
            "Write Semantic Layer Credential To Service Token Mapping",
            kept::create::<Mapping>,
        ),
        served(
            DELETE,
            MAPPING,
            "Destroy Semantic Layer Credential To Service Token Mapping",
            kept::delete::<Mapping>,
        ),
        served(GET, CREDENTIALS, "List Semantic Layer Credentials", kept::list::<Credential>),
        served(POST, CREDENTIALS, credential, kept::create::<Credential>),
        served(GET, CREDENTIAL, "Retrieve Semantic Layer Credentials", kept::show::<Credential>),
        served(POST, CREDENTIAL, credential, kept::update::<Credential>),
        served(
            DELETE,
            CREDENTIAL,
            "Destroy Semantic Layer Credentials",
            kept::delete::<Credential>,
        ),
    ]
}
