//! Whether two messages tell of the same fault.

/// What a message says of the fault itself: without the ids and counts that differ from one time
/// to the next. An HTTP status tells faults apart and stays.
pub fn fault_words(text: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for word in text.split_whitespace() {
        let is_status = kept.last().is_some_and(|last| last.ends_with("HTTP"));
        if is_status || !word.contains(|c: char| c.is_ascii_digit()) {
            kept.push(word);
        }
    }
    kept.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_counts_make_no_other_fault() {
        let same = [
            ("results of shard 1: busy (HTTP 503)", "results of shard 12: busy (HTTP 503)"),
            ("request req_01ab failed", "request req_99cd  failed"),
        ];
        for (a, b) in same {
            assert_eq!(fault_words(a), fault_words(b));
        }
        let other = [("busy (HTTP 503)", "busy (HTTP 502)"), ("timed out", "no route")];
        for (a, b) in other {
            assert_ne!(fault_words(a), fault_words(b));
        }
    }
}
