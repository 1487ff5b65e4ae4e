use rusqlite::Connection;

use super::*;
use crate::answer::RowStatus;
use crate::batch::{FailureKind, Usage};

fn new_job(key: &str, digest: &str) -> NewJob {
    NewJob {
        key: key.to_owned(),
        run_digest: digest.to_owned(),
        folder: "/data".to_owned(),
        provider: "openai".to_owned(),
        base_url: "https://api.openai.com/v1".to_owned(),
        account: "00112233".to_owned(),
        spec: "{}".to_owned(),
        rows: 3,
        requests: 2,
        output_path: Some("/data/out.csv".to_owned()),
        terms: None,
        prompt: None,
        now: 1000,
    }
}

pub(super) fn outcome(row: u64, status: RowStatus) -> OutcomeRecord {
    OutcomeRecord {
        row,
        round: 1,
        status,
        place: None,
        content_key: Some([7; 16]),
        usage: Some(Usage { prompt_tokens: 5, completion_tokens: 2, ..Usage::default() }),
        cost: None,
        error: (status != RowStatus::Ok).then(|| "why".to_owned()),
        class: None,
    }
}

const SHARD: NewShard = NewShard {
    round: 1,
    number: 1,
    rows: 2,
    bytes: 400,
    tokens: 40,
    reserve: None,
    mode: crate::request::Mode::Batch,
};

pub(super) fn store_with_job() -> (tempfile::TempDir, Store) {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).unwrap();
    let skipped = OutcomeRecord { round: 0, usage: None, ..outcome(2, RowStatus::Skipped) };
    let made = store.insert_job(&new_job("k7f2qd0000", "d1"), &[SHARD], &[skipped]).unwrap();
    assert_eq!(made, Inserted::New);
    (home, store)
}

#[test]
fn pragmas_are_what_the_promises_need() {
    let (_home, store) = store_with_job();
    let read = |pragma: &str| -> String {
        store
            .read(|c| {
                c.query_row(&format!("PRAGMA {pragma}"), [], |row| {
                    row.get::<_, rusqlite::types::Value>(0)
                })
            })
            .map(|value| format!("{value:?}"))
            .unwrap()
    };
    assert_eq!(read("journal_mode"), r#"Text("wal")"#);
    assert_eq!(read("synchronous"), "Integer(2)", "FULL");
    assert_eq!(read("foreign_keys"), "Integer(1)");
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_the_home() {
    use std::os::unix::fs::PermissionsExt;
    let outside = tempfile::tempdir().unwrap();
    let home = outside.path().join("home");
    Store::open(&home).unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home), 0o700);
    assert_eq!(mode(&home.join("batchctl.db")), 0o600);
}

#[test]
fn the_same_request_finds_its_job_and_short_ids_are_unique() {
    let (_home, store) = store_with_job();
    let same = store.insert_job(&new_job("aaaaaa0000", "d1"), &[], &[]).unwrap();
    assert!(matches!(same, Inserted::Same(job) if job.key == "k7f2qd0000"));
    let taken = store.insert_job(&new_job("k7f2qd9999", "d2"), &[], &[]).unwrap();
    assert_eq!(taken, Inserted::Taken);
    assert_eq!(store.jobs().unwrap().len(), 1);
}

#[test]
fn a_job_is_found_by_key_short_id_batch_id_and_folder() {
    let (_home, store) = store_with_job();
    let shard = &store.shards("k7f2qd0000").unwrap()[0];
    let (create, call) =
        store.begin_upload("k7f2qd0000", shard.id, |c| format!("key-c{c}"), ("d", 4), 1).unwrap();
    let ended =
        CallEnd { class: "ok", remote_id: Some("file-1".into()), now: 2, ..CallEnd::default() };
    store.end_upload(&create, call, &ended).unwrap();
    let begun =
        store.begin_create("k7f2qd0000", &create, (None, &Budget::none()), (None, 3)).unwrap();
    let Begun::Call(call) = begun else { panic!("no limit, and no room") };
    let ended = CallEnd { remote_id: Some("batch_ABC".into()), ..ended };
    store.end_create_ok(&create, call, &ended, ("{}", "validating")).unwrap();
    for id in ["k7f2qd", "K7F2QD", "k7f2qd0000", "batch_ABC"] {
        assert!(store.job_by_id(id).unwrap().is_some(), "{id}");
    }
    assert!(store.job_by_id("batch_abc").unwrap().is_none(), "provider ids keep their case");
    assert!(store.last_job("/data").unwrap().is_some());
    assert!(store.last_job("/elsewhere").unwrap().is_none());
}

