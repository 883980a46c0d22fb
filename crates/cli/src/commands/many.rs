//! What is done to many tokens at once: which ones, as the server tells it before.

use wire::v3::{ManyTokens, OneOfMany, TokenFilterBody};

use super::token::day;
use crate::{args::TokenFilterArgs, error::CliError, output};

impl TokenFilterArgs {
    /// The filter as the API takes it.
    pub(super) fn body(&self) -> TokenFilterBody {
        TokenFilterBody {
            ids: None,
            name_prefix: self.name_prefix.clone(),
            unused_for_days: self.unused_for,
            created_before: self.created_before.clone(),
            advised: self.advised.then_some(true),
            disabled: self.disabled.then_some(true),
            responsible_user_id: self.of.map(domain::UserId::get),
        }
    }
}

/// The same, narrowed to these ids.
pub(super) fn of_ids(filter: &TokenFilterBody, ids: &[i64]) -> TokenFilterBody {
    TokenFilterBody { ids: Some(ids.to_vec()), ..filter.clone() }
}

/// The ids of those to which it would be done.
pub(super) fn ids(plan: &ManyTokens) -> Vec<i64> {
    plan.tokens.iter().filter(|token| token.skipped.is_none()).map(|token| token.id).collect()
}

/// Shows a plan: each token, and why one would be left as it is.
pub(super) fn show(plan: &ManyTokens, json: bool) -> Result<(), CliError> {
    if json {
        return output::json(plan);
    }
    let rows = plan.tokens.iter().map(|token| {
        [
            token.id.to_string(),
            token.name.clone(),
            day(&token.created_at),
            token.last_used.as_deref().map_or("never".to_owned(), day),
            token.responsible_user_id.map_or_else(String::new, |id| id.to_string()),
            token.skipped.clone().unwrap_or_default(),
        ]
    });
    output::table(["id", "name", "created", "last used", "responsible", "left as it is"], rows);
    Ok(())
}

/// A token in a line of what was done.
pub(super) fn told(token: &OneOfMany) -> String {
    format!("{} `{}`", token.id, token.name)
}
