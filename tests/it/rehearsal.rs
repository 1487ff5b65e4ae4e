//! Rehearsals with scripted faults, as a user starts them: by flag, by file, by variable.

use crate::support::sandbox::Sandbox;
use crate::support::workdir::WorkDir;

const VARIABLE: &str = "BATCHCTL_SANDBOX_FAULTS";

fn table(dir: &WorkDir) {
    dir.table("in.csv", &[&["id", "text"], &["1", "a"], &["2", "b"], &["3", "c"]]);
}

/// A lost reply in the sandbox of the process itself: one batch, all rows.
#[test]
fn a_lost_create_reply_is_rehearsed_without_a_server() {
    let dir = WorkDir::new();
    table(&dir);
    let run = dir
        .batchctl("workflow in.csv out.csv --provider sandbox --check-interval 0.2")
        .env(VARIABLE, "create#1: after-commit close")
        .env("BATCHCTL_SANDBOX_BATCH_SECONDS", "0.3")
        .hurried();
    run.run().exits(0).says(&["ok 3"]);
    let ledger = std::fs::read_to_string(dir.home().join("sandbox/ledger.jsonl"));
    let ledger = ledger.expect("the sandbox of the process keeps a bill");
    assert_eq!(ledger.matches(r#""event":"created""#).count(), 1, "{ledger}");
}

#[test]
fn rules_of_a_file_reach_the_server_and_its_results() {
    let dir = WorkDir::new();
    table(&dir);
    let rules = dir.write("rules.txt", "# a row that fails\nresult: fails 1 status=400\n");
    let rules = format!("@{}", rules.display());
    let sandbox = Sandbox::with(&["--batch-seconds", "0.3", "--faults", &rules]);
    let line = "workflow in.csv out.csv --check-interval 0.2";
    let run = dir.batchctl(line).openai_at(sandbox.address()).hurried().run();
    run.exits(3).says(&["ok 2", "error 1"]);
}

#[test]
fn a_misspelt_rule_is_named_before_anything_starts() {
    let dir = WorkDir::new();
    table(&dir);
    let wanted = ["unknown fault `aftr-commit` (did you mean `after-commit`?)", "help faults"];
    let server = dir.batchctl("sandbox --port 0 --faults").arg("create: aftr-commit");
    server.run().exits(2).says(&wanted);
    let line = "workflow in.csv out.csv --provider sandbox";
    dir.batchctl(line).env(VARIABLE, "create: aftr-commit").run().exits(2).says(&wanted);
    let gone = dir.batchctl("sandbox --port 0 --faults @gone.txt");
    gone.run().exits(2).says(&["gone.txt"]);
}
