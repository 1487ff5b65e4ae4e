//! Cells whose fault is in our own process: killed, without power, without room on the disk.

use std::sync::OnceLock;
use std::{fs, thread, time::Duration};

use serde_json::{Value, json};

use super::Cell;
use super::site::{CREATE, DELETE, FETCH, LINE, LIST, POLL, Site, UPLOAD};
use crate::support::bench::{ROWS, signal};
use crate::support::gate::Act;
use crate::support::workdir::Output;

const OLD: &str = "id,text\n1,an older table\n";

/// The steps of an undisturbed run: `point` or `operation`, its number, its name.
fn steps() -> &'static [(String, String, String)] {
    static STEPS: OnceLock<Vec<(String, String, String)>> = OnceLock::new();
    STEPS.get_or_init(|| {
        let site = Site::new();
        let count = site.bench.dir.path("count");
        site.run(LINE).env("BATCHCTL_CRASH_COUNT", &count).run().exits(0);
        let text = fs::read_to_string(count).expect("the run wrote it");
        let step = |line: &str| {
            let mut words = line.splitn(3, ' ').map(str::to_owned);
            let mut word = || words.next().expect("a step has three parts");
            (word(), word(), word())
        };
        text.lines().map(step).collect()
    })
}

/// The number of the first step of this kind that begins and ends like this. Good for the steps
/// before the first shard is sent: until there every run takes the same ones.
fn number(kind: &str, begins: &str, ends: &str) -> String {
    let fits = |(what, _, name): &&(String, String, String)| {
        what == kind && name.starts_with(begins) && name.ends_with(ends)
    };
    steps().iter().find(fits).expect("an undisturbed run takes this step").1.clone()
}

/// The name of the first point after this one that begins like this.
fn point_after(point: &str, begins: &str) -> String {
    let names = steps().iter().filter(|step| step.0 == "point").map(|step| &step.2);
    let mut after = names.skip_while(|name| *name != point);
    after.find(|name| name.starts_with(begins)).expect("the run passes it").clone()
}

fn dies(output: &Output, at: &str) {
    assert_eq!(output.code, None, "it is killed at {at}\n{output}");
}

/// Dies at each of these points in turn, then goes on by the same line.
fn dies_at(points: &[String], power: bool) {
    for (turn, point) in points.iter().enumerate() {
        let site = Site::new();
        let mut run = site.run(LINE).env("BATCHCTL_CRASH", point);
        if power {
            run = run.env("BATCHCTL_CRASH_POWER", "1");
        }
        dies(&run.start().end(), point);
        site.is_paid_once();
        let has_job = site.bench.batchctl("status last").run().code == Some(0);
        let line = if turn % 2 == 0 || !has_job { LINE } else { "resume last" };
        site.run(line).run().exits(0);
        site.ends_as_undisturbed();
        let uploads = site.bench.gate.count(UPLOAD);
        assert!(uploads <= 4, "{point}: {uploads} uploads leave more than one orphan");
    }
}

/// Dies at a point of `resume`, of a job whose folder is known by then.
fn dies_later(points: &[&str], power: bool) {
    for point in points {
        let site = left_to_resume();
        let point = point.replace("JOB/", &site.job_file(""));
        let mut run = site.run("resume last").env("BATCHCTL_CRASH", &point);
        if power {
            run = run.env("BATCHCTL_CRASH_POWER", "1");
        }
        dies(&run.start().end(), &point);
        site.resumes();
    }
}

/// P5: the older table, or one with all rows, perhaps written in between, some pending.
fn is_old_or_whole(site: &Site, at: &str) {
    let text = site.bench.dir.read("out.csv");
    let is_whole = text.lines().count() == ROWS + 1 && text.ends_with('\n');
    assert!(text == OLD || is_whole, "P5: {at}\n{text}");
}

/// P5: at each step of the writing there is the old table or the new one.
fn dies_while_writing(power: bool) {
    for (point, is_new) in [
        ("write OUT.part", false),
        ("sync OUT.part", false),
        ("rename OUT", false),
        ("renamed OUT", true),
    ] {
        let site = Site::new();
        site.bench.dir.write("out.csv", OLD);
        let out = site.bench.dir.path("out.csv").display().to_string();
        let mut run = site.run(LINE).arg("--overwrite");
        run = run.env("BATCHCTL_CRASH", point.replace("OUT", &out));
        if power {
            run = run.env("BATCHCTL_CRASH_POWER", "1");
        }
        dies(&run.start().end(), point);
        is_old_or_whole(&site, point);
        assert!(is_new || site.bench.dir.read("out.csv") == OLD, "{point}: not written yet");
        site.run(LINE).arg("--overwrite").run().exits(0);
        site.ends_as_undisturbed();
    }
}

