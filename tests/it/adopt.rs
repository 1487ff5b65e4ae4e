//! What another home, or another life of this one, has sent is taken over and never paid again:
//! fresh homes, restored copies, creates that come late or twice (reliability, section 4).

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::bench::{Bench, LINE, ROWS};
use crate::support::gate::{Act, json as reply};

const CREATE: &str = "POST /v1/batches";
const CANCEL: &str = "POST /v1/batches/*/cancel";
const UPLOAD: &str = "POST /v1/files";
const LIST: &str = "GET /v1/batches";

/// Fast enough for the listing allowance of an hour, twice.
const FAST: &str = "5000";

fn refusal(status: u16, code: &str) -> Vec<u8> {
    reply(status, &format!(r#"{{"error":{{"message":"the gate says no","code":"{code}"}}}}"#))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), &to).unwrap();
        }
    }
}

/// A container that is started anew: the table is there, home and output are not.
fn forget(bench: &Bench) {
    fs::remove_dir_all(bench.dir.home()).unwrap();
    let _ = fs::remove_file(bench.dir.path("out.csv"));
}

/// A call to the sandbox itself, past the gate and the program.
pub(crate) fn call(bench: &Bench, method: &str, path: &str, body: &Value) -> Value {
    let address = bench.sandbox().address().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).unwrap();
    let body = body.to_string();
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nhost: {address}\r\nauthorization: Bearer \
         sandbox-integration-test\r\ncontent-type: application/json\r\ncontent-length: \
         {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let at = answer.find("\r\n\r\n").expect("an answer has a head");
    serde_json::from_str(&answer[at + 4..]).unwrap_or_else(|_| panic!("no JSON: {answer}"))
}

#[track_caller]
fn ends_as_if_nothing_had_happened(bench: &Bench, batches: usize) {
    assert_eq!(bench.dir.bytes("out.csv"), Bench::undisturbed(), "P4");
    assert_eq!(bench.sandbox().created(), batches, "batches in all");
    assert_eq!(bench.gate.count(CANCEL), 0, "a sweep never cancels");
    bench.nothing_is_paid_twice();
    assert_eq!(bench.paid().len(), ROWS);
}

/// B05, field reports 27, 28, 31: the same line in a fresh home goes on with the batches of
/// the old one, whether they run or have ended.
#[test]
fn field_27_28_31_a_fresh_home_takes_every_batch_over() {
    for (name, seconds, wait) in
        [("running", "3", "--no-wait"), ("ended", "0.3", "--allow-partial")]
    {
        let bench = Bench::with(&["--batch-seconds", seconds], |_, _| Act::Pass);
        bench.batchctl(LINE).arg(wait).run().exits(0);
        let old = bench.job();
        forget(&bench);
        let output = bench.batchctl(LINE).run().exits(0);
        output.says(&["3 batches of this very run are at openai already", "taken over"]);
        assert_eq!(bench.job(), old, "{name}: the key is taken over");
        assert_eq!((bench.gate.count(UPLOAD), bench.gate.count(CREATE)), (3, 3), "{name}");
        ends_as_if_nothing_had_happened(&bench, 3);
    }
}

/// What the old home had not sent is sent, under the ids of the old job.
#[test]
fn a_fresh_home_sends_the_rest() {
    for cut in ["3", "4"] {
        let bench = Bench::ruled(|call, n| match (call, n) {
            (CREATE, 2..) => Act::Say(refusal(401, "invalid_api_key")),
            _ => Act::Pass,
        });
        let line = format!("{LINE} --set parallel_uploads=1");
        bench.batchctl(&line).run().exits(4);
        let old = bench.job();
        assert_eq!(bench.sandbox().created(), 1);
        forget(&bench);
        bench.gate.now(|_, _| Act::Pass);
        let line = line.replace("max_shard_requests=3", &format!("max_shard_requests={cut}"));
        bench.batchctl(&line).run().exits(0).says(&["1 batch of this very run is at openai"]);
        assert_eq!(bench.job(), old);
        // Cut in fours the rest are rows 3, 4 to 7 and 8: the batch of rows 0 to 2 stays whole.
        ends_as_if_nothing_had_happened(&bench, if cut == "3" { 3 } else { 4 });
    }
}

