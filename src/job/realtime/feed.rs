//! The thread that begins shards and makes the requests of their rows ahead of the calls, as far
//! as there is room for them; and the one that makes single requests for other members.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc as plain;

use tokio::sync::mpsc;

use super::build::Builder;
use super::chain::{Chain, Member};
use super::resume::{Begun, begin};
use super::retry::Backoff;
use super::shared::{Fed, Item, Message, Opened, Shared};
use crate::job::JobError;
use crate::job::build::each_row;
use crate::job::drive::Driver;
use crate::request::Mode;
use crate::shard::RowEntry;
use crate::store::{ShardRecord, ShardState};
use crate::table::Row;

/// Rows that are handed over together.
const TOGETHER: usize = 64;
/// Bytes of requests after which they are handed over sooner.
const MANY_BYTES: usize = 1 << 20;
/// Completion tokens that a limit of tokens is charged with where the question sets none.
const USUAL_OUTPUT: u64 = 500;
/// Bytes of a request that make about one token.
const BYTES_A_TOKEN: u64 = 4;

/// Begins one shard after the other and feeds their rows.
pub(super) struct Feed<'d> {
    pub(super) driver: &'d Driver<'d>,
    pub(super) chain: &'d Chain<'d>,
    pub(super) shared: &'d Shared,
    pub(super) rows: mpsc::Sender<Fed>,
    pub(super) writer: plain::Sender<Message>,
    pub(super) orders: plain::Sender<Order>,
}

/// What the thread of single requests is told.
pub(super) enum Order {
    /// The rows of this shard may be needed.
    Shard(ShardRecord, Vec<RowEntry>),
    /// The request of this row is needed for this member.
    Build(Box<Item>, usize),
}

