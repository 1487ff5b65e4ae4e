//! The row cache as a thing of its own: how old an answer may be, what forgets it, what carries it
//! to another home. What counts is how many requests the sandbox was sent.

use std::fs;

use serde_json::Value;

use crate::support::runs::{at, job_folder, job_of, marked};
use crate::support::sandbox::Sandbox;
use crate::support::workdir::{Run, WorkDir};

const LINE: &str = "workflow in.csv out.csv";

/// The same rows by another line: another selection is another job.
fn next(sandbox: &Sandbox, dir: &WorkDir, name: &str) -> Run {
    let line = format!("workflow in.csv {name}.csv --where text!={name}");
    at(sandbox, dir.batchctl(&line))
}

fn stats(dir: &WorkDir) -> Value {
    dir.batchctl("cache stats --json").run().exits(0).json()
}

/// Makes every answer of the home this much older.
fn age(dir: &WorkDir, seconds: i64) {
    let ledger = rusqlite::Connection::open(dir.home().join("batchctl.db")).expect("a ledger");
    ledger.execute("UPDATE outcome SET settled = settled - ?1", [seconds]).expect("it is older");
    ledger.execute("UPDATE cache_import SET answered = answered - ?1", [seconds]).expect("as well");
}

/// S0.09, S0.20, S0.24: on by itself, only good answers, kept across runs; the second run makes no
/// call and says so.
#[test]
fn s0_09_s0_20_s0_24_a_second_run_makes_no_call_and_says_so() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.write("in.csv", "text\none\ntwo\none\n[[fail:400]]\n");
    at(&sandbox, dir.batchctl(LINE))
        .run()
        .exits(3)
        .says(&["hit rate 0.0 %", "1 call saved by equal rows"]);
    assert_eq!(sandbox.requests().len(), 3);
    let again = next(&sandbox, &dir, "b").run().exits(3);
    again.says(&["hit rate 75.0 %, 3 calls saved"]);
    assert_eq!(sandbox.requests().len(), 4, "what failed is asked again");
    let good = at(&sandbox, dir.batchctl("workflow in.csv c.csv --end-row 3"));
    good.run().exits(0).says(&["hit rate 100.0 %, 3 calls saved; nothing was sent"]);
    let line = "workflow in.csv d.csv --end-row 2 --json";
    let report = at(&sandbox, dir.batchctl(line)).run().exits(0).json();
    let cache = serde_json::json!({
        "hits": 2, "hit_rate": 1.0, "equal_rows": 0, "saved_calls": 2
    });
    assert_eq!(report["cache"], cache);
    assert_eq!((sandbox.requests().len(), sandbox.created()), (4, 2));
    let stats = stats(&dir);
    assert_eq!((&stats["entries"], &stats["hits"]), (&2.into(), &8.into()));
    assert_eq!(stats["saved"], serde_json::json!([]), "a rehearsal saves no money");
}

/// S0.09: switched off nothing is read; what comes back is kept all the same, and equal rows are
/// still asked once. A cloned folder cannot switch it off.
#[test]
fn s0_09_without_the_cache_nothing_is_read_and_all_is_written() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.write("in.csv", "text\none\none\ntwo\n");
    at(&sandbox, dir.batchctl(LINE)).run().exits(0);
    next(&sandbox, &dir, "b").args(&["--set", "no_cache=true"]).run().exits(0);
    assert_eq!(sandbox.requests().len(), 2 + 2);
    next(&sandbox, &dir, "c").env("BATCHCTL_NO_CACHE", "true").run().exits(0);
    assert_eq!(sandbox.requests().len(), 2 + 2 + 2);
    dir.batchctl("cache clean-all --yes").run().exits(0);
    next(&sandbox, &dir, "d").args(&["--set", "no_cache=true"]).run().exits(0);
    next(&sandbox, &dir, "e").run().exits(0).says(&["nothing was sent"]);
    assert_eq!(sandbox.requests().len(), 8);
    dir.write("batchctl.toml", "[defaults]\nno_cache = true\n");
    next(&sandbox, &dir, "f").run().exits(2).says(&["no_cache"]);
}