/// Rows that the old home had sent on in a later round are found there.
#[test]
fn a_fresh_home_finds_later_rounds() {
    let bench = Bench::with(&["--batch-seconds", "6"], |call, n| match (call, n) {
        (CREATE, 1) => Act::Say(refusal(503, "overloaded")),
        _ => Act::Pass,
    });
    let line = LINE.replace("--check-interval 2", "--check-interval 500");
    let run = bench.batchctl(&line).env("BATCHCTL_TIME_SCALE", FAST).start();
    bench.gate.wait_for(CREATE, 4);
    crate::support::bench::signal(&run.child, "KILL");
    drop(run.end());
    crate::support::bench::until("the batch is made", || bench.sandbox().created() == 3);
    let rounds: Vec<String> = bench.made().into_keys().map(|key| key[15..17].to_owned()).collect();
    assert_eq!(rounds, ["r1", "r1", "r2"]);
    forget(&bench);
    bench.batchctl(LINE).run().exits(0);
    ends_as_if_nothing_had_happened(&bench, 3);
}

/// Field 28: only batches that no job of this ledger holds; a run that is paid for anew on
/// purpose, and another table, have nothing to do with it.
#[test]
fn what_is_another_run_is_left_alone() {
    let bench = Bench::new();
    bench.batchctl(LINE).run().exits(0);
    let first = bench.job();
    bench
        .batchctl(&format!("{LINE} --end-row 8 --output other.csv").replace(" out.csv", ""))
        .run()
        .exits(0);
    assert_ne!(bench.job(), first);
}

/// A copy of the home from any earlier moment, put back after the job went on without it.
#[test]
fn a_restored_older_home_pays_nothing_twice_and_cancels_nothing() {
    type Rule = fn(&str, usize) -> Act;
    let moments: [(&str, Rule, i32); 4] = [
        (
            "nothing was sent",
            |call, _| match call {
                UPLOAD => Act::Say(refusal(401, "invalid_api_key")),
                _ => Act::Pass,
            },
            4,
        ),
        (
            "a file was sent",
            |call, _| match call {
                CREATE => Act::Say(refusal(401, "invalid_api_key")),
                _ => Act::Pass,
            },
            4,
        ),
        (
            "one of three was made",
            |call, n| match (call, n) {
                (CREATE, 2..) => Act::Say(refusal(401, "invalid_api_key")),
                _ => Act::Pass,
            },
            4,
        ),
        ("all were made", |_, _| Act::Pass, 0),
    ];
    for (name, rule, exit) in moments {
        for ended in [true, false] {
            let seconds = if ended { "0.3" } else { "2" };
            let bench = Bench::with(&["--batch-seconds", seconds], rule);
            let line = format!("{LINE} --set parallel_uploads=1");
            let output = bench.batchctl(&line).arg("--no-wait").run();
            assert_eq!(output.code, Some(exit), "{name}\n{output}");
            let backup = bench.dir.path("backup");
            copy(&bench.dir.home(), &backup);
            bench.gate.now(|_, _| Act::Pass);
            let wait = if ended { "--allow-partial" } else { "--no-wait" };
            bench.batchctl("resume").arg(wait).run().exits(0);
            fs::remove_dir_all(bench.dir.home()).unwrap();
            copy(&backup, &bench.dir.home());
            fs::remove_dir_all(&backup).unwrap();
            let _ = fs::remove_file(bench.dir.path("out.csv"));
            let output = bench.batchctl("resume").run();
            assert_eq!(output.code, Some(0), "{name}\n{output}");
            ends_as_if_nothing_had_happened(&bench, 3);
        }
    }
}

/// A create that was done although its answer was lost, hidden from the listing for longer than
/// the allowance and alive although its file is gone: the rows are sent again, the batch is found
/// later, reported, and its answers and tokens are kept.
#[test]
fn a_batch_that_survives_the_fence_is_found_and_reported() {
    let mut creates = 0;
    let bench = Bench::with(&["--batch-seconds", "8"], move |call, n| match call {
        CREATE if n == 1 => {
            creates = 1;
            Act::DoAndSay(refusal(500, "server_error"))
        }
        CREATE => {
            creates = n;
            Act::Pass
        }
        // Until the rows are sent again nothing is listed.
        LIST if creates < 2 => Act::Edit(|listing| listing["data"] = json!([])),
        _ => Act::Pass,
    });
    let line = "workflow in.csv out.csv --check-interval 500";
    let run = bench.batchctl(line).env("BATCHCTL_TIME_SCALE", FAST);
    let output = run.run().exits(0);
    output.says(&["is one too many", "it is not stopped", "has ended with 9 answers"]);
    assert_eq!((bench.sandbox().created(), bench.gate.count(CANCEL)), (2, 0));
    assert_eq!((bench.rows("ok"), bench.state().as_str()), (ROWS as u64, "done"));
    let billed = bench.sandbox().ledger().iter().filter(|e| e["event"] == "executed").count();
    assert_eq!(billed, 2);
    let home = bench.dir.home().join("jobs");
    let job = fs::read_dir(home).unwrap().next().unwrap().unwrap().path();
    assert!(job.join("results/r1-s0001-spare1-output.jsonl").is_file(), "P3");
}