#[test]
fn a_create_intent_is_there_before_its_end_and_survives_the_process() {
    let (home, store) = store_with_job();
    let shard = store.shards("k7f2qd0000").unwrap()[0].clone();
    let key = |attempt| format!("bc1-k7f2qd0000-r1-s0001-c{attempt}");
    let (first, _) = store.begin_upload("k7f2qd0000", shard.id, key, ("d", 4), 1).unwrap();
    // The process dies in the upload; the next one uses the same create again.
    let (create, call) = store.begin_upload("k7f2qd0000", shard.id, key, ("d", 4), 2).unwrap();
    assert_eq!(first.id, create.id);
    let ended =
        CallEnd { class: "ok", remote_id: Some("file-1".into()), now: 3, ..CallEnd::default() };
    store.end_upload(&create, call, &ended).unwrap();
    store.begin_create("k7f2qd0000", &create, (None, &Budget::none()), (None, 4)).unwrap();
    drop(store);

    let store = Store::open(home.path()).unwrap();
    let create = store.newest_create(shard.id).unwrap().unwrap();
    assert_eq!(create.state, CreateState::Intended);
    assert_eq!(create.file_id.as_deref(), Some("file-1"));
    assert_eq!(store.shards("k7f2qd0000").unwrap()[0].state, ShardState::Creating);
    let open: Vec<_> = store.calls("k7f2qd0000").unwrap();
    let open: Vec<_> = open.iter().filter(|c| c.ended.is_none()).map(|c| c.kind).collect();
    assert_eq!(open, [CallKind::Upload, CallKind::Create], "the dead upload and the create");
}

#[test]
fn a_shard_settles_whole_and_the_counts_are_of_rows() {
    let (_home, store) = store_with_job();
    let shard = store.shards("k7f2qd0000").unwrap()[0].clone();
    let records = [outcome(0, RowStatus::Ok), outcome(1, RowStatus::Error)];
    store.settle_shard("k7f2qd0000", shard.id, &records).unwrap();
    store.settle_shard("k7f2qd0000", shard.id, &records).unwrap();
    let counts = store.status_counts("k7f2qd0000").unwrap();
    assert_eq!(counts.values().sum::<u64>(), 3, "B05: settling twice counts nothing twice");
    assert_eq!(counts[&RowStatus::Skipped], 1);
    assert_eq!(store.usage("k7f2qd0000").unwrap().prompt_tokens, 10);
    assert_eq!(store.error_groups("k7f2qd0000", 5).unwrap(), [("why".to_owned(), 2)]);
    let later = OutcomeRecord { round: 2, ..outcome(1, RowStatus::Ok) };
    store.settle_shard("k7f2qd0000", shard.id, &[later]).unwrap();
    let read = store.outcomes_from("k7f2qd0000", 1, 1).unwrap();
    assert_eq!((read[0].round, read[0].status), (2, RowStatus::Ok), "the newest round counts");
    assert_eq!(store.usage("k7f2qd0000").unwrap().prompt_tokens, 15, "all rounds were used");
}

