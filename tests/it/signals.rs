//! Signals from outside, on the real program, in every phase: the first stops new work and says
//! both lines, the second ends it at once, and `resume` finishes what was begun (P4).

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::bench::{Bench, LINE, signal, until};
use crate::support::gate::Act;
use crate::support::terminal::{CONTROL_C, Screen, Terminal};
use crate::support::workdir::Output;

/// Keeps a batch from ever ending.
fn still_runs(batch: &mut Value) {
    batch["status"] = "in_progress".into();
    batch["output_file_id"] = Value::Null;
}

/// Name, call, how many-th of it, what happens to it.
type Phase = (&'static str, &'static str, usize, fn() -> Act);

/// The phases: the call at which the run is caught, and what happens to it there.
const PHASES: [Phase; 5] = [
    ("upload", "POST /v1/files", 2, || Act::Hang),
    ("waiting", "GET /v1/batches/*", 4, || Act::Edit(still_runs)),
    ("a poll without answer", "GET /v1/batches/*", 2, || Act::Hang),
    ("download", "GET /v1/files/*/content", 1, || Act::Hang),
    ("a download that stalls", "GET /v1/files/*/content", 2, || Act::Stall),
];

/// Whether the tests themselves run under `nohup`: what they start ignores a hang-up, too.
#[expect(clippy::print_stderr, reason = "what was not tried must be said")]
fn outlives_its_terminal() -> bool {
    let ignores = batchctl::base::ignores_hangup();
    if ignores {
        eprintln!("not tried: a hang-up, since it is ignored here (nohup)");
    }
    ignores
}

#[track_caller]
fn both_lines(output: &Output, job: &str) {
    for line in [format!("batchctl resume {job}"), format!("batchctl cancel {job}")] {
        assert!(output.stderr.contains(&line), "{line} is missing\n{output}");
    }
}

#[test]
fn a_signal_in_each_phase_leaves_a_job_that_resume_finishes() {
    let undisturbed = Bench::undisturbed();
    let signals = [("INT", 130), ("TERM", 143), ("HUP", 143)];
    for (turn, (phase, call, count, act)) in PHASES.into_iter().enumerate() {
        for (name, code) in if turn == 1 { &signals[..] } else { &signals[..1] } {
            if *name == "HUP" && outlives_its_terminal() {
                continue;
            }
            let bench = Bench::ruled(move |seen, n| {
                let is_caught = seen == call && (n >= count || phase == "waiting");
                if is_caught { act() } else { Act::Pass }
            });
            let run = bench.batchctl(LINE).arg("-q").start();
            bench.gate.wait_for(call, count);
            let sent = Instant::now();
            signal(&run.child, name);
            let output = run.end().exits(*code);
            assert!(sent.elapsed() < Duration::from_secs(4), "{phase}: {:?}", sent.elapsed());
            both_lines(&output, &bench.job());
            assert_eq!(bench.state(), "waiting", "{phase}");
            bench.gate.now(|_, _| Act::Pass);
            bench.batchctl(&format!("resume {}", bench.job())).run().exits(0);
            assert_eq!(bench.dir.bytes("out.csv"), undisturbed, "P4, {phase}, {name}");
            bench.nothing_is_paid_twice();
        }
    }
}

#[test]
fn a_create_under_way_is_given_time_and_is_looked_for_afterwards() {
    let bench = Bench::ruled(|call, _| match call {
        "POST /v1/batches" => Act::Late(Duration::from_millis(150)),
        _ => Act::Pass,
    });
    let run = bench.batchctl(LINE).env("BATCHCTL_TIME_SCALE", "1").start();
    bench.gate.wait_for("POST /v1/batches", 1);
    signal(&run.child, "INT");
    let output = run.end().exits(130);
    both_lines(&output, &bench.job());
    assert_eq!(bench.state(), "waiting", "its answer came within the five seconds");
    bench.batchctl("resume").run().exits(0);
    bench.nothing_is_paid_twice();

    let bench = Bench::ruled(|call, n| match (call, n) {
        ("POST /v1/batches", 1) => Act::DoAndHang,
        _ => Act::Pass,
    });
    let run = bench.batchctl(LINE).arg("--set").arg("parallel_uploads=1").start();
    bench.gate.wait_for("POST /v1/batches", 1);
    signal(&run.child, "INT");
    both_lines(&run.end().exits(130), &bench.job());
    assert_eq!(bench.state(), "waiting", "its answer never came");
    bench.batchctl("resume").run().exits(0);
    bench.nothing_is_paid_twice();
    assert_eq!(bench.gate.count("POST /v1/batches"), 3, "the first one was found");
}

