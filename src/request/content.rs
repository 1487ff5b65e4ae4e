//! The row's own part of a request body: text, text with images, ready-made messages, or a
//! foreign body. What becomes of an image is for the caller: measured or written.

use super::escape::{escape, quote};
use super::foreign::read_foreign;
use super::image::ImageStore;
use super::jinja::Jinja;
use super::messages::{push_on_one_line, split};
use super::template::Template;
use super::{Endpoint, Skip, SkipKind};
use crate::table::Row;

/// Where the row's own part of a line comes from.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) endpoint: Endpoint,
    pub(super) text: Text,
    /// The image columns with their names.
    pub(super) images: Vec<(String, usize)>,
    pub(super) headers: Vec<String>,
    pub(super) detail: &'static str,
    /// For foreign bodies that name no model.
    pub(super) model: String,
}

#[derive(Debug, Clone)]
pub(super) enum Text {
    Plain(Template),
    Jinja { prompt: Box<Jinja>, rest: Template },
    Messages(usize),
    Foreign,
}

/// What becomes of an image when it comes to be written.
pub(super) trait Pictures {
    /// Appends the image of a cell as the inside of a JSON string.
    fn put(&mut self, cell: &str, out: &mut Vec<u8>) -> Result<(), Skip>;
}

impl Pictures for ImageStore {
    fn put(&mut self, cell: &str, out: &mut Vec<u8>) -> Result<(), Skip> {
        self.write(cell, out)
    }
}

impl Text {
    /// The columns whose cells make the text.
    pub(super) fn columns(&self) -> &[usize] {
        match self {
            Self::Plain(template) => template.columns(),
            // What is appended to a Jinja prompt is only there if the prompt names nothing.
            Self::Jinja { prompt, rest } if prompt.columns().is_empty() => rest.columns(),
            Self::Jinja { prompt, .. } => prompt.columns(),
            Self::Messages(column) => std::slice::from_ref(column),
            Self::Foreign => &[],
        }
    }

    pub(super) fn write_text(&self, row: &Row, out: &mut String) -> Result<(), Skip> {
        match self {
            Self::Plain(template) => template.write_text(row, out),
            Self::Jinja { prompt, rest } => {
                prompt.write_text(row, out)?;
                rest.write_text(row, out);
            }
            Self::Messages(_) | Self::Foreign => {}
        }
        Ok(())
    }

    fn write_escaped(&self, row: &Row, out: &mut Vec<u8>) -> Result<(), Skip> {
        if let Self::Plain(template) = self {
            template.write_escaped(row, out);
            return Ok(());
        }
        let mut text = String::new();
        self.write_text(row, &mut text)?;
        escape(&text, out);
        Ok(())
    }
}

impl Content {
    /// Appends the row's own part of the body.
    pub(super) fn write(
        &self,
        row: &Row,
        out: &mut Vec<u8>,
        pictures: &mut impl Pictures,
    ) -> Result<(), Skip> {
        if let Some(fault) = row.fault() {
            return Err(Skip::new(SkipKind::Ragged, fault.to_string()));
        }
        match &self.text {
            Text::Foreign => self.write_foreign(row, out),
            Text::Messages(column) => self.write_messages(row, *column, out),
            Text::Plain(_) | Text::Jinja { .. } => self.write_prompt(row, out, pictures),
        }
    }

    fn write_foreign(&self, row: &Row, out: &mut Vec<u8>) -> Result<(), Skip> {
        let request = read_foreign(row.raw(), self.endpoint)?;
        if request.model.is_some() || self.model.is_empty() {
            push_on_one_line(request.body, out);
            return Ok(());
        }
        out.extend_from_slice(b"{\"model\":");
        quote(&self.model, out);
        let members = request.body[1..].trim_start();
        out.extend_from_slice(if members.starts_with('}') { b"" } else { b"," });
        push_on_one_line(members, out);
        Ok(())
    }