/// S0.11, S0.22: the age is honoured when an answer is looked up; a copy is as old as its original;
/// expired entries are cleaned. The jobs keep their tables.
#[test]
fn s0_11_s0_22_what_is_older_than_the_ttl_is_not_used() {
    let sandbox = Sandbox::start();
    let dir = marked(2);
    at(&sandbox, dir.batchctl(LINE)).run().exits(0);
    age(&dir, 3600);
    let asked = |name: &str, ttl: &str| {
        let ttl = format!("cache_ttl={ttl}");
        next(&sandbox, &dir, name).args(&["--set", &ttl]).run().exits(0);
        sandbox.requests().len()
    };
    assert_eq!(asked("b", "2h"), 2, "and copied by this job");
    age(&dir, 3600);
    assert_eq!(asked("c", "90m"), 4, "the copy is two hours old");
    assert_eq!(asked("d", "1m"), 4, "the new one is not");
    assert_eq!(asked("e", "0s"), 6);
    age(&dir, 86_400 * 8);
    let table = stats(&dir);
    assert_eq!((&table["valid"], &table["ttl_seconds"]), (&2.into(), &Value::Null));
    let text = dir.batchctl("cache stats --older-than 7d").run().exits(0).stdout;
    assert!(text.contains("expired   2  (older than 7d"), "{text}");
    dir.batchctl("cache clean-expired").run().exits(0).says(&["nothing expires", "7d"]);
    let forgot = dir.batchctl("cache clean_expired --older-than 9d --json").run().exits(0).json();
    assert_eq!(forgot["forgotten"], 0);
    let clean = dir.batchctl("cache clean-expired").env("BATCHCTL_CACHE_TTL", "7d");
    clean.run().exits(0).says(&["forgot 2 entries"]);
    assert_eq!(stats(&dir)["entries"], 0);
    next(&sandbox, &dir, "f").run().exits(0);
    assert_eq!(sandbox.requests().len(), 8, "forgotten without any ttl");
    let written = dir.bytes("out.csv");
    fs::remove_file(dir.path("out.csv")).expect("it was written");
    at(&sandbox, dir.batchctl(LINE)).run().exits(0).says(&["nothing is sent"]);
    assert_eq!(dir.bytes("out.csv"), written, "the job has its answers still");
}

/// S0.23: what forgets all asks first; what is answered afterwards is kept.
#[test]
fn s0_23_clean_all_asks_and_forgets_all_but_the_jobs() {
    let sandbox = Sandbox::start();
    let dir = marked(3);
    at(&sandbox, dir.batchctl(LINE)).run().exits(0);
    dir.batchctl("cache clean-all").run().exits(2).says(&["nothing was forgotten", "--yes"]);
    assert_eq!(stats(&dir)["entries"], 3);
    dir.batchctl("cache clean_all --yes").run().exits(0).says(&["forgot 3 entries"]);
    let empty = stats(&dir);
    assert_eq!((&empty["entries"], &empty["oldest"]), (&0.into(), &Value::Null));
    // In the very second in which the rest was forgotten.
    next(&sandbox, &dir, "b").run().exits(0);
    next(&sandbox, &dir, "c").run().exits(0).says(&["nothing was sent"]);
    assert_eq!(sandbox.requests().len(), 6);
    dir.batchctl("cache clean-all").run().exits(2);
    let job = job_of(&dir);
    dir.batchctl(&format!("status {job} --json")).run().exits(0);
}

/// S0.23: total, valid, expired, oldest, newest, size; and the newest entries one by one.
#[test]
fn s0_23_stats_and_details() {
    let sandbox = Sandbox::start();
    let dir = marked(12);
    dir.batchctl("cache show-details").run().exits(0).says(&["the cache is empty"]);
    at(&sandbox, dir.batchctl(LINE)).run().exits(0);
    next(&sandbox, &dir, "b").args(&["--end-row", "5"]).run().exits(0);
    let text = dir.batchctl("cache stats").run().exits(0).stdout;
    for figure in ["entries   12", "valid     12", "expired   0", "oldest    20", "newest    20"] {
        assert!(text.contains(figure), "{figure}: {text}");
    }
    assert!(text.contains("hits      5 rows, as many calls saved"), "{text}");
    assert!(text.contains("nothing by 5 rows of rehearsals"), "{text}");
    let table = stats(&dir);
    let folder = job_folder(&dir, &first_job(&dir)).join("results/r1-s0001-output.jsonl");
    let file = fs::read_to_string(folder).expect("the answers");
    assert_eq!(table["bytes"], file.len() as u64 - 12, "without line feeds");

    let shown = dir.batchctl("cache show_details").run().exits(0).stdout;
    assert_eq!(shown.lines().count(), 2 * 10, "{shown}");
    assert!(shown.contains("openai") && shown.contains("[sandbox] marker"), "{shown}");
    let entries = dir.batchctl("cache show-details --limit 20 --json").run().exits(0).json();
    let entries = entries["entries"].as_array().expect("a list").clone();
    assert_eq!(entries.len(), 12);
    let hits: u64 = entries.iter().map(|entry| entry["hits"].as_u64().expect("a number")).sum();
    assert_eq!(hits, 5);
    assert!(entries.iter().all(|entry| entry["sandbox"] == true && entry["usage"].is_object()));
}

