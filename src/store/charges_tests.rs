use std::collections::BTreeMap;
use std::sync::Barrier;

use proptest::prelude::*;

use super::super::{
    ArtifactKind, ArtifactRecord, Begun, Budget, CallEnd, Cap, CreateRecord, Limit, NewJob,
    NewShard, Over, Store, SurplusState,
};
use super::*;
use crate::batch::{Usage, Used};

const URL: &str = "https://api.openai.com/v1";
const LOOPBACK: &str = "http://127.0.0.1:9/v1";
const DAY: i64 = 86_400;

/// A job with a price in dollars and one shard of ten rows for each reserve.
fn job(store: &Store, key: &str, url: &str, reserves: &[Option<u64>]) -> Vec<i64> {
    let job = NewJob {
        key: key.into(),
        run_digest: key.into(),
        folder: "/d".into(),
        provider: "openai".into(),
        base_url: url.into(),
        account: "00112233".into(),
        spec: "{}".into(),
        rows: 10 * reserves.len() as u64,
        requests: 10 * reserves.len() as u64,
        output_path: None,
        terms: Some(r#"{"price":{"currency":"USD"}}"#.into()),
        prompt: None,
        now: 1,
    };
    let shards: Vec<_> = (1..)
        .zip(reserves)
        .map(|(number, reserve)| NewShard {
            mode: crate::request::Mode::Batch,
            round: 1,
            number,
            rows: 10,
            bytes: 100,
            tokens: 1,
            reserve: *reserve,
        })
        .collect();
    store.insert_job(&job, &shards, &[]).unwrap();
    store.shards(key).unwrap().into_iter().map(|shard| shard.id).collect()
}

fn store() -> (tempfile::TempDir, Store) {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).unwrap();
    (home, store)
}

fn uploaded(store: &Store, shard: i64) -> CreateRecord {
    let job = store.charge_item(shard).unwrap().job;
    let (create, call) =
        store.begin_upload(&job, shard, |c| format!("{shard}-c{c}"), ("d", 4), 1).unwrap();
    let ended =
        CallEnd { class: "ok", remote_id: Some("file-1".into()), now: 2, ..CallEnd::default() };
    store.end_upload(&create, call, &ended).unwrap();
    store.newest_create(shard).unwrap().unwrap()
}

fn begin(store: &Store, shard: i64, budget: &Budget, now: i64) -> Begun {
    let job = store.charge_item(shard).unwrap().job;
    let create = uploaded(store, shard);
    store.begin_create(&job, &create, (None, budget), (None, now)).unwrap()
}

fn cap(most: u64) -> Cap {
    Cap { currency: "USD".into(), most }
}

fn budget(max_cost: Option<u64>, daily: Option<u64>, max_requests: Option<u64>) -> Budget {
    Budget {
        max_cost: max_cost.map(cap),
        daily: daily.map(cap),
        max_requests,
        is_rehearsal: |url| url.contains("127.0.0.1"),
    }
}

/// Ten answers of a shard that cost so much each.
fn answers(store: &Store, shard: i64, cost: Option<u64>) -> Vec<OutcomeRecord> {
    let artifact = ArtifactRecord {
        id: 0,
        shard,
        kind: ArtifactKind::Output,
        name: format!("{shard}"),
        bytes: 9,
        digest: String::new(),
    };
    store.record_artifacts(shard, &[artifact]).unwrap();
    let id = store.artifacts_of(shard).unwrap()[0].id;
    let first = u64::try_from(shard).unwrap() * 10;
    (first..first + 10)
        .map(|row| OutcomeRecord {
            row,
            round: 1,
            status: RowStatus::Ok,
            place: Some((id, row, 1)),
            content_key: None,
            usage: Some(Usage { prompt_tokens: 1, ..Usage::default() }),
            cost,
            error: None,
            class: None,
        })
        .collect()
}

fn over(begun: Begun) -> Option<Over> {
    match begun {
        Begun::OverBudget(over) => Some(over),
        Begun::Call(_) => None,
        Begun::QueueFull => panic!("no queue has a limit here"),
    }
}

