//! Prompt templates with `{column}`: compiled once into literal segments, already escaped for
//! JSON, and column numbers. One pass: what a cell holds is never looked at again.

use super::RequestError;
use super::columns::Columns;
use super::escape::escape;
use crate::table::Row;

/// The placeholder for the input column.
const INPUT_TEXT: &str = "input_text";
const PLACE: &str = "the prompt";

/// A piece of a compiled template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    /// Text of the template, plain and as the inside of a JSON string.
    Literal { text: String, escaped: Vec<u8> },
    /// The cell of a column.
    Cell(usize),
}

/// A template made ready for one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Template {
    segments: Vec<Segment>,
    /// The columns it inserts, each once, in order of appearance.
    columns: Vec<usize>,
}

impl Template {
    /// Compiles the text. `input` stands where `{input_text}` does.
    pub(super) fn parse(
        text: &str,
        columns: Columns<'_>,
        input: Option<&Self>,
    ) -> Result<Self, RequestError> {
        let mut parser = Parser { columns, input, made: Self::default(), opened: Vec::new() };
        parser.run(text)?;
        Ok(parser.made)
    }

    /// Just the cell of one column.
    pub(super) fn of_column(column: usize) -> Self {
        let mut made = Self::default();
        made.push_cell(column);
        made
    }

    /// These columns as `name: value` lines.
    pub(super) fn of_all(headers: &[String], columns: impl IntoIterator<Item = usize>) -> Self {
        let mut made = Self::default();
        for column in columns {
            let line_break = if made.columns.is_empty() { "" } else { "\n" };
            made.push_literal(&format!("{line_break}{}: ", headers[column]));
            made.push_cell(column);
        }
        made
    }

    /// The columns it inserts.
    pub(super) fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// Appends another template.
    pub(super) fn append(&mut self, other: &Self) {
        for segment in &other.segments {
            match segment {
                Segment::Literal { text, .. } => self.push_literal(text),
                Segment::Cell(column) => self.push_cell(*column),
            }
        }
    }

    /// Appends literal text.
    pub(super) fn push_literal(&mut self, added: &str) {
        if added.is_empty() {
            return;
        }
        if let Some(Segment::Literal { text, escaped }) = self.segments.last_mut() {
            text.push_str(added);
            escape(added, escaped);
            return;
        }
        let mut escaped = Vec::new();
        escape(added, &mut escaped);
        self.segments.push(Segment::Literal { text: added.to_owned(), escaped });
    }

    fn push_cell(&mut self, column: usize) {
        self.segments.push(Segment::Cell(column));
        if !self.columns.contains(&column) {
            self.columns.push(column);
        }
    }

    /// Appends the text for a row as the inside of a JSON string.
    pub(super) fn write_escaped(&self, row: &Row, out: &mut Vec<u8>) {
        for segment in &self.segments {
            match segment {
                Segment::Literal { escaped, .. } => out.extend_from_slice(escaped),
                Segment::Cell(column) => escape(row.cell(*column), out),
            }
        }
    }

    /// Appends the text for a row as it is.
    pub(super) fn write_text(&self, row: &Row, out: &mut String) {
        for segment in &self.segments {
            out.push_str(match segment {
                Segment::Literal { text, .. } => text,
                Segment::Cell(column) => row.cell(*column),
            });
        }
    }
}

/// How a literal brace was opened, which says how it closes: JSON examples may be written as
/// they are (`{"a": {"b": 1}}`) or doubled, and both must come out whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opened {
    Plain,
    Doubled,
}

struct Parser<'a> {
    columns: Columns<'a>,
    input: Option<&'a Template>,
    made: Template,
    opened: Vec<Opened>,
}

