//! What tests talk with: a real server on a real database in a folder of its own, with a clock
//! that is set by hand.
//!
//! Only for tests: it panics where a test should fail.
//!
//! ```no_run
//! # async fn example() {
//! use testkit::TestApp;
//!
//! let app = TestApp::new().await;
//! let acme = app.account("acme").await;
//! let (sales, hr) = (acme.project("sales").await, acme.project("hr").await);
//! let token = acme.service_token().grant("job_admin", &sales).create().await;
//!
//! assert_eq!(token.get(&sales.url()).await.status(), 200);
//! assert_eq!(token.get(&hr.url()).await.status(), 404);
//! # }
//! ```
#![expect(clippy::expect_used, reason = "a test helper fails the test")]

mod account;
mod answer;
mod app;
mod client;
mod git_host;

pub use account::{ServiceTokenBuilder, TestAccount, TestProject};
pub use answer::TestAnswer;
pub use app::TestApp;
pub use client::TestClient;
pub use git_host::TestHook;
