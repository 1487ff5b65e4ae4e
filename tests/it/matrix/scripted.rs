//! Cells whose fault is a rule of the sandbox: one run, what it must say, and how the job ends.

use std::collections::BTreeMap;
use std::path::Path;

use super::Cell;
use super::site::{LINE, Site};
use crate::support::workdir::Run;

/// Calls are given up after three seconds, bytes waited for half of that; otherwise nobody here
/// is that impatient.
fn impatient(run: Run, id: &str) -> Run {
    if id.starts_with("hang/") { run.env("BATCHCTL_TIMEOUT_SCALE", "40") } else { run }
}

/// How the job is in the end.
#[derive(Clone, Copy)]
enum End {
    /// Exit 0: as if nothing had happened.
    Same,
    /// E, then R: this code, these words, the job kept; and once mended `resume` does the rest.
    Stops(i32, &'static [&'static str]),
    /// Exit 3: rows with these statuses, said so.
    Rows(&'static [(&'static str, u64)], &'static [&'static str]),
}

/// A cell with what is added to the line, and the rules that make its fault, one after another.
struct Script {
    id: &'static str,
    more: &'static str,
    faults: &'static [&'static str],
    end: End,
}

const fn same(id: &'static str, faults: &'static [&'static str]) -> Script {
    Script { id, more: "", faults, end: End::Same }
}

const fn stops(
    id: &'static str,
    faults: &'static [&'static str],
    code: i32,
    words: &'static [&'static str],
) -> Script {
    Script { id, more: "", faults, end: End::Stops(code, words) }
}

/// In one round, so that what is left shows.
const fn rows(
    id: &'static str,
    faults: &'static [&'static str],
    statuses: &'static [(&'static str, u64)],
    words: &'static [&'static str],
) -> Script {
    Script { id, more: "--rounds=1", faults, end: End::Rows(statuses, words) }
}

