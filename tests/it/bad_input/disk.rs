//! A disk that is full, and one that may not be written to. Both are file systems in memory,
//! mounted in a name space of one process, so that none is left behind whatever happens.

use std::fmt::Write;
use std::process::{Command, Stdio};

use crate::support::sandbox::Sandbox;
use crate::support::workdir::WorkDir;

/// Runs a script in a mount name space of its own; `None` where that is not permitted.
pub(crate) fn apart(dir: &WorkDir, sandbox: &Sandbox, script: &str) -> Option<String> {
    let run = |script: &str| {
        Command::new("unshare")
            .args(["-rm", "sh", "-c", script])
            .current_dir(dir.folder())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("BATCHCTL", env!("CARGO_BIN_EXE_batchctl"))
            .env("BATCHCTL_HOME", dir.path("small/home"))
            .env("OPENAI_BASE_URL", format!("{}/v1", sandbox.address()))
            .env("OPENAI_API_KEY", "sandbox-disk-test")
            .stdin(Stdio::null())
            .output()
            .ok()
    };
    let _ = std::fs::create_dir(dir.path("small"));
    run("mount -t tmpfs -o size=64k tmpfs small").filter(|output| output.status.success())?;
    let output = run(script)?;
    let text = [output.stdout, output.stderr].concat();
    Some(String::from_utf8_lossy(&text).into_owned())
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn skipped() {
    eprintln!("skipped: no mount name space is permitted here");
}

/// A table, a home and an output on a small disk; `before` and `during` fill it or not.
fn run_on_a_small_disk(before: &str, during: &str) -> Option<String> {
    let sandbox = Sandbox::with(&["--batch-seconds", "1.5"]);
    let dir = WorkDir::new();
    let mut table = "id,text\n".to_owned();
    for row in 0..400 {
        let _ = writeln!(table, "{row},what is the number of room {row}");
    }
    dir.write("in.csv", table);
    let script = format!(
        "mount -t tmpfs -o size=80m tmpfs small
         fill() {{ head -c \"$1\" /dev/zero > small/filler 2>&-; }}
         run() {{ $BATCHCTL workflow in.csv small/out.csv --progress none --check-interval 0.2 2>&1; }}
         {before}
         run & running=$!
         {during}
         wait $running; echo \"first $?\"
         rm -f small/filler; run; echo \"second $?\"
         grep -c ',ok,' small/out.csv"
    );
    apart(&dir, &sandbox, &script)
}

/// Wherever the disk fills up, the run ends with exit 9 and says where; with room again the same
/// line goes on and every row is answered.
#[test]
fn a_full_disk_stops_the_run_and_the_same_line_goes_on() {
    for (before, during) in [
        ("fill 80m", ""),
        ("fill 81800k", ""),
        ("fill 40m", ""),
        ("", "until grep -qs batch_ small/home/batchctl.db-wal; do sleep 0.05; done; fill 80m"),
    ] {
        let Some(text) = run_on_a_small_disk(before, during) else { return skipped() };
        let place = format!("{before} / {during}\n{text}");
        assert!(text.contains("first 9\n"), "{place}");
        assert!(text.contains("fix: make room on that disk"), "{place}");
        assert!(text.ends_with("second 0\n400\n"), "{place}");
    }
}

#[test]
fn a_folder_that_may_not_be_written_to() {
    let sandbox = Sandbox::start();
    let dir = super::folder();
    let script = "mount -t tmpfs -o ro tmpfs small
        BATCHCTL_HOME=home $BATCHCTL workflow in.csv small/out.csv; echo $?
        $BATCHCTL workflow in.csv out.csv; echo $?";
    let Some(text) = apart(&dir, &sandbox, script) else { return skipped() };
    let text = text.replace(&dir.folder().display().to_string(), "[DIR]");
    let text: String =
        text.split_inclusive('\n').filter(|line| !line.starts_with("openai is at")).collect();
    insta::assert_snapshot!(text, @r"
    2
    9
    error: cannot write to [DIR]/small: Read-only file system (os error 30)
      fix: name an output file in a folder that you may write to
    error: home [DIR]/small/home: Read-only file system (os error 30)
    ");
    assert!(!dir.path("out.csv").exists());
}
