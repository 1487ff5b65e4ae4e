//! One call that is out.

use std::time::Duration;

use super::chain::{Call, Chain};
use super::shared::Item;
use crate::provider::{CallReply, ChatError};

/// A call that came back.
pub(super) struct Landed {
    pub(super) item: Box<Item>,
    pub(super) call: Call,
    pub(super) end: Result<CallReply, Box<ChatError>>,
    pub(super) took: Duration,
}

/// Makes one call. Dropped, it closes its connection, so that the service sees it.
pub(super) async fn fly(chain: &Chain<'_>, item: Box<Item>, call: Call) -> Landed {
    let member = &chain.members()[call.member];
    let built = item.built[call.member].as_ref().expect("whoever sends it has looked");
    let end = member.api.call(&built.request, member.timeout).await;
    let took = chain.clock().instant().saturating_duration_since(call.pass.began);
    Landed { item, call, end, took }
}
