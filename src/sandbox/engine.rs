//! Follows each batch to its end in the background: sleeps until the clock says it is over (or
//! asks the upstream server), then settles it.

use std::io;

use super::Answers;
use super::server::{Desk, blocking};
use super::shelf::StoredBatch;
use super::timeline::Moment;
use super::{settle, upstream};
use crate::batch::BatchStatus;

/// Follows a batch, unless that is being done already.
pub(super) fn follow(desk: &Desk, id: &str) {
    let Some(wake) = desk.shared.begin_to_follow(id) else { return };
    let (desk, id) = (desk.clone(), id.to_owned());
    tokio::spawn(async move {
        let mut stop = desk.shared.stopped();
        let ended = tokio::select! {
            _ = stop.wait_for(|stopped| *stopped) => Ok(()),
            ended = to_the_end(&desk, &id, &wake) => ended,
        };
        desk.shared.end_to_follow(&id, ended.err());
    });
}

/// Follows every batch that a former server left unfinished.
pub(super) fn follow_all(desk: &Desk) -> io::Result<()> {
    for id in desk.shelf().batch_ids()? {
        if !desk.shelf().is_settled(&id) {
            if let Some(batch) = desk.shelf().batch(&id)? {
                desk.shared.queue.count_again(desk.family, &batch.record);
                desk.shared.note_if_mortal(&batch.record);
            }
            follow(desk, &id);
        }
    }
    Ok(())
}

async fn to_the_end(desk: &Desk, id: &str, wake: &tokio::sync::Notify) -> io::Result<()> {
    loop {
        let Some(batch) = desk.shelf().batch(id)?.filter(is_open) else {
            return Ok(());
        };
        let moment = batch.record.plan.at(desk.now(), batch.cancelled);
        if desk.now() >= moment.end {
            settle_now(desk, id, None).await?;
            continue;
        }
        let asks = moment.status == BatchStatus::InProgress && batch.record.plan.upstream;
        match &desk.shared.options.answers {
            Answers::Upstream(upstream) if asks => {
                if upstream::run(desk, &batch, upstream).await? {
                    settle_now(desk, id, Some(all_answered(desk, &batch))).await?;
                }
                continue;
            }
            _ => {}
        }
        let started = batch.record.plan.started();
        let next =
            if desk.now() < started && batch.record.plan.upstream { started } else { moment.end };
        tokio::select! {
            () = desk.shared.options.time.sleep_until(next) => {}
            () = wake.notified() => {}
        }
    }
}

fn is_open(batch: &StoredBatch) -> bool {
    batch.settled.is_none() && batch.record.plan.valid
}

fn all_answered(desk: &Desk, batch: &StoredBatch) -> Moment {
    Moment { status: BatchStatus::Completed, done: batch.record.plan.total, end: desk.now() }
}

/// Settles off the async threads, when it is this batch's turn; waits a moment where another
/// process is at it.
async fn settle_now(desk: &Desk, id: &str, finished: Option<Moment>) -> io::Result<()> {
    let (worker, id) = (desk.clone(), id.to_owned());
    let turn = desk.shared.settlers.acquire().await.map_err(io::Error::other)?;
    let settled = blocking(move || settle::settle(&worker, &id, finished)).await?;
    drop(turn);
    if !settled {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    Ok(())
}
