//! The place where faults are put in: around every call, after the key was accepted. What stands
//! before `next` happens before anything is committed; what stands after it sees a committed call
//! whose reply can still be held back, cut or replaced.
//!
//! None is built yet: every call passes.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::server::Desk;

/// The grammar and the words of all faults, for `help faults`.
pub const HELP: &str = include_str!("help.txt");

/// Lets the call through.
pub(super) async fn around(State(_desk): State<Desk>, request: Request, next: Next) -> Response {
    next.run(request).await
}
