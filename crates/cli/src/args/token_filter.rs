//! Which tokens are meant.

use clap::Args;
use domain::UserId;

/// Conditions that a token has to meet, all of those that are given.
#[derive(Debug, Args)]
#[group(multiple = true)]
pub(crate) struct TokenFilterArgs {
    /// An advisory is about it
    #[arg(long)]
    pub(crate) advised: bool,
    /// Its name begins so
    #[arg(long, value_name = "TEXT")]
    pub(crate) name_prefix: Option<String>,
    /// It was not used in the last so many days; never used, it was made before
    #[arg(long, value_name = "DAYS")]
    pub(crate) unused_for: Option<u32>,
    /// It was made before this time, such as `2024-01-31` (UTC)
    #[arg(long, value_name = "TIME")]
    pub(crate) created_before: Option<String>,
    /// It is disabled
    #[arg(long)]
    pub(crate) disabled: bool,
    /// This user, by id, answers for it
    #[arg(long, value_name = "USER")]
    pub(crate) of: Option<UserId>,
}
