//! When stderr takes colour, and the few colours there are. Every message can be understood
//! without them.

/// Whether colour is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    #[default]
    Never,
    /// Terminal colours.
    Always,
}

/// What a piece of text is, and so how it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Like the rest.
    Plain,
    /// The word `error:`.
    Error,
    /// The word `warning:`.
    Warning,
    /// The word `fix:` and what succeeded.
    Good,
    /// What matters less.
    Faint,
}

impl Colour {
    /// Decides for stderr. `choice` is `auto`, `always` or `never` (`--color`); `variable` looks
    /// up the environment. An explicit choice wins over `NO_COLOR`, that over `CLICOLOR_FORCE`,
    /// that over `TERM=dumb`, and all over whether stderr is a terminal.
    pub fn decide(
        choice: &str,
        variable: impl Fn(&str) -> Option<String>,
        is_terminal: bool,
    ) -> Self {
        let is_set = |name| variable(name).is_some_and(|text| !text.is_empty());
        let on = match choice {
            "always" => true,
            "never" => false,
            _ if is_set("NO_COLOR") => false,
            _ if variable("CLICOLOR_FORCE").is_some_and(|text| !text.is_empty() && text != "0") => {
                true
            }
            _ => is_terminal && variable("TERM").as_deref() != Some("dumb"),
        };
        if on { Self::Always } else { Self::Never }
    }

    /// The text in its style.
    pub fn paint(self, style: Style, text: &str) -> String {
        let code = match (self, style) {
            (Self::Never, _) | (_, Style::Plain) => return text.to_owned(),
            (_, Style::Error) => "1;31",
            (_, Style::Warning) => "1;33",
            (_, Style::Good) => "1;32",
            (_, Style::Faint) => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_rules() {
        type Case = (&'static str, &'static [(&'static str, &'static str)], bool, bool);
        let table: [Case; 10] = [
            ("auto", &[], true, true),
            ("auto", &[], false, false),
            ("auto", &[("NO_COLOR", "1")], true, false),
            ("auto", &[("NO_COLOR", "")], true, true),
            ("auto", &[("CLICOLOR_FORCE", "1")], false, true),
            ("auto", &[("CLICOLOR_FORCE", "0")], false, false),
            ("auto", &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], true, false),
            ("auto", &[("TERM", "dumb")], true, false),
            ("always", &[("NO_COLOR", "1")], false, true),
            ("never", &[("CLICOLOR_FORCE", "1")], true, false),
        ];
        for (choice, variables, is_terminal, expected) in table {
            let look = |name: &str| {
                variables
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, text)| (*text).to_owned())
            };
            let colour = Colour::decide(choice, look, is_terminal);
            assert_eq!(colour == Colour::Always, expected, "{choice} {variables:?} {is_terminal}");
        }
    }
}