impl Parser<'_> {
    fn run(&mut self, text: &str) -> Result<(), RequestError> {
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            self.made.push_literal(&rest[..at]);
            let (brace, after) = rest[at..].split_at(1);
            rest = if brace == "{" { self.open(after)? } else { self.close(after) };
        }
        self.made.push_literal(rest);
        Ok(())
    }

    /// What follows a `{`: another one, plain text, or a name.
    fn open<'t>(&mut self, after: &'t str) -> Result<&'t str, RequestError> {
        if let Some(after) = after.strip_prefix('{') {
            self.opened.push(Opened::Doubled);
            self.made.push_literal("{");
            return Ok(after);
        }
        if !starts_a_name(after) {
            self.opened.push(Opened::Plain);
            self.made.push_literal("{");
            return Ok(after);
        }
        self.insert(after)
    }

    fn close<'t>(&mut self, after: &'t str) -> &'t str {
        let doubled = after.strip_prefix('}');
        self.made.push_literal("}");
        match (self.opened.last(), doubled) {
            (Some(Opened::Doubled), Some(after)) => {
                self.opened.pop();
                after
            }
            (Some(Opened::Plain), _) => {
                self.opened.pop();
                after
            }
            (None, Some(after)) => after,
            (Some(Opened::Doubled) | None, None) => after,
        }
    }

    fn insert<'t>(&mut self, after: &'t str) -> Result<&'t str, RequestError> {
        let name = self.name(after)?;
        let rest = &after[name.len() + 1..];
        if name == INPUT_TEXT {
            if let Some(input) = self.input {
                self.made.append(input);
                return Ok(rest);
            }
            if !self.columns.0.iter().any(|header| header == INPUT_TEXT) {
                return Err(RequestError::NoInputColumn { columns: self.columns.list() });
            }
        }
        self.made.push_cell(self.columns.find(name, PLACE)?);
        Ok(rest)
    }

    /// The name up to its closing brace. Headers may hold braces themselves, so the longest
    /// header that fits comes before the first `}`.
    fn name<'t>(&self, after: &'t str) -> Result<&'t str, RequestError> {
        let fits = |header: &&String| {
            after.strip_prefix(header.as_str()).is_some_and(|rest| rest.starts_with('}'))
        };
        let longest = self.columns.0.iter().filter(fits).map(String::len).max();
        longest.or_else(|| after.find('}')).map(|end| &after[..end]).ok_or_else(|| {
            let line = after.lines().next().unwrap_or_default();
            RequestError::Unclosed { text: line.chars().take(30).collect() }
        })
    }
}

/// Whether the text after a `{` is a placeholder and not JSON or prose.
fn starts_a_name(after: &str) -> bool {
    after.chars().next().is_some_and(|first| {
        !first.is_whitespace() && !matches!(first, '"' | '\'' | '“' | '”' | '‘' | '’' | '}')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADERS: [&str; 7] = ["q", "Content of P*", "a}b", "文本", "dup", "dup", "{x}"];
    const CELLS: [&str; 7] = ["Q{文本}\"\n", "p", "brace", "中文", "1", "2", "odd"];

    fn headers() -> Vec<String> {
        HEADERS.map(String::from).into()
    }

    fn rendered(text: &str) -> Result<String, RequestError> {
        let headers = headers();
        let input = Template::of_column(3);
        let template = Template::parse(text, Columns(&headers), Some(&input))?;
        let row = Row::from_cells(0, 2, &CELLS);
        let (mut plain, mut escaped) = (String::new(), Vec::new());
        template.write_text(&row, &mut plain);
        template.write_escaped(&row, &mut escaped);
        let quoted = format!("\"{}\"", String::from_utf8(escaped).unwrap());
        assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), plain, "{text}");
        Ok(plain)
    }

    /// S0.14, S1.16: placeholders, braces, and JSON examples without doubling.
    #[test]
    fn templates_render() {
        let table = [
            ("", ""),
            ("no names", "no names"),
            ("<{q}>", "<Q{文本}\"\n>"),
            ("{Content of P*}+{文本}", "p+中文"),
            ("{input_text}{input_text}", "中文中文"),
            ("{a}b}", "brace"),
            ("{{q}}", "{q}"),
            ("{{{文本}}}", "{中文}"),
            ("}} }", "} }"),
            (r#"{"a": {"b": 1}}"#, r#"{"a": {"b": 1}}"#),
            (r#"{{"a": {{"b": 1}}}}"#, r#"{"a": {"b": 1}}"#),
            (r#"{{"a": {"b": "{文本}"}}}"#, r#"{"a": {"b": "中文"}}"#),
            (r#"{"a": {}, "b": [{}]}"#, r#"{"a": {}, "b": [{}]}"#),
            ("{\n  \"k\": {文本}\n}", "{\n  \"k\": 中文\n}"),
            ("{ not a name } {'a': 1} {", "{ not a name } {'a': 1} {"),
            ("{“键”: 1}", "{“键”: 1}"),
        ];
        for (text, expected) in table {
            assert_eq!(rendered(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn wrong_names_are_errors_that_help() {
        let table = [
            ("{Q}", "nearest: `q`"),
            ("{contents of P*}", "nearest: `Content of P*`"),
            ("{dup}", "columns 5 and 6"),
            ("{open", "`{open` and never closes it; write `{{`"),
            ("{input_texts}", "names the column `input_texts`"),
        ];
        for (text, expected) in table {
            let error = rendered(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let headers = headers();
        let error = Template::parse("{input_text}", Columns(&headers), None).unwrap_err();
        assert!(error.to_string().contains("--input-column"), "{error}");
    }

    #[test]
    fn all_columns_stand_as_lines() {
        let mut text = String::new();
        let row = Row::from_cells(0, 2, &CELLS);
        Template::of_all(&headers(), [1, 3]).write_text(&row, &mut text);
        assert_eq!(text, "Content of P*: p\n文本: 中文");
    }
}
