//! The request lines and the merged table of every fixture, byte for byte, as files under
//! `fixtures/golden/`. `BATCHCTL_UPDATE_GOLDEN=1` writes them anew; look at the difference then.

use std::fs;

use crate::support::repo;
use crate::support::runs::at;
use crate::support::sandbox::Sandbox;
use crate::support::workdir::WorkDir;

/// Tables with the flags they are asked with; `reviews-latin1.csv` must be refused instead.
const TABLES: [(&str, &[&str]); 16] = [
    ("reviews.csv", &["--prompt", "Is this review good, bad or mixed? {review}"]),
    ("评论.csv", &["--system", "只回答“正面”“负面”或“中性”。"]),
    ("tickets.csv", &["--json-fields", "topic,urgency", "--input-column", "Message"]),
    ("job-ads.csv", &["--json-fields", "title,place,pay", "--max-tokens", "200"]),
    ("reviews-gb18030.csv", &[]),
    ("reviews-bom-crlf.csv", &[]),
    ("reviews-utf16le.csv", &[]),
    ("reviews-semicolon.csv", &["--temperature", "0"]),
    ("reviews.tsv", &[]),
    ("reviews-all-quoted.csv", &[]),
    ("news.jsonl", &["--prompt", "Headline for: {text}"]),
    ("products.json", &["--input-column", "*"]),
    ("conversations.json", &[]),
    ("message-arrays.json", &[]),
    ("pictures.csv", &["--image-detail", "low"]),
    ("pictures-broken.csv", &["--allow-missing-images"]),
];

/// A folder with a table and the pictures it may name.
fn folder(table: &str) -> WorkDir {
    let dir = WorkDir::new();
    dir.fixture(&format!("tables/{table}"));
    dir.fixture("images");
    dir
}

/// The name of a table's golden file; no two tables have the same one.
fn named(table: &str, suffix: &str) -> String {
    format!("{}.{suffix}", table.strip_suffix(".csv").unwrap_or(table))
}

/// Fails if the bytes are not those of the golden file; writes them there if asked to.
#[track_caller]
fn is_golden(relative: &str, bytes: &[u8]) {
    let path = repo("fixtures/golden").join(relative);
    if std::env::var_os("BATCHCTL_UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("it can be made");
        fs::write(&path, bytes).expect("it can be written");
    }
    let golden = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let different = shown(&golden)
        .lines()
        .map(str::to_owned)
        .zip(shown(bytes).lines().map(str::to_owned).collect::<Vec<_>>())
        .find(|(golden, now)| golden != now);
    assert!(golden == bytes, "{relative} is not golden; the first other line: {different:?}");
}

/// S1.11, S4.01: what is sent, for both providers.
#[test]
fn s1_11_s4_01_request_lines_are_golden() {
    for (table, flags) in TABLES {
        for provider in ["openai", "zhipu"] {
            let dir = folder(table);
            let line = format!("convert {table} out.jsonl --provider {provider}");
            let run = dir.batchctl(&line).args(flags).run();
            assert!(matches!(run.code, Some(0 | 3)), "{run}");
            is_golden(&format!("{provider}/{}", named(table, "jsonl")), &dir.bytes("out.jsonl"));
        }
    }
}

/// B13, S1.13: what comes back, as a CSV.
#[test]
fn s1_13_b13_merged_tables_are_golden() {
    let sandbox = Sandbox::start();
    for (table, flags) in TABLES {
        let dir = folder(table);
        let run = at(&sandbox, dir.batchctl("workflow").arg(table).arg("out.csv").args(flags));
        let run = run.run();
        assert!(matches!(run.code, Some(0 | 3)), "{run}");
        is_golden(&format!("merged/{}", named(table, "csv")), &dir.bytes("out.csv"));
    }
}

/// A golden file of a table that is gone would never be looked at again.
#[test]
fn every_golden_file_belongs_to_a_table() {
    let count = |folder: &str| {
        fs::read_dir(repo("fixtures/golden").join(folder)).expect("golden files").count()
    };
    for kind in ["openai", "zhipu", "merged"] {
        assert_eq!(count(kind), TABLES.len(), "{kind}");
    }
}
