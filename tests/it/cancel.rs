//! `cancel`: what was never sent needs no provider, what has ended is no trouble (B17, S4.18).

use crate::support::bench::{Bench, LINE as THREE};
use crate::support::gate::Act;
use crate::support::runs::{at, marked};
use crate::support::sandbox::Sandbox;

#[test]
fn b17_a_job_of_which_nothing_was_sent_needs_no_provider() {
    let dir = marked(3);
    let provider = "[providers.gone]\nkind = \"openai-compatible\"\nbase_url = \"http://127.0.0.1:9/v1\"\napi_key_env = \"GONE_KEY\"\n";
    dir.config(provider);
    let run = dir
        .batchctl("workflow in.csv out.csv --provider gone:m --check-interval 1")
        .env("GONE_KEY", "some-long-key")
        .env("BATCHCTL_TIME_SCALE", "1000")
        .run();
    assert_ne!(run.code, Some(0), "{run}");
    dir.config("");
    dir.batchctl("cancel").run().exits(3).says(&["no batch of job", "cancelled 3"]);
    assert_eq!(dir.cells("out.csv").column("status"), ["cancelled"; 3]);
}

/// A batch that ended before the cancel arrives answers 409: no warning, its answers are taken.
#[test]
fn s4_18_a_cancel_that_comes_too_late_is_no_trouble() {
    let bench = Bench::with(&["--batch-seconds", "2"], |_, _| Act::Pass);
    bench.batchctl(&format!("{THREE} --no-wait")).run().exits(0);
    std::thread::sleep(std::time::Duration::from_millis(2500));
    let run = bench.batchctl("cancel").run().exits(0);
    assert!(!run.stderr.contains("warning"), "{run}");
    assert_eq!((bench.rows("ok"), bench.state()), (9, "done".to_owned()), "it stopped nothing");
    let log = bench.batchctl("logs last").run().exits(0).stdout;
    assert!(log.contains("cancel") && log.contains("HTTP 409"), "{log}");
    let job = bench.job();
    let again = bench.batchctl(&format!("cancel {job}")).run().exits(0);
    again.says(&["done already: nothing is stopped"]);
}

#[test]
fn b17_a_finished_job_is_not_cancelled_any_more() {
    let sandbox = Sandbox::start();
    let dir = marked(2);
    at(&sandbox, dir.batchctl("workflow in.csv out.csv")).run().exits(0);
    // Neither address nor key is set here.
    dir.batchctl("cancel last").run().exits(0).says(&["done already: nothing is stopped"]);
}
