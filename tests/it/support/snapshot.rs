//! Makes what the program prints the same in every run: times, ids, paths, ports and sizes of
//! time are replaced by names in brackets.

use std::path::Path;

/// The text with the given paths, then everything else that changes, replaced.
pub(crate) fn steady(text: &str, paths: &[(&Path, &str)]) -> String {
    let mut text = text.to_owned();
    for (path, name) in paths {
        text = text.replace(&path.display().to_string(), name);
    }
    let mut text: String = text.split_inclusive('\n').map(line).collect();
    // `1m 12s` in one run is `48s` in the next.
    while text.contains("[DURATION] [DURATION]") {
        text = text.replace("[DURATION] [DURATION]", "[DURATION]");
    }
    text
}

/// One line, word by word; what stands between words (spaces, quotes, brackets) is kept.
fn line(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut word = String::new();
    for c in line.chars() {
        if is_word(c) {
            word.push(c);
        } else {
            out.push_str(&replaced(&word));
            word.clear();
            out.push(c);
        }
    }
    out.push_str(&replaced(&word));
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/')
}

fn replaced(word: &str) -> String {
    if let Some(rest) = loopback(word) {
        return rest;
    }
    let trimmed = word.trim_end_matches(['.', ':']);
    let tail = &word[trimmed.len()..];
    let name = if is_date_time(trimmed) {
        "[TIME]"
    } else if is_duration(trimmed) {
        "[DURATION]"
    } else if is_custom_id(trimmed) {
        return format!("[JOB]{}{tail}", &trimmed[6..]);
    } else if let Some(kind) = remote_id(trimmed) {
        return format!("[{kind}]{tail}");
    } else if is_job_id(trimmed) {
        "[JOB]"
    } else if trimmed.len() >= 32 && trimmed.bytes().all(|b| b.is_ascii_hexdigit()) {
        "[DIGEST]"
    } else {
        return word.to_owned();
    };
    format!("{name}{tail}")
}

/// `http://127.0.0.1:34567/v1` and `127.0.0.1:34567`, with the port replaced.
fn loopback(word: &str) -> Option<String> {
    let at = word.find("127.0.0.1:")? + "127.0.0.1:".len();
    let digits = word[at..].bytes().take_while(u8::is_ascii_digit).count();
    (digits > 0).then(|| format!("{}[PORT]{}", &word[..at], &word[at + digits..]))
}

/// `2026-11-21`, `2026-11-21T10:20:30Z`, `10:20:30`.
fn is_date_time(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let date = word.len() >= 10 && word.is_char_boundary(10) && shape(&word[..10]) == "dddd-dd-dd";
    (date && digits >= 8) || shape(word) == "dd:dd:dd"
}

fn shape(word: &str) -> String {
    word.chars().map(|c| if c.is_ascii_digit() { 'd' } else { c }).collect()
}

/// `0.3s`, `12ms`, `8.1s`, `1m`, `12s`, `1h30m`. A bare number is not one.
fn is_duration(word: &str) -> bool {
    let mut rest = word;
    while !rest.is_empty() {
        let number = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let Some(unit) =
            ["ms", "s", "m", "h", "d"].iter().find(|u| rest[number..].starts_with(**u))
        else {
            return false;
        };
        if number == 0 {
            return false;
        }
        rest = &rest[number + unit.len()..];
    }
    !word.is_empty()
}

/// The ids a provider or the sandbox gives, by their first letters.
fn remote_id(word: &str) -> Option<&'static str> {
    [("batch_req_", "REQUEST"), ("batch_", "BATCH"), ("file-", "FILE"), ("chatcmpl-", "REPLY")]
        .iter()
        .find(|(prefix, _)| {
            word.strip_prefix(prefix).is_some_and(|rest| {
                rest.len() >= 6 && rest.bytes().any(|b| b.is_ascii_digit()) && !rest.contains('.')
            })
        })
        .map(|(_, name)| *name)
}

/// Six Crockford letters and digits with at least one digit among them, so that `status` and
/// other words of six letters stay; an id of letters alone (one in ten) is found by its folder.
fn is_job_id(word: &str) -> bool {
    let crockford = |b: u8| b.is_ascii_digit() || (b.is_ascii_lowercase() && !b"ilou".contains(&b));
    matches!(word.len(), 6 | 10)
        && word.bytes().all(crockford)
        && word.bytes().any(|b| b.is_ascii_digit())
        && word.bytes().any(|b| b.is_ascii_lowercase())
}

/// `k7f2qd-0000041-r1`.
fn is_custom_id(word: &str) -> bool {
    word.is_char_boundary(6)
        && word.len() >= 17
        && word[6..].starts_with('-')
        && shape(&word[7..]).starts_with("ddddddd-rd")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_is_replaced_and_the_rest_stays() {
        let cases = [
            (
                "✓ built 12 requests in 1 shard   8.1s\n",
                "✓ built 12 requests in 1 shard   [DURATION]\n",
            ),
            ("job k7f2qd · batch_1a2b3c4d", "job [JOB] · [BATCH]"),
            ("go on: batchctl resume k7f2qd", "go on: batchctl resume [JOB]"),
            ("\"custom_id\":\"k7f2qd-0000041-r1\"", "\"custom_id\":\"[JOB]-0000041-r1\""),
            ("http://127.0.0.1:34567/v1 as of 10:20:30", "http://127.0.0.1:[PORT]/v1 as of [TIME]"),
            ("at 2026-11-21T10:20:30Z.", "at [TIME]."),
            ("took 1m 12s, 1h30m, 250ms", "took [DURATION], [DURATION], [DURATION]"),
            (
                "rows 0..10 of 1,204, row 7, line 9, 4.2 MB",
                "rows 0..10 of 1,204, row 7, line 9, 4.2 MB",
            ),
            ("file-a1b2c3d4e5 and results.jsonl", "[FILE] and results.jsonl"),
            (
                "status merged batch_factor gpt-4o-mini 10 USD",
                "status merged batch_factor gpt-4o-mini 10 USD",
            ),
        ];
        for (text, wanted) in cases {
            assert_eq!(steady(text, &[]), wanted);
        }
        let path = Path::new("/tmp/x1/folder");
        assert_eq!(steady("in /tmp/x1/folder/a.csv", &[(path, "[DIR]")]), "in [DIR]/a.csv");
    }
}