/// B10: what a shard could cost is counted before it is sent, what it did cost after.
#[test]
fn b10_each_limit_stops_the_shard_that_could_pass_it() {
    let cost = |limit, spent, reserved, next, most| Over { limit, spent, reserved, next, most };
    let table = [
        (budget(None, None, None), None),
        (budget(Some(100), Some(100), Some(20)), None),
        (budget(Some(99), None, None), Some(cost(Limit::MaxCost, 0, 60, Some(40), 99))),
        (budget(None, Some(99), None), Some(cost(Limit::Daily, 0, 60, Some(40), 99))),
        (budget(None, None, Some(19)), Some(cost(Limit::MaxRequests, 0, 10, Some(10), 19))),
    ];
    for (limits, expected) in table {
        let (_home, store) = store();
        let shards = job(&store, "aaaaaa0000", URL, &[Some(60), Some(40)]);
        assert_eq!(over(begin(&store, shards[0], &limits, DAY)), None, "{limits:?}");
        assert_eq!(over(begin(&store, shards[1], &limits, DAY)), expected, "{limits:?}");
    }
}

/// B10: room comes back when a shard costs less than it could.
#[test]
fn b10_a_settled_shard_counts_what_it_cost() {
    let (_home, store) = store();
    let shards = job(&store, "aaaaaa0000", URL, &[Some(60), Some(60)]);
    let limits = budget(Some(100), None, None);
    begin(&store, shards[0], &limits, DAY);
    let expected =
        Over { limit: Limit::MaxCost, spent: 0, reserved: 60, next: Some(60), most: 100 };
    assert_eq!(over(begin(&store, shards[1], &limits, DAY)), Some(expected));
    store.settle_shard("aaaaaa0000", shards[0], &answers(&store, shards[0], Some(4))).unwrap();
    assert_eq!(store.charged("aaaaaa0000", "USD").unwrap(), (40, 0));
    assert_eq!(over(begin(&store, shards[1], &limits, DAY)), None, "40 and 60 are 100");
}

/// What a limit is of: one job or all, one day, one currency, real money or a rehearsal.
#[test]
fn b10_who_shares_a_budget() {
    let key = "bbbbbb0000";
    let table = [
        ("another job, the same day", URL, DAY, budget(None, Some(99), None), true),
        ("the next day", URL, 2 * DAY, budget(None, Some(99), None), false),
        ("another real address", "https://other/v1", DAY, budget(None, Some(99), None), true),
        ("a rehearsal", LOOPBACK, DAY, budget(None, Some(99), None), false),
        ("the other job's own limit", URL, DAY, budget(Some(99), None, Some(19)), false),
    ];
    for (what, url, now, limits, is_over) in table {
        let (_home, store) = store();
        let first = job(&store, "aaaaaa0000", URL, &[Some(60)]);
        let second = job(&store, key, url, &[Some(60)]);
        begin(&store, first[0], &limits, DAY + DAY / 2);
        let begun = over(begin(&store, second[0], &limits, now + DAY / 2));
        assert_eq!(begun.is_some(), is_over, "{what}");
    }
    let (_home, store) = store();
    let pots = ["http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1", "http://127.0.0.1:1/v1"];
    for (number, (url, is_over)) in pots.into_iter().zip([false, false, true]).enumerate() {
        let shards = job(&store, &format!("{number}aaaaa0000"), url, &[Some(60)]);
        let begun = over(begin(&store, shards[0], &budget(None, Some(99), None), DAY));
        assert_eq!(begun.is_some(), is_over, "{url}: each sandbox is a pot of its own");
    }
}

/// Field report 52: what is unknown is not 0, so no limit of money can be held for it.
#[test]
fn field_52_an_unknown_price_passes_every_limit_of_money() {
    let euro = Some(Cap { currency: "EUR".into(), most: 1_000 });
    let table = [
        (budget(Some(1_000), None, None), None, true),
        (budget(None, Some(1_000), None), None, true),
        (budget(None, None, Some(10)), None, false),
        (Budget { daily: euro, ..Budget::none() }, Some(1), true),
    ];
    for (limits, reserve, is_over) in table {
        let (_home, store) = store();
        let shards = job(&store, "aaaaaa0000", URL, &[reserve]);
        let begun = over(begin(&store, shards[0], &limits, DAY));
        assert_eq!(begun.is_some(), is_over, "{limits:?}");
        assert!(begun.is_none_or(|over| over.next.is_none()), "{limits:?}");
    }
    let (_home, store) = store();
    let shards = job(&store, "aaaaaa0000", URL, &[Some(u64::MAX), Some(u64::MAX), Some(u64::MAX)]);
    for shard in &shards {
        begin(&store, *shard, &Budget::none(), DAY);
    }
    let begun = over(begin(&store, shards[0], &budget(Some(u64::MAX - 1), None, None), DAY));
    assert!(begun.is_some(), "sums of enormous amounts do not wrap");
}

