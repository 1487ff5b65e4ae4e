//! What a finish reason says about an answer, in the words of all providers.

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The model had said what it wanted to say.
    Natural,
    /// A limit on tokens cut it off.
    Cut,
    /// A filter or the model itself refused.
    Filtered,
    /// The provider lost it; the model may answer if it is asked again.
    BrokenOff,
    /// Nobody says, or in a word of no use here.
    Unknown,
}

impl Ending {
    /// Reads a finish reason; letter case does not count.
    pub(super) fn of(reason: Option<&str>) -> Self {
        let reason = reason.unwrap_or_default().trim().to_ascii_lowercase();
        match reason.trim_start_matches("finish_reason_") {
            "stop" | "end_turn" | "stop_sequence" | "eos" | "eos_token" | "complete"
            | "completed" | "finish" | "finished" | "normal" => Self::Natural,
            "length"
            | "max_tokens"
            | "max_output_tokens"
            | "max_completion_tokens"
            | "max_length"
            | "max_context_length"
            | "model_length"
            | "model_context_window_exceeded"
            | "context_length_exceeded"
            | "token_limit"
            | "error_limit"
            | "incomplete" => Self::Cut,
            "content_filter"
            | "content_filtered"
            | "content_moderation"
            | "content_blocked"
            | "data_inspection_failed"
            | "guardrail_intervened"
            | "sensitive"
            | "refusal"
            | "refused"
            | "blocked"
            | "blocklist"
            | "error_toxic"
            | "safety"
            | "prohibited_content"
            | "recitation"
            | "language"
            | "spii"
            | "image_safety"
            | "image_prohibited_content"
            | "image_recitation" => Self::Filtered,
            "network_error"
            | "error"
            | "failed"
            | "abort"
            | "aborted"
            | "insufficient_system_resource"
            | "malformed_function_call"
            | "repetition_truncation" => Self::BrokenOff,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_26_the_words_of_all_providers() {
        let table = [
            ("stop", Ending::Natural),
            ("STOP", Ending::Natural),
            ("end_turn", Ending::Natural),
            ("length", Ending::Cut),
            ("MAX_TOKENS", Ending::Cut),
            ("max_output_tokens", Ending::Cut),
            ("content_filter", Ending::Filtered),
            ("sensitive", Ending::Filtered),
            ("FINISH_REASON_SAFETY", Ending::Filtered),
            ("refusal", Ending::Filtered),
            ("network_error", Ending::BrokenOff),
            ("insufficient_system_resource", Ending::BrokenOff),
            ("tool_calls", Ending::Unknown),
            ("", Ending::Unknown),
        ];
        for (word, expected) in table {
            assert_eq!(Ending::of(Some(word)), expected, "{word}");
        }
        assert_eq!(Ending::of(None), Ending::Unknown);
    }
}
