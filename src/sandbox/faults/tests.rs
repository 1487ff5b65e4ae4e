//! The grammar: what is understood, what is refused with which words, what the help names.

use super::parse_calls::{ANSWERS, FAULTS, MODIFIERS};
use super::parse_ends::{BATCH_FAULTS, COUNTS, FILE_FAULTS, IDS, ROW_FAULTS};
use super::*;

#[test]
fn rules_are_understood_and_keep_their_words() {
    let good = [
        "create#2: after-commit close",
        "create: after_commit",
        "create#1-3 key=s0003 chance=0.5 seed=9: before-commit 503",
        "create%3 account=bob after=2s until=4x: hang 2s",
        "upload: not-ready 5",
        "upload: listing-lag 1x",
        "upload#2+: storage-quota",
        "create: token-limit 2000000",
        "create: late 3s 504",
        "create: late 2x",
        "create: slow 1x",
        "retrieve: 200 code=1302 text=\"try again; later: soon\"",
        "retrieve: 200 body=\"{\\\"a\\\": 1}\"",
        "retrieve: 307 location=http://elsewhere.example/v1",
        "retrieve: 429 retry-after=7",
        "retrieve: rate-limit retry-date=7s",
        "retrieve: 502 html",
        "retrieve: 200 empty",
        "any: 500 escapes",
        "upload: 413 reset",
        "retrieve: set output_file_id={}",
        "retrieve: set errors={\"object\": \"list\", \"data\": []}",
        "download: cut",
        "download: cut 30% no-length",
        "download: cut 100 chunked",
        "download: stall 20% 2s",
        "download: stall 2s",
        "batch: expire 50%",
        "batch: cancel 3",
        "batch: listing-lag 2s",
        "batch: fail token-limit",
        "batch: fail token-limit 5000",
        "batch: fail credit",
        "batch: fail lines=2,5 code=invalid_json_line text=\"not JSON\"",
        "batch: fail code=model_not_found",
        "batch: status paused",
        "batch: status queued 1x",
        "batch: survives-deletion",
        "batch: dies_with_file",
        "result: missing 3",
        "result: missing",
        "result: duplicate lines=1,4",
        "result: fails all status=429 code=rate_limit_exceeded",
        "result: conflict-error 50%",
        "result: foreign 2",
        "result: output-id object",
        "result: counts null",
        "result: bom",
    ];
    for text in good {
        let faults = Faults::parse(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(faults.texts().collect::<Vec<_>>(), [text]);
        let fate = Fate::of(&[text.to_owned()]);
        let of_batch = text.starts_with("batch") || text.starts_with("result");
        assert_eq!(fate != Fate::default(), of_batch, "{text}");
    }
    let all = format!("# a comment\n  # another; with: marks\n\n{};;\n", good.join(" ; "));
    assert_eq!(Faults::parse(&all).unwrap().texts().count(), good.len());
}

#[test]
fn what_is_wrong_is_named_with_the_nearest_word() {
    let bad = [
        ("creat: close", "unknown target `creat` (did you mean `create`?)"),
        ("create: aftr-commit", "unknown fault `aftr-commit` (did you mean `after-commit`?)"),
        ("create: after-commit clsoe", "unknown answer `clsoe` (did you mean `close`?)"),
        ("create: 500 cod=x", "unknown word of an answer `cod=x`"),
        ("create keys=a: close", "unknown condition `keys` (did you mean `key`?)"),
        ("create chance=2: close", "`chance=2` has no value that can be read"),
        ("create#0: close", "`#0` is none of #2, #2-4, #2+, %3"),
        ("create#4-2: close", "none of"),
        ("create close", "a rule is TARGET: FAULT"),
        ("create:", "the fault is missing"),
        (": close", "the target is missing"),
        ("create: close now", "`now` has no meaning here"),
        ("create: 99", "a status is from 200 to 599"),
        ("create: late close", "a time is missing"),
        ("create: not-ready 5", "not-ready is for upload"),
        ("create: set a", "it is set NAME=JSON"),
        ("create: set a={", "is not JSON"),
        ("batch: expired", "unknown fault of a batch `expired` (did you mean `expire`?)"),
        ("batch: fail", "it is fail token-limit"),
        ("batch: fail lines=0", "it is lines=2,5"),
        ("result: mising", "unknown fault of results `mising` (did you mean `missing`?)"),
        ("result: output-id nul", "unknown value `nul` (did you mean `null`?)"),
        ("result: fails 1 status=200", "a failure has a status of 400 to 599"),
        ("result: missing 3 rows", "`rows` has no meaning here"),
        ("create: 500 text=\"open", "a quotation mark is missing"),
        ("seed:x", "after seed: stands a whole number"),
    ];
    for (text, expected) in bad {
        let error = Faults::parse(text).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(text), "{text}: {error}");
        assert!(error.ends_with("see batchctl help faults"), "{error}");
    }
}

#[test]
fn the_help_names_every_word() {
    let rows = ROW_FAULTS.iter().map(|(word, _)| *word);
    let ids = IDS.iter().map(|(word, _)| *word);
    let counts = COUNTS.iter().map(|(word, _)| *word);
    let targets = parse::TARGETS.iter().map(|(word, _)| *word);
    let words = rows.chain(ids).chain(counts).chain(targets).chain(FAULTS).chain(ANSWERS);
    let words = words.chain(MODIFIERS).chain(BATCH_FAULTS).chain(FILE_FAULTS);
    let is_edge = |letter: char| !(letter.is_ascii_alphanumeric() || letter == '-');
    let named: Vec<&str> = HELP.split(is_edge).collect();
    for word in words.chain(parse::CONDITIONS) {
        assert!(named.contains(&word), "{word} is not in the help");
    }
    assert!(HELP.lines().all(|line| line.chars().count() <= 110), "lines are short");
}

#[test]
fn rules_come_from_a_file_too() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.txt"), "# two\ncreate: 500\nlist: 503\n").unwrap();
    let faults = Faults::open("@rules.txt", folder.path()).unwrap();
    assert_eq!(faults.texts().collect::<Vec<_>>(), ["create: 500", "list: 503"]);
    let error = Faults::open("@gone.txt", folder.path()).unwrap_err().to_string();
    assert!(error.contains("gone.txt"), "{error}");
}
