//! How rows are sent: in batches, by calls, by calls where they are few; who is asked in turn, and
//! what is said and paid of it.

use crate::support::bench::{Bench, LINE as THREE, ROWS};
use crate::support::gate::Act;
use crate::support::runs::{answers_are_on_their_rows, at, job_of, marked};
use crate::support::sandbox::Sandbox;
use crate::support::workdir::WorkDir;

/// A table with two equal rows and a question for it.
fn folder() -> WorkDir {
    marked(6)
}

/// S4.03, B02: the same line with `--now` sends calls instead of a batch, and the table is the
/// same.
#[test]
fn s4_03_b02_the_same_line_now() {
    let sandbox = Sandbox::start();
    let dir = folder();
    let run = at(&sandbox, dir.batchctl("workflow in.csv out.csv --now --max-tokens 50")).run();
    let run = run.exits(0).says(&["ok 6", "by calls", "answered"]);
    answers_are_on_their_rows(&dir, "out.csv", 6);
    assert_eq!(sandbox.created(), 0, "no batch is made: {run}");
    let again = at(&sandbox, dir.batchctl("workflow in.csv again.csv --max-tokens 50")).run();
    again.exits(0).says(&["nothing is sent"]);
    assert_eq!(dir.read("again.csv"), dir.read("out.csv"));
    let status = dir.batchctl("status --json").arg(job_of(&dir)).run().exits(0);
    assert!(status.stdout.contains("done"), "{status}");
}

/// S4.04: below the threshold calls, from it on a batch; which it is, is said in one line.
#[test]
fn s4_04_few_rows_are_called_and_many_go_in_a_batch() {
    let sandbox = Sandbox::start();
    let dir = folder();
    let table = [
        ("--set batch_threshold=7", 0, "6 requests, fewer than 7: sent now, by calls"),
        ("--set batch_threshold=6 --again", 1, "6 requests, 6 or more: sent in batches"),
    ];
    for (flags, batches, words) in table {
        let line = format!("workflow in.csv out.csv --mode auto {flags}");
        at(&sandbox, dir.batchctl(&line)).run().exits(0).says(&[words]);
        answers_are_on_their_rows(&dir, "out.csv", 6);
        assert_eq!(sandbox.created(), batches, "{line}");
    }
}

/// S4.03: the plan shows what is paid in the mode that is chosen.
#[test]
fn s4_03_the_plan_shows_the_price_that_is_paid() {
    let dir = folder();
    let plan = |flags: &str| {
        let line = format!("workflow in.csv out.csv --dry-run --json --max-tokens 50 {flags}");
        dir.batchctl(&line).run().exits(0).json()
    };
    let (batch, now) = (plan(""), plan("--now"));
    assert_eq!((batch["mode"].as_str(), now["mode"].as_str()), (Some("batch"), Some("realtime")));
    let worst = |plan: &serde_json::Value| plan["cost"]["worst"].as_f64().expect("it is known");
    assert!((worst(&now) - 2.0 * worst(&batch)).abs() < 1e-9, "{now:#}");
    assert_eq!(now["cost"]["worst"], now["cost"]["realtime"]["worst"]);
    assert_eq!(now["may_be_queued"], serde_json::Value::Null, "no queue holds calls back");
    let finish = plan("--finish realtime");
    assert_eq!(finish["cost"]["worst"], now["cost"]["worst"], "at worst all is left over");
    assert_eq!(finish["cost"]["likely"], batch["cost"]["likely"]);
    let shown = dir.batchctl("workflow in.csv out.csv --dry-run --now").run().exits(0);
    assert!(
        shown.stdout.contains("Mode      sent now, by calls, at the realtime price"),
        "{shown}"
    );
    assert!(shown.stdout.lines().all(|line| line.chars().count() <= 80 || line.contains('"')));
}

/// S3.02, B03: the members of a chain are part of what is asked; the plan names them and what they
/// cost, and a limit cannot be held where one has no price.
#[test]
fn s3_02_b03_the_plan_names_who_may_be_paid() {
    let dir = folder();
    dir.config("[chains.safe]\nmembers = [\"openai:gpt-4o-mini\", \"openai:gpt-4o\"]\n");
    let line = "workflow in.csv out.csv --dry-run --now --max-tokens 50 --provider";
    let shown = dir.batchctl(line).arg("safe").run().exits(0);
    assert!(shown.stdout.contains("Chain     openai gpt-4o-mini"), "{shown}");
    assert!(shown.stdout.contains("then openai gpt-4o (all of it likely $"), "{shown}");
    let json = |provider: &str| {
        dir.batchctl(line).arg(provider).arg("--json").run().exits(0).json()["cost"]["worst"]
            .clone()
    };
    assert_eq!(json("safe"), json("openai:gpt-4o"), "the dearest decides the worst case");
    let unknown = dir.batchctl(line).arg("openai,openai:ft:mine").args(&["--max-cost", "5USD"]);
    unknown.run().exits(7).says(&["ft:mine", "price is unknown"]);
    let twice = dir.batchctl(line).arg("openai:gpt-4o,openai:gpt-4o").run();
    twice.exits(2).says(&["stands in the chain twice"]);
    let wrong = dir.batchctl(line).arg("openai,zhpu").run();
    wrong.exits(2).says(&["did you mean `zhipu`?"]);
    let batch = "workflow in.csv out.csv --dry-run --provider safe";
    dir.batchctl(batch).run().exits(0).says(&["a batch is openai's alone"]);
}

