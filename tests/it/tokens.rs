//! Our token counts against Python's tiktoken, on a few hundred hard strings and some chats
//! (`fixtures/tokens/golden.jsonl`, made by `scripts/make-token-goldens.py`).

use std::fs;

use batchctl::cost::{ChatText, chat_tokens, text_tokens};
use serde_json::Value;

use crate::support::repo;

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
