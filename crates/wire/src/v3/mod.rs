//! The nouns of `/api/v3`.

mod adapter_schema;
mod audit_log;
mod check;
mod connection;
mod credential;
mod environment;
mod environment_variable;
mod extended_attributes;
mod git_hook;
mod group;
mod invite;
mod ip_restriction;
mod leak;
mod least_privilege;
mod license_map;
mod many_tokens;
mod model_notifications;
mod oauth_configuration;
mod personal_token;
mod profile;
mod project;
mod project_adapter;
mod project_connection;
mod project_reach;
mod repository;
mod semantic_layer;
mod service_token;
mod source_freshness;
mod token_policy;
mod token_proposal;
mod token_restrictions;
mod token_rotation;
mod token_use;
mod usage;
mod user;
mod user_credentials;
mod webhook;
mod webhook_delivery;

pub use adapter_schema::{
    AdapterFace, AdapterField, AdapterFields, AdapterMetadata, AdapterSchema,
};
pub use audit_log::{
    AuditActor, AuditContext, AuditExportDownload, AuditExportStarted, AuditExportStatus, AuditLog,
    audit_span,
};
pub use check::{
    AllProjects, Check, CheckAnswer, CheckAnswers, CheckProjects, CheckQuestion, CheckRequest,
    Checked, Checks, NamedSet,
};
pub use connection::{
    ConfigBody, Connection, ConnectionBody, ConnectionConfig, ConnectionRow, DuckDbConfig,
    OtherConfig, PostgresConfig, RelatedConnection,
};
pub use credential::{Credential, CredentialBody, CredentialDetails, SecretText};
pub use environment::{Environment, EnvironmentBody, environment_query};
pub use environment_variable::{
    EditedVariables, EnvironmentVariable, EnvironmentVariableBody, EnvironmentVariables,
    VariableCell, VariableEdit, VariableNameBody, VariablesBody, VariablesInPlaces,
};
pub use extended_attributes::{ExtendedAttributes, ExtendedAttributesBody};
pub use git_hook::{GitDelivery, NotStartedJob, RepositoryWebhook, StartedRun};
pub use group::{AssignGroupsBody, Group, GroupBody, GroupPermission, GroupShown};
pub use invite::{AcceptInviteBody, InviteAccepted, InviteLink, InvitesBody, InvitesSent};
pub use ip_restriction::{
    CidrBody, IpRestriction, IpRestrictionBody, IpRestrictionCidr, IpRestrictionSet,
    IpRestrictionSetBody, IpRestrictionValidation,
};
pub use leak::{FoundSecret, LeakFeedback};
pub use least_privilege::{LeastPrivilege, NarrowBody, ProjectReached, Reach, RightLost, placed};
pub use license_map::{LicenseMap, LicenseMapBody};
pub use many_tokens::{
    Many, ManyTokens, OneOfMany, RevokeManyBody, RotateManyBody, TokenFilterBody,
};
pub use model_notifications::{ModelNotifications, ModelNotificationsBody};
pub use oauth_configuration::{OauthConfiguration, OauthConfigurationBody, OauthExtraData};
pub use personal_token::{NewPersonalToken, PersonalToken, PersonalTokenWithSecret};
pub use profile::{Profile, ProfileBinding, ProfileBody};
pub use project::{Project, ProjectBody};
pub use project_adapter::{ProjectAdapter, ProjectAdapterBody};
pub use project_connection::{ProjectConnection, ProjectConnectionBody};
pub use project_reach::{GroupOnProject, PermissionOnProject, ProjectPermissions, TokenOnProject};
pub use repository::{DeployKey, ManagedRepositoryBody, Repository, RepositoryBody};
pub use semantic_layer::{
    SemanticLayerConfiguration, SemanticLayerConfigurationBody, SemanticLayerCredential,
    SemanticLayerCredentialBody, SemanticLayerMapping, SemanticLayerMappingBody,
};
pub use service_token::{
    Advisory, GrantBody, PermissionGrant, PermissionRow, PermissionRows, ServiceToken,
    ServiceTokenBody, ServiceTokenWithSecret,
};
pub use source_freshness::{FreshnessCriteria, FreshnessSpan, SourceFreshness, SourceTable};
pub use token_policy::{TokenPolicy, TokenPolicyBody};
pub use token_proposal::TokenProposal;
pub use token_restrictions::{TokenRate, TokenRateBody, TokenRestrictions, TokenRestrictionsBody};
pub use token_rotation::{OldSecretSender, RotatedToken, RotationBody, TokenCredential};
pub use token_use::{ActionRefusal, ActionUse, PlacedAction, TokenSender, TokenUse, asked_days};
pub use usage::{Billing, BillingBody, Usage, UsageRow, usage_months, wants_csv};
pub use user::{AccountUser, AccountUserLicense};
pub use user_credentials::{UserCredentials, UserCredentialsBody};
pub use webhook::{WebhookBody, WebhookEvent, WebhookReceipt, WebhookSubscription, WebhookTested};
pub use webhook_delivery::WebhookDelivery;
