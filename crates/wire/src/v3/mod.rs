//! The nouns of `/api/v3`.

mod check;
mod connection;
mod credential;
mod environment;
mod environment_variable;
mod extended_attributes;
mod personal_token;
mod profile;
mod project;
mod repository;
mod service_token;

pub use check::{AllProjects, Check, CheckAnswer, CheckProjects, CheckRequest, NamedSet};
pub use connection::{
    Connection, ConnectionBody, ConnectionConfig, ConnectionRow, DuckDbConfig, PostgresConfig,
    RelatedConnection,
};
pub use credential::{Credential, CredentialBody, CredentialDetails, SecretText};
pub use environment::{Environment, EnvironmentBody, environment_query};
pub use environment_variable::{
    EditedVariables, EnvironmentVariable, EnvironmentVariableBody, EnvironmentVariables,
    VariableCell, VariableEdit, VariableNameBody, VariablesBody, VariablesInPlaces,
};
pub use extended_attributes::{ExtendedAttributes, ExtendedAttributesBody};
pub use personal_token::{NewPersonalToken, PersonalToken, PersonalTokenWithSecret};
pub use profile::{Profile, ProfileBinding, ProfileBody};
pub use project::{Project, ProjectBody};
pub use repository::{Repository, RepositoryBody};
pub use service_token::{
    Advisory, GrantBody, PermissionGrant, PermissionRow, PermissionRows, ServiceToken,
    ServiceTokenBody, ServiceTokenWithSecret,
};
