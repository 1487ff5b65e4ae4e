//! A request in a few lines for people: who says what, images by their kind only. The whole of it
//! is for `--dry-run`.

use serde_json::Value;

use crate::ui::shorten;

/// Cells of a text that are shown: two and a half lines of a terminal.
const TEXT_WIDTH: usize = 200;
/// Columns that are named before the rest is counted.
const NAMED: usize = 6;

/// The first request: one line or a few for every message.
pub(super) fn first_request_lines(request: &Value) -> Vec<String> {
    let body = &request["body"];
    let mut lines = Vec::new();
    let messages = body["messages"].as_array().or_else(|| body["input"].as_array());
    match (messages, body["input"].as_str()) {
        (Some(messages), _) => {
            for message in messages {
                let role = message["role"].as_str().unwrap_or("input");
                let content = if message.is_object() { &message["content"] } else { message };
                lines.push(format!("{role}: {}", said(content)));
            }
        }
        (None, Some(text)) => lines.push(format!("input: {}", shorten(text, TEXT_WIDTH))),
        (None, None) => {}
    }
    for (number, line) in lines.iter_mut().enumerate() {
        let label = if number == 0 { "First row " } else { "          " };
        line.insert_str(0, label);
    }
    lines
}

/// A message's content, text or parts.
fn said(content: &Value) -> String {
    let Some(parts) = content.as_array() else {
        return shorten(content.as_str().unwrap_or_default(), TEXT_WIDTH);
    };
    let words: Vec<String> = parts.iter().map(part).collect();
    words.join(" ")
}

fn part(part: &Value) -> String {
    if let Some(text) = part["text"].as_str() {
        return shorten(text, TEXT_WIDTH);
    }
    let url = part["image_url"]["url"].as_str().or_else(|| part["image_url"].as_str());
    match url {
        Some(url) if url.starts_with("data:") => {
            let kind = url[5..].split(';').next().unwrap_or_default();
            format!("[{}]", shorten(kind, 40))
        }
        Some(url) => format!("[image {}]", shorten(url, 60)),
        None => "[…]".to_owned(),
    }
}

/// ``column `a` ``, ``columns `a`, `b` ``, a long list cut short.
pub(super) fn named_columns(names: &[String]) -> String {
    let shown: Vec<String> =
        names.iter().take(NAMED).map(|name| format!("`{}`", shorten(name, 30))).collect();
    let noun = if names.len() == 1 { "column" } else { "columns" };
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{noun} {}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_request_is_told_in_a_few_lines_without_its_image() {
        let image = format!("data:image/png;base64,{}", "A".repeat(5000));
        let table = [
            (
                json!({"body": {"messages": [
                    {"role": "system", "content": "你是客服"},
                    {"role": "user", "content": [
                        {"type": "text", "text": "What\nis it?"},
                        {"type": "image_url", "image_url": {"url": image}},
                    ]},
                ]}}),
                vec!["First row system: 你是客服", "          user: What is it? [image/png]"],
            ),
            (json!({"body": {"input": "embed me"}}), vec!["First row input: embed me"]),
            (json!({"body": {"input": ["a"]}}), vec!["First row input: a"]),
            (json!({"body": {}}), vec![]),
        ];
        for (request, expected) in table {
            assert_eq!(first_request_lines(&request), expected);
        }
    }

    #[test]
    fn a_long_list_of_columns_is_cut() {
        let names: Vec<String> = (1..9).map(|n| format!("c{n}")).collect();
        assert_eq!(named_columns(&names[..1]), "column `c1`");
        assert_eq!(named_columns(&names), "columns `c1`, `c2`, `c3`, `c4`, `c5`, `c6` and 2 more");
    }
}
