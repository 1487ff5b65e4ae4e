//! Signals from outside, on the real program, in every phase: the first stops new work and says
//! both lines, the second ends it at once, and `resume` finishes what was begun (P4).

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::bench::{Bench, LINE, signal, until};
use crate::support::gate::Act;
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
        std::thread::sleep(Duration::from_millis(400));
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
    let rows: Vec<_> = (0..4000).map(|row| format!("{row},question number {row}")).collect();
    bench.dir.write("long.csv", format!("id,text\n{}\n", rows.join("\n")));
    // Nobody reads the pipe: the program is caught in the middle of its table.
    let mut child = bench.batchctl("workflow long.csv - --check-interval 2").spawn();
    until("the job is done", || {
        let list = bench.batchctl("status --json").run();
        list.json()["jobs"][0]["state"] == "done"
    });
    std::thread::sleep(Duration::from_millis(500));
    assert!(matches!(child.try_wait(), Ok(None)), "it waits for its reader");
    signal(&child, "INT");
    until("it has ended", || !matches!(child.try_wait(), Ok(None)));
    assert_eq!(child.wait().expect("it has ended").code(), Some(130));
    let whole = bench.batchctl("resume last").run().exits(0);
    assert_eq!(whole.stdout.lines().count(), 4001, "what was cut off is written again");
}

/// Ctrl-C as a terminal sends it, to all of the foreground.
#[test]
fn control_c_typed_in_a_terminal() {
    let bench = Bench::ruled(|call, _| match call {
        "GET /v1/batches/*" => Act::Edit(still_runs),
        _ => Act::Pass,
    });
    let line = format!("{} {LINE}", env!("CARGO_BIN_EXE_batchctl"));
    let mut terminal = Command::new("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .current_dir(bench.dir.folder())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("TERM", "xterm")
        .env("BATCHCTL_HOME", bench.dir.home())
        .env("BATCHCTL_TIME_SCALE", "20")
        .env("OPENAI_BASE_URL", format!("{}/v1", bench.gate.address()))
        .env("OPENAI_API_KEY", "sandbox-integration-test")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script(1) belongs to every Debian");
    bench.gate.wait_for("GET /v1/batches/*", 3);
    let mut keyboard = terminal.stdin.take().expect("stdin is a pipe");
    keyboard.write_all(b"\x03").expect("the terminal is there");
    keyboard.flush().expect("the terminal is there");
    let output = terminal.wait_with_output().expect("it ends");
    let screen = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(130), "{screen}");
    let job = bench.job();
    for line in [format!("batchctl resume {job}"), format!("batchctl cancel {job}")] {
        assert!(screen.contains(&line), "{line} is missing\n{screen}");
    }
    bench.gate.now(|_, _| Act::Pass);
    bench.batchctl("resume").run().exits(0);
    assert_eq!(bench.dir.bytes("out.csv"), Bench::undisturbed(), "P4");
}
