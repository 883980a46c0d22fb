//! The console: pages for people.
//!
//! A face like the others: the session's cookie is turned into a caller at the door ([`door`]), and
//! from there on a page takes the same stairs as an API request: its handler's first argument is a
//! permit, which the one decision function gave, and which the store is shown. Pages are made by
//! the server and work without script.

mod artifacts;
pub(crate) mod assets;
mod attempts;
mod audit_log;
mod behind;
mod chains;
mod check;
mod dashboard;
mod delete_token;
pub(crate) mod door;
mod form;
mod fresh;
mod held_to;
mod icons;
mod log_view;
mod marks;
mod new_token;
mod page;
mod paging;
mod permission_sets;
mod picker;
pub(crate) mod reset;
mod rights;
mod run;
mod run_view;
mod runs;
mod second_factor;
pub(crate) mod second_step;
mod service_tokens;
mod shown_once;
pub(crate) mod sign_in;
mod theme;
mod throttle;
mod timeline;
mod token;
mod token_edit;
mod token_grants;
mod token_restrictions;
mod token_rotation;
mod token_view;
pub(crate) mod welcome;
mod you;

use axum::{
    handler::Handler,
    http::Method,
    routing::{MethodFilter, MethodRouter, on},
};
use domain::authz::Action;

use crate::{app::App, endpoint::Endpoint};

/// What the console keeps in memory.
#[derive(Default)]
pub(crate) struct Console {
    /// Who may try a password now.
    pub(crate) attempts: attempts::Attempts,
    /// Secrets that are about to be shown, once.
    pub(crate) shown_once: shown_once::ShownOnce,
    /// Who has done the first step of two.
    pub(crate) half_way: second_step::HalfWay,
    /// Who asked for a link lately.
    pub(crate) resets: reset::Resets,
    /// How far audit chains were checked.
    pub(crate) chains: chains::Chains,
}

/// A page that wants a session, and what is known of it.
#[derive(Clone)]
pub struct ConsolePage {
    /// Its method.
    pub method: Method,
    /// Its path.
    pub path: &'static str,
    /// The action that its handler's permit stands for.
    pub action: Action,
    pub(crate) handler: MethodRouter<App>,
}

fn page<H, T, U>(method: Method, path: &'static str, handler: H) -> ConsolePage
where
    H: Handler<T, App> + Endpoint<U>,
    T: 'static,
{
    let filter = MethodFilter::try_from(method.clone()).expect("the list has plain methods only");
    ConsolePage { method, path, action: H::action(), handler: on(filter, handler) }
}

/// Every page that wants a session.
#[must_use]
pub fn console_pages() -> Vec<ConsolePage> {
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const TOKENS: &str = "/console/service-tokens";
    const NEW: &str = "/console/service-tokens/new";
    const TOKEN: &str = "/console/service-tokens/{service_token_id}";
    const SECRET: &str = "/console/service-tokens/{service_token_id}/secret";
    const GRANTS: &str = "/console/service-tokens/{service_token_id}/grants";
    const EDIT: &str = "/console/service-tokens/{service_token_id}/edit";
    const RESTRICTIONS: &str = "/console/service-tokens/{service_token_id}/restrictions";
    const ROTATE: &str = "/console/service-tokens/{service_token_id}/rotate";
    const CANCEL: &str = "/console/service-tokens/{service_token_id}/rotate/cancel";
    const SWITCH: &str = "/console/service-tokens/{service_token_id}/switch";
    const DELETE: &str = "/console/service-tokens/{service_token_id}/delete";
    const CANCEL_RUN: &str = "/console/runs/{run_id}/cancel";
    vec![
        page(GET, "/console", you::home),
        page(GET, "/console/you", you::show),
        page(POST, "/console/you/password", you::change_password),
        page(POST, "/console/you/theme", you::choose_theme),
        page(GET, "/console/you/second-factor", second_factor::show),
        page(POST, "/console/you/second-factor/begin", second_factor::begin),
        page(POST, "/console/you/second-factor/confirm", second_factor::confirm),
        page(POST, "/console/you/second-factor/codes", second_factor::renew),
        page(POST, "/console/you/second-factor/off", second_factor::off),
        page(POST, "/console/you/sign-out-everywhere", you::sign_out_everywhere),
        page(POST, "/console/sign-out", you::sign_out),
        page(GET, "/console/permission-sets", permission_sets::list),
        page(GET, TOKENS, service_tokens::list),
        page(GET, NEW, new_token::show),
        page(POST, NEW, new_token::create),
        page(GET, TOKEN, token::show),
        page(GET, SECRET, new_token::show_secret),
        page(GET, GRANTS, token_grants::show),
        page(POST, GRANTS, token_grants::edit),
        page(GET, EDIT, token_edit::show),
        page(POST, EDIT, token_edit::change),
        page(GET, RESTRICTIONS, token_restrictions::show),
        page(POST, RESTRICTIONS, token_restrictions::replace),
        page(GET, ROTATE, token_rotation::ask),
        page(POST, ROTATE, token_rotation::rotate),
        page(GET, CANCEL, token_rotation::ask_to_cancel),
        page(POST, CANCEL, token_rotation::cancel),
        page(GET, SWITCH, token::ask_to_switch),
        page(POST, SWITCH, token::switch),
        page(GET, DELETE, delete_token::ask),
        page(POST, DELETE, delete_token::delete),
        page(GET, "/console/check", check::show),
        page(POST, "/console/check", check::ask),
        page(GET, "/console/dashboard", dashboard::show),
        page(GET, "/console/projects/{project_id}/docs", crate::docs::show),
        page(GET, "/console/audit-log", audit_log::list),
        page(POST, "/console/audit-log/check", audit_log::check),
        page(GET, "/console/audit-log/download", audit_log::download),
        page(GET, "/console/runs", runs::list),
        page(GET, "/console/runs/{run_id}", run::show),
        page(GET, CANCEL_RUN, run::ask_to_cancel),
        page(POST, CANCEL_RUN, run::cancel),
        page(POST, "/console/runs/{run_id}/retry", run::retry),
        page(GET, "/console/runs/{run_id}/artifacts", artifacts::list),
        page(GET, "/console/runs/{run_id}/artifacts/{*remainder}", artifacts::show),
        page(GET, "/console/steps/{step_id}/log", run::log),
        page(GET, "/console/steps/{step_id}/events", run::events),
    ]
}