/// The short id of the oldest job.
fn first_job(dir: &WorkDir) -> String {
    let status = dir.batchctl("status --json").run().exits(0).json();
    let jobs = status["jobs"].as_array().expect("a list").clone();
    jobs.last().expect("one")["job"].as_str().expect("an id").to_owned()
}

/// B04, S0.21: the key is the whole request: another temperature, model or letter is another one.
#[test]
fn b04_s0_21_any_change_of_the_request_misses_the_cache() {
    let sandbox = Sandbox::start();
    let dir = marked(2);
    let lines: [&[&str]; 6] = [
        &["--prompt", "Say {text}"],
        &["--prompt", "Say {text}."],
        &["--prompt", "Say {text}", "--temperature", "0.1"],
        &["--prompt", "Say {text}", "--temperature", "0.2"],
        &["--prompt", "Say {text}", "-m", "gpt-4.1-mini"],
        &["--prompt", "Say {text}", "--system", "Be brief"],
    ];
    for (done, line) in lines.into_iter().enumerate() {
        let output = format!("workflow in.csv {done}.csv");
        at(&sandbox, dir.batchctl(&output)).args(line).run().exits(0);
        assert_eq!(sandbox.requests().len(), 2 * (done + 1), "{line:?}");
    }
    for line in lines {
        let run = at(&sandbox, dir.batchctl("workflow in.csv last.csv --end-row 1 --overwrite"));
        run.args(line).run().exits(0).says(&["nothing was sent"]);
    }
    assert_eq!(sandbox.requests().len(), 12);
}

/// Two processes share it: what one was answered the other has, while a third forgets and a fourth
/// imports; none fails, and every table is right.
#[test]
fn s0_20_several_processes_share_the_cache() {
    let sandbox = Sandbox::start();
    let dir = marked(40);
    at(&sandbox, dir.batchctl(LINE)).run().exits(0);
    dir.batchctl("cache export all.jsonl").run().exits(0);
    let mut running = Vec::new();
    for round in 0..3 {
        running.push(next(&sandbox, &dir, &format!("p{round}")).start());
        running.push(dir.batchctl("cache import all.jsonl").start());
        running.push(dir.batchctl("cache stats --json").start());
        if round == 1 {
            running.push(dir.batchctl("cache clean-all --yes").start());
        }
    }
    for process in running {
        process.end().exits(0);
    }
    for round in 0..3 {
        let cells = dir.cells(&format!("p{round}.csv"));
        let texts = cells.column("text");
        for (text, answer) in texts.iter().zip(cells.column("response")) {
            assert_eq!(answer, format!("[sandbox] {text}"));
        }
    }
    let sent = sandbox.requests().len();
    next(&sandbox, &dir, "after").run().exits(0);
    let asked = sandbox.requests().len() - sent;
    assert!(asked == 0 || sent == 40, "what was asked anew is there: {asked} of {sent}");
}