/// A good answer is never replaced by a later bad one; among equals the newest round counts
/// (B05, B06).
#[test]
fn b06_which_outcome_of_a_row_counts() {
    use RowStatus::{Cached, Error, Expired, Missing, Ok, Skipped};
    type Said = (u32, RowStatus);
    let table: [(&[Said], Said); 7] = [
        (&[(1, Error)], (1, Error)),
        (&[(1, Expired), (2, Error)], (2, Error)),
        (&[(1, Expired), (2, Ok)], (2, Ok)),
        (&[(1, Ok), (2, Error), (3, Missing)], (1, Ok)),
        (&[(1, Ok), (2, Error), (3, Ok)], (3, Ok)),
        (&[(0, Cached), (2, Skipped)], (0, Cached)),
        (&[(0, Skipped), (4, Expired), (2, Error)], (4, Expired)),
    ];
    let (_home, store) = store_with_job();
    for (row, (outcomes, _)) in table.iter().enumerate() {
        let records: Vec<_> = outcomes
            .iter()
            .map(|(round, status)| OutcomeRecord { round: *round, ..outcome(row as u64, *status) })
            .collect();
        store.record_outcomes("k7f2qd0000", &records).unwrap();
    }
    for (row, (outcomes, expected)) in table.iter().enumerate() {
        let counts = store.outcomes_between("k7f2qd0000", row as u64, row as u64).unwrap();
        let counts: Vec<_> = counts.iter().map(|o| (o.round, o.status)).collect();
        assert_eq!(counts, [*expected], "{outcomes:?}");
    }
    let counts = store.status_counts("k7f2qd0000").unwrap();
    assert_eq!(counts.values().sum::<u64>(), table.len() as u64, "P2");
}

/// What goes out again by itself, and how often (field reports 40, 43).
#[test]
fn field_43_what_goes_out_again_by_itself() {
    use RowStatus::{
        Cancelled, Error, Expired, Missing, Ok, Refused, Skipped, Truncated, Unparsed,
    };
    let class = |class| Some(class);
    let table = [
        (Expired, None, true),
        (Missing, None, true),
        (Error, class(FailureKind::Server), true),
        (Error, class(FailureKind::RateLimited), true),
        (Error, class(FailureKind::Network), true),
        (Error, class(FailureKind::QueueFull), true),
        (Error, class(FailureKind::Invalid), false),
        (Error, class(FailureKind::Account), false),
        (Error, class(FailureKind::Credentials), false),
        (Error, class(FailureKind::NotFound), false),
        (Error, None, false),
        (Cancelled, None, false),
        (Skipped, None, false),
        (Refused, None, false),
        (Truncated, None, false),
        (Unparsed, None, false),
        (Ok, None, false),
    ];
    let (_home, store) = store_with_job();
    let key = "k7f2qd0000";
    let record = |row: usize, round, status, class| OutcomeRecord {
        round,
        class,
        ..outcome(row as u64, status)
    };
    let records: Vec<_> =
        table.iter().enumerate().map(|(row, (s, class, _))| record(row, 1, *s, *class)).collect();
    store.record_outcomes(key, &records).unwrap();
    let again = |most| -> Vec<u64> {
        let rounds = Rounds { most, reasks: 0 };
        store.leftovers(key, rounds).unwrap().iter().map(|left| left.row).collect()
    };
    let expected: Vec<_> = (0..table.len()).filter(|row| table[*row].2).map(|r| r as u64).collect();
    assert_eq!(again(3), expected);
    assert!(again(1).is_empty(), "one round was all");
    // A second round: 0 is answered, 1 and 2 ran again, the others are still out.
    let second = [
        record(0, 2, Ok, None),
        record(1, 2, Missing, None),
        record(2, 2, Error, class(FailureKind::Invalid)),
    ];
    store.record_outcomes(key, &second).unwrap();
    assert_eq!(again(2), [3, 4, 5], "1 ran twice");
    let left = store.leftovers(key, Rounds { most: 3, reasks: 0 }).unwrap()[0];
    assert_eq!(left, Leftover { row: 1, round: 2, status: Missing, is_reask: false });
    // A good answer of an earlier round stays, whatever a later one says.
    store.record_outcomes(key, &[record(0, 3, Expired, None)]).unwrap();
    assert_eq!(again(3), [1, 3, 4, 5]);
}