/// A row that ran and does not say what it used is taken to have cost its share of the worst.
#[test]
fn b10_what_a_silent_answer_is_taken_to_cost() {
    type Change = Box<dyn Fn(&mut OutcomeRecord)>;
    let silent = |status, place| {
        move |record: &mut OutcomeRecord| {
            record.status = status;
            record.place = record.place.filter(|_| place);
            record.cost = None;
        }
    };
    let failed = |class| {
        move |record: &mut OutcomeRecord| {
            silent(RowStatus::Error, true)(record);
            record.class = Some(class);
        }
    };
    let table: [(&str, Change, Option<u64>); 7] = [
        ("answered", Box::new(silent(RowStatus::Ok, true)), Some(60)),
        ("lost", Box::new(silent(RowStatus::Missing, false)), Some(60)),
        ("failed", Box::new(failed(FailureKind::Server)), Some(0)),
        ("empty", Box::new(failed(FailureKind::NoAnswer)), Some(60)),
        ("expired", Box::new(silent(RowStatus::Expired, true)), None),
        ("cancelled", Box::new(silent(RowStatus::Cancelled, false)), None),
        ("free", Box::new(|record| record.cost = Some(0)), Some(0)),
    ];
    for (what, change, expected) in table {
        let (_home, store) = store();
        let shards = job(&store, "aaaaaa0000", URL, &[Some(60)]);
        begin(&store, shards[0], &Budget::none(), DAY);
        let mut records = answers(&store, shards[0], Some(1));
        records.iter_mut().for_each(change);
        store.settle_shard("aaaaaa0000", shards[0], &records).unwrap();
        let charges = charges(&store);
        let cost = charges.first().map(|charge| charge.cost);
        assert_eq!(cost, expected.map(Some), "{what}: {charges:?}");
        assert!(charges.iter().all(|charge| charge.settled), "{what}");
    }
}

/// Later rounds hold their share of what the rows were first planned with.
#[test]
fn b10_later_rounds_reserve_their_share() {
    let table = [
        (5, 10, Some(30)),
        (1, 100, Some(60)),
        (2, 20, Some(12)),
        (1, 1, Some(6)),
        (40, 10, Some(240)),
    ];
    for (rows, bytes, expected) in table {
        let (_home, store) = store();
        let shards = job(&store, "aaaaaa0000", URL, &[Some(30), Some(90)]);
        let next = NewShard {
            round: 2,
            number: 1,
            rows,
            bytes,
            tokens: 0,
            reserve: None,
            mode: crate::request::Mode::Batch,
        };
        store.split_shard("aaaaaa0000", shards[0], &[next], (0, "cut")).unwrap();
        let made = store.shards("aaaaaa0000").unwrap().pop().unwrap();
        assert_eq!(made.reserve, expected, "{rows} rows, {bytes} bytes");
    }
    let (_home, store) = store();
    let shards = job(&store, "aaaaaa0000", URL, &[Some(30), None]);
    let next = NewShard {
        round: 2,
        number: 1,
        rows: 1,
        bytes: 1,
        tokens: 0,
        reserve: None,
        mode: crate::request::Mode::Batch,
    };
    store.split_shard("aaaaaa0000", shards[0], &[next], (0, "cut")).unwrap();
    assert_eq!(store.shards("aaaaaa0000").unwrap().pop().unwrap().reserve, None, "unknown stays");
}

