//! What is wrong with a JSON record, in words for the person who has to mend it.

use serde_json::error::Category;

/// Characters of a record that are shown.
const SHOWN: usize = 24;

/// Why a record is no JSON object and what stands there. serde's line counts within the record
/// only, and its words for a value that is none are about its own reading.
pub(super) fn reason(raw: &str, error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    let (character, seen) = place(raw, error);
    let why = match (error.classify(), text) {
        (Category::Eof, _) => format!("it ends too early, after `{}`: is it complete?", tail(raw)),
        (_, "expected ident" | "expected value") => {
            format!("`{seen}` is no value (character {character}); texts stand in double quotes")
        }
        (Category::Syntax, _) => format!("{text} (character {character}, at `{seen}`)"),
        _ => text.to_owned(),
    };
    format!("not a JSON object: {why}")
}

/// Where the word begins that cannot be read, as characters of its line from 1, and the text from
/// there on.
fn place(raw: &str, error: &serde_json::Error) -> (usize, String) {
    let line = raw.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let mut at = error.column().saturating_sub(1).min(line.len());
    while !line.is_char_boundary(at) {
        at -= 1;
    }
    let is_apart = |c: char| c.is_whitespace() || "{}[],:\"".contains(c);
    // A word that breaks off is noticed at what follows it.
    let breaks_off = error.to_string().starts_with("expected ident");
    let is_inside = |at: usize| !line[at..].starts_with(is_apart);
    if is_inside(at) || (breaks_off && !line[..at].ends_with(is_apart)) {
        at = line[..at]
            .rfind(is_apart)
            .map_or(0, |before| before + line[before..].chars().next().map_or(0, char::len_utf8));
    }
    (line[..at].chars().count() + 1, shown(line[at..].trim_end().chars()))
}

fn shown(text: impl Iterator<Item = char> + Clone) -> String {
    let mut out: String = text.clone().take(SHOWN).collect();
    if text.count() > SHOWN {
        out.push('…');
    }
    out
}

/// The last characters of a record.
fn tail(raw: &str) -> String {
    let all = raw.trim_end().chars().count();
    let cut = if all > SHOWN { "…" } else { "" };
    format!("{cut}{}", raw.trim_end().chars().skip(all.saturating_sub(SHOWN)).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::json::{Columns, collect_keys};

    #[test]
    fn what_was_seen_is_named() {
        let table = [
            ("not json", "`not json` is no value (character 1); texts stand in double quotes"),
            ("{\"a\": nul}", "`nul}` is no value (character 7); texts stand in double quotes"),
            ("{\"问题\": 你好}", "`你好}` is no value (character 8); texts stand in double quotes"),
            ("{\"a\":}", "`}` is no value (character 6); texts stand in double quotes"),
            ("[7,]", "`]` is no value (character 4); texts stand in double quotes"),
            ("{\"a\": 1 \"b\": 2}", "expected `,` or `}` (character 9, at `\"b\": 2}`)"),
            (
                "{\"a\": 1} and more than could be shown",
                "trailing characters (character 10, at `and more than could be s…`)",
            ),
            ("{\"a\": [1, 2", "it ends too early, after `{\"a\": [1, 2`: is it complete?"),
            ("7", "invalid type: integer `7`, expected an object"),
            (
                "{\n\"a\": 1,\n\"b\": x\n}",
                "`x` is no value (character 6); texts stand in double quotes",
            ),
        ];
        for (raw, expected) in table {
            let error = collect_keys(raw, &mut Columns::default()).unwrap_err();
            assert_eq!(reason(raw, &error), format!("not a JSON object: {expected}"), "{raw}");
        }
    }
}
