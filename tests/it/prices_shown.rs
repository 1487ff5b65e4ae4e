//! What is shown of money before a run: the line that stands before anything is sent, what
//! `--dry-run` and `--estimate-cost` say of limits, and what a bare `estimate` prices.

use serde_json::Value;

use crate::prices_before::{folder, remote};
use crate::support::runs::at;
use crate::support::sandbox::Sandbox;

/// S1.08: the price is seen before anything is sent, below the limit of asking too.
#[test]
fn s1_08_one_line_of_price_stands_before_anything_is_sent() {
    let dir = folder(30);
    let flags = "in.csv out.csv --model gpt-4o --max-tokens 50 --progress none";
    let sent = remote(&dir, &format!("workflow {flags}")).run().exits(5);
    sent.says(&["likely $0.0079, at most $0.0079 (--max-tokens 50) for 30 requests at openai, gpt-4o, prices of 2026-"]);
    let dir = folder(30);
    let rehearsed = format!("workflow {flags} --provider sandbox");
    let first = dir.batchctl(&rehearsed).run().exits(0);
    first
        .says(&["rehearsal, nothing is charged; at the provider: likely $0.0079, at most $0.0079"]);
    let again = dir.batchctl(&rehearsed).run().exits(0);
    assert!(!again.stderr.contains("at the provider: likely"), "nothing is sent again: {again}");
    let dir = folder(30);
    let quiet = dir.batchctl(&format!("{rehearsed} -q")).run().exits(0);
    assert_eq!(quiet.stderr, "");
    let unknown = "workflow in.csv o2.csv --model my-finetune --provider sandbox";
    dir.batchctl(unknown).run().exits(0).says(&["the price of my-finetune at sandbox is unknown"]);
}

/// B10: what only shows a run ends as the limits would end it, after showing the plan.
#[test]
fn b10_a_dry_run_is_held_to_the_limits() {
    let dir = folder(150);
    let table = [
        ("0.1USD", 7, "above the limit of $0.10"),
        ("0", 7, "above the limit of $0"),
        ("5CNY", 2, "is paid in USD"),
        ("4USD", 0, ""),
    ];
    for only in ["--dry-run", "--estimate-cost"] {
        for (limit, exit, words) in table {
            let line = format!(
                "workflow in.csv out.csv --model gpt-4o --max-tokens 4096 {only} --max-cost {limit}"
            );
            let shown = remote(&dir, &line).run().exits(exit);
            assert!(shown.stdout.contains("to send"), "{shown}");
            assert!(shown.stderr.contains(words), "{line}: {shown}");
        }
    }
    let line =
        "workflow in.csv out.csv --model gpt-4o --max-tokens 4096 --estimate-cost --max-cost";
    let cut = remote(&dir, line).arg("0.5USD").run().exits(0);
    assert!(cut.stdout.contains("cut so that several fit below the limit of $0.50"), "{cut}");
}

/// A program that asked for a document gets one, whatever happens.
#[test]
fn a_refusal_is_a_document_too() {
    let dir = folder(150);
    let line = "workflow in.csv out.csv --model gpt-4o --max-tokens 4096 --json";
    let refused = remote(&dir, line).run().exits(7).json();
    assert_eq!(refused["schema_version"], 1);
    assert_eq!(refused["exit_code"], 7);
    let message = refused["error"]["message"].as_str().expect("a sentence");
    assert!(message.contains("goes unasked"), "{message}");
    assert!(refused["error"]["hints"].as_array().is_some_and(|hints| !hints.is_empty()));
    // The plan is the one document of a line that only shows it.
    let shown = remote(&dir, &format!("{line} --dry-run --max-cost 0.1USD")).run().exits(7).json();
    assert_eq!(shown["error"], Value::Null);
    assert_eq!(shown["rows"], 150);
}

/// S1.08: no answer is longer than the model can make it.
#[test]
fn s1_08_the_worst_case_ends_at_the_models_own_maximum() {
    let dir = folder(3);
    let line = "estimate in.csv --model gpt-4o --max-tokens";
    let own = remote(&dir, line).arg("16384").run().exits(0);
    let more = remote(&dir, line).arg("5000000").run().exits(0);
    assert!(more.stdout.contains("16,384 tokens, the model's own maximum"), "{more}");
    let worst = |out: &str| {
        let line = out.lines().find(|line| line.starts_with("Worst")).expect("a worst case");
        line.split_whitespace().nth(1).expect("an amount").to_owned()
    };
    assert_eq!(worst(&own.stdout), worst(&more.stdout));
}

/// A bare `estimate` prices what the newest job asked, where it asked it, of all rows of the table.
#[test]
fn a_bare_estimate_is_of_the_newest_job() {
    let dir = folder(40);
    let line = "workflow in.csv out.csv --provider sandbox:gpt-4o-mini --max-tokens 60 \
                --end-row 20 --progress none --prompt";
    dir.batchctl(line).arg("Name the mood of {text} in one word").run().exits(0);
    let estimate = |line: &str| dir.batchctl(line).run().exits(0).json();
    let bare = estimate("estimate --json");
    assert_eq!((&bare["provider"], &bare["model"]), (&"sandbox".into(), &"gpt-4o-mini".into()));
    assert_eq!((&bare["rows"], &bare["estimate"]["requests"]), (&40.into(), &20.into()));
    assert_eq!(bare["estimate"]["answered"]["requests"], 20, "the same question: {bare}");
    assert_eq!(bare["learned_from"], 20);
    let some = estimate("estimate --json --end-row 30");
    assert_eq!(some["estimate"]["requests"], 10, "the flags of the line go on top");
    let longer = estimate("estimate --json --max-tokens 90");
    assert_eq!(longer["estimate"]["max_tokens"], 90);
    assert_eq!((&longer["learned_from"], &longer["estimate"]["requests"]), (&0.into(), &40.into()));
    let other = dir.batchctl("estimate --prompt").arg("Translate {text}").run().exits(0);
    other.says(&["with the question of this line"]);
}

/// Which rows a retry would pay for, as a document.
#[test]
fn a_dry_retry_prints_a_document() {
    let dir = folder(12);
    let flags = ["--batch-seconds", "0.3", "--faults", "result#1: truncated 2"];
    let sandbox = Sandbox::with(&flags);
    let line = "workflow in.csv out.csv --model gpt-4o --max-tokens 60 --progress none";
    at(&sandbox, dir.batchctl(line)).run().exits(3);
    let retry = "retry last --class truncated --dry-run --json";
    let document = at(&sandbox, dir.batchctl(retry)).run().exits(0).json();
    assert_eq!((&document["schema_version"], &document["requests"]), (&1.into(), &2.into()));
    assert_eq!((&document["model"], &document["round"]), (&"gpt-4o".into(), &2.into()));
    assert!(document["cost"]["worst"].as_f64().is_some_and(|worst| worst > 0.0), "{document}");
    let refused =
        at(&sandbox, dir.batchctl(&format!("{retry} --max-cost 0"))).run().exits(7).json();
    assert_eq!(refused["requests"], 2, "the plan is shown before the limit refuses it");
}
