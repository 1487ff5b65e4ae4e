//! Tokens of the prompts of many requests, whose texts stand one behind the other.

use crate::cost::{Counter, chat_overhead};
use crate::request::Message;

/// Texts of several requests. Its memory is kept for the next ones.
#[derive(Debug, Default)]
pub(super) struct Prompts {
    text: String,
    /// Where each text ends, and its place within its request.
    ends: Vec<(usize, usize)>,
    /// For each request how many texts stand before its end, and the tokens that no text holds:
    /// those a chat adds to each message.
    requests: Vec<(usize, u32)>,
}

impl Prompts {
    /// Takes the texts of one request; an embedding's are counted as they are.
    pub(super) fn push(&mut self, messages: &[Message], is_chat: bool) {
        let (mut spoken, mut names) = (0, 0);
        for (place, message) in (0..).step_by(3).zip(messages) {
            if is_chat && !message.is_beside() {
                spoken += 1;
                self.push_text(&message.role, place);
                if let Some(name) = &message.name {
                    names += 1;
                    self.push_text(name, place + 1);
                }
            }
            self.push_text(&message.text, place + 2);
        }
        let overhead = if spoken > 0 { chat_overhead(spoken) + names } else { 0 };
        let overhead = u32::try_from(overhead).unwrap_or(u32::MAX);
        self.requests.push((self.ends.len(), overhead));
    }

    fn push_text(&mut self, text: &str, place: usize) {
        self.text.push_str(text);
        self.ends.push((self.text.len(), place));
    }

    /// Bytes of all texts.
    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Forgets all requests.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.requests.clear();
    }

    /// The tokens of each request, in the order in which they were pushed.
    pub(super) fn count<'a>(&'a self, counter: &'a mut Counter) -> impl Iterator<Item = u32> + 'a {
        let (mut start, mut done) = (0, 0);
        let mut texts = self.ends.iter();
        self.requests.iter().map(move |(last_text, overhead)| {
            let mut sum = u64::from(*overhead);
            for (end, place) in texts.by_ref().take(last_text - done) {
                sum += counter.count(*place, &self.text[start..*end]);
                start = *end;
            }
            done = *last_text;
            u32::try_from(sum).unwrap_or(u32::MAX)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::{ChatText, Tokenizer, chat_tokens, text_tokens};

    /// Many requests together are counted as each is alone.
    #[test]
    fn prompts_are_counted_as_each_alone() {
        let message = |role: &str, text: String| Message::spoken(role, &text);
        let requests: Vec<Vec<Message>> = (0..300)
            .map(|n| {
                let mut messages = vec![message("system", "回答一个词".to_owned())];
                messages[0].name = (n % 7 == 0).then(|| "ada".to_owned());
                messages.extend(
                    (0..n % 3)
                        .map(|m| message("user", format!("row {n} {m} 很好 ").repeat(n % 40))),
                );
                messages
            })
            .collect();
        let mut prompts = Prompts::default();
        for is_chat in [true, false] {
            prompts.clear();
            for messages in &requests {
                prompts.push(messages, is_chat);
            }
            let mut of_all = Counter::new(Tokenizer::for_model("gpt-4o").0);
            let counted: Vec<u64> = prompts.count(&mut of_all).map(u64::from).collect();
            let one = |messages: &Vec<Message>| -> u64 {
                if is_chat {
                    let text = |m| -> ChatText<'_> {
                        let m: &Message = m;
                        ChatText { role: &m.role, name: m.name.as_deref(), content: &m.text }
                    };
                    chat_tokens("gpt-4o", messages.iter().map(text))
                } else {
                    messages.iter().map(|m| text_tokens("gpt-4o", &m.text)).sum()
                }
            };
            let expected: Vec<u64> = requests.iter().map(one).collect();
            assert_eq!(counted, expected, "chat: {is_chat}");
        }
    }
}