#[test]
fn the_second_signal_ends_it_at_once() {
    for (second, code) in [("INT", 130), ("TERM", 143)] {
        let bench = Bench::ruled(|call, n| match (call, n) {
            ("POST /v1/batches", 1) => Act::DoAndHang,
            _ => Act::Pass,
        });
        // At its own pace: the create would be waited for five seconds.
        let mut run = bench.batchctl(LINE).env("BATCHCTL_TIME_SCALE", "1").start();
        bench.gate.wait_for("POST /v1/batches", 1);
        signal(&run.child, "INT");
        thread::sleep(Duration::from_millis(400));
        assert!(run.is_running(), "the create is given its time");
        let sent = Instant::now();
        signal(&run.child, second);
        let output = run.end().exits(code);
        assert!(sent.elapsed() < Duration::from_secs(2), "{:?}", sent.elapsed());
        both_lines(&output, &bench.job());
        bench.batchctl("resume").run().exits(0);
        bench.nothing_is_paid_twice();
        assert_eq!(bench.rows("ok"), 9);
    }
}

#[test]
fn nohup_outlives_its_terminal() {
    let bench = Bench::ruled(|call, n| match call {
        "GET /v1/batches/*" if n < 8 => Act::Edit(still_runs),
        _ => Act::Pass,
    });
    let run = bench.batchctl(LINE).under(&["nohup"]).start();
    bench.gate.wait_for("GET /v1/batches/*", 2);
    signal(&run.child, "HUP");
    run.end().exits(0);
    assert_eq!(bench.state(), "done");
}

#[test]
fn a_signal_while_the_table_is_written_is_not_lost() {
    let bench = Bench::new();
    long_table(&bench, 4000);
    // Nobody reads the pipe: the program is caught in the middle of its table.
    let mut child = bench.batchctl("workflow long.csv - --check-interval 2").spawn();
    until("the job is done", || {
        let list = bench.batchctl("status --json").run();
        list.json()["jobs"][0]["state"] == "done"
    });
    thread::sleep(Duration::from_millis(500));
    assert!(matches!(child.try_wait(), Ok(None)), "it waits for its reader");
    signal(&child, "INT");
    until("it has ended", || !matches!(child.try_wait(), Ok(None)));
    assert_eq!(child.wait().expect("it has ended").code(), Some(130));
    let whole = bench.batchctl("resume last").run().exits(0);
    assert_eq!(whole.stdout.lines().count(), 4001, "what was cut off is written again");
}

/// All jobs are driven one after the other in one process: only the one that is driven is told.
#[test]
fn a_signal_to_resume_all_reaches_the_job_that_is_driven() {
    let bench = Bench::ruled(|call, _| match call {
        "GET /v1/batches/*" => Act::Edit(still_runs),
        _ => Act::Pass,
    });
    bench.batchctl(LINE).arg("--no-wait").run().exits(0);
    let first = bench.job();
    let other = LINE.replace("out.csv", "other.csv");
    bench.batchctl(&other).args(&["--no-wait", "-p", "Again: {text}"]).run().exits(0);
    let second = bench.job();
    let asked = bench.gate.count("GET /v1/batches/*");
    let run = bench.batchctl("resume --all --check-interval 2").start();
    // Both were looked at once; then the older one is waited for.
    bench.gate.wait_for("GET /v1/batches/*", asked + 12);
    signal(&run.child, "INT");
    let output = run.end().exits(130);
    both_lines(&output, &first);
    assert!(!output.stderr.contains(&format!("batchctl resume {second}")), "{output}");
    assert_eq!(output.stderr.matches("stopping;").count(), 1, "{output}");
    assert!(output.stderr.contains("interrupted"), "the account of all is still given\n{output}");
    bench.gate.now(|_, _| Act::Pass);
    bench.batchctl("resume --all").run().exits(0);
    bench.nothing_is_paid_twice();
    assert_eq!((bench.made().len(), bench.paid().len()), (6, 18));
}

