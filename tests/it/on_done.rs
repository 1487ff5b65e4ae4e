//! `--on-done`: told of every ending, in values and never inside the command (B17, field 67).

use serde_json::Value;

use crate::support::bench::{Bench, LINE as THREE, signal};
use crate::support::gate::{Act, json};
use crate::support::runs::{at, marked};
use crate::support::sandbox::Sandbox;
use crate::support::workdir::WorkDir;

/// Writes down what it is told: values, document, environment.
const COMMAND: &str = "printf '%s %s %s %s\\n' \"$BATCHCTL_JOB\" \"$BATCHCTL_EXIT\" \
                       \"$BATCHCTL_OUTPUT\" \"$BATCHCTL_COST\" >> told; cat >> documents; env > around";

fn told(dir: &WorkDir) -> Vec<Vec<String>> {
    let text = dir.read("told");
    text.lines().map(|line| line.split(' ').map(str::to_owned).collect()).collect()
}

fn last_document(dir: &WorkDir) -> Value {
    let text = dir.read("documents");
    serde_json::from_str(text.lines().last().expect("a document")).expect("JSON")
}

#[test]
fn field_67_on_done_is_told_of_good_and_bad_ends() {
    let sandbox = Sandbox::with(&["--batch-seconds", "5"]);
    let dir = marked(2);
    let run = |line: &str| at(&sandbox, dir.batchctl(line)).args(&["--on-done", COMMAND]).run();
    let exits = [
        ("workflow in.csv out.csv --max-wait 2s", 6),
        ("workflow in.csv out.csv --no-wait", 0),
        ("watch", 0),
        ("workflow in.csv out.csv", 0),
    ];
    for (number, (line, exit)) in exits.into_iter().enumerate() {
        let output = run(line).exits(exit);
        assert!(!output.stdout.contains("told"), "{output}");
        let told = told(&dir);
        assert_eq!(told.len(), number + 1, "{line}");
        let [job, code, path, cost] = told[number].as_slice() else { panic!("{told:?}") };
        assert_eq!((job.len(), code.parse(), cost.as_str()), (6, Ok(exit), "0"), "a rehearsal");
        assert!(path.ends_with("/out.csv"), "{path}");
    }
    let document = last_document(&dir);
    assert_eq!((&document["schema_version"], &document["exit_code"]), (&1.into(), &0.into()));
    let charged = &document["cost"]["charged"];
    assert_eq!((&document["state"], charged), (&"done".into(), &false.into()));
    assert_eq!(document["statuses"], serde_json::json!({"ok": 2}));

    dir.write("bad.csv", "text\n[[fail:400]]\n");
    run("workflow bad.csv bad.out.csv").exits(3);
    assert_eq!(last_document(&dir)["statuses"], serde_json::json!({"error": 1}));
    run("convert in.csv req.jsonl").exits(2);
    dir.batchctl("convert in.csv req.jsonl").run().exits(0);
    run("submit req.jsonl --wait").exits(0);
    assert_eq!(told(&dir).len(), 6);
    // No job, nothing to tell of.
    run("workflow nothing.csv out.csv").exits(2);
    assert_eq!(told(&dir).len(), 6);
}

#[test]
fn on_done_is_told_of_refusals_and_signals() {
    let refused = || json(401, r#"{"error":{"message":"bad key","code":"invalid_api_key"}}"#);
    let bench = Bench::ruled(move |call, _| match call {
        "POST /v1/files" => Act::Say(refused()),
        _ => Act::Pass,
    });
    bench.batchctl(THREE).args(&["--on-done", COMMAND]).run().exits(4);
    assert_eq!(last_document(&bench.dir)["exit_code"], 4);
    // Without a key nothing is sent, and the person still hears of it.
    bench.batchctl("resume").env("OPENAI_API_KEY", "").args(&["--on-done", COMMAND]).run().exits(4);
    assert!(
        last_document(&bench.dir)["error"].as_str().is_some_and(|text| text.contains("no key"))
    );
    bench.gate.now(|call, _| match call {
        "GET /v1/batches/*" => Act::Edit(|batch| batch["status"] = "in_progress".into()),
        _ => Act::Pass,
    });
    let run = bench.batchctl("resume").args(&["--on-done", COMMAND]).start();
    bench.gate.wait_for("GET /v1/batches/*", 6);
    signal(&run.child, "INT");
    run.end().exits(130);
    assert_eq!(last_document(&bench.dir)["exit_code"], 130);
    assert_eq!(told(&bench.dir).len(), 3);
}

/// P8: the command's environment holds no key, and its text nothing from outside.
#[test]
fn p8_on_done_gets_no_key_and_no_foreign_text_in_its_command() {
    let sandbox = Sandbox::start();
    let dir = marked(1);
    let name = "in$(touch hacked)`touch hacked`;touch hacked.csv";
    dir.write(name, "text\nhello\n");
    let run = at(&sandbox, dir.batchctl("workflow"))
        .args(&[name, "--on-done", COMMAND])
        .env("ZHIPUAI_API_KEY", "zhipu-key-000111222")
        .env("MY_URL", "http://x/?key=sandbox-integration-test")
        .env("KEPT", "yes")
        .run();
    run.exits(0);
    let around = dir.read("around");
    assert!(around.contains("KEPT=yes") && around.contains("BATCHCTL_EXIT=0"), "{around}");
    for key in ["sandbox-integration-test", "zhipu-key-000111222", "API_KEY"] {
        assert!(!around.contains(key), "{key} in {around}");
    }
    assert!(!dir.path("hacked").exists());
}

#[test]
fn a_failing_command_is_a_warning_and_a_project_cannot_set_one() {
    let sandbox = Sandbox::start();
    let dir = marked(1);
    let line = "workflow in.csv out.csv";
    let run = at(&sandbox, dir.batchctl(line)).args(&["--on-done", "echo heard; exit 7"]).run();
    let run = run.exits(0).says(&["--on-done ended with exit code 7", "heard"]);
    assert!(!run.stdout.contains("heard"), "stdout is for results");
    // Its own settings are no odd variables to the program when it calls it.
    let again = format!("{} status last", env!("CARGO_BIN_EXE_batchctl"));
    let run = at(&sandbox, dir.batchctl(line)).args(&["--on-done", &again]).run().exits(0);
    run.hides(&["is not a setting"]);
    dir.config("[defaults]\non_done = \"touch mine\"\n");
    at(&sandbox, dir.batchctl(line)).run().exits(0);
    assert!(dir.path("mine").exists(), "a person's own file may set it");
    dir.write("batchctl.toml", "[defaults]\non_done = \"touch stolen\"\n");
    at(&sandbox, dir.batchctl(line)).run().exits(2).says(&["on_done", "which command is run"]);
    dir.write("batchctl.toml", "");
    dir.write(".env", "BATCHCTL_ON_DONE=touch stolen\n");
    at(&sandbox, dir.batchctl(line)).run().exits(2).says(&["BATCHCTL_ON_DONE"]);
    assert!(!dir.path("stolen").exists());
}
