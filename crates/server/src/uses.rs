//! What was decided about a request's caller is counted once it is answered.

use std::sync::{Arc, OnceLock};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use domain::authz::Caller;
use store::Store;

use crate::app::App;

/// The caller of a request, for whoever stands before its handler.
#[derive(Clone, Default)]
pub(crate) struct CallerSeen(Arc<OnceLock<Arc<Caller>>>);

impl CallerSeen {
    /// This is the caller.
    pub(crate) fn is(&self, caller: &Arc<Caller>) {
        self.0.get_or_init(|| Arc::clone(caller));
    }
}

/// Counts when it is dropped: also where the client does not wait for the answer.
struct Counting {
    store: Store,
    seen: CallerSeen,
    answered: bool,
}

impl Drop for Counting {
    fn drop(&mut self) {
        if let Some(caller) = self.seen.0.get() {
            self.store.note_decisions(caller, self.answered);
        }
    }
}

/// Counts what was decided about the caller.
pub(crate) async fn count(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let seen = CallerSeen::default();
    request.extensions_mut().insert(seen.clone());
    let mut counting = Counting { store: app.store, seen, answered: false };
    let answer = next.run(request).await;
    let status = answer.status();
    counting.answered = status.is_success() || status.is_redirection();
    answer
}