#[test]
fn a_newer_file_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    drop(Store::open(home.path()).unwrap());
    let path = home.path().join("batchctl.db");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(Store::open(home.path()), Err(StoreError::Newer { found: 99, .. })));
}

#[test]
fn a_full_database_is_named_as_such() {
    let (_home, store) = store_with_job();
    store.lock().execute_batch("PRAGMA max_page_count = 30").unwrap();
    let many: Vec<_> = (0..20_000).map(|row| outcome(row, RowStatus::Ok)).collect();
    let error = store.settle_shard("k7f2qd0000", 1, &many).unwrap_err();
    assert!(error.is_disk_full(), "{error}");
    assert!(error.to_string().ends_with("batchctl.db: disk full"), "{error}");
    assert_eq!(store.status_counts("k7f2qd0000").unwrap().len(), 1, "nothing half-written");
}

#[test]
fn a_wish_is_heard_by_another_connection() {
    let (home, store) = store_with_job();
    assert!(!store.is_cancel_wished("k7f2qd0000").unwrap());
    Store::open(home.path()).unwrap().wish_cancel("k7f2qd0000", 5).unwrap();
    assert!(store.is_cancel_wished("k7f2qd0000").unwrap());
}

#[test]
fn a_fresh_home_may_be_opened_by_many_at_once() {
    for _ in 0..20 {
        let home = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            let opens: Vec<_> = (0..4).map(|_| scope.spawn(|| Store::open(home.path()))).collect();
            for open in opens {
                open.join().unwrap().unwrap();
            }
        });
    }
}

/// B04: rows that ask the same follow their leader through every round, in the transaction that
/// records it, and are counted once (P7).
#[test]
fn b04_equal_rows_get_what_their_leader_gets() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).unwrap();
    let job = NewJob { rows: 5, ..new_job("k7f2qd0000", "d1") };
    let equal = [(0, 2), (0, 4), (1, 3)].map(|(leader, row)| EqualRow { leader, row });
    let rows = KnownRows { equal: &equal, ..KnownRows::default() };
    store.insert_job_with(&job, &[SHARD], &[], &rows).unwrap();
    let statuses = || -> Vec<_> {
        let all = store.outcomes_from(&job.key, 0, 10).unwrap();
        all.into_iter().map(|o| (o.row, o.round, o.status, o.usage.is_some())).collect()
    };
    let shard = store.shards(&job.key).unwrap()[0].id;
    let kind = ArtifactKind::Output;
    let (name, digest) = (String::new(), String::new());
    let artifact = ArtifactRecord { id: 0, shard, kind, name, bytes: 9, digest };
    store.record_artifacts(shard, &[artifact]).unwrap();
    let place = Some((store.artifacts(&job.key).unwrap()[0].id, 7, 11));

    let skipped = OutcomeRecord { usage: None, ..outcome(1, RowStatus::Skipped) };
    let next = NewShard { round: 2, rows: 1, ..SHARD };
    store.replan_shard(&job.key, shard, &[skipped], Some(&next)).unwrap();
    let expected = [1, 3].map(|row| (row, 1, RowStatus::Skipped, false));
    assert_eq!(statuses(), expected, "0 goes on, and 2 and 4 with it");
    let second = store.shards(&job.key).unwrap()[1].id;
    let expired = OutcomeRecord { round: 2, ..outcome(0, RowStatus::Expired) };
    store.settle_shard(&job.key, second, &[expired]).unwrap();
    assert_eq!(store.status_counts(&job.key).unwrap()[&RowStatus::Expired], 3);
    let answered = OutcomeRecord { round: 3, place, ..outcome(0, RowStatus::Ok) };
    store.record_outcomes(&job.key, &[answered]).unwrap();
    let row = |row, status, round, used| (row, round, status, used);
    assert_eq!(
        statuses(),
        [
            row(0, RowStatus::Ok, 3, true),
            row(1, RowStatus::Skipped, 1, false),
            row(2, RowStatus::Ok, 3, false),
            row(3, RowStatus::Skipped, 1, false),
            row(4, RowStatus::Ok, 3, false),
        ]
    );
    let follower = &store.outcomes_between(&job.key, 4, 4).unwrap()[0];
    assert_eq!((follower.place, follower.content_key), (place, Some([7; 16])));
    assert_eq!(store.usage(&job.key).unwrap().prompt_tokens, 10, "rounds 2 and 3 of row 0");
    assert!(store.is_equal_row(&job.key, 0, 4).unwrap());
    assert!(!store.is_equal_row(&job.key, 1, 4).unwrap());
}