fn dies_while_cleaning(power: bool) {
    for point in ["send delete the file#2", "answered delete the file#2"] {
        let site = Site::new();
        site.run(LINE).run().exits(0);
        let mut run = site.run("prune last --remote").env("BATCHCTL_CRASH", point);
        if power {
            run = run.env("BATCHCTL_CRASH_POWER", "1");
        }
        dies(&run.start().end(), point);
        site.run("prune last --remote").run().exits(0);
        assert_eq!(site.files(), 0);
        site.ends_as_undisturbed();
    }
}

/// A real `kill -9` while this call is under way.
fn killed_in(call: &'static str, count: usize, act: fn() -> Act) {
    let site =
        Site::ruled(move |seen, n| if seen == call && n == count { act() } else { Act::Pass });
    let run = site.run(LINE).start();
    site.bench.gate.wait_for(call, count);
    thread::sleep(Duration::from_millis(60));
    signal(&run.child, "KILL");
    dies(&run.end(), call);
    site.run(LINE).run().exits(0);
    site.ends_as_undisturbed();
}

fn points(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn building() -> Vec<String> {
    vec![
        number("point", "synced", "input.csv"),
        number("point", "rename", "r1-s0002.rows"),
        number("point", "commit src/store/jobs.rs", ""),
        number("point", "write", "r1-s0001.jsonl.part"),
    ]
}

fn uploading() -> Vec<String> {
    let mut all = points(&["send upload the input file#2", "answered upload the input file"]);
    all.push(point_after("answered upload the input file", "commit src/store"));
    all
}

fn creating() -> Vec<String> {
    let commit = point_after("answered create the batch", "commit src/store");
    let mut all = points(&["send create the batch#2", "answered create the batch#3"]);
    all.extend([format!("{commit}#2"), commit.replace("commit ", "committed ")]);
    all
}

fn polling() -> Vec<String> {
    let mut all = points(&["send ask after the batch#2", "answered ask after the batch"]);
    all.push(point_after("answered ask after the batch", "commit src/store"));
    all
}

const FETCHING: &[&str] = &[
    "answered download the result file",
    "rename JOB/results/r1-s0002-output.jsonl",
    "renamed JOB/results/r1-s0001-output.jsonl",
];

fn merging() -> Vec<String> {
    let stored = point_after("answered download the result file", "commit src/store/records");
    let settled = point_after("answered download the result file", "commit src/store/outcomes");
    vec![stored, format!("{settled}#2"), settled.replace("commit ", "committed ")]
}

/// The cells of both rows, `kill -9` and `power loss`.
pub(super) fn dying_cells() -> Vec<Cell> {
    let mut cells = vec![
        Cell::new("kill -9/build", || {
            killed_in(LIST, 1, || Act::Hang);
            dies_at(&building(), false);
        }),
        Cell::new("kill -9/upload", || {
            killed_in(UPLOAD, 2, || Act::DoAndHang);
            dies_at(&uploading(), false);
        }),
        Cell::new("kill -9/create", || {
            killed_in(CREATE, 2, || Act::DoAndHang);
            dies_at(&creating(), false);
        }),
        Cell::new("kill -9/poll", || {
            killed_in(POLL, 3, || Act::DoAndHang);
            dies_at(&polling(), false);
        }),
        Cell::new("kill -9/download", || {
            killed_in(FETCH, 2, || Act::Stall);
            dies_later(FETCHING, false);
        }),
    ];
    cells.extend([
        Cell::new("kill -9/merge", || dies_at(&merging(), false)),
        Cell::new("kill -9/write", || dies_while_writing(false)),
        Cell::new("kill -9/clean", || dies_while_cleaning(false)),
        Cell::new("power loss/build", || dies_at(&building(), true)),
        Cell::new("power loss/upload", || dies_at(&uploading(), true)),
        Cell::new("power loss/create", || dies_at(&creating(), true)),
        Cell::new("power loss/poll", || dies_at(&polling(), true)),
        Cell::new("power loss/download", || dies_later(FETCHING, true)),
        Cell::new("power loss/merge", || dies_at(&merging(), true)),
        Cell::new("power loss/write", || dies_while_writing(true)),
        Cell::new("power loss/clean", || dies_while_cleaning(true)),
    ]);
    cells
}

/// A home on a small disk of its own, in a name space of one process: it fills up during this
/// call. False where that is not permitted. The home is taken off the small disk in the end.
fn full_during(call: &'static str, count: usize, check: fn(&Site, &Output)) -> bool {
    const SCRIPT: &str = "mkdir small && mount -t tmpfs -o size=40m tmpfs small || exit 77
        BATCHCTL_HOME=$PWD/small/home \"$@\" & running=$!
        while ! test -e fill && kill -0 $running 2>&-; do sleep 0.01; done
        head -c 60m /dev/zero > small/filler 2>&-; touch filled
        wait $running; code=$?
        rm small/filler; cp -a small/home/. \"$BATCHCTL_HOME\"; exit $code";
    let site = Site::new();
    let desk = site.bench.dir.folder();
    site.bench.gate.now(move |seen, n| {
        if seen == call && n == count {
            let _ = fs::write(desk.join("fill"), "");
            for _ in 0..1000 {
                if desk.join("filled").exists() {
                    break;
                }
                thread::sleep(Duration::from_millis(5));
            }
        }
        Act::Pass
    });
    fs::create_dir_all(site.bench.dir.home()).expect("a fresh home");
    let apart = ["unshare", "-rm", "sh", "-c", SCRIPT, "sh"];
    let output = site.run(LINE).under(&apart).run();
    if output.code == Some(77) || output.stderr.contains("unshare: ") {
        return false;
    }
    check(&site, &output);
    for name in ["fill", "filled", "small"] {
        let path = site.bench.dir.path(name);
        let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
    }
    site.bench.gate.now(|_, _| Act::Pass);
    site.run(LINE).run().exits(0);
    site.ends_as_undisturbed();
    true
}

fn stops_for_room(_: &Site, output: &Output) {
    assert_eq!(output.code, Some(9), "E 9\n{output}");
}

/// A job whose batches have ended and whose results are all left to the second run, however slow
/// the machine is.
fn left_to_resume() -> Site {
    let site = Site::new();
    site.bench.gate.now(|call, _| match call {
        POLL | LIST => Act::Edit(still_runs),
        _ => Act::Pass,
    });
    site.run(LINE).arg("--no-wait").run().exits(0);
    site.bench.gate.now(|_, _| Act::Pass);
    thread::sleep(Duration::from_millis(400));
    site
}

/// Makes what is told of batches that of batches that are under way.
fn still_runs(told: &mut Value) {
    if let Some(listed) = told["data"].as_array_mut() {
        listed.iter_mut().for_each(still_runs);
        return;
    }
    for (key, value) in [("status", json!("in_progress")), ("output_file_id", Value::Null)] {
        told[key] = value;
    }
}

/// No room for one file: E 9, nothing deleted at the provider, then R.
fn no_room_for(operation: &str) {
    let site = left_to_resume();
    let operation = operation.replace("JOB/", &site.job_file(""));
    let run = site.run("resume last").env("BATCHCTL_FAULT", format!("{operation}:enospc"));
    let output = run.run().exits(9).says(&["No space left on device"]);
    assert_eq!(site.bench.state(), "waiting", "state kept\n{output}");
    assert_eq!(site.bench.gate.count(DELETE), 0, "remote kept");
    site.resumes();
}

pub(super) fn disk_cells() -> Vec<Cell> {
    vec![
        Cell::new("disk full/build", || {
            for end in ["input.csv", "r1-s0002.rows.part"] {
                let site = Site::new();
                let fault = format!("{}:enospc", number("operation", "write", end));
                let output = site.run(LINE).env("BATCHCTL_FAULT", fault).run();
                output.exits(9).says(&["No space left on device"]);
                assert_eq!(site.bench.gate.count(UPLOAD), 0);
                site.run(LINE).run().exits(0);
                site.ends_as_undisturbed();
            }
        }),
        Cell::maybe("disk full/upload", || full_during(UPLOAD, 2, stops_for_room)),
        Cell::maybe("disk full/create", || {
            full_during(UPLOAD, 1, |site, output| {
                stops_for_room(site, output);
                assert_eq!(site.bench.gate.count(CREATE), 0, "no create without its intent");
            }) && full_during(CREATE, 1, stops_for_room)
        }),
        Cell::maybe("disk full/poll", || full_during(POLL, 2, stops_for_room)),
        Cell::new("disk full/download", || {
            no_room_for("write JOB/results/r1-s0001-output.jsonl.part");
            no_room_for("sync JOB/results/r1-s0002-output.jsonl.part");
        }),
        Cell::new("disk full/merge", || no_room_for("open JOB/results/r1-s0001-output.jsonl")),
        Cell::new("disk full/write", || {
            for operation in ["create OUT.part", "write OUT.part", "sync OUT.part"] {
                let site = Site::new();
                site.bench.dir.write("out.csv", OLD);
                let out = site.bench.dir.path("out.csv").display().to_string();
                let run = site.run(LINE).arg("--overwrite");
                let fault = format!("{}:enospc", operation.replace("OUT", &out));
                let output = run.env("BATCHCTL_FAULT", fault).run();
                let output = output.says(&["No space left on device"]);
                is_old_or_whole(&site, operation);
                // A table that is written in between is only warned of.
                let is_between =
                    output.code == Some(0) && output.stderr.contains("not written now");
                let is_kept = output.code == Some(9) && site.bench.dir.read("out.csv") == OLD;
                assert!(is_between || is_kept, "{operation}\n{output}");
                site.run(LINE).arg("--overwrite").run().exits(0);
                site.ends_as_undisturbed();
            }
        }),
    ]
}
