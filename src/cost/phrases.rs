//! The words of an account of money: a label, and parts of a sentence on as many lines as they
//! take.

use super::numbers::grouped;

/// Cells of a line.
pub(super) const WIDTH: usize = 80;
/// Cells before what a line says.
pub(super) const LABEL: usize = 10;

/// Takes away the mark that would lead to a further part.
pub(super) fn close(words: &mut [String]) {
    if let Some(last) = words.last_mut() {
        let end = last.trim_end_matches([',', ';']).len();
        last.truncate(end);
    }
}

/// A label and parts of a sentence, as many on a line as it holds.
pub(super) fn wrapped(label: &str, parts: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + part.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(part);
            }
            Some(_) => lines.push(format!("{:LABEL$}{part}", "")),
            None => lines.push(format!("{label:LABEL$}{part}")),
        }
    }
    lines
}

/// `1 batch`, `2 batches`.
pub(super) fn counted(number: u64, word: &str) -> String {
    let ending = match (number, word.ends_with("ch")) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{} {word}{ending}", grouped(number))
}
