//! What turns a table into requests: the same for every command that plans.

use super::{AnswerArgs, QuestionArgs, RowsArgs, WhoArgs, lays};

/// Rows, provider, question, answer columns.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct AskArgs {
    /// Which rows.
    #[command(flatten)]
    pub rows: RowsArgs,
    /// Who is asked.
    #[command(flatten)]
    pub who: WhoArgs,
    /// What is asked.
    #[command(flatten)]
    pub question: QuestionArgs,
    /// What the answers become.
    #[command(flatten)]
    pub answer: AnswerArgs,
}

lays!(AskArgs: rows, who, question, answer);