/// B10: two processes that begin together under one budget never pass it together.
#[test]
fn b10_two_connections_share_a_daily_budget() {
    for round in 0..10 {
        let (home, store) = store();
        let limits = budget(None, Some(250), None);
        let barrier = Barrier::new(2);
        let sent: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = ["aaaaaa0000", "bbbbbb0000"]
                .into_iter()
                .map(|key| {
                    let shards = job(&store, key, URL, &[Some(60); 5]);
                    let (barrier, limits, home) = (&barrier, &limits, home.path());
                    scope.spawn(move || {
                        let store = Store::open(home).unwrap();
                        barrier.wait();
                        let begun = shards.iter().map(|shard| begin(&store, *shard, limits, DAY));
                        begun.filter(|begun| matches!(begun, Begun::Call(_))).count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(sent, 4, "round {round}: four times 60 fit into 250");
    }
}

#[derive(Debug, PartialEq)]
struct Charge {
    shard: i64,
    cost: Option<u64>,
    settled: bool,
}

fn charges(store: &Store) -> Vec<Charge> {
    store
        .read(|c| {
            c.prepare("SELECT shard, cost, settled FROM charge ORDER BY shard")?
                .query_map([], |row| {
                    Ok(Charge { shard: row.get(0)?, cost: row.get(1)?, settled: row.get(2)? })
                })?
                .collect()
        })
        .unwrap()
}

/// What is done to a shard.
#[derive(Debug, Clone, Copy)]
enum Act {
    Send,
    Move(ShardState),
    Settle(u64),
    Nothing,
    Surplus(u64),
}

fn acts() -> impl Strategy<Value = Act> {
    use ShardState::{
        Creating, Deferred, Ended, Planned, Rejected, Running, Stored, Unknown, Uploaded,
    };
    let states = [Creating, Deferred, Ended, Planned, Rejected, Running, Stored, Unknown, Uploaded];
    prop_oneof![
        3 => Just(Act::Send),
        4 => prop::sample::select(states.to_vec()).prop_map(Act::Move),
        2 => (1_u64..9).prop_map(Act::Settle),
        1 => Just(Act::Nothing),
        1 => (1_u64..9).prop_map(Act::Surplus),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Whatever becomes of shards: what is reserved is what may still come, what is settled is
    /// what their answers and surplus batches cost, and nothing is left of what never ran.
    #[test]
    fn b10_charges_follow_their_shards(
        acts in prop::collection::vec((0_usize..3, acts()), 1..25),
    ) {
        let (_home, store) = store();
        let shards = job(&store, "aaaaaa0000", URL, &[Some(100), Some(200), Some(400)]);
        let mut spares = 0;
        // Of each shard whether it is on its way, its answers, and its surplus batches.
        let mut model: BTreeMap<i64, (bool, Option<u64>, u64)> = BTreeMap::new();
        for (at, act) in acts {
            let shard = shards[at];
            let (is_open, answered, surplus) = model.entry(shard).or_default();
            // Nothing moves a shard that is settled, but a late surplus batch.
            match act {
                Act::Surplus(cost) => {
                    if store.newest_create(shard).unwrap().is_none() || *is_open {
                        continue;
                    }
                    spares += 1;
                    let (create, batch) =
                        (store.newest_create(shard).unwrap().unwrap(), format!("spare{spares}"));
                    let state = SurplusState::Stored;
                    store.add_surplus("aaaaaa0000", create.id, (&batch, "{}"), state, 1).unwrap();
                    let used = Used { known: cost, ..Used::default() };
                    for _ in 0..2 {
                        store.settle_surplus("aaaaaa0000", &batch, &[], &used).unwrap();
                    }
                    *surplus += cost;
                }
                _ if answered.is_some() => {}
                Act::Send => {
                    begin(&store, shard, &Budget::none(), DAY);
                    *is_open = true;
                }
                Act::Move(state) => {
                    store.set_shard_state(shard, state, None).unwrap();
                    *is_open = super::is_open(state);
                }
                Act::Settle(cost) => {
                    if *is_open {
                        let records = answers(&store, shard, Some(cost));
                        store.settle_shard("aaaaaa0000", shard, &records).unwrap();
                        (*is_open, *answered) = (false, Some(10 * cost));
                    }
                }
                Act::Nothing => {
                    store.settle_shard("aaaaaa0000", shard, &[]).unwrap();
                    (*is_open, *answered) = (false, Some(0));
                }
            }
        }
        let expected: Vec<Charge> = model
            .iter()
            .filter_map(|(shard, (is_open, answered, surplus))| {
                let reserve = store.charge_item(*shard).unwrap().reserve.unwrap();
                let cost = if *is_open { reserve } else { answered.unwrap_or(0) } + surplus;
                let charge = Charge { shard: *shard, cost: Some(cost), settled: !*is_open };
                (cost > 0).then_some(charge)
            })
            .collect();
        prop_assert_eq!(charges(&store), expected);
    }
}
