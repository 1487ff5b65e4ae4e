//! Long lines on a terminal: broken between words, with what follows standing under the text it
//! belongs to. Nothing is broken in a pipe or a file, where programs read lines.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The fewest cells that are left for text behind the hanging indent.
const LEAST_TEXT: usize = 30;

/// What a command to be copied begins with.
const COMMANDS: [&str; 2] = ["batchctl ", "vllm run-batch "];

/// The lines of a text, none wider than this many cells where it can be helped. What follows hangs
/// under the last column, as two spaces or more before it tell, else it is indented by two more.
/// A command to be copied and a path stay whole.
pub(super) fn fold(text: &str, width: usize) -> Vec<String> {
    text.split('\n').flat_map(|line| fold_line(line, width)).collect()
}

fn fold_line(line: &str, width: usize) -> Vec<String> {
    let is_narrow = width < 2 * LEAST_TEXT;
    if is_narrow || line.width() <= width {
        return vec![line.to_owned()];
    }
    let indent = indent_of(line, width - LEAST_TEXT);
    let mut lines = Vec::new();
    let mut current = String::new();
    let mut left: Vec<&str> = words(line).into_iter().rev().collect();
    while let Some(word) = left.pop() {
        let room = width.saturating_sub(current.width());
        let can_be_cut = can_be_cut(word);
        let must_stand = current.trim().is_empty() && !can_be_cut;
        if must_stand || word.trim_end().width() <= room {
            current.push_str(word);
            continue;
        }
        let (now, later) = if can_be_cut { cut(word, room) } else { ("", word) };
        current.push_str(now);
        lines.push(current.trim_end().to_owned());
        // What must stay whole is worth more than its place under a column.
        let needed = if can_be_cut { 0 } else { later.trim_end().width() };
        let places = [indent, indent.min(own_indent(line) + 2)];
        let place = places.into_iter().find(|place| place + needed <= width);
        current = " ".repeat(place.unwrap_or(indent.min(2)));
        left.push(later);
    }
    lines.push(current.trim_end().to_owned());
    lines
}

/// The spaces a line begins with.
fn own_indent(line: &str) -> usize {
    line.width() - line.trim_start_matches(' ').width()
}

/// Where the last column begins that begins no later than `most`.
fn indent_of(line: &str, most: usize) -> usize {
    let mut indent = own_indent(line) + 2;
    let (mut at, mut spaces) = (0, 0);
    for c in line.chars() {
        if c == ' ' {
            spaces += 1;
        } else {
            if spaces >= 2 && at <= most {
                indent = at;
            }
            spaces = 0;
        }
        at += c.width().unwrap_or(0);
    }
    indent
}

/// Words with the spaces behind them; a command reaches to the end of the line.
fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let start = rest.trim_start_matches([' ', '`', '(', '"']);
        let is_command = COMMANDS.iter().any(|command| start.starts_with(command));
        let text = rest.len() - rest.trim_start_matches(' ').len();
        let end = rest[text..].find(' ').map_or(rest.len(), |at| text + at);
        let spaces = rest[end..].len() - rest[end..].trim_start_matches(' ').len();
        let end = if is_command { rest.len() } else { end + spaces };
        words.push(&rest[..end]);
        rest = &rest[end..];
    }
    words
}

/// Text without spaces, as Chinese is written, may be cut between any two characters.
fn can_be_cut(word: &str) -> bool {
    word.chars().any(|c| c.width() == Some(2)) && !word.contains("batchctl ")
}

/// The part of a word that fills so many cells, and the rest.
fn cut(word: &str, cells: usize) -> (&str, &str) {
    let mut used = 0;
    let over = word.char_indices().find(|(_, c)| {
        used += c.width().unwrap_or(0);
        used > cells
    });
    word.split_at(over.map_or(word.len(), |(at, _)| at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_follows_hangs_under_the_last_column() {
        let table: [(&str, &[&str]); 6] = [
            ("short", &["short"]),
            (
                "2026-11-21 18:22:01  row 2  error  the provider has said a lot about this row of it",
                &[
                    "2026-11-21 18:22:01  row 2  error  the provider has said a lot",
                    "                            about this row of it",
                ],
            ),
            (
                "waits for  a clear word about the batch of shard r1-s0002, which is being looked for",
                &[
                    "waits for  a clear word about the batch of shard r1-s0002,",
                    "           which is being looked for",
                ],
            ),
            (
                "warning: upload of shard 1: something went wrong on the way; trying again",
                &["warning: upload of shard 1: something went wrong on the way;", "  trying again"],
            ),
            (
                "results are kept for a while; fetch them: batchctl download k7f2qd --output out.csv",
                &[
                    "results are kept for a while; fetch them:",
                    "  batchctl download k7f2qd --output out.csv",
                ],
            ),
            (
                "asks      第一行的文字很长很长很长很长很长很长很长很长很长很长很长很长很长很长",
                &[
                    "asks      第一行的文字很长很长很长很长很长很长很长很长很长很长",
                    "          很长很长很长很长",
                ],
            ),
        ];
        for (line, expected) in table {
            assert_eq!(fold(line, 62), expected, "{line}");
        }
        let path = format!("output    /{}", "long/".repeat(30));
        assert_eq!(fold(&path, 62)[1].trim(), &path[10..], "a path can be copied");
        let line = "row 2      cut off by the limit of tokens that was set: batchctl retry k7f2qd --class truncated";
        let command = "  batchctl retry k7f2qd --class truncated";
        assert_eq!(fold(line, 62)[1].trim(), command.trim());
        let wide = format!("{}x: {} --max-tokens 200", " ".repeat(28), command.trim());
        assert!(
            fold(&wide, 80).iter().all(|line| line.width() <= 80),
            "C27: {:?}",
            fold(&wide, 80)
        );
        // With its indent a command stays whole, and one of another program too.
        for line in [
            "  batchctl workflow batchctl-demo/demo.csv real.csv --provider openai:gpt-4o-mini -p x",
            "vllm run-batch -i requests.jsonl -o results.jsonl --model MODEL --served-model-name m",
        ] {
            assert_eq!(fold(line, 62), [line]);
        }
        assert_eq!(fold("a\nb", 62), ["a", "b"]);
        assert_eq!(fold(&"word ".repeat(50), 40).len(), 1, "no room to hang anything");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_lines_fit(text in "[a-z 中文]{0,300}", width in 60_usize..120) {
            let lines = fold(&text, width);
            let bare = |text: &str| text.replace([' ', '\n'], "");
            prop_assert_eq!(bare(&lines.concat()), bare(&text));
            for line in &lines {
                let has_long_word = line.split(' ').any(|word| word.len() > 25);
                prop_assert!(has_long_word || line.width() <= width, "{}", line);
            }
        }
    }
}