/// Makes a batch as a create of the first shard would that comes late.
fn comes_late(bench: &Bench) -> String {
    let listed = call(bench, "GET", "/v1/batches", &json!({}))["data"].clone();
    let is_first = |batch: &&Value| {
        batch["metadata"]["batchctl"].as_str().is_some_and(|key| key.ends_with("-r1-s0001-c1"))
    };
    let made = listed.as_array().unwrap().iter().find(is_first).unwrap();
    let mut metadata = made["metadata"].clone();
    metadata["batchctl"] = metadata["batchctl"].as_str().unwrap().replace("-c1", "-c2").into();
    let late = json!({
        "input_file_id": made["input_file_id"], "endpoint": made["endpoint"],
        "completion_window": "24h", "metadata": metadata,
    });
    call(bench, "POST", "/v1/batches", &late)["id"].as_str().unwrap().to_owned()
}

/// A batch that comes to light when its job is done is collected and reported, and never stopped:
/// by `resume` of that job, and by every other job that looks through the same listing.
#[test]
fn a_batch_that_is_late_opens_its_job_again() {
    let bench = Bench::new();
    bench.batchctl(LINE).run().exits(0);
    let table = bench.dir.bytes("out.csv");
    let job = bench.job();
    let resume = format!("resume {job}");
    bench.batchctl(&resume).run().exits(0).says(&["is done", "no other batch of it"]);
    let keyless = bench.batchctl(&resume).env("OPENAI_API_KEY", "").run();
    keyless.exits(0).says(&["is done"]);

    let first = comes_late(&bench);
    let run = bench.batchctl(&resume).run().exits(0);
    run.says(&[&first, "which was done, turned up", "one too many, has ended with 3 answers"]);
    assert_eq!((bench.state().as_str(), bench.rows("ok")), ("done", ROWS as u64));
    assert_eq!(bench.dir.bytes("out.csv"), table, "the answers it had stay");

    // Another job finds the next one in the listing it reads for itself.
    let second = comes_late(&bench);
    let lists = bench.gate.count(LIST);
    let other = "workflow in.csv other.csv --set max_shard_requests=3 --end-row 3 --prompt {text}!";
    let run = bench.batchctl(&format!("{other} --check-interval 2")).run().exits(0);
    run.says(&[&second, &format!("of job {job}, which was done")]);
    assert_eq!(
        bench.gate.count(LIST) - lists,
        2,
        "one for former runs, one before the first create"
    );
    let status = || bench.batchctl(&format!("status {job} --json")).run().exits(0).json();
    assert_eq!(status()["job"]["state"], "waiting");
    bench.batchctl("resume --all").run().exits(0);
    assert_eq!(status()["job"]["state"], "done");
    assert_eq!(bench.gate.count(CANCEL), 0, "a sweep never cancels");
    assert_eq!(bench.dir.bytes("out.csv"), table);
    let folder = bench.dir.home().join("jobs");
    let folders = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let spares = |n: u32| format!("results/r1-s0001-spare{n}-output.jsonl");
    let mine: Vec<_> = folders.filter(|path| path.join(spares(1)).is_file()).collect();
    assert!(mine.len() == 1 && mine[0].join(spares(2)).is_file(), "P3: {mine:?}");
}

/// One create, two batches: the earlier one is taken, the other is asked to stop and kept.
#[test]
fn two_batches_of_one_create() {
    let bench = Bench::with(&["--batch-seconds", "3"], |_, _| Act::Pass);
    bench.gate.now({
        let mut lists = 0;
        move |call, _| match call {
            CREATE => Act::DoAndSay(refusal(500, "server_error")),
            LIST => {
                lists += 1;
                // The looks before anything is sent pass.
                if lists <= 2 { Act::Pass } else { Act::Say(refusal(500, "server_error")) }
            }
            _ => Act::Pass,
        }
    });
    let line = "workflow in.csv out.csv --check-interval 500 --no-wait";
    bench.batchctl(line).env("BATCHCTL_TIME_SCALE", FAST).run().exits(6);
    let made = call(&bench, "GET", "/v1/batches", &json!({}))["data"][0].clone();
    let second = json!({
        "input_file_id": made["input_file_id"], "endpoint": made["endpoint"],
        "completion_window": "24h", "metadata": made["metadata"],
    });
    let second = call(&bench, "POST", "/v1/batches", &second);
    bench.gate.now(|_, _| Act::Pass);
    let second = second["id"].as_str().unwrap();
    bench.batchctl("resume").run().exits(0).says(&["one too many", second, "asked to stop"]);
    assert_eq!((bench.gate.count(CREATE), bench.gate.count(CANCEL)), (1, 1));
    assert_eq!(bench.rows("ok"), ROWS as u64);
    assert_eq!(bench.status()["batches"][0]["batch"], made["id"], "the earlier one is ours");
}

