//! Which answer columns the output has, and in which order.

use crate::answer::Wanted;

/// What the user wants to see beside the answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnOptions {
    /// `--details`: ids, counts, cost and times too.
    pub details: bool,
    /// `--response-column`: the name of the raw answer's column.
    pub response_column: Option<String>,
}

/// One answer column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// The value of a wanted field, by its number.
    Field(usize),
    /// The answer as the model gave it.
    Raw,
    /// `True` or `False`.
    ParsingSuccess,
    Status,
    Error,
    Model,
    CustomId,
    Provider,
    FinishReason,
    ParseStatus,
    /// What was mended, in words.
    Repairs,
    Rounds,
    PromptTokens,
    CompletionTokens,
    /// In units of the job's currency; empty where the price is unknown.
    Cost,
    Seconds,
}

/// The answer columns in order, with the names they get unless the table has them already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    columns: Vec<Column>,
    names: Vec<String>,
}

/// The columns of `--details`.
const DETAILS: [(Column, &str); 10] = [
    (Column::CustomId, "custom_id"),
    (Column::Provider, "provider"),
    (Column::FinishReason, "finish_reason"),
    (Column::ParseStatus, "parse_status"),
    (Column::Repairs, "repairs"),
    (Column::Rounds, "rounds"),
    (Column::PromptTokens, "prompt_tokens"),
    (Column::CompletionTokens, "completion_tokens"),
    (Column::Cost, "cost"),
    (Column::Seconds, "seconds"),
];

impl Columns {
    /// The columns for what is wanted and for these options.
    pub fn new(wanted: Wanted<'_>, options: &ColumnOptions) -> Self {
        let mut new = Self { columns: Vec::new(), names: Vec::new() };
        for (number, name) in wanted.fields().iter().flat_map(|fields| fields.columns()).enumerate()
        {
            new.push(Column::Field(number), name);
        }
        let raw = if wanted.is_json() { "raw_response" } else { "response" };
        new.push(Column::Raw, options.response_column.as_deref().unwrap_or(raw));
        if wanted.is_json() {
            new.push(Column::ParsingSuccess, "parsing_success");
        }
        new.push(Column::Status, "status");
        new.push(Column::Error, "error");
        new.push(Column::Model, "model");
        if options.details {
            for (column, name) in DETAILS {
                new.push(column, name);
            }
        }
        new
    }

    /// Their names, to be handed to the writer.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many of them are wanted fields.
    pub(super) fn fields(&self) -> usize {
        self.columns.iter().filter(|column| matches!(column, Column::Field(_))).count()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Column> {
        self.columns.iter().copied()
    }

    fn push(&mut self, column: Column, name: &str) {
        self.columns.push(column);
        // A field may be called `status`: two columns of one name would be told apart by nobody.
        let mut name = name.to_owned();
        while self.names.contains(&name) {
            name.push_str("_batchctl");
        }
        self.names.push(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{Expected, Fields};

    #[test]
    fn s0_18_columns_in_their_order() {
        let fields = Expected::from(Some(Fields::parse("label,status").unwrap()));
        let names = |fields: Option<&Expected>, details: bool, response: Option<&str>| {
            let response_column = response.map(str::to_owned);
            Columns::new(
                fields.map(Expected::wanted).unwrap_or_default(),
                &ColumnOptions { details, response_column },
            )
            .names()
            .join(",")
        };
        let table = [
            (None, false, None, "response,status,error,model"),
            (None, false, Some("ChatGPT Response"), "ChatGPT Response,status,error,model"),
            (
                Some(&fields),
                false,
                None,
                "label,status,raw_response,parsing_success,status_batchctl,error,model",
            ),
            (
                None,
                true,
                None,
                "response,status,error,model,custom_id,provider,finish_reason,parse_status,repairs,rounds,\
                 prompt_tokens,completion_tokens,cost,seconds",
            ),
        ];
        for (fields, details, response, expected) in table {
            assert_eq!(names(fields, details, response), expected);
        }
    }
}