    fn write_messages(&self, row: &Row, column: usize, out: &mut Vec<u8>) -> Result<(), Skip> {
        let cell = row.cell(column);
        if cell.trim().is_empty() {
            return Err(self.nothing_to_ask());
        }
        let array = self.endpoint != Endpoint::Chat;
        out.extend_from_slice(if array { b"[" } else { b"" });
        for (at, message) in split(cell, row.number())?.into_iter().enumerate() {
            out.extend_from_slice(if at == 0 { b"" } else { b"," });
            push_on_one_line(message, out);
        }
        out.extend_from_slice(if array { b"]" } else { b"" });
        Ok(())
    }

    fn write_prompt(
        &self,
        row: &Row,
        out: &mut Vec<u8>,
        pictures: &mut impl Pictures,
    ) -> Result<(), Skip> {
        let image = |(_, at): &&(String, usize)| !row.cell(*at).trim().is_empty();
        let has_text = self.text.columns().iter().any(|at| !row.cell(*at).trim().is_empty());
        if self.images.iter().find(image).is_none() {
            if !has_text {
                return Err(self.nothing_to_ask());
            }
            out.push(b'"');
            self.text.write_escaped(row, out)?;
            out.push(b'"');
            return Ok(());
        }
        let parts = Parts::of(self.endpoint);
        out.extend_from_slice(parts.open);
        self.write_text_part(row, out, parts)?;
        for (number, (_, at)) in self.images.iter().filter(image).enumerate() {
            out.extend_from_slice(if number == 0 { b"" } else { b"," });
            out.extend_from_slice(parts.image);
            pictures.put(row.cell(*at).trim(), out)?;
            out.extend_from_slice(parts.detail);
            out.extend_from_slice(self.detail.as_bytes());
            out.extend_from_slice(parts.image_end);
        }
        out.extend_from_slice(parts.close);
        Ok(())
    }

    /// The text beside images; a text part that is empty is refused by services, so it is left out.
    fn write_text_part(&self, row: &Row, out: &mut Vec<u8>, parts: &Parts) -> Result<(), Skip> {
        let start = out.len();
        out.extend_from_slice(parts.text);
        let before = out.len();
        self.text.write_escaped(row, out)?;
        if out.len() == before {
            out.truncate(start);
        } else {
            out.extend_from_slice(b"\"},");
        }
        Ok(())
    }

    fn nothing_to_ask(&self) -> Skip {
        let images = self.images.iter().map(|(_, at)| at);
        let names: Vec<String> = (self.text.columns().iter().chain(images))
            .filter_map(|at| self.headers.get(*at))
            .map(|name| format!("`{name}`"))
            .collect();
        let verb = if names.len() == 1 { "is" } else { "are" };
        let names = names.join(", ");
        Skip::new(SkipKind::Empty, format!("nothing to ask: {names} {verb} empty"))
    }
}

/// How a message with several parts is written at an endpoint.
struct Parts {
    open: &'static [u8],
    text: &'static [u8],
    image: &'static [u8],
    detail: &'static [u8],
    image_end: &'static [u8],
    close: &'static [u8],
}

impl Parts {
    fn of(endpoint: Endpoint) -> &'static Self {
        const CHAT: Parts = Parts {
            open: b"[",
            text: b"{\"type\":\"text\",\"text\":\"",
            image: b"{\"type\":\"image_url\",\"image_url\":{\"url\":\"",
            detail: b"\",\"detail\":\"",
            image_end: b"\"}}",
            close: b"]",
        };
        const RESPONSES: Parts = Parts {
            open: b"[{\"role\":\"user\",\"content\":[",
            text: b"{\"type\":\"input_text\",\"text\":\"",
            image: b"{\"type\":\"input_image\",\"image_url\":\"",
            detail: b"\",\"detail\":\"",
            image_end: b"\"}",
            close: b"]}]",
        };
        if endpoint == Endpoint::Responses { &RESPONSES } else { &CHAT }
    }
}
