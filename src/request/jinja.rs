//! Prompt templates in Jinja (`.j2` files), strict: a name that is not there is an error, never
//! an empty text.

use std::collections::BTreeMap;

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use super::columns::Columns;
use super::template::Template;
use super::{RequestError, Skip, SkipKind};
use crate::table::Row;

const NAME: &str = "prompt";
const PLACE: &str = "the Jinja prompt";
/// The name under which a template finds all columns, for headers that are not identifiers:
/// `{{ row["Content of P*"] }}`.
const ROW: &str = "row";
const INPUT_TEXT: &str = "input_text";

/// A compiled Jinja prompt.
#[derive(Debug, Clone)]
pub(super) struct Jinja {
    environment: Environment<'static>,
    /// The columns it names.
    named: Vec<(String, usize)>,
    /// All columns with their names, where it uses `row`.
    row: Option<Vec<(String, usize)>>,
    /// The input column, where it uses `input_text`.
    input: Option<Template>,
    columns: Vec<usize>,
}

impl Jinja {
    /// Compiles the text and checks its names against the headers.
    pub(super) fn parse(
        text: &str,
        columns: Columns<'_>,
        input: Option<&Template>,
    ) -> Result<Self, RequestError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.add_template_owned(NAME, text.to_owned()).map_err(|error| wrong(&error))?;
        let mut names: Vec<String> = environment
            .get_template(NAME)
            .map_err(|error| wrong(&error))?
            .undeclared_variables(false)
            .into_iter()
            .filter(|name| environment.globals().all(|(global, _)| global != name))
            .collect();
        names.sort_unstable();
        let mut made =
            Self { environment, named: Vec::new(), row: None, input: None, columns: Vec::new() };
        for name in names {
            made.bind(name, columns, input)?;
        }
        Ok(made)
    }

    fn bind(
        &mut self,
        name: String,
        columns: Columns<'_>,
        input: Option<&Template>,
    ) -> Result<(), RequestError> {
        let is_header = columns.0.contains(&name);
        if name == INPUT_TEXT && (input.is_some() || !is_header) {
            let none = || RequestError::NoInputColumn { columns: columns.list() };
            let input = input.ok_or_else(none)?;
            self.columns.extend(input.columns());
            self.input = Some(input.clone());
        } else if name == ROW && !is_header {
            let all: Vec<_> = columns.0.iter().cloned().zip(0..).collect();
            self.columns.extend(0..all.len());
            self.row = Some(all);
        } else {
            let at = columns.find(&name, PLACE)?;
            self.columns.push(at);
            self.named.push((name, at));
        }
        Ok(())
    }

    /// The columns it may insert; with `row`, all of them.
    pub(super) fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// Appends the text for a row.
    pub(super) fn write_text(&self, row: &Row, out: &mut String) -> Result<(), Skip> {
        let cells = |names: &[(String, usize)]| -> BTreeMap<String, Value> {
            names.iter().map(|(name, at)| (name.clone(), Value::from(row.cell(*at)))).collect()
        };
        let mut context = cells(&self.named);
        if let Some(all) = &self.row {
            context.insert(ROW.to_owned(), Value::from(cells(all)));
        }
        if let Some(input) = &self.input {
            let mut text = String::new();
            input.write_text(row, &mut text);
            context.insert(INPUT_TEXT.to_owned(), Value::from(text));
        }
        let failed = |error: minijinja::Error| {
            Skip::new(SkipKind::Template, format!("the prompt failed: {}", words(&error)))
        };
        let template = self.environment.get_template(NAME).map_err(failed)?;
        out.push_str(&template.render(context).map_err(failed)?);
        Ok(())
    }
}

fn wrong(error: &minijinja::Error) -> RequestError {
    RequestError::Jinja { line: error.line().unwrap_or(0), message: words(error) }
}

fn words(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> Result<String, String> {
        let headers: Vec<String> =
            ["q", "Content of P*", "dup", "dup", "评论"].map(String::from).into();
        let input = Template::of_column(1);
        let jinja = Jinja::parse(text, Columns(&headers), Some(&input))
            .map_err(|error| format!("compile: {error}"))?;
        let row = Row::from_cells(0, 2, &["<b>", "p", "1", "2", "好"]);
        let mut out = String::new();
        jinja.write_text(&row, &mut out).map_err(|skip| format!("row: {skip}"))?;
        Ok(out)
    }

    #[test]
    fn jinja_renders_without_html_escapes() {
        let table = [
            ("{{ q }} {{ row[\"Content of P*\"] }}", "<b> p"),
            ("{{ input_text }}", "p"),
            ("{% if 评论 == \"好\" %}{{ 评论 }}{% endif %}", "好"),
            ("{% for i in range(2) %}{{ i }}{% endfor %}{% if q %}!{% endif %}", "01!"),
        ];
        for (text, expected) in table {
            assert_eq!(rendered(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn jinja_is_strict() {
        let table = [
            ("{{ question }}", "compile: the Jinja prompt names the column `question`"),
            ("{{ dup }}", "compile: the Jinja prompt names the column `dup`, but columns 3 and 4"),
            ("{{ q", "compile: the Jinja prompt, line 1: "),
            ("{{ row.nothing }}", "row: the prompt failed: undefined value"),
        ];
        for (text, expected) in table {
            let error = rendered(text).unwrap_err();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}
