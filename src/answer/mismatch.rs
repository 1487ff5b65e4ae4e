//! What is different between an answer and its schema, in words for a person, or for the model that
//! is asked again.

use std::fmt;

use boon::{ErrorKind, InstanceToken, ValidationError};

use super::fields::Step;
use crate::base::redact;

/// More than this many are not told of one answer.
const MOST: usize = 5;
/// Longer texts are cut, in characters.
const LONGEST: usize = 160;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Where in the answer, as a JSON pointer; empty for the whole.
    pub place: String,
    /// What is wrong there.
    pub fault: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.as_str() {
            "" => f.write_str(&self.fault),
            place => write!(f, "{place}: {}", self.fault),
        }
    }
}

/// The differences that say something, in the order of the schema.
pub(super) fn gather(error: &ValidationError<'_, '_>) -> Vec<Mismatch> {
    let mut found = Vec::new();
    collect(error, &mut found);
    found
}

/// Where the values stand that do not fit, each as the steps to it: all of them, told or not. A
/// place whose members are wrong is not among them, only the members are.
pub(super) fn places(error: &ValidationError<'_, '_>) -> Vec<Vec<Step>> {
    let is_choice = matches!(error.kind, ErrorKind::AnyOf | ErrorKind::OneOf(_));
    if !error.causes.is_empty() && !is_choice {
        return error.causes.iter().flat_map(places).collect();
    }
    let step = |token: &InstanceToken<'_>| match token {
        InstanceToken::Prop(key) => Step::Key(key.to_string()),
        InstanceToken::Item(index) => Step::Index(*index),
    };
    vec![error.instance_location.tokens.iter().map(step).collect()]
}

fn collect(error: &ValidationError<'_, '_>, found: &mut Vec<Mismatch>) {
    if found.len() >= MOST {
        return;
    }
    let is_choice = matches!(error.kind, ErrorKind::AnyOf | ErrorKind::OneOf(_));
    if error.causes.is_empty() || is_choice {
        let place = redact(&error.instance_location.to_string()).into_owned();
        let fault = if is_choice { none_fits(error) } else { words(&error.kind) };
        let mismatch = Mismatch { place, fault: shortened(&redact(&fault)) };
        if !found.contains(&mismatch) {
            found.push(mismatch);
        }
        return;
    }
    for cause in &error.causes {
        collect(cause, found);
    }
}

/// What keeps each of several schemas from fitting.
fn none_fits(error: &ValidationError<'_, '_>) -> String {
    if matches!(error.kind, ErrorKind::OneOf(Some(_))) {
        return "it fits more than one of the schemas of `oneOf`".to_owned();
    }
    let mut each: Vec<String> = Vec::new();
    for cause in &error.causes {
        let mut inner = Vec::new();
        collect(cause, &mut inner);
        each.extend(inner.first().map(ToString::to_string));
    }
    format!("it fits none of the schemas it may have ({})", each.join(" / "))
}

fn words(kind: &ErrorKind<'_, '_>) -> String {
    let quoted = |names: &mut dyn Iterator<Item = String>| {
        names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    };
    match kind {
        ErrorKind::Type { got, want } => {
            let want: Vec<String> = want.iter().map(|kind| kind.to_string()).collect();
            format!("is of type {got}, wanted is {}", want.join(" or "))
        }
        ErrorKind::Enum { want } => {
            let want: Vec<String> = want.iter().map(ToString::to_string).collect();
            format!("is not one of {}", want.join(", "))
        }
        ErrorKind::Const { want } => format!("is not {want}"),
        ErrorKind::Required { want } => {
            format!("lacks {}", quoted(&mut want.iter().map(ToString::to_string)))
        }
        ErrorKind::AdditionalProperties { got } => {
            format!("has {} too many", quoted(&mut got.iter().map(ToString::to_string)))
        }
        ErrorKind::Minimum { got, want } => format!("is {got}, at least {want} is wanted"),
        ErrorKind::Maximum { got, want } => format!("is {got}, at most {want} is wanted"),
        ErrorKind::ExclusiveMinimum { got, want } => {
            format!("is {got}, more than {want} is wanted")
        }
        ErrorKind::ExclusiveMaximum { got, want } => {
            format!("is {got}, less than {want} is wanted")
        }
        ErrorKind::MultipleOf { got, want } => format!("is {got}, no multiple of {want}"),
        ErrorKind::MinLength { got, want } => {
            format!("has {got} characters, at least {want} are wanted")
        }
        ErrorKind::MaxLength { got, want } => {
            format!("has {got} characters, at most {want} are wanted")
        }
        ErrorKind::MinItems { got, want } => {
            format!("has {got} elements, at least {want} are wanted")
        }
        ErrorKind::MaxItems { got, want } => {
            format!("has {got} elements, at most {want} are wanted")
        }
        ErrorKind::UniqueItems { got: [a, b] } => format!("has the same element at {a} and {b}"),
        ErrorKind::Pattern { got, want } => format!("{got:?} does not match the pattern {want}"),
        ErrorKind::Format { got, want, .. } => format!("{got} is no {want}"),
        ErrorKind::FalseSchema => "must not be there".to_owned(),
        other => other.to_string(),
    }
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}