/// What is done to a program on a terminal, with the code it must end with.
type Blow = (&'static str, fn(&mut Terminal), i32);

/// The one after which nobody sees the screen.
const WINDOW: &str = "a closed window";

const BLOWS: [Blow; 4] = [
    ("^C", |terminal| terminal.types(CONTROL_C), 130),
    (
        "^C twice",
        |terminal| {
            terminal.types(CONTROL_C);
            thread::sleep(Duration::from_millis(300));
            terminal.types(CONTROL_C);
        },
        130,
    ),
    ("TERM", |terminal| terminal.terminates(), 143),
    (WINDOW, Terminal::closes, 143),
];

/// The phases of a run on a terminal.
const ON_A_TERMINAL: [Phase; 5] = [
    ("upload", "POST /v1/files", 2, || Act::Hang),
    ("create, done and not answered", "POST /v1/batches", 2, || Act::DoAndHang),
    ("create, never done", "POST /v1/batches", 2, || Act::Hang),
    ("waiting", "GET /v1/batches/*", 3, || Act::Edit(still_runs)),
    ("download", "GET /v1/files/*/content", 2, || Act::Stall),
];

/// The lines stand on the screen and nothing else does; a closed window shows nobody anything.
#[track_caller]
fn screen_is_left_well(screen: &Screen, lines: &[String], case: &str) {
    if case.ends_with(WINDOW) {
        return;
    }
    assert!(screen.is_tidy(), "{case}: {screen:#?}");
    for line in lines {
        assert!(screen.says(line), "{case}: {line} is missing: {screen:#?}");
    }
}

fn on_a_terminal(blow: usize) {
    let undisturbed = Bench::undisturbed();
    let (name, strike, code) = BLOWS[blow];
    for (phase, call, count, act) in ON_A_TERMINAL {
        let case = format!("{phase}, {name}");
        let bench = Bench::ruled(move |seen, n| {
            let is_caught = seen == call && (n == count || (phase == "waiting" && n > count));
            if is_caught { act() } else { Act::Pass }
        });
        let mut terminal = Terminal::open(&bench, LINE, 20, name == WINDOW);
        bench.gate.wait_for(call, count);
        // The others of the three get where they can get; then the call is the only one left.
        thread::sleep(Duration::from_millis(300));
        strike(&mut terminal);
        let (ended, screen) = terminal.end();
        assert_eq!(ended, Some(code), "{case}: {screen:#?}");
        let job = bench.job();
        let lines = [format!("batchctl resume {job}"), format!("batchctl cancel {job}")];
        screen_is_left_well(&screen, &lines, &case);
        bench.nothing_is_paid_twice();
        bench.gate.now(|_, _| Act::Pass);
        bench.resume_until_over(3);
        assert_eq!(bench.state(), "done", "{case}");
        assert_eq!(bench.dir.bytes("out.csv"), undisturbed, "P4, {case}");
        bench.nothing_is_paid_twice();
        assert_eq!((bench.made().len(), bench.paid().len()), (3, 9), "{case}");
    }
    while_planning(BLOWS[blow], &undisturbed);
    while_writing(BLOWS[blow]);
}

fn while_planning((name, strike, code): Blow, undisturbed: &[u8]) {
    let bench = Bench::new();
    long_table(&bench, 150_000);
    let mut terminal = Terminal::open(&bench, "workflow long.csv out.csv", 20, name == WINDOW);
    let jobs = bench.dir.home().join("jobs");
    until("the plan is begun", || fs::read_dir(&jobs).is_ok_and(|mut all| all.next().is_some()));
    thread::sleep(Duration::from_millis(50));
    strike(&mut terminal);
    let (ended, screen) = terminal.end();
    assert_eq!(ended, Some(code), "planning, {name}: {screen:#?}");
    screen_is_left_well(&screen, &["it has sent nothing".to_owned()], &format!("planning, {name}"));
    assert_eq!(bench.gate.count("POST /v1/files"), 0);
    let list = bench.batchctl("status --json").run().json();
    assert_eq!(list["jobs"].as_array().map(Vec::len), Some(0), "{list}");
    bench.batchctl(LINE).run().exits(0);
    assert_eq!(bench.dir.bytes("out.csv"), undisturbed, "planning, {name}");
    assert_eq!(fs::read_dir(&jobs).expect("it is there").count(), 1, "the plan was swept");
    bench.nothing_is_paid_twice();
}

fn while_writing((name, strike, code): Blow) {
    let bench = Bench::new();
    long_table(&bench, 4000);
    let pipe = bench.dir.path("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("it belongs to every Debian");
    assert!(made.success());
    // Nobody reads what goes through the pipe: the program is caught in the middle of its table.
    let line = "workflow long.csv - --check-interval 2 >pipe";
    let mut terminal = Terminal::open(&bench, line, 20, name == WINDOW);
    let reader = fs::File::open(&pipe).expect("the program writes to it");
    until("the job is done", || {
        let list = bench.batchctl("status --json").run();
        list.json()["jobs"][0]["state"] == "done"
    });
    thread::sleep(Duration::from_millis(500));
    strike(&mut terminal);
    let (ended, screen) = terminal.end();
    drop(reader);
    assert_eq!(ended, Some(code), "writing, {name}: {screen:#?}");
    let line = format!("batchctl resume {}", bench.job());
    screen_is_left_well(&screen, &[line], &format!("writing, {name}"));
    let whole = bench.batchctl("resume last").run().exits(0);
    assert_eq!(whole.stdout.lines().count(), 4001, "what was cut off is written again");
    bench.nothing_is_paid_twice();
}

fn long_table(bench: &Bench, rows: usize) {
    let rows: Vec<_> = (0..rows).map(|row| format!("{row},question number {row}")).collect();
    bench.dir.write("long.csv", format!("id,text\n{}\n", rows.join("\n")));
}

/// S10 of the test plan: each phase through a terminal.
#[test]
fn control_c_in_each_phase_on_a_terminal() {
    on_a_terminal(0);
}

#[test]
fn control_c_twice_in_each_phase_on_a_terminal() {
    on_a_terminal(1);
}

#[test]
fn term_in_each_phase_on_a_terminal() {
    on_a_terminal(2);
}

#[test]
fn a_window_closed_in_each_phase() {
    if !outlives_its_terminal() {
        on_a_terminal(3);
    }
}
