//! A question made ready for one table: measures the lines of rows before any is built, and
//! writes them. Both go through the same code, so that a planned length is the written length.

use std::borrow::Cow;
use std::path::Path;

use serde_json::Value;

use super::content::{Content, Pictures, Text};
use super::escape::escape;
use super::foreign::read_foreign;
use super::frame::Frame;
use super::image::{ImageSize, ImageStore, Planned};
use super::messages::{Message, beside, split, texts_of_body};
use super::{Objection, Skip};
use crate::table::Row;

/// What is known of a row's line before it is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure {
    /// The length of the line in bytes, with its line feed.
    pub line_bytes: u64,
    /// The hash of all that decides the answer.
    pub content_key: [u8; 16],
    /// The pixels of each image as sent, in order; `None` where only the provider will know.
    pub image_headers: Vec<Option<ImageSize>>,
}

/// The same without the hash, which costs as much as all the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The length of the line in bytes, with its line feed.
    pub line_bytes: u64,
    /// The pixels of each image as sent, in order; `None` where only the provider will know.
    pub image_headers: Vec<Option<ImageSize>>,
}

/// A question compiled against the headers of a table. Its buffers are reused from row to row;
/// clone it to build on several threads.
#[derive(Debug, Clone)]
pub struct Compiled {
    frame: Frame,
    content: Content,
    images: ImageStore,
    notes: Vec<String>,
    system: Option<String>,
    /// The members of the body that are part of the prompt: tools, the schema of the answers.
    beside: Option<Message>,
    scratch: Vec<u8>,
    messages: Vec<Message>,
}

impl Compiled {
    pub(super) fn new(
        frame: Frame,
        content: Content,
        images: ImageStore,
        system: Option<String>,
        notes: Vec<String>,
    ) -> Self {
        let (scratch, messages) = (Vec::new(), Vec::new());
        Self { frame, content, images, notes, system, beside: None, scratch, messages }
    }

    /// Names the members of the body that every request has besides its text.
    pub(super) fn with_members(mut self, members: Vec<(String, Value)>) -> Self {
        self.beside = Message::beside(beside(&members.into_iter().collect()));
        self
    }

    /// What the user should be told about how the question was understood.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The columns whose cells are part of the text.
    pub fn columns(&self) -> &[usize] {
        self.content.text.columns()
    }

    /// The id that a row's line will carry: the given one, or a foreign line's own.
    pub fn custom_id<'r>(&self, row: &'r Row, ours: &'r str) -> Result<Cow<'r, str>, Skip> {
        match self.content.text {
            Text::Foreign => {
                read_foreign(row.raw(), self.content.endpoint).map(|request| request.custom_id)
            }
            _ => Ok(Cow::Borrowed(ours)),
        }
    }

    /// What a row's line will be, without building it: texts are rendered, of images only the
    /// length counts. An image file is read when its digest is not known yet; one that must be
    /// made smaller is encoded once, as nothing else tells its exact length. `id_bytes` is the
    /// length of the id ([`super::CustomId::length`]); foreign lines have their own.
    pub fn measure(&mut self, row: &Row, id_bytes: usize) -> Result<Measure, Skip> {
        let mut hashed = std::mem::take(&mut self.scratch);
        hashed.clear();
        let outline = self.outline(row, id_bytes, &mut hashed);
        let content_key = content_key(&hashed);
        self.scratch = hashed;
        let Outline { line_bytes, image_headers } = outline?;
        Ok(Measure { line_bytes, content_key, image_headers })
    }

    /// The same, but [`content_key`] of what is appended to `hashed` is left to the caller: the
    /// content, what stands for the bytes of its images, and the frame's digest. On a skip the
    /// buffer is of no use.
    pub fn outline(
        &mut self,
        row: &Row,
        id_bytes: usize,
        hashed: &mut Vec<u8>,
    ) -> Result<Outline, Skip> {
        let id_bytes = match self.content.text {
            Text::Foreign => {
                let mut id = Vec::new();
                escape(&self.custom_id(row, "")?, &mut id);
                id.len()
            }
            _ => id_bytes,
        };
        let start = hashed.len();
        let mut plan =
            Plan { store: &mut self.images, bytes: 0, sizes: Vec::new(), keys: Vec::new() };
        self.content.write(row, hashed, &mut plan)?;
        let Plan { bytes, sizes, keys, .. } = plan;
        let length = hashed.len() - start;
        hashed.extend_from_slice(&keys);
        hashed.extend_from_slice(&(length as u64).to_le_bytes());
        hashed.extend_from_slice(&self.frame.digest);
        let line = self.frame.bytes() + id_bytes + length;
        Ok(Outline { line_bytes: line as u64 + bytes, image_headers: sizes })
    }

    /// Appends a row's request line, with its line feed. On a skip the buffer is as it was.
    pub fn write_line(
        &mut self,
        row: &Row,
        custom_id: &str,
        out: &mut Vec<u8>,
    ) -> Result<(), Skip> {
        self.write_asked(row, (custom_id, None), out)
    }

