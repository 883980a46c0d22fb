//! The nouns of `/api/v3`.

mod check;
mod personal_token;
mod service_token;

pub use check::{AllProjects, Check, CheckAnswer, CheckProjects, CheckRequest, NamedSet};
pub use personal_token::{NewPersonalToken, PersonalToken, PersonalTokenWithSecret};
pub use service_token::{
    Advisory, GrantBody, PermissionGrant, PermissionRow, PermissionRows, ServiceToken,
    ServiceTokenBody, ServiceTokenWithSecret,
};
