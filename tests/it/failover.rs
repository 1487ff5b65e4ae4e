//! Failover inside a table job (B03, S3.02-S3.10): two or three services, each a sandbox of its
//! own whose rules the test changes while rows flow. The services' own lists of calls are the
//! judges: who was asked when, how it ended, what was answered twice.

#![expect(clippy::print_stdout, reason = "what was measured is part of what these tests say")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use crate::support::bench::until;
use crate::support::sandbox::Sandbox;
use crate::support::workdir::{Run, WorkDir};

/// How late the next service may be asked after a refusal. What is promised is 50 ms; a machine
/// that runs many tests at once may be that slow by itself, so the figure is printed.
const LATEST: f64 = 1000.0;

/// Services `a`, `b`, … of the user's own, and a table.
struct Services {
    dir: WorkDir,
    all: Vec<Sandbox>,
}

impl Services {
    fn new(count: usize, rows: usize) -> Self {
        let dir = WorkDir::new();
        let all: Vec<_> = (0..count).map(|_| Sandbox::start()).collect();
        let mut config = String::new();
        for (name, service) in ["a", "b", "c"].iter().zip(&all) {
            let _ = writeln!(
                config,
                "[providers.{name}]\nkind = \"openai-compatible\"\nbase_url = \"{}/v1\"\n\
                 api_key_env = \"SERVICES\"",
                service.address()
            );
        }
        dir.config(&config);
        let services = Self { dir, all };
        services.table("in.csv", 0, rows);
        services
    }

    fn table(&self, name: &str, from: usize, rows: usize) {
        let lines: String =
            (from..from + rows).map(|row| format!("{row},question {row}\n")).collect();
        self.dir.write(name, format!("id,text\n{lines}"));
    }

    fn batchctl(&self, line: &str) -> Run {
        self.dir.batchctl(line).env("SERVICES", "sandbox-services")
    }

    /// The run over a chain.
    fn run(&self, chain: &str, more: &str) -> Run {
        self.batchctl(&format!(
            "workflow in.csv out.csv --prompt {{text}} --now --yes --details --provider {chain} \
             {more}"
        ))
    }

    /// Good answers of each service, by what was asked.
    fn answered(&self) -> BTreeMap<String, Vec<usize>> {
        let mut answered = BTreeMap::<String, Vec<usize>>::new();
        for (place, service) in self.all.iter().enumerate() {
            for call in service.calls().iter().filter(|call| is(call, "answered", Some(200))) {
                let digest = call["digest"].as_str().expect("a digest").to_owned();
                answered.entry(digest).or_default().push(place);
            }
        }
        answered
    }

    /// P1: every row has one answer of one service, and the table says whose it is. Both services
    /// are asked with the same bytes, as their models have the same name.
    #[track_caller]
    fn each_row_has_one_answer(&self, rows: usize) -> Vec<usize> {
        let answered = self.answered();
        assert_eq!(answered.len(), rows);
        let twice: Vec<_> = answered.values().filter(|by| by.len() != 1).collect();
        assert!(twice.is_empty(), "answered more than once: {twice:?}");
        for service in &self.all {
            assert_eq!(service.seen()["answered_again"], 0);
        }
        let cells = self.dir.cells("out.csv");
        for (text, answer) in cells.column("text").iter().zip(cells.column("response")) {
            assert_eq!(answer, format!("[sandbox] {text}"));
        }
        let names = cells.column("provider");
        let told = ["a", "b", "c"].map(|one| names.iter().filter(|name| **name == one).count());
        let mut counts = vec![0; self.all.len()];
        for by in answered.values() {
            counts[by[0]] += 1;
        }
        assert_eq!(told[..counts.len()], counts, "who answered is told in `provider`");
        counts
    }

    /// Milliseconds from each refusal of the first service to the same question at the second.
    fn switches(&self) -> Vec<f64> {
        let second = self.all[1].calls();
        let refused = |call: &&Value| call["status"] == 429;
        let mut gaps = Vec::new();
        for call in self.all[0].calls().iter().filter(refused) {
            let over = at(call) + call["ms"].as_f64().expect("it ended");
            let next = second.iter().find(|next| next["digest"] == call["digest"]);
            gaps.push(at(next.expect("the second is asked what the first refused")) - over);
        }
        gaps
    }
}

fn is(call: &Value, end: &str, status: Option<u16>) -> bool {
    call["end"] == end && status.is_none_or(|status| call["status"] == status)
}

