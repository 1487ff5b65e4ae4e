//! Whether a prompt names columns at all, before any table's headers are known.

/// Whether a prompt has at least one placeholder: `{column}`, or in Jinja an expression or a
/// statement. What it names is checked when the prompt is compiled.
pub fn names_columns(prompt: &str, is_jinja: bool) -> bool {
    if is_jinja {
        return prompt.contains("{{") || prompt.contains("{%");
    }
    let mut rest = prompt;
    while let Some(at) = rest.find('{') {
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('{') {
            rest = after;
            continue;
        }
        let is_literal = rest.starts_with(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
        if !is_literal && rest.contains('}') {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_and_braces_that_are_none() {
        let table = [
            ("Rate {review}", false, true),
            ("Rate this", false, false),
            (r#"Answer as {"mood": "good"}"#, false, false),
            ("Answer as {{mood}}", false, false),
            ("{{x}} {y}", false, true),
            ("{ spaced }", false, false),
            ("{{ review }}", true, true),
            ("plain", true, false),
        ];
        for (prompt, is_jinja, expected) in table {
            assert_eq!(names_columns(prompt, is_jinja), expected, "{prompt}");
        }
    }
}
