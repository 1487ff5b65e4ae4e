//! `resume --all`: every unfinished job, one line for each, the worst exit code (B06, B17).

use crate::support::runs::{answers_are_on_their_rows, at, marked};
use crate::support::sandbox::Sandbox;

fn start(sandbox: &Sandbox, dir: &crate::support::workdir::WorkDir, out: &str, rows: &str) {
    let line = format!("workflow in.csv {out} --no-wait --end-row {rows}");
    at(sandbox, dir.batchctl(&line)).run().exits(0);
}

#[test]
fn b17_resume_all_drives_every_job() {
    let sandbox = Sandbox::with(&["--batch-seconds", "1"]);
    let dir = marked(4);
    dir.batchctl("resume --all").run().exits(0).says(&["no job is unfinished"]);
    for (out, rows) in [("a.csv", "4"), ("b.csv", "3"), ("c.csv", "2")] {
        start(&sandbox, &dir, out, rows);
    }
    let moved = at(&sandbox, dir.batchctl("resume --all --max-wait 0")).run();
    assert!(matches!(moved.code, Some(0 | 6)), "{moved}");
    let document = at(&sandbox, dir.batchctl("resume --all --json")).run().exits(0).json();
    assert_eq!((&document["schema_version"], &document["exit_code"]), (&1.into(), &0.into()));
    for (out, rows) in [("a.csv", 4), ("b.csv", 3), ("c.csv", 2)] {
        answers_are_on_their_rows(&dir, out, rows);
    }
    assert_eq!(sandbox.created(), 3, "nothing was sent twice");
    dir.batchctl("resume --all --max-wait 0 last").run().exits(2);
}

/// A job for which there is no key, and one whose rows are bad, do not stand in the others' way.
#[test]
fn b06_resume_all_passes_by_what_cannot_go_on() {
    let sandbox = Sandbox::with(&["--batch-seconds", "1"]);
    let dir = marked(3);
    dir.config(&format!(
        "[providers.mine]\nkind = \"openai-compatible\"\nbase_url = \"{}/v1\"\napi_key_env = \"MINE_KEY\"\n",
        sandbox.address()
    ));
    let mine = "workflow in.csv mine.csv --no-wait --provider mine:gpt-4o-mini";
    at(&sandbox, dir.batchctl(mine)).env("MINE_KEY", "sandbox-mine").run().exits(0);
    dir.write("bad.csv", "text\nfine\n[[fail:400]]\n");
    at(&sandbox, dir.batchctl("workflow bad.csv bad.out.csv --no-wait")).run().exits(0);
    start(&sandbox, &dir, "good.csv", "2");
    let run = at(&sandbox, dir.batchctl("resume --all")).run().exits(4);
    run.says(&["no key for mine", "1/2 rows good exit 3", "2/2 rows good exit 0", "exit 4"]);
    answers_are_on_their_rows(&dir, "good.csv", 2);
    let again = at(&sandbox, dir.batchctl("resume --all")).env("MINE_KEY", "sandbox-mine").run();
    again.exits(0).says(&["3/3 rows good"]);
}
