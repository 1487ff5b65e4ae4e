//! `convert`: what its files hold together, and that nothing is left of one that was stopped.

use serde_json::Value;

use crate::support::workdir::WorkDir;

fn table(dir: &WorkDir) {
    let rows: Vec<[String; 2]> = (0..50)
        .map(|n| [n.to_string(), if n == 7 { String::new() } else { format!("好 \"{n}\"\nline") }])
        .collect();
    let mut cells: Vec<Vec<&str>> = vec![vec!["id", "text"]];
    cells.extend(rows.iter().map(|row| row.iter().map(String::as_str).collect()));
    let rows: Vec<&[&str]> = cells.iter().map(Vec::as_slice).collect();
    dir.table("in.csv", &rows);
}

/// Every row is in one file, in order, or set aside; the manifest's numbers are those of the
/// files; the same line gives the same bytes.
#[test]
fn s1_12_files_are_cut_numbered_and_described() {
    let dir = WorkDir::new();
    table(&dir);
    let line = "convert in.csv out.jsonl --model gpt-4o-mini --input-column text \
                --set max_shard_requests=20 --overwrite";
    dir.batchctl(line).run().exits(3);
    let files = ["out.jsonl", "out-0002.jsonl", "out-0003.jsonl"];
    let manifest: Value = serde_json::from_str(&dir.read("out.manifest.json")).unwrap();
    let mut rows = Vec::new();
    for (file, described) in files.iter().zip(manifest["files"].as_array().unwrap()) {
        let text = dir.read(file);
        assert_eq!(described["name"], *file);
        assert_eq!(described["requests"], text.lines().count());
        assert_eq!(described["bytes"], text.len());
        assert_eq!(described["digest"], blake3::hash(text.as_bytes()).to_hex().as_str());
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let id = line["custom_id"].as_str().unwrap().to_owned();
            assert!(id.starts_with(manifest["job6"].as_str().unwrap()), "{id}");
            rows.push(id.split('-').nth(1).unwrap().parse::<u64>().unwrap());
        }
    }
    assert_eq!(rows, (0..50).filter(|row| *row != 7).collect::<Vec<u64>>());
    assert_eq!(manifest["skipped"][0]["row"], 7);
    assert_eq!(dir.files().len(), 5, "{:?}", dir.files());
    let before = files.map(|file| dir.bytes(file));
    dir.batchctl(line).run().exits(3);
    assert_eq!(files.map(|file| dir.bytes(file)), before);
}

#[test]
fn a_conversion_that_is_refused_leaves_nothing() {
    let dir = WorkDir::new();
    dir.table("in.csv", &[&["image", "q"], &["gone.png", "what?"], &["gone too.png", "what?"]]);
    let line = "convert in.csv out.jsonl --model gpt-4o --image-column image --prompt {q}";
    dir.batchctl(line).run().exits(2);
    assert_eq!(dir.files(), ["in.csv"]);
    table(&dir);
    dir.write("out-0002.jsonl", "mine");
    let line = "convert in.csv out.jsonl --model gpt-4o --input-column text \
                --set max_shard_requests=20";
    dir.batchctl(line).run().exits(2).says(&["out-0002.jsonl exists"]);
    assert_eq!(dir.read("out-0002.jsonl"), "mine");
    assert_eq!(dir.files(), ["in.csv", "out-0002.jsonl"]);
}
