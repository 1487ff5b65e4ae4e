//! Which names mean the same model.
//!
//! A dated snapshot or `-latest` is taken for the model it is named after. Anything else behind a
//! name (`-mini`, `-preview`, `.1`) is another model with prices of its own.

/// A model as it is looked up: small letters, and a fine-tuned one without what follows its base
/// (`ft:gpt-4o-2024-08-06:acme::x`).
pub(super) fn plain(model: &str) -> String {
    let model = model.trim().to_ascii_lowercase();
    let Some(base) = model.strip_prefix("ft:") else { return model };
    let base = base.split(':').next().unwrap_or(base);
    format!("ft:{base}")
}

/// Whether the model asked is the listed one, both plain: the same name, or its date behind it.
pub(super) fn is_same(asked: &str, listed: &str) -> bool {
    asked
        .strip_prefix(listed)
        .is_some_and(|rest| rest.is_empty() || rest.strip_prefix('-').is_some_and(is_version))
}

/// `latest`, `001`, or a date: `2024-08-06`, `20240806`, `250414`, `0613`.
fn is_version(text: &str) -> bool {
    if text == "latest" {
        return true;
    }
    let parts: Vec<&str> = text.split('-').collect();
    if !parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit())) {
        return false;
    }
    let number = |part: &str| part.parse::<u32>().unwrap_or(u32::MAX);
    let is_day = |month: &str, day: &str| {
        (1..=12).contains(&number(month)) && (1..=31).contains(&number(day))
    };
    let is_year = |year: &str| (2020..=2099).contains(&number(year));
    match parts.as_slice() {
        [year, month, day] => is_year(year) && month.len() == 2 && is_day(month, day),
        [all] => match all.len() {
            3 => all.starts_with('0'),
            4 => is_day(&all[..2], &all[2..]),
            6 => is_day(&all[2..4], &all[4..]),
            8 => is_year(&all[..4]) && is_day(&all[4..6], &all[6..]),
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_the_same_model_and_any_other_word_is_not() {
        let table = [
            ("gpt-4o", "gpt-4o", true),
            ("gpt-4o-2024-08-06", "gpt-4o", true),
            ("gpt-4o-latest", "gpt-4o", true),
            ("gpt-4-0613", "gpt-4", true),
            ("glm-4-air-250414", "glm-4-air", true),
            ("claude-haiku-4-5-20251001", "claude-haiku-4-5", true),
            ("gemini-2.5-flash-001", "gemini-2.5-flash", true),
            ("gpt-4o-mini", "gpt-4o", false),
            ("gpt-4o-mini-2024-07-18", "gpt-4o", false),
            ("gpt-4o-preview", "gpt-4o", false),
            ("gpt-4-0125-preview", "gpt-4", false),
            ("gpt-4-32k", "gpt-4", false),
            ("gpt-5.9", "gpt-5", false),
            ("gpt-50", "gpt-5", false),
            ("glm-4-flash-x", "glm-4-flash", false),
            ("glm-4-flashx", "glm-4-flash", false),
            // A month that does not exist: a year and a month, which is another version.
            ("mistral-large-2407", "mistral-large", false),
            ("claude-opus-4-5", "claude-opus-4", false),
            ("gpt-4o-", "gpt-4o", false),
            ("gpt-4", "gpt-4o", false),
        ];
        for (asked, listed, expected) in table {
            assert_eq!(is_same(asked, listed), expected, "{asked} as {listed}");
        }
    }

    #[test]
    fn a_fine_tune_keeps_its_frame_and_loses_its_name() {
        assert_eq!(plain(" GPT-4o "), "gpt-4o");
        assert_eq!(plain("ft:GPT-4o-2024-08-06:acme::x"), "ft:gpt-4o-2024-08-06");
        assert_eq!(plain("ft:gpt-4o-mini-2024-07-18"), "ft:gpt-4o-mini-2024-07-18");
    }
}