/// A service whose fence cannot be trusted: nobody but a person can tell. Either answer goes on,
/// and what the person says of a batch is checked.
#[test]
fn resolve_both_ways() {
    for exists in [true, false] {
        let bench = Bench::with(&["--batch-seconds", "0.3"], move |call, n| match call {
            CREATE if n == 1 && exists => Act::DoAndSay(refusal(500, "server_error")),
            CREATE if n == 1 => Act::Say(refusal(500, "server_error")),
            LIST => Act::Edit(|listing| listing["data"] = json!([])),
            _ => Act::Pass,
        });
        let section = format!(
            "[providers.mine]\nbase_url = \"{}/v1\"\napi_key_env = \"MINE\"\nmodel = \"m\"\n\
             fence = \"untrusted\"\n",
            bench.gate.address()
        );
        bench.dir.config(&section);
        let run = |line: &str| {
            bench.batchctl(line).env("MINE", "sandbox-mine").env("BATCHCTL_TIME_SCALE", FAST).run()
        };
        let line = "workflow in.csv out.csv --check-interval 500 --provider mine";
        let output = run(line).exits(5);
        output.says(&["--batch BATCH", "--absent"]);
        assert_eq!((bench.state().as_str(), bench.gate.count(CREATE)), ("needs_operator", 1));
        run(line).exits(5);
        run("resolve").exits(2);
        run("resolve --batch batch_0").exits(2).says(&["knows no batch"]);
        if exists {
            let made = call(&bench, "GET", "/v1/batches", &json!({}))["data"][0].clone();
            let id = made["id"].as_str().unwrap();
            let foreign = json!({
                "input_file_id": made["input_file_id"], "endpoint": made["endpoint"],
                "completion_window": "24h",
                "metadata": { "batchctl": "bc1-0000000000-r1-s0001-c1" },
            });
            let foreign = call(&bench, "POST", "/v1/batches", &foreign);
            run(&format!("resolve --batch {}", foreign["id"].as_str().unwrap())).exits(2);
            run(&format!("resolve --batch {id}")).exits(0).says(&["taken over", "resume"]);
        } else {
            run("resolve --absent").exits(2).says(&["--yes"]);
            run("resolve --absent --yes").exits(0).says(&["sent again"]);
        }
        run("resume").exits(0);
        assert_eq!(bench.gate.count(CREATE), if exists { 1 } else { 2 });
        assert_eq!(bench.rows("ok"), ROWS as u64);
    }
}

/// Field report 33: a create without an answer, then another account's key: its listing proves nothing.
#[test]
fn field_33_a_lost_create_is_not_looked_for_in_another_account() {
    let bench = Bench::new();
    bench.gate.now({
        let mut created = false;
        move |call, _| match call {
            CREATE if !created => {
                created = true;
                Act::DoAndSay(refusal(500, "server_error"))
            }
            LIST if created => Act::Say(refusal(500, "server_error")),
            _ => Act::Pass,
        }
    });
    let line = "workflow in.csv out.csv --check-interval 500 --no-wait";
    bench.batchctl(line).env("BATCHCTL_TIME_SCALE", FAST).run().exits(6);
    bench.gate.now(|call, _| match call {
        "GET /v1/files" => Act::Edit(|listing| listing["data"] = json!([])),
        _ => Act::Pass,
    });
    let other = || bench.batchctl("resume").env("OPENAI_API_KEY", "sandbox-another");
    other().run().exits(4).says(&["does not know"]);
    assert_eq!(bench.gate.count("DELETE /v1/files/*"), 0);
    bench.gate.now(|_, _| Act::Pass);
    other().run().exits(0);
    bench.nothing_is_paid_twice();
}

/// B06: an upload whose answer was lost is found among the files and not sent again.
#[test]
fn an_upload_without_an_answer_is_found() {
    let bench = Bench::ruled(|call, n| match (call, n) {
        (UPLOAD, 1) => Act::DoAndSay(refusal(500, "server_error")),
        _ => Act::Pass,
    });
    bench.batchctl("workflow in.csv out.csv --check-interval 2").run().exits(0);
    assert_eq!((bench.gate.count(UPLOAD), bench.gate.count(CREATE)), (1, 1));
    assert_eq!(bench.rows("ok"), ROWS as u64);
}