/// S3.01: one key is enough; who has none is left out, which is said.
#[test]
fn s3_01_members_without_a_key_are_left_out() {
    let sandbox = Sandbox::start();
    let dir = folder();
    let line = "workflow in.csv out.csv --now --yes --provider zhipu:glm-4-flash,openai:gpt-4o";
    let run = at(&sandbox, dir.batchctl(line)).run().exits(0);
    let run =
        run.says(&["left out of the chain, as there is no key: zhipu", "openai gpt-4o: 6 rows"]);
    answers_are_on_their_rows(&dir, "out.csv", 6);
    assert_eq!(sandbox.created(), 0, "{run}");
}

/// S3.01, S3.02: a provider that is asked by calls alone is refused before anything is sent, with
/// the way that there is.
#[test]
fn s3_01_providers_without_batches_name_the_way_that_there_is() {
    let dir = folder();
    let line = "workflow in.csv out.csv --provider anthropic --model claude-haiku-4-5";
    let run = dir.batchctl(line).env("ANTHROPIC_API_KEY", "sk-ant-made-up").run();
    run.exits(2).says(&["anthropic is asked by calls only", "add --now"]);
    dir.batchctl(line).arg("--dry-run").arg("--now").run().exits(0);
}

/// B02: what an expired batch leaves is finished by calls, and the account shows both parts.
#[test]
fn b02_what_a_batch_leaves_is_finished_by_calls() {
    let bench = Bench::with(&["--batch-seconds", "2", "--expire-seconds", "1"], |_, _| Act::Pass);
    let output = bench.batchctl(THREE).arg("--finish").arg("realtime").run();
    let output = output.says(&["go out again", "in batch for", "by calls for"]);
    assert_eq!(bench.rows("ok"), ROWS as u64, "{output}");
    assert!(bench.made().keys().all(|key| key.contains("-r1-")), "one batch round: {output}");
    assert_eq!(bench.state(), "done");
}

/// S4.05: embeddings by calls, in the shape that a batch gives them.
#[test]
fn s4_05_embeddings_by_calls_are_those_of_a_batch() {
    let sandbox = Sandbox::start();
    let dir = folder();
    let line = "workflow in.csv out.csv --endpoint embeddings -m text-embedding-3-small";
    at(&sandbox, dir.batchctl(line)).run().exits(0);
    let again = line.replace("out.csv", "now.csv") + " --now --again";
    at(&sandbox, dir.batchctl(&again)).run().exits(0);
    assert_eq!(sandbox.created(), 1);
    assert_eq!(dir.read("now.csv"), dir.read("out.csv"));
}

/// S3.14: every row says who answered it, and how long that took.
#[test]
fn s3_14_rows_say_who_answered() {
    let sandbox = Sandbox::start();
    let dir = folder();
    let line =
        "workflow in.csv out.csv --now --details --provider openai:gpt-4o,openai:gpt-4o-mini";
    at(&sandbox, dir.batchctl(line)).run().exits(0);
    let cells = dir.cells("out.csv");
    assert!(cells.column("provider").iter().all(|name| *name == "openai"));
    assert!(cells.column("model").iter().all(|name| name.contains("gpt-4o")));
    assert!(cells.column("seconds").iter().all(|seconds| seconds.parse::<f64>().is_ok()));
}

/// S0.34, S0.16: a few rows first; the run that follows takes their answers.
#[test]
fn s0_34_a_trial_shows_prompt_answers_and_price_and_is_not_paid_twice() {
    let sandbox = Sandbox::start();
    let dir = folder();
    let tried = at(&sandbox, dir.batchctl("try in.csv -n 2")).run().exits(0);
    for words in ["user: marker 0x", "[sandbox] marker 1x", "all 6 rows: 4 requests left, likely $"]
    {
        assert!(tried.stdout.contains(words), "{words}: {tried}");
    }
    let two = at(&sandbox, dir.batchctl("try in.csv -n 1 -m gpt-4o -m gpt-4o-mini --json")).run();
    let two = two.exits(0).json();
    assert_eq!(two["models"][1]["answers"][0]["response"], "[sandbox] marker 0x", "{two:#}");
    at(&sandbox, dir.batchctl("workflow in.csv out.csv")).run().exits(0).says(&["cached 2"]);
}
