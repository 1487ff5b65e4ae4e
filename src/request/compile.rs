//! Making a question ready for a table: every name in it is resolved here, so that afterwards
//! only single rows can fail.

use super::columns::Columns;
use super::content::{Content, Text};
use super::frame::{Frame, members, system_text};
use super::image::ImageStore;
use super::jinja::Jinja;
use super::template::Template;
use super::{Compiled, InputColumn, Question, RequestError, Source};

impl Question {
    /// Makes the question ready for a table with these headers. All names are resolved here:
    /// afterwards only single rows can fail.
    pub fn compile(&self, headers: &[String]) -> Result<Compiled, RequestError> {
        let columns = Columns(headers);
        let mut notes = Vec::new();
        let frame = Frame::new(self)?;
        let images = (self.images.columns.iter())
            .map(|name| Ok((name.clone(), columns.find(name, "--image-column")?)))
            .collect::<Result<Vec<_>, RequestError>>()?;
        let text = match &self.source {
            Source::Foreign => Text::Foreign,
            Source::Messages { column } => {
                Text::Messages(columns.find(column, "the column of messages")?)
            }
            Source::Prompt { template, jinja } => {
                self.prompt(template, *jinja, columns, &images, &mut notes)?
            }
        };
        let content = Content {
            endpoint: self.endpoint,
            text,
            images,
            headers: headers.to_vec(),
            detail: self.images.detail.as_str(),
            model: self.model.clone(),
        };
        let images = ImageStore::new(&self.images);
        let compiled = Compiled::new(frame, content, images, system_text(self), notes);
        Ok(compiled.with_members(members(self)))
    }

    /// Whether a prompt leaves a text column to be found: it names no column, or uses
    /// `{input_text}`. What is found goes into `input_column`; see [`super::infer`].
    pub fn wants_input_column(&self, headers: &[String]) -> Result<bool, RequestError> {
        /// No table has this column, so finding it again shows the use of `{input_text}`.
        const STAND_IN: usize = usize::MAX;
        let Source::Prompt { template, jinja } = &self.source else { return Ok(false) };
        let (columns, input) = (Columns(headers), Template::of_column(STAND_IN));
        let named = if *jinja {
            Jinja::parse(template, columns, Some(&input))?.columns().to_vec()
        } else {
            Template::parse(template, columns, Some(&input))?.columns().to_vec()
        };
        Ok(named.is_empty() || named.contains(&STAND_IN))
    }

    /// The prompt with what is added to it: the input column where it names no column, and the
    /// line naming the wanted keys.
    fn prompt(
        &self,
        text: &str,
        jinja: bool,
        columns: Columns<'_>,
        images: &[(String, usize)],
        notes: &mut Vec<String>,
    ) -> Result<Text, RequestError> {
        let input = self.input(columns, images)?;
        let jinja = if jinja { Some(Jinja::parse(text, columns, input.as_ref())?) } else { None };
        let mut rest = match jinja {
            Some(_) => Template::default(),
            None => Template::parse(text, columns, input.as_ref())?,
        };
        let named = jinja.as_ref().map_or(rest.columns().len(), |jinja| jinja.columns().len());
        match &input {
            Some(input) if named == 0 => {
                // Jinja takes one line feed at the end of a file away.
                let ends = if jinja.is_some() { text.strip_suffix('\n') } else { None };
                rest.push_literal(gap_after(ends.unwrap_or(text)));
                rest.append(input);
                if !text.is_empty() {
                    notes.push(self.appended());
                }
            }
            None if named == 0 && images.is_empty() => {
                return Err(RequestError::SameForEveryRow { columns: columns.list() });
            }
            _ => {}
        }
        if let Some(hint) = &self.json_hint {
            rest.push_literal(&format!("\n\n{hint}"));
        }
        Ok(match jinja {
            Some(prompt) => Text::Jinja { prompt: Box::new(prompt), rest },
            None => Text::Plain(rest),
        })
    }

    fn input(
        &self,
        columns: Columns<'_>,
        images: &[(String, usize)],
    ) -> Result<Option<Template>, RequestError> {
        Ok(match &self.input_column {
            None => None,
            Some(InputColumn::Named(name)) => {
                Some(Template::of_column(columns.find(name, "--input-column")?))
            }
            Some(InputColumn::All) => {
                let is_image = |at: &usize| images.iter().any(|(_, image)| image == at);
                let texts = (0..columns.0.len()).filter(|at| !is_image(at));
                Some(Template::of_all(columns.0, texts))
            }
        })
    }

    fn appended(&self) -> String {
        match &self.input_column {
            Some(InputColumn::Named(name)) => {
                format!("the prompt names no column: `{name}` is appended")
            }
            _ => "the prompt names no column: all columns are appended".to_owned(),
        }
    }
}

/// What parts a prompt from the cell that is appended to it: one empty line, as far as the
/// prompt does not end in it already.
fn gap_after(text: &str) -> &'static str {
    match text {
        "" => "",
        _ if text.ends_with("\n\n") => "",
        _ if text.ends_with('\n') => "\n",
        _ => "\n\n",
    }
}