/// An export is the cache in another home: nothing is asked, a prune takes nothing away, damaged
/// lines are refused by number, and what is there stays.
#[test]
fn b04_entries_are_carried_to_another_home() {
    let sandbox = Sandbox::start();
    let (dir, other) = (marked(3), marked(3));
    at(&sandbox, dir.batchctl(LINE)).run().exits(0);
    dir.batchctl("cache export cache.jsonl").run().exits(0).says(&["wrote 3 entries"]);
    dir.batchctl("cache export cache.jsonl").run().exits(2).says(&["--overwrite"]);
    let lines: Vec<String> = dir.read("cache.jsonl").lines().map(str::to_owned).collect();
    let entry: Value = serde_json::from_str(&lines[0]).expect("a line is JSON");
    assert_eq!((&entry["provider"], &entry["batchctl_cache"]), (&"openai".into(), &1.into()));
    assert!(entry["address"].as_str().expect("an address").contains("127.0.0.1"), "{entry}");

    // One answer under another key, one cut off, one blank line: only the first is an entry.
    let key = |line: &str| {
        let entry: Value = serde_json::from_str(line).expect("JSON");
        entry["key"].as_str().expect("a key").to_owned()
    };
    let swapped = lines[1].replace(&key(&lines[1]), &key(&lines[2]));
    let damaged = format!("{}\n{swapped}\n\n{}\n", lines[0], &lines[2][..90]);
    other.write("damaged.jsonl", damaged);
    let refused = other.batchctl("cache import damaged.jsonl").run().exits(3);
    let first = "damaged.jsonl: 2 lines refused: the first, line 2: its digest does not fit";
    refused.says(&[first, "took 1 answer"]).hides(&["line 4"]);
    let run = |name: &str| next(&sandbox, &other, name).run().exits(0);
    run("b");
    assert_eq!(sandbox.requests().len(), 3 + 2, "one of three was known");
    other.write("cache.jsonl", dir.read("cache.jsonl"));
    let taken = other.batchctl("cache import cache.jsonl --json").run().exits(0).json();
    assert_eq!((&taken["taken"], &taken["known"]), (&0.into(), &3.into()), "it stays as it is");

    // Without the jobs: what was imported is the cache's own.
    let third = marked(3);
    third.write("cache.jsonl", dir.read("cache.jsonl"));
    third.batchctl("cache import cache.jsonl").run().exits(0).says(&["took 3 answers"]);
    assert_eq!(stats(&third)["imported"], 3);
    next(&sandbox, &third, "b").run().exits(0).says(&["nothing was sent"]);
    third.batchctl(&format!("prune {}", job_of(&third))).run().exits(0);
    next(&sandbox, &third, "c").run().exits(0).says(&["nothing was sent"]);
    third.batchctl("cache export again.jsonl").run().exits(0);
    assert_eq!(third.read("again.jsonl"), dir.read("cache.jsonl"), "as it came");
    third.batchctl(&format!("prune {}", job_of(&third))).run().exits(0);
    third.batchctl("cache clean-all --yes").run().exits(0);
    let left = fs::read_dir(third.home().join("cache")).expect("a folder").count();
    assert_eq!(left, 1, "only the lock");
    next(&sandbox, &third, "d").run().exits(0);
    assert_eq!(sandbox.requests().len(), 5 + 3);
}

/// A file that is no export at all is one warning, not one for each of its lines.
#[test]
fn a_file_that_is_no_cache_is_told_in_one_line() {
    let dir = marked(30);
    let run = dir.batchctl("cache import in.csv").run().exits(3);
    let run = run.says(&[
        "in.csv: 31 lines refused: the first, line 1: it is no entry that cache export wrote",
    ]);
    assert_eq!(run.stderr.matches("warning:").count(), 1, "{run}");
    assert!(!run.stderr.contains("column"), "{run}");
    let all = dir.batchctl("cache import in.csv -v").run().exits(3).stderr;
    assert!(all.contains("line 2:"), "{all}");
}

/// Design section 9: a sandbox's answers stay a sandbox's, imported or not; and a file of the cache
/// that was changed by hand is not believed.
#[test]
fn answers_of_a_sandbox_stay_there_when_they_are_carried_away() {
    let sandbox = Sandbox::start();
    let (dir, other) = (marked(2), marked(2));
    at(&sandbox, dir.batchctl("workflow in.csv a.csv -m gpt-4o-mini")).run().exits(0);
    dir.batchctl("cache export cache.jsonl").run().exits(0);
    other.write("cache.jsonl", dir.read("cache.jsonl"));
    other.batchctl("cache import cache.jsonl").run().exits(0);
    // The same address with a real key: what a sandbox made up is no answer there.
    let line = "workflow in.csv b.csv -m gpt-4o-mini";
    let real = at(&sandbox, other.batchctl(line)).env("OPENAI_API_KEY", "sk-real").run();
    real.exits(4).says(&["planned 2 requests"]);
    let file = other.home().join("cache/imported-000001.jsonl");
    let text = fs::read_to_string(&file).expect("the lines are kept");
    fs::write(&file, text.replace("marker 0x", "marker 9x")).expect("it can be changed");
    let line = "workflow in.csv c.csv -m gpt-4o-mini --where text!=c";
    at(&sandbox, other.batchctl(line)).run().exits(0);
    assert_eq!(sandbox.requests().len(), 2 + 1, "the line that was changed is asked again");
}

/// What `prune` removes of a job leaves the cache with it, unless another job has a copy.
#[test]
fn b04_prune_takes_a_job_s_answers_out_of_the_cache() {
    let sandbox = Sandbox::start();
    let dir = marked(4);
    at(&sandbox, dir.batchctl(LINE)).run().exits(0);
    let first = job_of(&dir);
    next(&sandbox, &dir, "b").args(&["--end-row", "1"]).run().exits(0);
    dir.batchctl(&format!("prune {first}")).run().exits(0);
    assert_eq!(stats(&dir)["entries"], 1);
    next(&sandbox, &dir, "c").run().exits(0).says(&["hit rate 25.0 %"]);
    assert_eq!(sandbox.requests().len(), 4 + 3);
}