fn at(call: &Value) -> f64 {
    call["at"].as_f64().expect("a time")
}

fn count(service: &Sandbox, what: &str) -> u64 {
    service.seen()[what].as_u64().expect("a count")
}

/// B03, S3.02-S3.06, S3.09: the first service is rate-limited, then dead, then slow, then back.
/// Rows flow on all the while, each is answered once, calls that took too long are closed.
#[test]
fn b03_s3_02_rows_flow_on_whatever_becomes_of_the_first() {
    const ROWS: usize = 1500;
    let services = Services::new(2, ROWS);
    let (a, b) = (&services.all[0], &services.all[1]);
    // So that rows are left for each of its states; taken away at the end.
    let pace = "realtime: slow 40ms";
    a.rules(pace);
    b.rules(pace);
    let more = "--set concurrency=4 --set timeout=2s --set cool_down=1s --retries 5";
    let run = services.run("a:gpt-4o,b:gpt-4o", more).start();
    until("the first answers", || count(a, "answered") > 20);

    // Whatever the first is, the second goes on answering.
    let flows = |rules: &str, sign: &dyn Fn() -> bool| {
        a.rules(rules);
        until(rules, sign);
        let before = count(b, "answered");
        until(&format!("rows flow on: {rules}"), || count(b, "answered") > before + 10);
    };
    let refused = || a.seen()["by_status"]["429"].as_u64().unwrap_or(0);
    flows("realtime: rate-limit retry-after=1", &|| refused() >= 3);
    flows("realtime: close", &|| count(a, "broken") >= 3);
    flows("realtime: slow 30s", &|| count(a, "closed") >= 1);
    let before = count(a, "answered");
    a.rules(pace);
    until("the first is back", || count(a, "answered") > before + 20);
    a.rules("");
    b.rules("");
    run.end().exits(0);

    let counts = services.each_row_has_one_answer(ROWS);
    assert!(counts.iter().all(|count| *count > 30), "both had a part: {counts:?}");
    // Who is too slow is hung up on, after the time that a call may take.
    let closed: Vec<_> = a.calls().into_iter().filter(|call| is(call, "closed", None)).collect();
    for call in &closed {
        let took = call["ms"].as_f64().expect("it ended");
        assert!((1900.0..9000.0).contains(&took), "{call}");
    }
    let mut gaps = services.switches();
    assert!(!gaps.is_empty());
    gaps.sort_by(f64::total_cmp);
    let (median, last) = (gaps[gaps.len() / 2], gaps[gaps.len() - 1]);
    println!(
        "{} refusals, switched after {median:.1} ms (median), {last:.1} ms (at most); calls \
         closed {}; answered by a and b {counts:?}",
        gaps.len(),
        closed.len()
    );
    assert!(last < LATEST, "{gaps:?}");
}

/// S3.04, S3.05, S3.09: one after the other, a dead service is asked three times, then once after
/// each cool-down, and no more often.
#[test]
fn s3_04_s3_05_s3_09_it_opens_after_three_and_probes_after_the_cool_down() {
    const ROWS: usize = 60;
    let services = Services::new(2, ROWS);
    let (a, b) = (&services.all[0], &services.all[1]);
    a.rules("realtime: 500");
    b.rules("realtime: slow 60ms");
    let more = "--set concurrency=1 --set cool_down=1s";
    let run = services.run("a:gpt-4o,b:gpt-4o", more).start();
    until("two probes", || count(a, "calls") >= 5);
    a.rules("");
    run.end().exits(0);
    let calls = a.calls();
    let failed: Vec<f64> = calls.iter().filter(|call| call["status"] == 500).map(at).collect();
    assert!(failed.len() >= 5, "{failed:?}");
    // The first three are one after the other, with no more than a call to the second between.
    assert!(failed[2] - failed[0] < 1000.0, "{failed:?}");
    let pauses: Vec<f64> = failed[2..].windows(2).map(|two| two[1] - two[0]).collect();
    println!("pauses before the probes, in ms: {pauses:?}");
    assert!(pauses.iter().all(|pause| *pause >= 950.0), "{pauses:?}");
    let counts = services.each_row_has_one_answer(ROWS);
    assert!(counts[0] > 0, "a probe that is answered closes it: {counts:?}");
}

