//! P8: no key in any file, log, error or output, whatever a provider answers; and no terminal
//! escape of a hostile answer on the screen.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::gate::{Act, Gate, full};
use crate::support::runs::marked;
use crate::support::sandbox::Sandbox;
use crate::support::workdir::{Output, Run, WorkDir};

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// A key that is nobody else's; the sandbox takes it.
fn random_key() -> String {
    let mut bytes = [0u8; 12];
    getrandom::fill(&mut bytes).expect("the system has random bytes");
    bytes.iter().fold("sandbox-".to_owned(), |key, byte| key + &format!("{byte:02x}"))
}

/// Files whose business it is to hold a key.
const KEEPERS: [&str; 2] = ["keys.toml", ".env"];

/// Fails if the key stands in any file of home and folder, or was printed.
#[track_caller]
fn hides_everywhere(dir: &WorkDir, key: &str, runs: &[&Output]) {
    for run in runs {
        for text in [&run.stdout, &run.stderr] {
            assert!(!text.contains(key), "the key was printed\n{run}");
        }
    }
    let root = dir.folder().parent().expect("desk and home are beside each other").to_owned();
    let all = files(&root);
    assert!(all.iter().any(|path| path.ends_with("batchctl.db")), "the ledger is searched too");
    for path in all {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if KEEPERS.contains(&name.as_str()) {
            continue;
        }
        let bytes = fs::read(&path).unwrap_or_default();
        let found = bytes.windows(key.len()).any(|window| window == key.as_bytes());
        assert!(!found, "the key stands in {}", path.display());
    }
}

/// The step that fails, and how.
const STEPS: [(&str, &str); 6] = [
    ("upload", "POST /v1/files"),
    ("create", "POST /v1/batches"),
    ("poll", "GET /v1/batches/*"),
    ("download", "GET /v1/files/*/content"),
    ("list", "GET /v1/batches"),
    ("delete", "DELETE /v1/files/*"),
];

/// Answers that repeat the key, with all that a terminal might obey around it.
fn answers(key: &str) -> Vec<(&'static str, Vec<u8>)> {
    let evil = "\\u001b]0;owned\\u0007\\u001b[2J\\u009b31m\\u202e";
    let body = |status: u16, code: &str| {
        let body = format!(
            r#"{{"error":{{"message":"{evil}Incorrect key {key} (Bearer {key}) at https://x/?api_key={key}","code":"{code}","type":"{key}"}}}}"#
        );
        full(status, "", "application/json", &body)
    };
    let page = format!("<html><title>\u{1b}[2JOops {key}</title>key={key}</html>");
    let location = format!("location: https://elsewhere.example/?key={key}\r\n");
    vec![
        ("401", body(401, "invalid_api_key")),
        ("400", body(400, "bad_request")),
        ("code", body(400, key)),
        ("429", body(429, "insufficient_quota")),
        ("500", body(500, "server_error")),
        ("redirect", full(302, &location, "text/html", &page)),
        ("page", full(200, "", "text/html", &page)),
        ("not found", body(404, "not_found")),
    ]
}

fn run(dir: &WorkDir, gate: &Gate, line: &str, with: &dyn Fn(Run) -> Run) -> Output {
    let run = dir
        .batchctl(line)
        .env("OPENAI_BASE_URL", format!("{}/v1", gate.address()))
        .env("BATCHCTL_TIME_SCALE", "1000");
    with(run).run()
}

fn has_no_escape(output: &Output) {
    for text in [&output.stdout, &output.stderr] {
        let odd = text.chars().find(|c| {
            (c.is_control() && !['\n', '\t'].contains(c)) || ('\u{202a}'..='\u{202e}').contains(c)
        });
        assert_eq!(odd, None, "what a terminal obeys was printed\n{output}");
    }
}

