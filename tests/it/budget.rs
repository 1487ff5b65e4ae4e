//! B10: limits of money and of requests, held by real processes; the sandbox's bill is the judge.
//! Its answers say the question back, so a row costs far less than it could.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::support::sandbox::Sandbox;
use crate::support::workdir::{Run, WorkDir};

/// Trillionths of a dollar for a token of gpt-4o in a batch.
const INPUT: u64 = 1_250_000;
const OUTPUT: u64 = 5_000_000;
const DOLLAR: u64 = 1_000_000_000_000;

/// Rows of the table, two in each shard.
const ROWS: usize = 12;
const SHARDS: &str = "--set max_shard_requests=2 --check-interval 2";

struct Purse {
    dir: WorkDir,
    sandbox: Sandbox,
}

impl Purse {
    fn new() -> Self {
        let dir = WorkDir::new();
        let mut table = "id,text\n".to_owned();
        (0..ROWS).for_each(|row| table.push_str(&format!("{row},some words about thing {row}\n")));
        dir.write("in.csv", table);
        Self { dir, sandbox: Sandbox::start() }
    }

    fn batchctl(&self, line: &str) -> Run {
        self.dir
            .batchctl(line)
            .env("BATCHCTL_TIME_SCALE", "20")
            .env("TZ", zone(0))
            .openai_at(self.sandbox.address())
    }

    /// A job of twelve rows with this word in its prompt.
    fn job(&self, word: &str, flags: &str) -> Run {
        let line = format!("workflow in.csv {word}.csv {SHARDS} {flags}");
        self.batchctl(&line).args(&["--prompt", &format!("{word} {{text}}")])
    }

    /// What the sandbox would have billed, in trillionths of a dollar, and for how many rows.
    fn bill(&self) -> (u64, usize) {
        let (mut cost, mut rows) = (0, 0);
        for entry in self.sandbox.ledger() {
            let tokens = |name: &str| entry[name].as_u64().unwrap_or(0);
            cost += tokens("prompt_tokens") * INPUT + tokens("completion_tokens") * OUTPUT;
            rows += entry["rows"].as_array().map_or(0, Vec::len);
        }
        (cost, rows)
    }

    /// How many rows of a table have this status.
    fn rows(&self, word: &str, status: &str) -> usize {
        let cell = format!(",{status},");
        self.dir.read(&format!("{word}.csv")).lines().filter(|line| line.contains(&cell)).count()
    }

    fn status(&self, job: &str) -> Value {
        self.batchctl(&format!("status {job} --json")).run().exits(0).json()
    }
}

/// A time zone in which it is six in the evening, and so many hours on: no day ends meanwhile.
fn zone(hours_on: i64) -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let hour = i64::try_from(seconds / 3600 % 24).expect("an hour of a day");
    format!("AAA{:+}", hour - 18 - hours_on)
}

