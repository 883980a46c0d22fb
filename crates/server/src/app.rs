//! What every handler can reach.

use std::sync::Arc;

use domain::secret::{TokenKind, TokenSecret};
use rand::{rand_core::UnwrapErr, rngs::SysRng};
use store::Store;

use crate::serve::Limits;

/// The state of the router.
#[derive(Clone)]
pub(crate) struct App {
    /// Everything that is kept.
    pub(crate) store: Store,
    /// What links begin with, without a slash at its end.
    pub(crate) public_url: Arc<str>,
    /// How long things may take.
    pub(crate) limits: Limits,
    /// Whether `/api/openapi.json` is shut.
    pub(crate) no_openapi: bool,
}

/// A new secret from the operating system's generator.
pub(crate) fn mint(kind: TokenKind) -> TokenSecret {
    TokenSecret::mint(kind, &mut UnwrapErr(SysRng))
}