/// One job through one bad step with one bad answer, then every command that tells of it.
fn through(step: &str, name: &str, answer: &[u8], key: &str, with: &dyn Fn(Run) -> Run) {
    let sandbox = Sandbox::with(&["--batch-seconds", "0.1"]);
    let bad = answer.to_vec();
    let call_of = STEPS.iter().find(|(known, _)| *known == step).expect("a step").1;
    let gate = Gate::before(sandbox.address(), move |call, _| {
        if call == call_of { Act::Say(bad.clone()) } else { Act::Pass }
    });
    let dir = marked(2);
    let lines = [
        "workflow in.csv out.csv --max-wait 20s --check-interval 1 -v",
        "status last",
        "status last --json --shards",
        "status last -v",
        "logs last",
        "logs last -v",
        "logs last --json",
        "resume last --max-wait 20s",
        "prune last --remote",
        "config show",
    ];
    let mut outputs = Vec::new();
    for line in lines {
        let on_done = line.starts_with("workflow") || line.starts_with("resume");
        let output = run(&dir, &gate, line, &|run| {
            let run = with(run);
            if on_done { run.args(&["--on-done", "cat >> told; env >> around"]) } else { run }
        });
        has_no_escape(&output);
        outputs.push(output);
    }
    assert!(dir.path("told").is_file(), "{step}, {name}: {}", outputs[0]);
    let shown: Vec<_> = outputs.iter().collect();
    hides_everywhere(&dir, key, &shown);
    if step != "delete" && step != "list" {
        let log = serde_json::from_str::<Value>(&outputs[6].stdout);
        assert!(log.is_ok(), "{step}, {name}: {}", outputs[6]);
    }
}

#[test]
fn p8_no_key_in_any_error_of_any_step() {
    let key = random_key();
    for (step, _) in STEPS {
        std::thread::scope(|scope| {
            for (name, answer) in answers(&key) {
                let key = key.clone();
                scope.spawn(move || {
                    through(step, name, &answer, &key, &|run| run.env("OPENAI_API_KEY", &key));
                });
            }
        });
    }
}

/// Keys of `.env` and of `login`, and those of services that are not asked.
#[test]
fn p8_keys_of_every_source_are_hidden() {
    let (key, other) = (random_key(), random_key());
    let sandbox = Sandbox::with(&["--batch-seconds", "0.1"]);
    for source in [".env", "login"] {
        let text = format!(r#"{{"error":{{"message":"no: {key} {other}","code":"x"}}}}"#);
        let answer = full(401, "", "application/json", &text);
        let gate = Gate::before(sandbox.address(), move |call, n| match call {
            "GET /v1/batches/*" if n > 1 => Act::Say(answer.clone()),
            _ => Act::Pass,
        });
        let dir = marked(2);
        if source == ".env" {
            dir.write(".env", format!("OPENAI_API_KEY={key}\n"));
        } else {
            let login = dir.batchctl("login openai").stdin(format!("{key}\n"));
            login.env("OPENAI_BASE_URL", format!("{}/v1", gate.address())).run().exits(0);
        }
        let with = |run: Run| run.env("ZHIPUAI_API_KEY", &other);
        let mut outputs = Vec::new();
        for line in [
            "workflow in.csv out.csv --check-interval 1 -v",
            "status last",
            "logs last --json",
            "status last --json",
        ] {
            outputs.push(run(&dir, &gate, line, &with));
        }
        let shown: Vec<_> = outputs.iter().collect();
        hides_everywhere(&dir, &key, &shown);
        hides_everywhere(&dir, &other, &shown);
    }
}

/// Words that rows carry: kept in the table as they came, harmless on the screen.
#[test]
fn p8_escapes_in_error_rows_do_not_reach_the_screen() {
    let sandbox = Sandbox::with(&["--batch-seconds", "0.1"]);
    let gate = Gate::before(sandbox.address(), |call, _| match call {
        "GET /v1/files/*/content" => Act::Rewrite(|text| {
            text.replace("\"message\":\"", "\"message\":\"\\u001b[2J\\u009b1m\\u202eEVIL ")
        }),
        _ => Act::Pass,
    });
    let dir = marked(1);
    dir.write("in.csv", "text\n[[fail:400]]\n[[fail:400]]\n");
    let key = random_key();
    let with = |run: Run| run.env("OPENAI_API_KEY", &key);
    for line in [
        "workflow in.csv out.csv --check-interval 1",
        "logs last",
        "logs last --json",
        "status last",
        "download last --json",
    ] {
        let output = run(&dir, &gate, line, &with);
        has_no_escape(&output);
        if line == "logs last" {
            assert!(output.stdout.contains("EVIL"), "{output}");
        }
        if line == "logs last --json" {
            let words = output.json()["not_good_rows"][0]["error"].as_str().map(str::to_owned);
            assert!(words.is_some_and(|words| words.contains("EVIL")), "{output}");
        }
    }
}