/// How often two processes are started together; more with `BATCHCTL_RUNS`.
fn runs() -> usize {
    std::env::var("BATCHCTL_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(2)
}

/// B10, S3.11: what is asked outside of a job is paid too, so it counts against the budget of the
/// day: for the next question, and for jobs.
#[test]
fn b10_chat_counts_against_the_budget_of_the_day() {
    let purse = Purse::new();
    let ask = |line: &str, limit: &str| {
        purse.batchctl(&format!("{line} --set daily_budget={limit}")).run()
    };
    let cost = ask("chat hello --json", "1USD").exits(0).json()["cost"]["actual"].as_f64();
    let cost = cost.expect("its price is known");
    let limit = format!("{cost:.12}USD");
    let refused = ask("chat hello", &limit).exits(7);
    refused.says(&["is spent or reserved today", "was not asked"]);
    // There would be room for one file, were it not for what chat cost.
    let job = purse.job("red", "--max-tokens 50 --set daily_budget=0.0003USD");
    job.run().exits(7).says(&["shard 1 could add $0.0003", "daily_budget is $0.0003"]);
    assert_eq!(purse.rows("red", "ok"), 0);
    // Another question is asked as long as there is something left, and a test of a provider counts.
    ask("chat hello", &format!("{:.12}USD", cost * 1.5)).exits(0);
    ask("providers test openai", "1USD").exits(0);
    ask("chat hello", &format!("{:.12}USD", cost * 2.001)).exits(7);
    // The next day it begins anew.
    let tomorrow = purse.batchctl(&format!("chat hello --set daily_budget={limit}"));
    tomorrow.env("TZ", zone(7)).run().exits(0);
}

/// `chat` is no job and reserves nothing, but where the day's money is gone it asks nobody.
#[test]
fn b10_chat_asks_nobody_where_the_budget_of_the_day_is_used_up() {
    let purse = Purse::new();
    let chat =
        |limit: &str| purse.batchctl(&format!("chat hello --set daily_budget={limit}")).run();
    chat("0.0001USD").exits(0);
    purse.job("red", "--max-tokens 50").run().exits(0);
    let refused = chat("0.0002USD").exits(7);
    assert_eq!(refused.stdout, "");
    refused.says(&["daily_budget is $", "was not asked", "--set daily_budget="]);
    // A budget of another currency says nothing of this one.
    chat("100USD").exits(0);
    chat("1CNY").exits(0);
}

#[test]
fn b10_two_jobs_started_together_never_pass_their_daily_budget() {
    for run in 0..runs() {
        let purse = Purse::new();
        let flags = "--max-tokens 50 --set daily_budget=0.0006USD";
        let jobs = ["Weigh", "Judge"].map(|word| purse.job(word, flags).start());
        for job in jobs {
            job.end().exits(7).says(&["daily_budget is $0.0006", "--set daily_budget="]);
        }
        let (cost, billed) = purse.bill();
        assert!(cost > 0 && cost <= DOLLAR * 6 / 10_000, "run {run}: {cost}");
        let ok = purse.rows("Weigh", "ok") + purse.rows("Judge", "ok");
        assert_eq!(ok, billed, "run {run}: what ran is collected");
        let pending = purse.rows("Weigh", "pending") + purse.rows("Judge", "pending");
        assert_eq!(ok + pending, 2 * ROWS, "run {run}");
        // The same again without a raise: nothing is sent.
        let word = if purse.rows("Weigh", "pending") > 0 { "Weigh" } else { "Judge" };
        purse.job(word, flags).run().exits(7).says(&["spent today"]);
        assert_eq!(purse.bill().1, billed, "run {run}: nothing was sent");
        // The next day there is as much again.
        purse.job(word, flags).env("TZ", zone(6)).run();
        assert!(purse.bill().1 > billed, "run {run}: a new day");
        for word in ["Weigh", "Judge"] {
            purse.job(word, "--max-tokens 50 --set daily_budget=1USD").run().exits(0);
            assert_eq!(purse.rows(word, "ok"), ROWS, "run {run}: {word}");
        }
        assert_eq!(purse.bill().1, 2 * ROWS, "run {run}: no row is paid twice");
    }
}

/// Reserves are worst cases: a job whose shards cost less than they could runs through one by one.
#[test]
fn b10_a_limit_makes_shards_wait_for_each_other() {
    let purse = Purse::new();
    // Each row could cost half a cent, all of them six; they cost a tenth of one.
    let output = purse.job("Weigh", "--max-tokens 1000 --max-cost 0.0185USD").run().exits(0);
    output.says(&["9 shards wait for what runs to be settled", "--max-cost is $0.019"]);
    assert_eq!(purse.rows("Weigh", "ok"), ROWS);
}

#[test]
fn b10_a_job_stops_before_the_shard_that_could_pass_its_limit() {
    let purse = Purse::new();
    let all = "--max-tokens 10000 --max-cost 0.02USD --end-row 3";
    let stopped = purse.job("Weigh", all).run().exits(7);
    stopped.says(&[
        "spent $0, reserved $0; shard 1 could add $0.050, and --max-cost is $0.020",
        "go on:    batchctl resume",
        "--max-cost 0.16USD",
    ]);
    assert_eq!(purse.sandbox.created(), 0);
    purse.batchctl("status last --exit-status").run().exits(7);
    let status = purse.status("last");
    let reason = status["job"]["reason"].as_str().unwrap_or_default().to_owned();
    assert!(reason.contains("to go on: batchctl resume"), "{reason}");
    assert!(status["waits_for"][0].as_str().unwrap_or_default().starts_with("a limit: "));
    let yes = purse.batchctl("resume last").env("BATCHCTL_YES", "1");
    yes.run().exits(7).says(&["could add $0.050"]);
    assert_eq!(purse.sandbox.created(), 0, "yes lifts no limit");
    purse.batchctl("resume last --max-cost 0.07CNY").run().exits(2).says(&["paid in USD"]);
    purse.batchctl("resume last --max-cost 0.07USD").run().exits(0);
    assert_eq!(purse.rows("Weigh", "ok"), 3);
}

/// A job of one file whose worst case is above its limit is cut into parts that fit: what has run
/// costs less than it could, and makes room for the rest.
#[test]
fn b10_a_limit_below_the_worst_case_lets_a_cheap_job_through() {
    let purse = Purse::new();
    let all = "--max-tokens 1000 --max-cost 0.05USD --set max_shard_requests=50";
    purse.job("Weigh", all).run().exits(0).says(&["12 requests in 6 shards"]);
    assert_eq!((purse.rows("Weigh", "ok"), purse.bill().1), (ROWS, ROWS));
    let roomy = "--max-tokens 1000 --max-cost 0.07USD --set max_shard_requests=50";
    purse.job("Judge", roomy).run().exits(0).says(&["12 requests in 1 shard"]);
}

#[test]
fn b10_requests_are_counted_over_the_whole_job() {
    let purse = Purse::new();
    let flags = "--max-tokens 50 --set max_requests=5";
    let stopped = purse.job("Weigh", flags).run().exits(7);
    stopped.says(&["requests sent: 5, reserved 0; shard 4 could add 1, and max_requests is 5"]);
    assert_eq!((purse.rows("Weigh", "ok"), purse.rows("Weigh", "pending")), (5, 7));
    purse.batchctl("resume last --set max_requests=12 --max-wait 0").run().exits(6);
    purse.batchctl("resume last").run().exits(0);
    assert_eq!(purse.rows("Weigh", "ok"), ROWS);
}

/// Nobody waits, so nothing is collected; whoever watches later collects it and is told the same.
#[test]
fn b10_a_limit_without_waiting() {
    let purse = Purse::new();
    let flags = "--max-tokens 50 --set max_requests=5";
    purse.job("Weigh", &format!("{flags} --no-wait")).run().exits(7).says(&["max_requests is 5"]);
    purse.batchctl("watch last").run().exits(7).says(&["max_requests is 5"]);
    assert_eq!((purse.rows("Weigh", "ok"), purse.rows("Weigh", "pending")), (5, 7));
    purse.batchctl("cancel last").run();
    assert_eq!((purse.rows("Weigh", "ok"), purse.rows("Weigh", "cancelled")), (5, 7));
}

/// A limit that cannot be held is refused before anything is sent.
#[test]
fn b10_limits_that_cannot_be_held() {
    let purse = Purse::new();
    purse.dir.config("[prices.halfless]\ninput = 1\noutput = 2\ncurrency = \"USD\"\n");
    let table = [
        ("--max-cost 5CNY", 2, ["--max-cost is 5CNY", "paid in USD"]),
        ("--max-cost 5USD --model no-such-1", 7, ["is unknown", "[prices.\"no-such-1\"]"]),
        ("--max-cost five", 2, ["five", "no amount"]),
        ("--max-cost 5USD --model halfless", 7, ["batch price", "[prices.\"halfless\"]"]),
        ("--max-cost 0.0001USD", 7, ["likely", "add --max-cost"]),
        ("--set daily_budget=1CNY", 2, ["daily_budget is 1CNY", "paid in USD"]),
    ];
    for (flags, exit, words) in table {
        purse.job("Weigh", flags).run().exits(exit).says(&words);
    }
    assert_eq!(purse.sandbox.created(), 0);
}

/// A limit of one's own in another currency is in no rehearsal's way, and what it would do is said.
#[test]
fn b10_a_day_of_another_currency_is_told_in_a_rehearsal() {
    let purse = Purse::new();
    purse.dir.config("[defaults]\ndaily_budget = \"1 CNY\"\n");
    let words = ["daily_budget is 1CNY", "paid in USD", "a real run would be refused"];
    purse.job("Weigh", "--max-tokens 50").run().exits(0).says(&words);
}

/// A retry above the limit of its job is refused before anything is changed.
#[test]
fn b10_a_retry_above_the_limit_leaves_the_job_as_it_is() {
    let dir = Purse::new().dir;
    let sandbox = Sandbox::with(&["--faults", "result#1: truncated 4"]);
    let purse = Purse { dir, sandbox };
    purse.job("Weigh", "--max-tokens 50 --max-cost 0.01USD").run().exits(3);
    let again = "retry last --class truncated --max-tokens 5000";
    let refused = purse.batchctl(again).run().exits(7);
    refused.says(&["--max-cost is $0.010", "nothing was sent", "--class truncated", "--max-cost"]);
    let few = format!("{again} --max-cost 1USD --set max_requests=13");
    let words = ["has sent 12 requests, and 2 more", "--set max_requests=14"];
    purse.batchctl(&few).run().exits(7).says(&words);
    let status = purse.status("last");
    assert_eq!(status["job"]["state"], "done");
    let before = status["job"]["cost"]["likely"].as_f64().unwrap_or_default();
    purse.batchctl(&format!("{again} --max-cost 1USD")).run().exits(0);
    let status = purse.status("last");
    let after = status["job"]["cost"]["likely"].as_f64().unwrap_or_default();
    assert!(after > before, "what the retry was expected to cost is part of it: {after}");
}
