//! How many prompt tokens an account may have queued for a model, by its tier. The services show
//! these numbers in their consoles and seldom publish them, so the list is short: an account that
//! is not in it learns its limit from the first refusal, or says it with `max_enqueued_tokens`.

/// When the list was last held against what is known.
pub const QUEUES_AS_OF: &str = "2026-11-20";

/// Service, beginning of the model's name, tier, tokens.
const QUEUES: [(&str, &str, u64, u64); 1] = [
    // Reported by several users in the service's own forum, in the words of the refusal.
    ("openai", "gpt-4o", 1, 90_000),
];

/// Names that begin like one of the list and are other models with other limits.
const OTHERS: [&str; 1] = ["gpt-4o-mini"];

/// The prompt tokens that may be queued for a model at a built-in service, where that is known.
pub fn enqueued_tokens(service: &str, model: &str, tier: Option<u64>) -> Option<u64> {
    let is_other = OTHERS.iter().any(|other| model.starts_with(other));
    let fits = |entry: &&(&str, &str, u64, u64)| {
        entry.0 == service && model.starts_with(entry.1) && Some(entry.2) == tier && !is_other
    };
    QUEUES.iter().find(fits).map(|entry| entry.3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_not_guessed() {
        let table = [
            ("openai", "gpt-4o", Some(1), Some(90_000)),
            ("openai", "gpt-4o-2024-08-06", Some(1), Some(90_000)),
            ("openai", "gpt-4o-mini", Some(1), None),
            ("openai", "gpt-4o", Some(2), None),
            ("openai", "gpt-4o", None, None),
            ("zhipu", "gpt-4o", Some(1), None),
        ];
        for (service, model, tier, expected) in table {
            assert_eq!(
                enqueued_tokens(service, model, tier),
                expected,
                "{service} {model} {tier:?}"
            );
        }
        assert!(QUEUES_AS_OF.parse::<jiff::civil::Date>().is_ok());
    }
}
