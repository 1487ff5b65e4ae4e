//! What the answers become.

use super::Flags;
use crate::config::{Overrides, key};

/// Answer columns.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Answer")]
pub struct AnswerArgs {
    /// Keys of a JSON answer that become columns, with types: a,b.c,d[0],score:number,mood:good|bad
    #[arg(long, value_name = "KEYS")]
    pub json_fields: Option<String>,
    /// JSON schema that every answer must fit; its keys become columns
    #[arg(long, value_name = "FILE|JSON", value_hint = clap::ValueHint::AnyPath, hide_short_help = true)]
    pub json_schema: Option<String>,
    /// Tell the model nothing of the wanted JSON, and do not ask for JSON mode
    #[arg(long, hide_short_help = true)]
    pub no_json_hint: bool,
    /// Fill FIELD of rows that have no good answer when the job is over; they stay `defaulted` (exit 3)
    #[arg(long = "default", value_name = "FIELD=VALUE", hide_short_help = true)]
    pub defaults: Vec<String>,
    /// Make a row of each thing in an answer that is a list; an empty list leaves one empty row
    #[arg(long, hide_short_help = true)]
    pub explode: bool,
    /// Name of the column with the answer [default: response, of JSON `raw_response`]
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub response_column: Option<String>,
    /// Add columns about each answer: ids, finish reason, seconds; tokens and cost are sums of all rounds of the row
    #[arg(long, hide_short_help = true)]
    pub details: bool,
    /// Write rows that were not selected too, with empty answers
    #[arg(long, hide_short_help = true)]
    pub all_rows: bool,
}

impl Flags for AnswerArgs {
    fn lay(&self, over: &mut Overrides) {
        over.text(key::JSON_FIELDS, self.json_fields.as_deref());
        over.text(key::JSON_SCHEMA, self.json_schema.as_deref());
        over.switch(key::NO_JSON_HINT, self.no_json_hint);
        over.list(key::DEFAULT, &self.defaults);
        over.switch(key::EXPLODE, self.explode);
        over.text(key::RESPONSE_COLUMN, self.response_column.as_deref());
        over.switch(key::DETAILS, self.details);
        over.switch(key::ALL_ROWS, self.all_rows);
    }
}
