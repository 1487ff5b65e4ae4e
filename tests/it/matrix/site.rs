//! What the cells of the matrix stand on: a bench whose waits are over at once, and what must hold
//! when a job has gone its way.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::adopt::call;
use crate::support::bench::{Bench, ROWS};
use crate::support::gate::Act;
use crate::support::workdir::{Output, Run};

/// Three shards, one call after the other, so that a step can be named by its number.
pub(super) const LINE: &str = "workflow in.csv out.csv --set max_shard_requests=3 \
                               --set parallel_uploads=1 --check-interval 500";

pub(super) const UPLOAD: &str = "POST /v1/files";
pub(super) const CREATE: &str = "POST /v1/batches";
pub(super) const POLL: &str = "GET /v1/batches/*";
pub(super) const LIST: &str = "GET /v1/batches";
pub(super) const FETCH: &str = "GET /v1/files/*/content";
pub(super) const DELETE: &str = "DELETE /v1/files/*";

/// Fast enough for the listing allowance of an hour.
pub(super) const FAST: &str = "5000";

/// A bench in a hurry.
pub(super) struct Site {
    pub(super) bench: Bench,
}

impl Site {
    /// Where nothing goes wrong.
    pub(super) fn new() -> Self {
        Self::faulty("")
    }

    /// With these faults in the sandbox.
    pub(super) fn faulty(faults: &str) -> Self {
        Self::with(&["--batch-seconds", "0.3", "--faults", faults], |_, _| Act::Pass)
    }

    /// With this rule at the gate.
    pub(super) fn ruled(rule: impl FnMut(&str, usize) -> Act + Send + 'static) -> Self {
        Self::with(&["--batch-seconds", "0.3"], rule)
    }

    pub(super) fn with(
        flags: &[&str],
        rule: impl FnMut(&str, usize) -> Act + Send + 'static,
    ) -> Self {
        Self { bench: Bench::with(flags, rule) }
    }

    /// A run that waits for nothing long.
    pub(super) fn run(&self, line: &str) -> Run {
        self.bench.batchctl(line).env("BATCHCTL_TIME_SCALE", FAST)
    }

    /// From now on nothing goes wrong any more.
    pub(super) fn mend(&self) {
        call(&self.bench, "DELETE", "/sandbox/faults", &Value::Null);
        self.bench.gate.now(|_, _| Act::Pass);
    }

    /// R: what is left is done by `resume`, without anything going wrong.
    pub(super) fn resumes(&self) -> Output {
        self.mend();
        let output = self.run("resume last").run().exits(0);
        self.ends_as_undisturbed();
        output
    }

    /// R and B1: the table is that of a run that nothing happened to, and was paid for once.
    pub(super) fn ends_as_undisturbed(&self) {
        assert!(self.bench.dir.bytes("out.csv") == reference(), "R: the table differs");
        assert_eq!(self.bench.state(), "done");
        self.is_paid_once();
        assert_eq!(self.rows_paid().len(), ROWS, "every row was paid for");
    }

    /// B1: one billable batch per shard and round, each row once whatever its round.
    pub(super) fn is_paid_once(&self) {
        self.bench.nothing_is_paid_twice();
        let twice: Vec<_> = self.rows_paid().into_iter().filter(|(_, times)| *times > 1).collect();
        assert_eq!(twice, [], "B1: rows paid for in two rounds");
    }

    /// How often each row was paid for, whatever its round and job.
    fn rows_paid(&self) -> BTreeMap<String, u64> {
        let mut rows = BTreeMap::new();
        for (id, times) in self.bench.paid() {
            let row = id.split('-').nth(1).unwrap_or("none").to_owned();
            *rows.entry(row).or_default() += times;
        }
        rows
    }

    /// Rows by status, those that are none left out.
    pub(super) fn statuses(&self) -> BTreeMap<String, u64> {
        let status = self.bench.status();
        let statuses = status["job"]["statuses"].as_object().expect("statuses are an object");
        let counted = statuses.iter().map(|(name, n)| (name.clone(), n.as_u64().unwrap_or(0)));
        counted.filter(|(_, count)| *count > 0).collect()
    }

    /// P2: the statuses sum to the rows, and the table has each row once, in order.
    pub(super) fn every_row_has_its_status(&self) {
        assert_eq!(self.bench.state(), "done");
        let cells = self.bench.dir.cells("out.csv");
        let ids: Vec<String> = (0..ROWS).map(|row| row.to_string()).collect();
        assert_eq!(cells.column("id"), ids, "P2: rows in input order");
        let shown: BTreeMap<String, u64> = cells
            .statuses()
            .into_iter()
            .map(|(name, count)| (name.to_owned(), count as u64))
            .collect();
        assert_eq!(shown, self.statuses(), "P2: the table and the account");
    }

    /// Names of the files at the provider.
    pub(super) fn files(&self) -> usize {
        let listing = call(&self.bench, "GET", "/v1/files?limit=1000", &json!({}));
        listing["data"].as_array().expect("a listing has items").len()
    }

    /// Names of the result files that are kept.
    pub(super) fn listed(&self) -> String {
        let names = std::fs::read_dir(self.job_file("results")).into_iter().flatten().flatten();
        names.map(|entry| entry.file_name().to_string_lossy().into_owned() + " ").collect()
    }

    /// The path of a file in the folder of the newest job.
    pub(super) fn job_file(&self, name: &str) -> String {
        let folder = crate::support::runs::job_folder(&self.bench.dir, &self.bench.job());
        folder.join(name).display().to_string()
    }
}

/// The table of an undisturbed run.
pub(super) fn reference() -> &'static [u8] {
    static REFERENCE: OnceLock<Vec<u8>> = OnceLock::new();
    REFERENCE.get_or_init(Bench::undisturbed)
}