/// Copied answers are recorded with their file in the transaction that makes the job, and are no
/// shard of it.
#[test]
fn b04_copied_answers_are_there_when_the_job_is() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).unwrap();
    let url = "https://api.openai.com/v1";
    assert!(!store.has_answers(url).unwrap());
    let answer = |row| CachedAnswer {
        row,
        content_key: [u8::try_from(row).unwrap(); 16],
        offset: row * 10,
        length: 9,
        answered: 1_763_000_000,
    };
    let file = CachedFile {
        name: "cached.jsonl".into(),
        bytes: 20,
        digest: "d".into(),
        answers: vec![answer(0), answer(1)],
    };
    let rows = KnownRows { cached: Some(&file), name: Some("nightly"), ..KnownRows::default() };
    store.insert_job_with(&new_job("k7f2qd0000", "d1"), &[SHARD], &[], &rows).unwrap();
    assert_eq!(store.shards("k7f2qd0000").unwrap().len(), 1);
    let kept = store.artifacts("k7f2qd0000").unwrap();
    assert_eq!((kept[0].kind, kept[0].name.as_str()), (ArtifactKind::Cached, "cached.jsonl"));
    let outcomes = store.outcomes_from("k7f2qd0000", 0, 9).unwrap();
    let places: Vec<_> = outcomes.iter().map(|o| (o.status, o.place)).collect();
    let id = kept[0].id;
    assert_eq!(
        places,
        [(RowStatus::Cached, Some((id, 0, 9))), (RowStatus::Cached, Some((id, 10, 9)))]
    );
    assert_eq!(store.usage("k7f2qd0000").unwrap(), Usage::default());
    assert!(store.has_answers(url).unwrap());
    assert!(!store.has_answers("sandbox:").unwrap());
    store.insert_job_with(&new_job("bbbbbb0000", "d3"), &[], &[], &rows).unwrap();
    // The address is part of the key: nothing else of the job is asked for.
    let found = store.earlier_answers(&[[1; 16], [9; 16]], i64::MIN).unwrap();
    let mut jobs: Vec<_> = found[0].iter().map(|a| (a.file.as_str(), a.answered)).collect();
    jobs.sort_unstable();
    let files = ["jobs/bbbbbb0000/results/cached.jsonl", "jobs/k7f2qd0000/results/cached.jsonl"];
    assert_eq!(jobs, files.map(|file| (file, 1_763_000_000)), "a copy is as old as its original");
    assert!(found[1].is_empty());
    let young = store.earlier_answers(&[[1; 16]], 1_763_000_001).unwrap();
    assert!(young[0].is_empty(), "S0.22: an older one is not used");
    let named = store.job_by_id("nightly").unwrap().map(|job| job.key);
    assert_eq!(named.as_deref(), Some("bbbbbb0000"), "the name passed to the newer one");
}

/// A process that was suspended inside a transaction is no fault of the disk.
#[test]
fn a_ledger_that_is_held_says_so() {
    let home = tempfile::tempdir().unwrap();
    let holder = Store::open(home.path()).unwrap();
    let waiter = Store::open(home.path()).unwrap();
    waiter.lock().busy_timeout(Duration::from_millis(20)).unwrap();
    let connection = holder.lock();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = waiter.write(|_| Ok(())).unwrap_err();
    assert!(error.is_busy() && error.to_string().contains("locked by another process"), "{error}");
    connection.execute_batch("ROLLBACK").unwrap();
    waiter.write(|_| Ok(())).unwrap();
}