    /// The same with what there is to object to the row's last answer, if there is anything.
    pub fn write_asked(
        &mut self,
        row: &Row,
        (custom_id, objection): (&str, Option<&Objection>),
        out: &mut Vec<u8>,
    ) -> Result<(), Skip> {
        let start = out.len();
        let written = self.try_write(row, (custom_id, objection), out);
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    fn try_write(
        &mut self,
        row: &Row,
        (custom_id, objection): (&str, Option<&Objection>),
        out: &mut Vec<u8>,
    ) -> Result<(), Skip> {
        out.extend_from_slice(self.frame.before_id);
        escape(&self.custom_id(row, custom_id)?, out);
        out.extend_from_slice(&self.frame.after_id);
        write_body((&self.frame, &self.content), row, &mut self.images, objection, out)
    }

    /// Appends the body of a row's request as it is sent, and nothing else of its line. On a skip
    /// the buffer is as it was.
    pub fn write_body(
        &mut self,
        row: &Row,
        objection: Option<&Objection>,
        out: &mut Vec<u8>,
    ) -> Result<(), Skip> {
        let start = out.len();
        let parts = (&self.frame, &self.content);
        let written = write_body(parts, row, &mut self.images, objection, out);
        // Of a body that was written, what ends the line is left out.
        out.truncate(if written.is_ok() { out.len() - 2 } else { start });
        written
    }

    /// Appends the body of a row's request as it is sent, for people: of an image stands what the
    /// cell says, not its bytes. On a skip the buffer is as it was.
    pub fn write_shown(
        &self,
        row: &Row,
        objection: Option<&Objection>,
        out: &mut Vec<u8>,
    ) -> Result<(), Skip> {
        let start = out.len();
        let written = write_body((&self.frame, &self.content), row, &mut Named, objection, out);
        // Of a body that was written, what ends the line is left out.
        out.truncate(if written.is_ok() { out.len() - 2 } else { start });
        written
    }

    /// The texts of a row's request, for counting tokens, and what stands beside them; images are
    /// not among them.
    pub fn prompt_texts(&mut self, row: &Row) -> Result<&[Message], Skip> {
        let texts = match &self.content.text {
            Text::Foreign => {
                let request = read_foreign(row.raw(), self.content.endpoint)?;
                texts_of_body(&serde_json::from_str(request.body).unwrap_or_default())
            }
            Text::Messages(column) => {
                let messages = split(row.cell(*column), row.number())?;
                let array = format!("{{\"messages\":[{}]}}", messages.join(","));
                let mut texts = texts_of_body(&serde_json::from_str(&array).unwrap_or_default());
                texts.splice(0..0, self.system.iter().map(|text| Message::spoken("system", text)));
                texts.extend(self.beside.clone());
                texts
            }
            Text::Plain(_) | Text::Jinja { .. } => {
                let mut user = self.messages.pop().unwrap_or_default();
                user.role.replace_range(.., "user");
                user.text.clear();
                self.content.text.write_text(row, &mut user.text)?;
                if self.messages.is_empty() {
                    let system = self.system.iter().map(|text| Message::spoken("system", text));
                    self.messages.extend(system.chain(self.beside.clone()));
                }
                self.messages.push(user);
                return Ok(&self.messages);
            }
        };
        self.messages = texts;
        Ok(&self.messages)
    }

    /// The model that a row's request names: the question's, or a foreign body's own.
    pub fn model<'r>(&'r self, row: &'r Row) -> Result<Cow<'r, str>, Skip> {
        let own = match self.content.text {
            Text::Foreign => read_foreign(row.raw(), self.content.endpoint)?.model,
            _ => None,
        };
        Ok(own.unwrap_or(Cow::Borrowed(&self.content.model)))
    }

    /// The folder that holds all images seen so far that exist and lie outside of the allowed
    /// ones: what `--image-root` would have to name. None where one row names a file astray.
    pub fn folder_of_outside_images(&self) -> Option<&Path> {
        self.images.outside()
    }
}

/// The key of a row: a hash over all that decides its answer, as [`Compiled::outline`] wrote it.
pub fn content_key(hashed: &[u8]) -> [u8; 16] {
    let hash = blake3::hash(hashed);
    let mut key = [0; 16];
    key.copy_from_slice(&hash.as_bytes()[..16]);
    key
}

/// Counts the bytes of images instead of writing them.
struct Plan<'a> {
    store: &'a mut ImageStore,
    bytes: u64,
    sizes: Vec<Option<ImageSize>>,
    keys: Vec<u8>,
}

impl Pictures for Plan<'_> {
    fn put(&mut self, cell: &str, _: &mut Vec<u8>) -> Result<(), Skip> {
        let Planned { bytes, key, size } = self.store.plan(cell)?;
        self.bytes += bytes;
        self.sizes.push(size);
        self.keys.extend_from_slice(&key);
        Ok(())
    }
}

/// Appends the body of a row's request, and what ends its line.
fn write_body(
    (frame, content): (&Frame, &Content),
    row: &Row,
    pictures: &mut impl Pictures,
    objection: Option<&Objection>,
    out: &mut Vec<u8>,
) -> Result<(), Skip> {
    out.extend_from_slice(&frame.head);
    let start = out.len();
    content.write(row, out, pictures)?;
    let tail = frame.tail.as_slice();
    match objection {
        None => out.extend_from_slice(tail),
        Some(objection) => {
            // Chat messages end with `]`, of a prompt with the `}` of the only one before it.
            let place = tail.iter().position(|byte| *byte == b']').unwrap_or(0);
            objection.write(content.endpoint, (start, (tail, place)), out);
        }
    }
    Ok(())
}

/// Names images instead of writing them.
struct Named;

impl Pictures for Named {
    fn put(&mut self, cell: &str, out: &mut Vec<u8>) -> Result<(), Skip> {
        escape(cell, out);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