/// S3.03, S3.09, B03: a service that hangs is hung up on and counted once a call; what was learned
/// is kept for the next run, which does not ask it, and shown; an answer forgets it.
#[test]
fn b03_s3_03_health_is_kept_across_runs() {
    let services = Services::new(2, 12);
    let (a, b) = (&services.all[0], &services.all[1]);
    a.rules("realtime: hang");
    let line = "--set concurrency=1 --set timeout=2s --set cool_down=1h";
    services.run("a:gpt-4o,b:gpt-4o", line).run().exits(0);
    assert_eq!((count(a, "calls"), count(a, "closed")), (3, 3), "three failures open it");
    assert_eq!(services.each_row_has_one_answer(12), [0, 12]);
    let health = |field: &str| {
        let shown = services.batchctl("providers health --json").run().exits(0).json();
        let all = shown["health"].as_array().or(shown["providers"].as_array()).cloned();
        let all = all.unwrap_or_else(|| panic!("{shown:#}"));
        let first = all.iter().find(|one| one["provider"] == "a" || one["name"] == "a");
        first.map(|one| one[field].clone()).unwrap_or_default()
    };
    assert_eq!(health("failures"), 3, "S3.10");
    a.rules("");
    services.table("in.csv", 100, 5);
    services.run("a:gpt-4o,b:gpt-4o", "--overwrite --set cool_down=1h").run().exits(0);
    assert_eq!(count(a, "calls"), 3, "the next run knows of it");
    assert_eq!(count(b, "answered"), 17);
}

/// S3.07, S3.06: strong models of all services first, then light ones: each row goes down the
/// tiers in order, a limit is left at once and is no failure.
#[test]
fn s3_06_s3_07_strong_models_of_all_come_before_light_ones() {
    const ROWS: usize = 8;
    let services = Services::new(2, ROWS);
    let (a, b) = (&services.all[0], &services.all[1]);
    a.rules("realtime key=gpt-4.1: rate-limit retry-after=60");
    b.rules("realtime key=gpt-4.1: 503 text=\"at capacity, try again later\"");
    let chain = "a:gpt-4.1,b:gpt-4.1,a:gpt-4o-mini,b:gpt-4o-mini";
    services.run(chain, "--set concurrency=1").run().exits(0);
    let models = |service: &Sandbox| {
        let calls = service.calls();
        let of = |name: &str| calls.iter().filter(|call| call["model"] == name).count();
        (of("gpt-4.1"), of("gpt-4o-mini"))
    };
    assert_eq!(models(a), (1, ROWS), "a limit pauses that member, not its other model");
    let (strong, light) = models(b);
    assert!((1..=3).contains(&strong) && light == 0, "{strong} {light}");
    let cells = services.dir.cells("out.csv");
    assert!(cells.column("provider").iter().all(|name| *name == "a"));
    assert!(cells.column("model").iter().all(|name| name.ends_with("gpt-4o-mini")));
}

/// S3.08, S3.14: where nobody answers, the row keeps what each service said, and the rest waits.
#[test]
fn s3_14_where_all_are_refused_the_run_says_so() {
    let services = Services::new(2, 3);
    services.all[0].rules("realtime: 401 code=invalid_api_key");
    services.all[1].rules("realtime: credit");
    services.run("a:gpt-4o,b:gpt-4o", "").run().exits(4).says(&[
        "a:gpt-4o: ",
        "(HTTP 401)",
        "b:gpt-4o: ",
        "quota",
        "(HTTP 429)",
    ]);
    let asked = |service: &Sandbox| count(service, "calls");
    assert!(asked(&services.all[0]) <= 3 && asked(&services.all[1]) <= 3, "asked once each");
    services.all.iter().for_each(|service| service.rules(""));
    services.batchctl("resume last").run().exits(0);
    assert_eq!(services.dir.cells("out.csv").column("status"), ["ok", "ok", "ok"]);
}

/// B03: what dies for good while rows are on their way costs none of them.
#[test]
fn b03_three_services_and_two_of_them_dead() {
    const ROWS: usize = 120;
    let services = Services::new(3, ROWS);
    services.all[0].rules("realtime#20+: reset");
    services.all[1].rules("realtime#20+: close");
    let more = "--set concurrency=8 --set cool_down=60s";
    services.run("a:gpt-4o,b:gpt-4o,c:gpt-4o", more).run().exits(0);
    let counts = services.each_row_has_one_answer(ROWS);
    assert_eq!(&counts[..2], [19, 19]);
    for service in &services.all[..2] {
        // Three open it; those beside them were under way. A row is no service's twice in a row.
        let broken = count(service, "broken");
        assert!((3..=3 + 8).contains(&broken), "{broken}");
    }
}
