//! Failed calls that change nothing at the provider: questions, listings, downloads. They are made
//! again and again, so the same failure is one entry with a count, which stands behind its words.

use rusqlite::params;

use super::{CallEnd, CallKind, Store, StoreError};
use crate::base::fault_words;

/// What stands between the words and the count.
const AGAIN: &str = " (again: ";
/// What stands behind the count.
const TIMES: &str = " times)";

/// Entries of the same kind and end that are looked through for the same words.
const LOOKED_THROUGH: u32 = 20;

/// The words of an entry and how often it came.
pub(super) fn counted(excerpt: String) -> (String, u64) {
    let parts = excerpt.strip_suffix(TIMES).and_then(|text| text.rsplit_once(AGAIN));
    match parts.and_then(|(words, times)| Some((words.to_owned(), times.parse().ok()?))) {
        Some(counted) => counted,
        None => (excerpt, 1),
    }
}

impl Store {
    /// Records a call that failed and left nothing behind; `create` is the one it was made for.
    /// One like it, ids aside, is counted instead, and keeps the time of the first.
    pub fn note_failure(
        &self,
        job: &str,
        create: Option<i64>,
        kind: CallKind,
        failed: &CallEnd,
    ) -> Result<(), StoreError> {
        let words = failed.excerpt.as_deref().unwrap_or_default();
        let fault = fault_words(words);
        self.write(|tx| {
            let of_kind = params![job, kind.as_str(), create, failed.class, failed.http];
            let earlier: Vec<(i64, String)> = tx
                .prepare(&format!(
                    "SELECT id, coalesce(excerpt, '') FROM call WHERE job = ?1 AND kind = ?2 AND \
                     create_id IS ?3 AND class = ?4 AND http IS ?5 ORDER BY id DESC \
                     LIMIT {LOOKED_THROUGH}"
                ))?
                .query_map(of_kind, |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?;
            let known = earlier.into_iter().find_map(|(id, excerpt)| {
                let (known, times) = counted(excerpt);
                (fault_words(&known) == fault).then_some((id, times + 1))
            });
            match known {
                Some((id, times)) => tx.execute(
                    "UPDATE call SET ended = ?2, excerpt = ?3 WHERE id = ?1",
                    params![id, failed.now, format!("{words}{AGAIN}{times}{TIMES}")],
                )?,
                None => tx.execute(
                    "INSERT INTO call (job, create_id, kind, started, ended, class, http, excerpt) \
                     VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7)",
                    params![
                        job,
                        create,
                        kind.as_str(),
                        failed.now,
                        failed.class,
                        failed.http,
                        words
                    ],
                )?,
            };
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read_from_behind_the_words() {
        let table = [
            ("busy", "busy", 1),
            ("busy (again: 12 times)", "busy", 12),
            ("busy (again: many times)", "busy (again: many times)", 1),
            ("(again: 2 times) (again: 3 times)", "(again: 2 times)", 3),
            ("", "", 1),
        ];
        for (excerpt, words, times) in table {
            assert_eq!(counted(excerpt.to_owned()), (words.to_owned(), times));
        }
    }
}
