//! What was mended in an answer, by name, so that a mended row can be told from a clean one.

use std::fmt;

/// One kind of mending. Each is listed once per answer, however often it was needed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Repair {
    /// A comma before a closing bracket was left out.
    TrailingComma,
    /// A comma was missing at the end of a line.
    MissingComma,
    /// Closing brackets were missing.
    Closed,
    /// `'…'` or `“…”` instead of `"…"`.
    Quotes,
    /// `，：｛｝［］` instead of `,:{}[]`.
    FullWidth,
    /// A key without quotes.
    BareKey,
    /// `True`, `None`, `NaN` and the like.
    Literal,
    /// `+1`, `.5`, `5.`
    Number,
    /// `// …` or `/* … */`.
    Comment,
    /// Quotes inside a text that were not escaped.
    InnerQuotes,
    /// Line breaks or tabs inside a text that were not escaped.
    ControlCharacters,
    /// A backslash before a character that takes none, or half of a character's code.
    Escape,
    /// The whole JSON was escaped as if it stood in a text.
    Escaped,
    /// Spaces that JSON does not know.
    Spaces,
    /// The answer holds several that are worth as much and say different things; one was taken.
    Chosen,
    /// A value of another type that says the same was taken for the wanted one.
    Converted {
        /// The field.
        column: String,
        /// The value as it came, shortened.
        from: String,
    },
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TrailingComma => "trailing comma",
            Self::MissingComma => "missing comma",
            Self::Closed => "missing closing bracket",
            Self::Quotes => "other quotes than \"",
            Self::FullWidth => "full-width punctuation",
            Self::BareKey => "key without quotes",
            Self::Literal => "word that is no JSON",
            Self::Number => "number not written as in JSON",
            Self::Comment => "comment",
            Self::InnerQuotes => "quotes inside a text",
            Self::ControlCharacters => "line break inside a text",
            Self::Escape => "wrong backslash",
            Self::Escaped => "backslashes before all quotes",
            Self::Spaces => "odd spaces",
            Self::Chosen => "chosen from different answers",
            Self::Converted { column, from } => return write!(f, "`{column}` from {from}"),
        })
    }
}

/// The kinds that were needed so far, in order.
#[derive(Debug, Default)]
pub(super) struct Repairs(pub(super) Vec<Repair>);

impl Repairs {
    pub(super) fn note(&mut self, repair: Repair) {
        if !self.0.contains(&repair) {
            self.0.push(repair);
        }
    }
}
