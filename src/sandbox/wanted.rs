//! Which JSON fields a prompt asks for, as far as its words tell. A guess that errs on the side of
//! too many names: a field too many does no harm, one too few makes a row fail.

use serde_json::Value;

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wanted {
    /// An object of the schema that the prompt shows.
    Schema(Value),
    /// The object that the prompt shows.
    Example(Value),
    /// Names, with places inside (`b.c`, `d[0]`).
    Names(Vec<String>),
}

/// Words between "JSON" and the first name.
const FILLERS: [&str; 26] = [
    "object",
    "objects",
    "format",
    "array",
    "only",
    "with",
    "keys",
    "key",
    "fields",
    "field",
    "the",
    "a",
    "an",
    "of",
    "in",
    "as",
    "containing",
    "having",
    "your",
    "answer",
    "return",
    "give",
    "reply",
    "this",
    "shape",
    "it",
];
/// The same in Chinese, where nothing parts the words.
const FILLERS_ZH: [&str; 16] = [
    "对象", "格式", "数组", "给出", "输出", "返回", "回答", "包含", "包括", "字段", "键", "的",
    "为", "是", "以", "请",
];

/// What the texts ask for. With `only_plain`, a mere mention of names near the word JSON does not
/// count: they must be quoted, listed after a colon, or shown in an example.
pub(super) fn wanted<'a>(texts: impl Iterator<Item = &'a str>, only_plain: bool) -> Option<Wanted> {
    let mut names = Vec::new();
    let mut example = None;
    for text in texts {
        let mut offset = 0;
        for line in text.split_inclusive('\n') {
            let place = mention(line);
            if let Some((start, end)) = place {
                example = example_in(&text[offset..]).or(example);
                let found = names_in(line, start, end, only_plain);
                names = if found.is_empty() { names } else { found };
            }
            offset += line.len();
        }
    }
    let listed = (!names.is_empty()).then_some(Wanted::Names(names));
    example.or(listed)
}

/// Where the line says JSON for the last time.
fn mention(line: &str) -> Option<(usize, usize)> {
    let lower = line.to_ascii_lowercase();
    lower.rfind("json").map(|start| (start, start + "json".len()))
}

/// The first JSON object with something in it, on this line or beginning on it.
fn example_in(text: &str) -> Option<Wanted> {
    let line_end = text.find('\n').unwrap_or(text.len());
    // The object may begin on the next line: "JSON like this:\n{…}".
    let next_end = text[line_end..].trim_start().starts_with('{');
    let until = if next_end { text.len() } else { line_end };
    let start = text[..until].find('{')?;
    let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
    let value = values.next()?.ok()?;
    if value.as_object().is_none_or(serde_json::Map::is_empty) {
        return None;
    }
    let is_schema = text[..start].to_lowercase().contains("schema") && looks_like_schema(&value);
    Some(if is_schema { Wanted::Schema(value) } else { Wanted::Example(value) })
}

fn looks_like_schema(value: &Value) -> bool {
    let is_named = |key: &str| value.get(key).is_some_and(|v| v.is_object() || v.is_array());
    value["$ref"].is_string() || ["properties", "anyOf", "oneOf", "allOf"].into_iter().any(is_named)
}

fn names_in(line: &str, start: usize, end: usize, only_plain: bool) -> Vec<String> {
    let names = quoted(line);
    if !names.is_empty() {
        return names;
    }
    let after = &line[end..];
    if after.starts_with([':', '：']) {
        // "Give a, b and c as JSON: …": what follows is the material, the names stand before.
        let before = line[..start].trim_end();
        let names = if before.ends_with(" as") || before.ends_with(" in") {
            listed(before)
        } else {
            Vec::new()
        };
        if names.len() > 1 {
            return names;
        }
    }
    if let Some((_, list)) = after.split_once([':', '：']) {
        return listed(list);
    }
    if only_plain {
        return Vec::new();
    }
    let names = listed(after);
    if names.is_empty() { listed(&line[..start]) } else { names }
}

/// The names in quotation marks, of the first kind that the line uses.
fn quoted(line: &str) -> Vec<String> {
    for (open, close) in [('"', '"'), ('`', '`'), ('\'', '\''), ('“', '”'), ('「', '」')] {
        let mut names: Vec<String> = Vec::new();
        let mut rest = line;
        while let Some((name, after)) =
            rest.split_once(open).and_then(|(_, inside)| inside.split_once(close))
        {
            push(&mut names, name);
            rest = after;
        }
        if !names.is_empty() {
            return names;
        }
    }
    Vec::new()
}

