//! The ledger's shape: a file takes the [`steps`] that it has not taken. A change of shape is a
//! new step with a test from a real older file.

mod steps;

use rusqlite::{Connection, TransactionBehavior};

use self::steps::STEPS;
use crate::base::crash_point;

/// The version this program writes.
pub(super) fn newest() -> i64 {
    i64::try_from(STEPS.len()).expect("a handful of steps")
}

/// Takes the steps a file has not taken yet, all in one transaction, and returns its version;
/// a version above [`newest`] means a newer release, and nothing was touched.
pub(super) fn apply(connection: &mut Connection) -> rusqlite::Result<i64> {
    // A table can only be rebuilt while nobody looks at what refers to it; no switch inside of a
    // transaction.
    connection.pragma_update(None, "foreign_keys", false)?;
    let version = take_steps(connection);
    connection.pragma_update(None, "foreign_keys", true)?;
    version
}

fn take_steps(connection: &mut Connection) -> rusqlite::Result<i64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let taken = usize::try_from(found).unwrap_or(0);
    if taken >= STEPS.len() {
        return Ok(found);
    }
    for (_, statements) in &STEPS[taken..] {
        transaction.execute_batch(statements)?;
    }
    transaction.pragma_update(None, "user_version", newest())?;
    crash_point!("commit", "the ledger's shape");
    transaction.commit()?;
    crash_point!("committed", "the ledger's shape");
    Ok(newest())
}

#[cfg(test)]
mod tests {
    use super::steps::{EARLIER_OUTPUT, FIRST, SEARCH};
    use super::*;

    #[test]
    fn a_ledger_of_the_first_shape_takes_the_later_steps() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(FIRST).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        connection
            .execute_batch("INSERT INTO output (path, digest, written) VALUES ('/o.csv', 'd', 1)")
            .unwrap();
        assert_eq!(apply(&mut connection).unwrap(), newest());
        let earlier: Option<String> =
            connection.query_row("SELECT earlier FROM output", [], |row| row.get(0)).unwrap();
        assert_eq!(earlier, None);
        assert_eq!(apply(&mut connection).unwrap(), newest(), "and only once");
    }

    /// Outcomes point to artifacts by number: both must be there after the table was rebuilt.
    #[test]
    fn result_files_keep_their_numbers_when_their_table_is_rebuilt() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&[FIRST, EARLIER_OUTPUT, SEARCH].concat()).unwrap();
        connection.pragma_update(None, "user_version", 3).unwrap();
        connection.pragma_update(None, "foreign_keys", true).unwrap();
        let old = "
            INSERT INTO job VALUES ('k', 'k', 'd', 'running', NULL, '/', 1, 1, 'p', 'u', '', '{}',
                1, 1, NULL);
            INSERT INTO shard (id, job, round, number, state, rows, bytes)
                VALUES (5, 'k', 1, 1, 'settled', 1, 1);
            INSERT INTO artifact VALUES (7, 5, 'output', 'r1-s0001-output.jsonl', 9, 'x');
            INSERT INTO outcome (job, row, round, status, artifact, place, length)
                VALUES ('k', 0, 1, 'ok', 7, 0, 9);";
        connection.execute_batch(old).unwrap();
        assert_eq!(apply(&mut connection).unwrap(), newest());
        let name = "SELECT name FROM outcome JOIN artifact ON artifact.id = outcome.artifact";
        let name: String = connection.query_row(name, [], |row| row.get(0)).unwrap();
        assert_eq!(name, "r1-s0001-output.jsonl");
        let spare = "INSERT INTO artifact (shard, kind, name, bytes, digest) \
                     VALUES (5, 'output', 'r1-s0001-spare1-output.jsonl', 9, 'y')";
        connection.execute(spare, []).unwrap();
        let on: bool = connection.query_row("PRAGMA foreign_keys", [], |row| row.get(0)).unwrap();
        assert!(on, "what refers to nothing is refused again");
        connection.execute("DELETE FROM artifact WHERE id = 7", []).unwrap_err();
        let broken: Option<i64> = rusqlite::OptionalExtension::optional(connection.query_row(
            "PRAGMA foreign_key_check",
            [],
            |row| row.get(1),
        ))
        .unwrap();
        assert_eq!(broken, None);
    }

    /// What a ledger of before has answered is in the cache: each entry with its age, of a copy
    /// that of the answer that was paid for, and nothing that is not good.
    #[test]
    fn s0_20_answers_of_before_there_was_a_cache_are_entries_with_their_age() {
        let mut connection = Connection::open_in_memory().unwrap();
        let before = STEPS.iter().position(|(name, _)| name.starts_with("the row cache")).unwrap();
        for (_, statements) in &STEPS[..before] {
            connection.execute_batch(statements).unwrap();
        }
        let version = i64::try_from(before).unwrap();
        connection.pragma_update(None, "user_version", version).unwrap();
        let old = "
            INSERT INTO job (key, short, run_digest, state, folder, created, updated, provider,
                base_url, account, spec, rows, requests)
                VALUES ('k', 'k', 'd', 'done', '/', 1, 50, 'p', 'u', '', '{}', 4, 4);
            INSERT INTO shard (id, job, round, number, state, rows, bytes)
                VALUES (5, 'k', 1, 1, 'settled', 1, 1);
            INSERT INTO artifact VALUES (7, 5, 'output', 'r1-s0001-output.jsonl', 9, 'x');
            INSERT INTO outcome (job, row, round, status, artifact, place, length, content_key,
                settled) VALUES
                ('k', 0, 1, 'ok', 7, 0, 9, x'01', 30), ('k', 1, 1, 'ok', 7, 9, 9, x'02', NULL),
                ('k', 2, 0, 'cached', 7, 9, 9, x'01', 40), ('k', 3, 1, 'error', 7, 9, 9, x'03', 41),
                ('k', 4, 0, 'cached', 7, 9, 9, x'04', 42);";
        connection.execute_batch(old).unwrap();
        assert_eq!(apply(&mut connection).unwrap(), newest());
        let ages: Vec<(u64, i64)> = connection
            .prepare(
                "SELECT row, settled FROM outcome INDEXED BY outcome_in_cache WHERE \
                 content_key IS NOT NULL AND status IN ('ok', 'cached') ORDER BY row",
            )
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(ages, [(0, 30), (1, 50), (2, 30), (4, 42)]);
    }
}
