//! What goes wrong on the wire, call by call: which exit code, which state, how many creates left
//! this machine, and that the job can be finished afterwards (reliability, section 4 and 8).

use std::fs;

use crate::support::bench::Bench;
use crate::support::gate::{Act, full, json};

/// One shard.
const LINE: &str = "workflow in.csv out.csv --check-interval 500";

const CREATE: &str = "POST /v1/batches";
const UPLOAD: &str = "POST /v1/files";
const POLL: &str = "GET /v1/batches/*";
const FETCH: &str = "GET /v1/files/*/content";

fn html() -> Vec<u8> {
    full(200, "", "text/html", "<html>please log in</html>")
}

fn error(status: u16, code: &str) -> Vec<u8> {
    let body = format!(r#"{{"error":{{"message":"the gate says no","code":"{code}"}}}}"#);
    json(status, &body)
}

fn with_header(status: u16, header: &str) -> Vec<u8> {
    let body = r#"{"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#;
    full(status, header, "application/json", body)
}

fn undisturbed() -> Vec<u8> {
    let bench = Bench::new();
    bench.batchctl(LINE).run().exits(0);
    bench.dir.bytes("out.csv")
}

/// What is answered to the first so many calls of a kind, and what must come of it.
struct Case {
    name: &'static str,
    act: fn() -> Act,
    times: usize,
    exit: i32,
    state: &'static str,
    /// Calls of this kind in the end.
    calls: usize,
}

const fn case(
    name: &'static str,
    act: fn() -> Act,
    times: usize,
    exit: i32,
    state: &'static str,
    calls: usize,
) -> Case {
    Case { name, act, times, exit, state, calls }
}

#[track_caller]
fn check(call: &'static str, cases: &[Case]) {
    let undisturbed = undisturbed();
    for Case { name, act, times, exit, state, calls } in cases {
        let (act, times) = (*act, *times);
        let bench =
            Bench::ruled(move |seen, n| if seen == call && n <= times { act() } else { Act::Pass });
        let output = bench.batchctl(LINE).env("BATCHCTL_TIME_SCALE", "5000").run();
        assert_eq!(output.code, Some(*exit), "{name}\n{output}");
        assert_eq!(bench.state(), *state, "{name}\n{output}");
        if *calls > 0 {
            assert_eq!(bench.gate.count(call), *calls, "{name}\n{output}");
        }
        bench.nothing_is_paid_twice();
        bench.gate.now(|_, _| Act::Pass);
        if *state != "done" {
            let output = bench.batchctl("resume").run();
            assert_eq!(output.code, Some(0), "{name}\n{output}");
        }
        assert_eq!(bench.dir.bytes("out.csv"), undisturbed, "P4: {name}");
        bench.nothing_is_paid_twice();
    }
}

#[test]
fn creates() {
    // Done at the provider and found in its listing: one create.
    let found = |name, act| case(name, act, 1, 0, "done", 1);
    // Never done: its absence is shown by the fence, and the rows are sent in the next round.
    let absent = |name, act| case(name, act, 1, 0, "done", 2);
    check(
        CREATE,
        &[
            found("500 after the commit", || Act::DoAndSay(error(500, "server_error"))),
            found("502 in HTML", || Act::DoAndSay(full(502, "", "text/html", "<html>"))),
            absent("503 with Retry-After", || Act::Say(with_header(503, "retry-after: 1\r\n"))),
            absent("408", || Act::Say(error(408, "timeout"))),
            absent("409", || Act::Say(error(409, "conflict"))),
            absent("425", || Act::Say(error(425, "too_early"))),
            absent("499", || Act::Say(error(499, "closed"))),
            found("a cut 200", || Act::Cut(0.5)),
            found("a 200 without body", || Act::Cut(0.0)),
            found("closed without a word", || Act::DoAndSay(Vec::new())),
            found("200 in HTML", || Act::DoAndSay(html())),
            found("200 without an id", || Act::DoAndSay(json(200, r#"{"status":"ok"}"#))),
            case("429 once", || Act::Say(with_header(429, "")), 1, 0, "done", 2),
            case(
                "429 with Retry-After",
                || Act::Say(with_header(429, "retry-after: 1\r\n")),
                2,
                0,
                "done",
                3,
            ),
            case("429 for ever", || Act::Say(with_header(429, "")), 99, 5, "waiting", 5),
            case("400", || Act::Say(error(400, "invalid_value")), 1, 5, "waiting", 1),
            case("401", || Act::Say(error(401, "invalid_api_key")), 1, 4, "waiting", 1),
            case("402", || Act::Say(error(402, "insufficient_balance")), 1, 5, "waiting", 1),
            case("no quota", || Act::Say(error(429, "insufficient_quota")), 1, 5, "waiting", 1),
            case("200 with an error", || Act::Say(error(200, "1214")), 1, 5, "waiting", 1),
            case(
                "a redirect",
                || {
                    Act::Say(full(
                        307,
                        "location: http://192.0.2.1/v1/batches\r\n",
                        "text/plain",
                        "",
                    ))
                },
                1,
                5,
                "waiting",
                1,
            ),
            case(
                "the file is not ready",
                || {
                    let body = r#"{"error":{"message":"File file-1 is not ready yet"}}"#;
                    Act::Say(json(400, body))
                },
                2,
                0,
                "done",
                3,
            ),
        ],
    );
}

#[test]
fn uploads() {
    let again = |name, act| case(name, act, 1, 0, "done", 2);
    // Done at the provider and found among its files by name and length: one upload.
    let found = |name, act| case(name, act, 1, 0, "done", 1);
    check(
        UPLOAD,
        &[
            found("500 after the commit", || Act::DoAndSay(error(500, "server_error"))),
            found("a cut 200", || Act::Cut(0.5)),
            found("closed without a word", || Act::DoAndSay(Vec::new())),
            found("200 in HTML", || Act::DoAndSay(html())),
            again("429", || Act::Say(with_header(429, "retry-after: 1\r\n"))),
            case("500 for ever", || Act::Say(error(500, "server_error")), 99, 5, "waiting", 5),
            case("400", || Act::Say(error(400, "invalid_value")), 1, 5, "waiting", 1),
            case("401", || Act::Say(error(401, "invalid_api_key")), 1, 4, "waiting", 1),
            // Cut in half once, and both halves are sent.
            case("413", || Act::Say(error(413, "too_large")), 1, 0, "done", 4),
        ],
    );
}

/// P6: errors of ours never change the recorded state of the remote job.
#[test]
fn polls() {
    let passes = |name, act| case(name, act, 3, 0, "done", 0);
    check(
        POLL,
        &[
            passes("500", || Act::Say(error(500, "server_error"))),
            passes("closed without a word", || Act::Say(Vec::new())),
            passes("200 in HTML", || Act::Say(html())),
            passes("a cut body", || Act::Cut(0.5)),
            passes("429", || Act::Say(with_header(429, "retry-after: 1\r\n"))),
            case("500 for a while", || Act::Say(error(500, "server_error")), 12, 0, "done", 0),
            case("401", || Act::Say(error(401, "invalid_api_key")), 1, 4, "waiting", 1),
            case("404", || Act::Say(error(404, "not_found")), 1, 5, "waiting", 1),
        ],
    );
}

#[test]
fn downloads() {
    let passes = |name, act| case(name, act, 2, 0, "done", 3);
    check(
        FETCH,
        &[
            passes("a cut body", || Act::Cut(0.7)),
            passes("closed without a word", || Act::Say(Vec::new())),
            passes("500", || Act::Say(error(500, "server_error"))),
            passes("200 in HTML", || Act::Say(html())),
            passes("an error in place of the file", || Act::Say(error(200, "server_error"))),
            case("500 for a while", || Act::Say(error(500, "server_error")), 12, 0, "done", 13),
            case("404", || Act::Say(error(404, "not_found")), 1, 5, "waiting", 1),
            case("401", || Act::Say(error(401, "invalid_api_key")), 1, 4, "waiting", 1),
        ],
    );
}

/// A fault of our own disk is exit 9 at once, and the answers stay at the provider.
#[test]
fn a_disk_that_refuses() {
    let bench = Bench::new();
    bench.batchctl(LINE).arg("--no-wait").run().exits(0);
    let jobs = bench.dir.home().join("jobs");
    let folder = fs::read_dir(&jobs).unwrap().next().unwrap().unwrap().path();
    let results = folder.join("results");
    fs::remove_dir(&results).unwrap();
    fs::write(&results, "in the way").unwrap();
    bench.batchctl("watch").run().exits(9).says(&["results"]);
    assert_eq!(bench.state(), "waiting");
    fs::remove_file(&results).unwrap();
    fs::create_dir(&results).unwrap();
    bench.batchctl("resume").run().exits(0);
    bench.nothing_is_paid_twice();

    let bench = Bench::ruled(|call, _| match call {
        UPLOAD => Act::Say(error(400, "invalid_value")),
        _ => Act::Pass,
    });
    bench.batchctl(LINE).run().exits(5);
    bench.gate.now(|_, _| Act::Pass);
    let jobs = bench.dir.home().join("jobs");
    let folder = fs::read_dir(&jobs).unwrap().next().unwrap().unwrap().path();
    let (shards, aside) = (folder.join("shards"), folder.join("aside"));
    fs::rename(&shards, &aside).unwrap();
    bench.batchctl("resume").run().exits(9);
    assert_eq!(bench.gate.count(CREATE), 0);
    fs::rename(&aside, &shards).unwrap();
    bench.batchctl("resume").run().exits(0);
}

/// A file that was uploaded by an earlier run and is gone is sent again, once.
#[test]
fn an_uploaded_file_that_the_provider_lost() {
    let bench = Bench::ruled(|call, n| match (call, n) {
        (CREATE, 1) => Act::Say(with_header(429, "retry-after: 3600\r\n")),
        _ => Act::Pass,
    });
    let run = bench.batchctl(LINE).env("BATCHCTL_TIME_SCALE", "1").start();
    bench.gate.wait_for(CREATE, 1);
    crate::support::bench::until("the refusal is recorded", || {
        bench.status()["batches"][0]["state"] == "uploaded"
    });
    crate::support::bench::signal(&run.child, "INT");
    run.end().exits(130);
    bench.gate.now(|call, n| match (call, n) {
        (CREATE, 2) => Act::Say(json(400, r#"{"error":{"message":"No such File object: x"}}"#)),
        _ => Act::Pass,
    });
    bench.batchctl("resume").run().exits(0).says(&["no longer has the file"]);
    assert_eq!((bench.gate.count(UPLOAD), bench.gate.count(CREATE)), (2, 3));
    bench.nothing_is_paid_twice();
}

/// Another account's key sends nothing; another key of the same account goes on.
#[test]
fn another_key() {
    let bench = Bench::ruled(|call, n| match (call, n) {
        (CREATE, 2) => Act::Say(error(400, "invalid_value")),
        _ => Act::Pass,
    });
    let line = format!("{LINE} --set max_shard_requests=5 --set parallel_uploads=1");
    bench.batchctl(&line).run().exits(5);
    let creates = bench.gate.count(CREATE);
    bench.gate.now(|call, _| match call {
        POLL => Act::Say(error(404, "batch_not_found")),
        _ => Act::Pass,
    });
    for line in ["resume", line.as_str()] {
        let other = bench.batchctl(line).env("OPENAI_API_KEY", "sandbox-another");
        other.run().exits(4).says(&["does not know batch"]);
        assert_eq!(bench.gate.count(CREATE), creates);
    }
    bench.gate.now(|_, _| Act::Pass);
    bench.batchctl("resume").env("OPENAI_API_KEY", "sandbox-rotated").run().exits(0);
    bench.nothing_is_paid_twice();
}
