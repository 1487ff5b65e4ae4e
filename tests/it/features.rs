//! The features that are promised so far, by their ids, and that some test names each of them.

use std::fs;
use std::path::Path;

use crate::support::repo;

/// What each id asks for, in a few words.
const FEATURES: &[(&str, &str)] = &[
    ("S0.14", "a prompt with columns and braces"),
    ("S0.15", "fields that become columns"),
    ("S0.16", "at most N rows"),
    ("S0.17", "JSON bare, fenced, in prose"),
    ("S0.18", "the columns of the output"),
    ("S0.19", "lists as JSON text"),
    ("S0.20", "good answers kept across runs"),
    ("S0.21", "the key of an answer is the whole request"),
    ("S0.26", "sentiment, classification, extraction"),
    ("S0.29", "conditions on a column"),
    ("S0.30", "a sample with a seed"),
    ("S0.31", "progress kept and resumed from"),
    ("S0.32", "arrays as several rows"),
    ("S1.01", "one command, input and output"),
    ("S1.02", "--model"),
    ("S1.03", "--start-row"),
    ("S1.04", "--end-row"),
    ("S1.05", "--completion-window"),
    ("S1.06", "--check-interval"),
    ("S1.07", "--keep-temp-files"),
    ("S1.09", "keys are never flags"),
    ("S1.11", "table to JSONL"),
    ("S1.12", "upload, create, poll, download with --output-dir"),
    ("S1.13", "merge"),
    ("S1.14", "analyze result files"),
    ("S1.15", "a trial of the first rows"),
    ("S1.16", "columns of image tables and the answer's name"),
    ("S1.17", "images as data URLs"),
    ("S1.18", "an id for each row"),
    ("S1.19", "batch_results_<id>, batch_errors_<id>"),
    ("S1.21", "large files are split"),
    ("S1.22", "bounds, states, missing rows"),
    ("S1.23", "messages for what goes wrong"),
    ("S2.07", "objects with messages and arrays of messages"),
    ("S2.08", "several turns; a bad message is named"),
    ("S2.20", "export JSON with responses and statistics"),
    ("S3.01", "OpenAI, Anthropic, Gemini"),
    ("S3.06", "rate limits told by codes, statuses, words"),
    ("S3.15", "images in each service's shape"),
    ("S4.01", "Zhipu's endpoint path"),
    ("S4.02", "glm-4-flash"),
    ("S4.06", "purpose batch, file bounds"),
    ("S4.07", "completion window"),
    ("S4.08", "check interval"),
    ("S4.09", "a longest wait"),
    ("S4.10", "progress with state and counts"),
    ("S4.11", "metadata on the batch"),
    ("S4.12", "content, status, usage by id"),
    ("S4.13", "error file"),
    ("S4.14", "failed rows take defaults, the job goes on"),
    ("S4.15", "results in the table's order"),
    ("S4.16", "JSON from fenced answers; keys filled with defaults"),
    ("S4.18", "states"),
    ("S4.19", "identity verification; expiry"),
    ("S4.20", "temporary files"),
    ("S4.21", "no configuration needed"),
    ("S4.03", "batch or realtime, and the seed's variable"),
    ("S4.04", "the threshold below which calls are made"),
    ("S4.05", "embeddings in both modes"),
    ("S4.17", "the concurrency of calls"),
    ("S3.02", "who is asked in turn"),
    ("S3.03", "the time that one call may take"),
    ("S3.04", "the failure threshold"),
    ("S3.05", "the cool-down"),
    ("S3.07", "strong models of all, then light ones"),
    ("S3.08", "limits for each provider"),
    ("S3.09", "the breaker"),
    ("S3.10", "how a service stands"),
    ("S3.14", "who answered; what each said where none did"),
    ("B02", "batch and calls in one job"),
    ("B03", "failover inside a table job"),
    ("B01", "image columns end to end"),
    ("B05", "a closed account"),
    ("B06", "no paid answer lost, nothing paid twice"),
    ("B07", "answers that are not the JSON asked for"),
    ("B09", "limits and many shards"),
    ("B11", "a rehearsal"),
    ("B13", "tables as they are"),
    ("B14", "bounded memory"),
    ("B15", "two commands to the first result"),
    ("B16", "the sandbox before another server"),
    ("B17", "cancel, clean up, collect, notify"),
];

/// The text of every test of this project: this folder, and what stands under `#[cfg(test)]`.
fn tests(folder: &Path, is_test: bool, text: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("it can be listed").path();
        let name = path.file_name().expect("it has a name").to_string_lossy().into_owned();
        if path.is_dir() {
            tests(&path, is_test || name == "tests", text);
        } else if path.extension().is_some_and(|end| end == "rs") && name != "features.rs" {
            let source = fs::read_to_string(&path).expect("a source is text");
            let from =
                if is_test || name == "tests.rs" { Some(0) } else { source.find("cfg(test)") };
            text.push_str(&source[from.unwrap_or(source.len())..]);
        }
    }
}

/// Whether a text names an id, as `S1.05` or `s1_05`.
fn names(text: &str, id: &str) -> bool {
    let small = id.to_lowercase().replace('.', "_");
    [id, &small].iter().any(|id| {
        text.match_indices(*id).any(|(at, _)| {
            let after = text[at + id.len()..].chars().next();
            !after.is_some_and(|c| c.is_ascii_digit())
        })
    })
}

#[test]
fn every_promised_feature_is_named_by_a_test() {
    let mut text = String::new();
    tests(&repo("tests/it"), true, &mut text);
    tests(&repo("src"), false, &mut text);
    let open: Vec<&str> =
        FEATURES.iter().map(|(id, _)| *id).filter(|id| !names(&text, id)).collect();
    assert_eq!(open, Vec::<&str>::new(), "no test names these");
}

#[test]
fn ids_are_found_in_both_spellings() {
    assert!(names("fn s1_05_window() {}", "S1.05") && names("/// S1.05: window", "S1.05"));
    assert!(!names("s1_051", "S1.05") && !names("B140", "B14") && names("(B14)", "B14"));
}