const SCRIPTS: &[Script] = &[
    same("reply lost/upload", &["upload#1: after-commit close", "upload#2: after-commit reset"]),
    same("reply lost/create", &["create#2: after-commit close", "create#1: after-commit reset"]),
    same("reply lost/poll", &["retrieve#2-4: after-commit close"]),
    same("reply lost/download", &["download#1-2: after-commit close"]),
    same("cut body/upload", &["upload#1: cut length", "upload#2: after-commit 200 html"]),
    same(
        "cut body/create",
        &[
            "create#1: cut length",
            "create#2: cut chunked",
            "create#2: after-commit 200 body=\"{}\"",
        ],
    ),
    same("cut body/poll", &["retrieve#2: cut length; retrieve#2: 200 html"]),
    same("cut body/download", &["download#1: cut length", "download#2: cut chunked"]),
    rows(
        "cut body/merge",
        &["result#1: broken 1", "result#2: bad-utf8 1", "result#3: no-id 1"],
        &[("ok", 8), ("missing", 1)],
        &["set aside"],
    ),
    same("late delivery/upload", &["upload#1: late 700ms"]),
    same("late delivery/create", &["create#1: late 2s", "create#2: late 2s 502"]),
    same("listing lags/upload", &["upload#1: listing-lag 600ms; upload#1: after-commit close"]),
    same("listing lags/create", &["create#2: after-commit close; batch#2: listing-lag 300ms"]),
    same("hang/upload", &["upload#1: hang 20s", "upload#2: after-commit hang 20s"]),
    same("hang/create", &["create#1: before-commit hang 20s", "create#2: after-commit hang 20s"]),
    same("hang/poll", &["retrieve#2: hang 20s", "retrieve#3: stall 20s"]),
    same("hang/download", &["download#1: hang 20s", "download#1: stall 50% 20s"]),
    same("429/upload", &["upload#1: rate-limit; upload#1: 429 retry-after=90s"]),
    same("429/create", &["create#2: rate-limit", "create#2: 429 retry-after=90s"]),
    same("429/poll", &["retrieve#1-3: rate-limit; retrieve#1: 429 retry-date=60s"]),
    same("429/download", &["download#1: rate-limit; download#1: 429 retry-after=60s"]),
    same("5xx/upload", &["upload#1: 500; upload#1: 503", "upload#2: after-commit 502"]),
    same("5xx/create", &["create#1: 504", "create#2: after-commit 502", "create#3: 503"]),
    same("5xx/poll", &["retrieve#2-3: 500; retrieve#2-3: 504"]),
    same("5xx/download", &["download#1: 502; download#1: 503"]),
    stops("401 403/upload", &["upload#2+: 401", "upload#1+: 403"], 4, &["batchctl resume"]),
    stops("401 403/create", &["create#2+: 401", "create#1+: 403"], 4, &["batchctl resume"]),
    stops("401 403/poll", &["retrieve#3+: 401", "retrieve: 403"], 4, &["batchctl resume"]),
    stops("401 403/download", &["download#2+: 401", "download: 403"], 4, &["batchctl resume"]),
    same("404/create", &["upload#2: not-ready 4ms", "upload#1: not-ready 6ms"]),
    stops("404/download", &["download: 404"], 5, &["batchctl resume"]),
    same("file rejected/upload", &["upload#1: 413 text=\"file is too large\""]),
    rows(
        "validation failed/poll",
        &["batch#1: fail lines=2", "batch#3: fail lines=1 text=\"too warm\""],
        &[("ok", 8), ("skipped", 1)],
        &["refused 1 of 3 rows"],
    ),
    same("enqueued limit/create", &["create#2-3: token-limit", "create#1-2: token-limit 9000"]),
    same("enqueued limit/poll", &["batch#2: fail token-limit", "batch#1-2: fail token-limit"]),
    rows("expired/poll", &["batch#1: expire 1"], &[("expired", 2), ("ok", 7)], &["expired"]),
    rows(
        "expired/download",
        &["batch#1: expire 2", "batch#1: expire 1; download#1-2: 503"],
        &[],
        &["expired at openai"],
    ),
    same("expired/merge", &["batch#1: expire 1", "batch#1-3: expire 2"]),
    rows("expired/write", &["batch#1-3: expire 1"], &[("expired", 6), ("ok", 3)], &["expired"]),
    rows("cancelled/poll", &["batch#1: cancel 1"], &[("cancelled", 2), ("ok", 7)], &["cancelled"]),
    rows(
        "cancelled/download",
        &["batch#1: cancel 2; result#1: fails 1 status=400"],
        // Which rows ran before the cancel hangs on the machine, and so whether the one that is to
        // fail was among them; that each row has its status and is paid once holds all the same.
        &[],
        &["cancelled"],
    ),
    Script {
        id: "cancelled/merge",
        more: "",
        faults: &["batch#1: cancel 1"],
        end: End::Rows(&[("cancelled", 2), ("ok", 7)], &["cancelled"]),
    },
    rows(
        "cancelled/write",
        &["batch#1-3: cancel 1"],
        &[("cancelled", 6), ("ok", 3)],
        &["cancelled"],
    ),
    rows(
        "only error file/poll",
        &[
            "result#1: fails all status=400",
            "result#1: fails all status=400; result#1: counts zero",
        ],
        &[("error", 3), ("ok", 6)],
        &["error 3"],
    ),
    rows(
        "only error file/download",
        &[
            "result#1: fails all status=400; result#1: output-id empty",
            "result#1: fails all status=400; result#1: output-id object",
        ],
        &[("error", 3), ("ok", 6)],
        &["error 3"],
    ),
    rows(
        "only error file/merge",
        &["result#1: fails all status=400 text=\"too warm\""],
        &[("error", 3), ("ok", 6)],
        &["too warm"],
    ),
    rows(
        "odd ids/download",
        &["result: missing 1"],
        &[("missing", 3), ("ok", 6)],
        &["in neither result file; fetching again"],
    ),
    same(
        "odd ids/merge",
        &[
            "result: duplicate 1; result: foreign 3",
            "result: conflict-error 1; result: bom; result: crlf",
        ],
    ),
    rows(
        "odd ids/write",
        &["result: duplicate 1; result: foreign 2; result#2: missing 1"],
        &[("missing", 1), ("ok", 8)],
        &["lines carry ids"],
    ),
    same(
        "cut without length/download",
        &["download#1: cut 60% no-length", "download#2: cut 30% no-length"],
    ),
];

