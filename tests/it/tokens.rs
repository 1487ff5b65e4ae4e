//! Our token counts against Python's tiktoken, on a few hundred hard strings and some chats
//! (`fixtures/tokens/golden.jsonl`, made by `scripts/make-token-goldens.py`); and the counts of the
//! strings of any file, which `scripts/token-check.sh` compares.

use std::io::Write;
use std::{env, fs, io};

use batchctl::cost::{ChatText, Counter, Tokenizer, chat_tokens, text_tokens};
use serde_json::{Map, Value};

use crate::support::repo;
use crate::support::sandbox::Sandbox;
use crate::support::workdir::WorkDir;

/// A vocabulary and a model that has it.
const VOCABULARIES: [(&str, &str); 2] = [("o200k_base", "gpt-4o"), ("cl100k_base", "gpt-4")];

fn lines() -> Vec<Value> {
    let path = repo("fixtures/tokens/golden.jsonl");
    let text = fs::read_to_string(path).expect("the golden counts are there");
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

#[test]
fn texts_and_chats_have_the_token_counts_of_tiktoken() {
    let mut wrong = Vec::new();
    let (mut texts, mut chats) = (0, 0);
    for line in lines() {
        for (vocabulary, model) in VOCABULARIES {
            let count = if let Some(text) = line["text"].as_str() {
                texts += 1;
                text_tokens(model, text)
            } else if let Some(messages) = line["messages"].as_array() {
                chats += 1;
                chat_tokens(model, messages.iter().map(message))
            } else {
                continue;
            };
            if line[vocabulary] != count {
                wrong.push(format!("{vocabulary} {count}: {line}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} counts differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(texts > 600 && chats > 40, "only {texts} texts and {chats} chats were compared");
}

fn message(value: &Value) -> ChatText<'_> {
    ChatText {
        role: value["role"].as_str().expect("each message has a role"),
        name: value["name"].as_str(),
        content: value["content"].as_str().expect("each message has content"),
    }
}

/// The vocabularies as `scripts/token-check.py` calls them, and a model of each.
const ALL: [(&str, &str); 7] = [
    ("o200k_base", "gpt-4o"),
    ("cl100k_base", "gpt-4"),
    ("qwen2", "qwen3-32b"),
    ("glm4", "glm-4.5"),
    ("glm5", "glm-5"),
    ("deepseek_v3", "deepseek-chat"),
    ("llama3", "llama-3.1-8b"),
];

/// Counts each `text` of a file of JSON lines in every vocabulary, once alone and once with the
/// memory that planning uses. Not a test of its own: `scripts/token-check.sh` runs it.
#[test]
#[ignore = "needs BATCHCTL_TEST_STRINGS and BATCHCTL_TEST_COUNTS; run by scripts/token-check.sh"]
fn counts_of_the_strings_of_a_file() {
    let path = |name| env::var_os(name).unwrap_or_else(|| panic!("{name} names no file"));
    let strings = fs::read_to_string(path("BATCHCTL_TEST_STRINGS")).expect("a file of strings");
    let counts = fs::File::create(path("BATCHCTL_TEST_COUNTS")).expect("a file for the counts");
    let mut counts = io::BufWriter::new(counts);
    let mut counters = ALL.map(|(_, model)| Counter::new(Tokenizer::for_model(model).0));
    for line in strings.lines() {
        let line: Value = serde_json::from_str(line).expect("each line is JSON");
        let text = line["text"].as_str().expect("each line has a text");
        let mut found = Map::new();
        for ((vocabulary, model), counter) in ALL.iter().zip(&mut counters) {
            let count = text_tokens(model, text);
            assert_eq!(counter.count(0, text), count, "{vocabulary}: {text:?}");
            found.insert((*vocabulary).to_owned(), count.into());
        }
        serde_json::to_writer(&mut counts, &found).expect("counts are written");
        counts.write_all(b"\n").expect("counts are written");
    }
    counts.flush().expect("counts are written");
}

/// Tools and the schema of the answer are part of every prompt: they are in the estimate, which is
/// no longer exact with them, and the sandbox bills the same.
#[test]
fn tools_and_schemas_are_in_the_estimate() {
    const TOOLS: &str = r#"tools=[{"type":"function","function":{"name":"look_up","parameters":{"type":"object","properties":{"word":{"type":"string"}}}}}]"#;
    const SCHEMA: &str = r#"response_format={"type":"json_schema","json_schema":{"name":"mood","schema":{"type":"object"}}}"#;
    let dir = WorkDir::new();
    dir.table("in.csv", &[&["text"], &["one"], &["two"], &["three"]]);
    let line = |body: &str| {
        format!(
            r#"{{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{{"model":"gpt-4o","messages":[{{"role":"user","content":"one"}}]{body}}}}}"#
        )
    };
    dir.write("plain.jsonl", line(""));
    dir.write("tools.jsonl", line(&format!(",{}", TOOLS.replacen("tools=", "\"tools\":", 1))));
    let sandbox = Sandbox::with(&["--batch-seconds", "0.2"]);
    let estimate = |words: &str, parameters: &[&str]| {
        let run = dir.batchctl(&format!("estimate {words} --model gpt-4o --json"));
        let run = parameters.iter().fold(run, |run, parameter| run.arg("--param").arg(parameter));
        let estimate = run.openai_at(sandbox.address()).run().exits(0).json()["estimate"].clone();
        (estimate["text_tokens"].as_u64().expect("a count"), estimate["exact"] == true)
    };
    let (plain, exact) = estimate("in.csv", &[]);
    assert_eq!((plain, exact), (3 * 8, true));
    let json = |parameter: &str| text_tokens("gpt-4o", parameter.split_once('=').unwrap().1);
    let (tools, exact) = estimate("in.csv", &[TOOLS]);
    assert_eq!((tools, exact), (plain + 3 * json(TOOLS), false));
    let (schema, exact) = estimate("in.csv", &[SCHEMA]);
    assert!(plain + 3 * 8 < schema && schema < plain + 3 * json(SCHEMA) && !exact, "{schema}");
    assert_eq!(estimate("plain.jsonl", &[]), (8, true));
    assert_eq!(estimate("tools.jsonl", &[]), (8 + json(TOOLS), false));

    let run =
        dir.batchctl("workflow in.csv out.csv --model gpt-4o --check-interval 0.2 --json --yes");
    let run = run.arg("--param").arg(TOOLS).openai_at(sandbox.address()).hurried().run().exits(0);
    let text = run.json().to_string();
    assert!(text.contains(&format!("\"prompt_tokens\":{tools}")), "{tools}: {text}");
}
