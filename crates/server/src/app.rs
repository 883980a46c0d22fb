//! What every handler can reach.

use std::sync::Arc;

use domain::secret::{TokenKind, TokenSecret};
use rand::{rand_core::UnwrapErr, rngs::SysRng};
use store::Store;

/// The state of the router.
#[derive(Clone)]
pub(crate) struct App {
    /// Everything that is kept.
    pub(crate) store: Store,
    /// What links begin with, without a slash at its end.
    pub(crate) public_url: Arc<str>,
}

/// A new secret from the operating system's generator.
pub(crate) fn mint(kind: TokenKind) -> TokenSecret {
    TokenSecret::mint(kind, &mut UnwrapErr(SysRng))
}
