//! `workflow`, the whole way: a table goes in and comes back with its answers, against a sandbox
//! in a process of its own.

use serde_json::Value;

use crate::support::outcome::{keeps_originals, records};
use crate::support::runs::{answers_are_on_their_rows, at, job_of, marked, results_of};
use crate::support::sandbox::Sandbox;
use crate::support::workdir::WorkDir;

/// S1.01, S1.02, S1.04, S1.12, S1.13, S4.15, S4.21, B15: the user's four lines as they stand.
#[test]
fn s1_01_the_users_four_lines_at_openai() {
    let sandbox = Sandbox::start();
    let dir = marked(12);
    let line = dir.batchctl("workflow in.csv out.csv --end-row 10");
    at(&sandbox, line).run().exits(0).says(&["10 rows: ok 10"]).hides(&["sandbox-integration"]);
    answers_are_on_their_rows(&dir, "out.csv", 10);
    let requests = sandbox.requests();
    assert_eq!(requests.len(), 10);
    assert!(requests.iter().all(|line| line["url"] == "/v1/chat/completions"));
    assert!(requests.iter().all(|line| line["body"]["model"] == "gpt-4o"));

    let estimate = at(&sandbox, dir.batchctl("estimate")).run().exits(0).says(&["in.csv"]);
    assert!(estimate.stdout.contains("12 rows"), "{estimate}");

    let job = job_of(&dir);
    results_of(&dir, &job, "results.jsonl");
    let merge = at(&sandbox, dir.batchctl("merge results.jsonl --original-csv"));
    merge.run().exits(0).says(&["ok 10"]);
    assert_eq!(dir.read("in.answers.csv"), dir.read("out.csv"));

    let status = at(&sandbox, dir.batchctl("status").arg(&job)).run().exits(0);
    for word in [job.as_str(), "done", "ok 10", "completed"] {
        assert!(status.stdout.contains(word), "{word}\n{status}");
    }
    assert_eq!(sandbox.created(), 1, "only the first line may send anything");
}

/// S4.01, S4.02, S4.06, S4.12, S4.13: the same lines at Zhipu, whose address the user's
/// configuration names.
#[test]
fn s4_01_s4_02_the_users_four_lines_at_zhipu() {
    let sandbox = Sandbox::start();
    let dir = marked(12);
    dir.config(&format!("[providers.zhipu]\nbase_url = \"{}/api/paas/v4\"\n", sandbox.address()));
    let zhipu =
        |line: &str| dir.batchctl(line).env("ZHIPUAI_API_KEY", "sandbox-zhipu-test").hurried();
    zhipu("workflow in.csv out.csv --end-row 10 --provider zhipu")
        .run()
        .exits(0)
        .says(&["10 rows: ok 10", "zhipu"])
        .hides(&["sandbox-zhipu-test"]);
    answers_are_on_their_rows(&dir, "out.csv", 10);
    for line in sandbox.requests() {
        assert_eq!(line["url"], "/v4/chat/completions");
        assert_eq!(
            (&line["method"], &line["body"]["model"]),
            (&"POST".into(), &"glm-4-flash".into())
        );
    }
    let created = &sandbox.ledger()[0];
    assert_eq!(
        (&created["family"], &created["endpoint"]),
        (&Value::from("zhipu"), &Value::from("/v4/chat/completions"))
    );

    let estimate = zhipu("estimate --provider zhipu").run().exits(0);
    assert!(estimate.stdout.contains("glm-4-flash"), "{estimate}");
    let job = job_of(&dir);
    results_of(&dir, &job, "results.jsonl");
    zhipu("merge results.jsonl --original-csv").run().exits(0);
    assert_eq!(dir.read("in.answers.csv"), dir.read("out.csv"));
    let status = zhipu("status").arg(&job).run().exits(0);
    assert!(status.stdout.contains("zhipu"), "{status}");
    assert_eq!(sandbox.created(), 1);
}

/// B05, B13: statuses sum to the rows asked, and what the user wrote is not touched by a byte.
#[test]
fn b05_b13_original_cells_come_back_byte_for_byte() {
    let sandbox = Sandbox::start();
    let tables = [
        ("reviews.csv", b',', "utf-8"),
        ("评论.csv", b',', "utf-8"),
        ("tickets.csv", b',', "utf-8"),
        ("reviews-gb18030.csv", b',', "gb18030"),
        ("reviews-bom-crlf.csv", b',', "utf-8"),
        ("reviews-semicolon.csv", b';', "utf-8"),
        ("reviews.tsv", b'\t', "utf-8"),
        ("reviews-all-quoted.csv", b',', "utf-8"),
    ];
    for (name, separator, encoding) in tables {
        let dir = WorkDir::new();
        dir.fixture(&format!("tables/{name}"));
        let out = if name.contains("tsv") { "out.tsv" } else { "out.csv" };
        let run = dir.batchctl("workflow").arg(name).arg(out).arg("--json");
        let output = at(&sandbox, run).run();
        let report = output.json();
        let sum: u64 = report["statuses"]
            .as_object()
            .expect("rows by status")
            .values()
            .map(|count| count.as_u64().expect("a count"))
            .sum();
        let rows = records(&dir.bytes(name)).len() - 1;
        assert_eq!(report["rows"], rows, "{name}\n{output}");
        assert_eq!(sum, rows as u64, "{name}\n{output}");
        let all: Vec<usize> = (0..rows).collect();
        keeps_originals(&dir.bytes(name), &dir.bytes(out), &all, separator);
        let written = dir.bytes(out);
        let (written, _, broken) = encoding_rs::Encoding::for_label(encoding.as_bytes())
            .expect("a known encoding")
            .decode(&written);
        assert!(!broken, "{name} is written in its own encoding: {written}");
        assert_eq!(dir.bytes(name).contains(&b'\r'), dir.bytes(out).contains(&b'\r'), "{name}");
    }
}
