//! From a row to a request: the question as the user put it, compiled against the headers of a
//! table, then one request line per row with its texts, images and id.
//!
//! Nothing here is sent, and nothing is fetched: an image that is an address stays an address.
//! Which rows are asked and how lines are gathered into files is for other rooms.

mod columns;
mod compile;
mod compiled;
mod content;
mod custom_id;
mod error;
mod escape;
mod foreign;
mod form;
mod frame;
mod hint;
mod image;
mod infer;
mod jinja;
mod messages;
mod mode;
mod objection;
mod question;
mod template;
mod turns;

pub use compiled::{Compiled, Measure, Outline, content_key};
pub use custom_id::CustomId;
pub use error::{RequestError, Skip, SkipKind};
pub use foreign::{ForeignRequest, read_foreign};
pub use form::Form;
pub use hint::{field_hint, list_hint, schema_hint};
pub use image::{ImageSize, image_url, is_picture, size_of_data_url};
pub use infer::{Given, Inferred, infer};
pub use messages::{Message, beside};
pub use mode::Mode;
pub use objection::Objection;
pub use question::{
    Detail, Endpoint, ImageOptions, InputColumn, JsonSchema, Question, RULES, SchemaWay, Source,
};
pub use turns::{Speaker, Turn, conversation};

#[cfg(test)]
mod fuzz_tests;
