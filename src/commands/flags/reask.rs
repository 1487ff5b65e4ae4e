//! Second questions about answers that are not as wanted.

use super::{Flags, whole};
use crate::config::{Overrides, key};

/// The most often that a row is asked again because of its answer.
pub const MOST_REASKS: u64 = 5;

/// How often a row is asked again because of its answer.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Answer")]
pub struct ReaskArgs {
    /// Ask again, at most N times, where the answer is not the wanted JSON; --rounds does not count it [default: 0]
    #[arg(long, value_name = "N", value_parser = reasks, hide_short_help = true)]
    pub reask: Option<u64>,
}

fn reasks(text: &str) -> Result<u64, String> {
    whole(text, "a number of second questions", 0, Some(MOST_REASKS))
}

impl Flags for ReaskArgs {
    fn lay(&self, over: &mut Overrides) {
        over.whole(key::REASK, self.reask);
    }
}
