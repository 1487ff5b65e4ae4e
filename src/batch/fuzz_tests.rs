//! Random changes to result files: whatever a provider or a broken disk gives, each line that is
//! not blank is handed on exactly once, with the place where it stands.

use std::time::{Duration, Instant};

use super::ResultFile;
use crate::base::mutate::{Mutator, fuzz_time};

const SEEDS: [&str; 5] = [
    include_str!("../../fixtures/sandbox/openai-output-line.json"),
    concat!(
        r#"{"id":"a","custom_id":"k7f2qd-0000001-r1","response":{"status_code":200,"request_id":"r","#,
        r#""body":{"id":"c","object":"chat.completion","created":1760000000,"model":"gpt-4o-mini","#,
        r#""choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"好"}}],"#,
        r#""usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}}},"error":null}"#,
        "\n",
        r#"{"id":"b","custom_id":"k7f2qd-0000002-r1","response":null,"error":{"code":"batch_expired","#,
        r#""message":"This request could not be executed before the completion window expired."}}"#,
        "\n",
    ),
    "{\"response\":{\"status_code\":400,\"body\":{\"error\":{\"code\":\"1214\"}}},\"custom_id\":\"row_1\"}\r\n\r\n",
    "\u{feff}{\"custom_id\":\"x\",\"response\":{\"body\":{\"choices\":[{\"message\":{\"content\":[]}}]}}}\n",
    "{\"custom_id\":\"e\",\"response\":{\"status_code\":200,\"body\":{\"data\":[{\"embedding\":[0.5,1e9]}]}}}",
];

/// `BATCHCTL_FUZZ_SECONDS` says for how long; the seeds are printed with a failure.
#[test]
fn field_23_fuzzed_result_files_lose_no_line() {
    let seeds = SEEDS.map(|seed| seed.as_bytes().to_vec());
    let end = Instant::now() + fuzz_time(Duration::from_millis(300));
    let mut round = 0_u64;
    while Instant::now() < end {
        let bytes = Mutator::new(round).mutate(&seeds);
        let read = std::panic::catch_unwind(|| lines(&bytes));
        let Ok(read) = read else { panic!("round {round} panicked on {bytes:?}") };
        assert_eq!(read, expected(&bytes), "round {round}: {bytes:?}");
        round += 1;
    }
    assert!(round > 0);
}

/// Each line by its place, as it was read.
fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    let lines = ResultFile::new(bytes).map(|line| line.expect("memory is always read"));
    let place = |n: u64| usize::try_from(n).expect("it is small");
    lines.map(|(at, length, _)| bytes[place(at)..place(at + length)].to_vec()).collect()
}

/// Every line that is not blank.
fn expected(bytes: &[u8]) -> Vec<Vec<u8>> {
    let plain = |line: &[u8]| {
        let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line).to_vec();
        line.trim_ascii().to_vec()
    };
    bytes.split(|byte| *byte == b'\n').map(plain).filter(|line| !line.is_empty()).collect()
}