impl Feed<'_> {
    /// Feeds until nothing is left; a failure stops all.
    pub(super) fn run(self) {
        if let Err(error) = self.feed() {
            self.shared.fail(error);
        }
        self.shared.wake.notify_one();
    }

    fn feed(&self) -> Result<(), JobError> {
        let states = [ShardState::Calling, ShardState::Planned];
        let job = &self.driver.job.key;
        let shards = self.driver.store.shards_of_mode(job, Mode::Realtime, &states, usize::MAX)?;
        let (begun, planned): (Vec<_>, Vec<_>) =
            shards.into_iter().partition(|shard| shard.state == ShardState::Calling);
        for shard in begun.into_iter().chain(planned) {
            loop {
                if self.shared.is_over() {
                    return Ok(());
                }
                match begin(self.driver, Some(self.chain), &shard)? {
                    Some(begun) => {
                        self.feed_shard(begun)?;
                        break;
                    }
                    // What is settled costs less than it was reserved with.
                    None if self.shared.wait_for_settled() => {}
                    None => {
                        self.shared.is_over_budget.store(true, Ordering::SeqCst);
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    fn feed_shard(&self, begun: Begun) -> Result<(), JobError> {
        let Begun { shard, artifact, file, entries, asked, done } = begun;
        self.shared.has_opened();
        let is_asked = |row: u64| asked.binary_search(&row).is_ok();
        let left = (entries.len() - asked.len()) as u64;
        let opened = Opened { shard: shard.clone(), artifact, file, left, done };
        self.tell(Message::Opened(Box::new(opened)));
        if left == 0 {
            self.tell(Message::Group { asked: Vec::new(), counted: Vec::new() });
            return Ok(());
        }
        let mut builder = Builder::new(self.driver, self.chain.members(), &shard, &entries)?;
        if builder.members() > 1 {
            let _ = self.orders.send(Order::Shard(shard.clone(), entries.clone()));
        }
        let stem = shard.stem();
        let sent = self.driver.folder.sent_file(&stem);
        let mut chunk = Chunk::new(Some((shard.id, sent)));
        let mut is_cut = false;
        each_row(self.driver.table, entries.into_iter().map(Ok), |row, entry| {
            if is_cut || is_asked(entry.row) {
                return Ok(());
            }
            is_cut = !self.take(&mut builder, &mut chunk, &shard, (row, entry))?;
            Ok(())
        })?;
        if !is_cut {
            chunk.fed.ends = Some(shard.id);
            self.hand_over(&mut chunk);
        }
        Ok(())
    }

    /// Adds a row. False where nobody takes rows any more.
    fn take(
        &self,
        builder: &mut Builder<'_>,
        chunk: &mut Chunk,
        shard: &ShardRecord,
        (row, entry): (&Row, &RowEntry),
    ) -> Result<bool, JobError> {
        if self.shared.is_over() {
            return Ok(false);
        }
        let most = builder.members();
        let member = self.shared.preferred.load(Ordering::Relaxed).min(most - 1);
        match builder.build(member, row, entry)? {
            Ok(made) => {
                let bytes = made.request.body.len();
                let mut built = vec![None; most];
                built[member] = Some(made);
                let output = builder.most_output().unwrap_or(USUAL_OUTPUT);
                chunk.bytes += bytes;
                chunk.fed.items.push(Box::new(Item {
                    shard: shard.id,
                    entry: *entry,
                    custom_id: builder.custom_id(row)?,
                    built,
                    tried: 0,
                    most,
                    backoff: Backoff::new(self.chain.options(), most),
                    tries: 0,
                    tokens: bytes as u64 / BYTES_A_TOKEN + output,
                }));
            }
            Err(reason) => {
                self.tell(Message::Skipped { shard: shard.id, entry: *entry, reason });
            }
        }
        if chunk.fed.items.len() >= TOGETHER || chunk.bytes >= MANY_BYTES {
            return Ok(self.hand_over(chunk));
        }
        Ok(true)
    }

    /// Hands the chunk over when there is room. False where nobody takes rows any more.
    fn hand_over(&self, chunk: &mut Chunk) -> bool {
        let fed = std::mem::replace(chunk, Chunk::new(None)).fed;
        self.rows.blocking_send(fed).is_ok()
    }

    fn tell(&self, message: Message) {
        // A writer that is gone has said why.
        let _ = self.writer.send(message);
    }
}

struct Chunk {
    fed: Fed,
    bytes: usize,
}

impl Chunk {
    fn new(begins: Option<(i64, PathBuf)>) -> Self {
        Self { fed: Fed { items: Vec::new(), begins, ends: None }, bytes: 0 }
    }
}

/// Makes single requests until nobody can ask for more.
pub(super) fn build_singly(
    driver: &Driver<'_>,
    members: &[Member],
    orders: &plain::Receiver<Order>,
    built: &mpsc::UnboundedSender<Box<Item>>,
    (common, writer): (&Shared, &plain::Sender<Message>),
) {
    let mut builders: std::collections::HashMap<i64, Builder<'_>> =
        std::collections::HashMap::new();
    while let Ok(order) = orders.recv() {
        let made = match order {
            Order::Shard(record, entries) => Builder::new(driver, members, &record, &entries)
                .map(|builder| drop(builders.insert(record.id, builder))),
            Order::Build(mut item, member) => {
                let Some(builder) = builders.get_mut(&item.shard) else { continue };
                builder.build_one(member, &item.entry).map(|made| match made {
                    Ok(made) => {
                        item.built[member] = Some(made);
                        // Whoever made the calls is gone: the row stays open.
                        let _ = built.send(item);
                    }
                    Err(reason) => {
                        let _ = writer.send(Message::Skipped {
                            shard: item.shard,
                            entry: item.entry,
                            reason,
                        });
                        // Without a request it comes back, and is counted as done.
                        item.built.clear();
                        let _ = built.send(item);
                    }
                })
            }
        };
        if let Err(error) = made {
            common.fail(error);
            return;
        }
    }
}