/// The items of a list in running text.
fn listed(text: &str) -> Vec<String> {
    let mut plain = without_asides(text);
    for end in [". ", "。", "; ", "；", "! ", "！"] {
        if let Some(at) = plain.find(end) {
            plain.truncate(at);
        }
    }
    let plain = plain.trim().trim_end_matches(['.', '!', '?', ':']);
    let plain = plain.replace(" and ", ",").replace(" or ", ",").replace("以及", ",");
    let mut names = Vec::new();
    for item in plain.split([',', '，', '、', '和', '与', '及']) {
        let is_filler = |word: &&str| FILLERS.contains(&word.to_lowercase().as_str());
        let word = item.split_whitespace().rfind(|word| !is_filler(word)).unwrap_or_default();
        let mut word = word.trim_matches(|c: char| !c.is_alphanumeric() && c != ']' && c != '_');
        while let Some(rest) = FILLERS_ZH.iter().find_map(|filler| word.strip_prefix(filler)) {
            word = rest;
        }
        push(&mut names, word);
    }
    names
}

/// The text without what stands in round brackets.
fn without_asides(text: &str) -> String {
    let mut depth = 0_u32;
    text.chars()
        .filter(|c| match c {
            '(' | '（' => {
                depth += 1;
                false
            }
            ')' | '）' => {
                depth = depth.saturating_sub(1);
                false
            }
            _ => depth == 0,
        })
        .collect()
}

/// Takes a name that looks like one: short, in one word, with a letter in it.
fn push(names: &mut Vec<String>, name: &str) {
    const MOST: usize = 200;
    let name = name.trim();
    let is_name = name.contains(char::is_alphanumeric)
        && name.chars().count() <= 64
        && !name.contains([' ', '{', '}', '"', ':', ',', '/'])
        && !name.eq_ignore_ascii_case("json");
    if is_name && names.len() < MOST && !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_found_in_prompts() {
        // prompt, what a plain reading finds, what a JSON mode finds
        let table: [(&str, &[&str], &[&str]); 11] = [
            (
                "Extract title, place (town) and skills as JSON: a cook, in Rome",
                &["title", "place", "skills"],
                &["title", "place", "skills"],
            ),
            ("Answer as a JSON object with the keys \"a\", \"b.c\".", &["a", "b.c"], &["a", "b.c"]),
            ("Reply in JSON with `mood` and `score`", &["mood", "score"], &["mood", "score"]),
            ("只回答一个 JSON 对象，字段：情感，理由。", &["情感", "理由"], &["情感", "理由"]),
            ("JSON: mood", &["mood"], &["mood"]),
            ("Give JSON with mood.", &[], &["mood"]),
            (
                "Return JSON with sentiment (good/bad) and a score (0-1).",
                &[],
                &["sentiment", "score"],
            ),
            ("用JSON给出情绪和原因", &[], &["情绪", "原因"]),
            ("Give the mood and a score as JSON", &[], &["mood", "score"]),
            ("Answer in JSON.", &[], &[]),
            ("Classify the text.", &[], &[]),
        ];
        for (prompt, plain, all) in table {
            for (only_plain, names) in [(true, plain), (false, all)] {
                let names: Vec<String> = names.iter().map(ToString::to_string).collect();
                let expected = (!names.is_empty()).then_some(Wanted::Names(names));
                assert_eq!(wanted(std::iter::once(prompt), only_plain), expected, "{prompt}");
            }
        }
    }

    #[test]
    fn an_example_is_taken_whole() {
        let hint = "Answer with one JSON object of this shape and nothing else: ";
        let table = [
            (
                format!("{hint}{{\"a\":\"…\",\"d\":[\"…\"]}}\n\ntext {{x}}"),
                json!({"a": "…", "d": ["…"]}),
            ),
            ("This JSON schema is one: {\"properties\":3}".to_owned(), json!({"properties": 3})),
            ("Use JSON like\n{\n \"a\": 1\n}\nfor: good".to_owned(), json!({"a": 1})),
        ];
        for (prompt, example) in table {
            let found = wanted(std::iter::once(prompt.as_str()), true);
            assert_eq!(found, Some(Wanted::Example(example)), "{prompt}");
        }
        let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
        let prompt = format!("Answer with one JSON object that fits this JSON schema: {schema}");
        let found = wanted(std::iter::once(prompt.as_str()), true);
        assert_eq!(found, Some(Wanted::Schema(schema)));
    }
}