pub(super) fn cells() -> Vec<Cell> {
    SCRIPTS.iter().map(|script| Cell::new(script.id, || play(script))).collect()
}

fn play(script: &'static Script) {
    for faults in script.faults {
        let site = Site::faulty(faults);
        let output = impatient(site.run(&format!("{LINE} {}", script.more)), script.id).run();
        let context = || format!("with {faults:?}\n{output}");
        match script.end {
            End::Same => {
                assert_eq!(output.code, Some(0), "{}", context());
                site.ends_as_undisturbed();
            }
            End::Stops(code, words) => {
                assert_eq!(output.code, Some(code), "E: {}", context());
                for word in words {
                    assert!(output.stderr.contains(word), "E: {word:?} is not said {}", context());
                }
                assert_eq!(site.bench.state(), "waiting", "E: {}", context());
                site.resumes();
            }
            End::Rows(statuses, words) => {
                assert_eq!(output.code, Some(3), "{}", context());
                let counted = site.statuses();
                let expected: BTreeMap<String, u64> =
                    statuses.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
                assert!(expected.is_empty() || counted == expected, "{counted:?} {}", context());
                if script.id == "cancelled/download" {
                    let count = |name: &str| counted.get(name).copied().unwrap_or(0);
                    assert_eq!(count("cancelled"), 1, "{counted:?} {}", context());
                    assert_eq!(count("ok") + count("error"), 8, "{counted:?} {}", context());
                    assert!(count("error") <= 1, "{counted:?} {}", context());
                }
                let output = output.says(words);
                assert!(!output.stderr.is_empty());
                site.every_row_has_its_status();
                site.is_paid_once();
                if script.id == "expired/download" {
                    for name in ["r1-s0001-output.jsonl", "r1-s0001-error.jsonl"] {
                        let path = site.job_file(&format!("results/{name}"));
                        assert!(Path::new(&path).is_file(), "both files: {name} {}", site.listed());
                    }
                }
            }
        }
    }
}

/// What is left at the provider is deleted whatever happens on the way: the fault, and what the
/// first try says.
const CLEAN: &[(&str, &[&str], i32, &str)] = &[
    ("reply lost/clean", &["delete#2: after-commit close"], 0, "stays listed"),
    ("cut body/clean", &["delete#2: cut length", "delete#1: 200 html"], 0, "stays listed"),
    ("hang/clean", &["delete#2: hang 20s"], 0, "stays listed"),
    ("429/clean", &["delete#2: rate-limit", "delete#2: 429 retry-after=30s"], 0, "deleted"),
    ("5xx/clean", &["delete#2: 503", "delete#2: after-commit 500"], 0, "stays listed"),
    ("401 403/clean", &["delete#1: 401", "delete#2+: 401"], 4, "warning: job"),
    ("404/clean", &["delete#2: 404"], 0, "deleted 6 files"),
];

pub(super) fn clean_cells() -> Vec<Cell> {
    CLEAN
        .iter()
        .map(|(id, variants, code, words)| {
            Cell::new(id, move || {
                for faults in *variants {
                    let site = Site::faulty(faults);
                    site.run(LINE).run().exits(0);
                    let prune = impatient(site.run("prune last --remote"), id);
                    prune.run().exits(*code).says(&[words]);
                    site.ends_as_undisturbed();
                    site.mend();
                    site.run("prune last --remote").run().exits(0);
                    site.run("prune last --remote").run().exits(0).says(&["deleted 0 files"]);
                    let left = usize::from(faults.contains("404"));
                    assert_eq!(site.files(), left, "files left at the provider");
                }
            })
        })
        .collect()
}
