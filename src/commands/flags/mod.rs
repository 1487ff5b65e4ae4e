//! Flag groups that several commands share. Every value goes into the settings as the highest
//! layer, so that commands read one place and a flag, a file and the environment mean the same.

mod answer;
mod ask;
mod general;
mod question;
mod reask;
mod rows;
mod running;
mod table;
mod who;

pub use answer::AnswerArgs;
pub use ask::AskArgs;
pub use general::{GeneralArgs, JsonArg};
pub use question::QuestionArgs;
pub(in crate::commands) use question::{pixels, temperature, tokens};
pub use reask::{MOST_REASKS, ReaskArgs};
pub use rows::{RangeArgs, RowsArgs};
pub(in crate::commands) use running::retries;
pub use running::{LimitArgs, ModeArgs, NewJobArgs, PaceArgs, RunningArgs, SpendArgs, YesArgs};
pub use table::{LookArgs, ReadArgs, WriteArgs};
pub use who::WhoArgs;

use std::str::FromStr;
use std::time::Duration;

use crate::config::{Overrides, parse_duration};

/// Reads a whole number from `least` to `most`, or says in whose words one is wanted: `a row
/// number`, `a number of rows`.
pub fn whole<T>(text: &str, what: &str, least: T, most: Option<T>) -> Result<T, String>
where
    T: FromStr + PartialOrd + Copy + std::fmt::Display,
{
    let is_within =
        |number: &T| *number >= least && most.as_ref().is_none_or(|most| number <= most);
    text.trim().parse().ok().filter(is_within).ok_or_else(|| match &most {
        Some(most) => format!("{what} is wanted, {least} to {most}"),
        None => format!("{what} is wanted, {least} or more"),
    })
}

/// Reads how long to wait, which is not no time at all.
pub fn wait(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err(format!("`{text}` is no time at all")),
        some => Ok(some),
    }
}

/// A group of flags that lays its values over the settings.
pub trait Flags {
    /// Writes down every flag that was given.
    fn lay(&self, over: &mut Overrides);
}

/// Lets a group made of other groups lay each of them in turn.
macro_rules! lays {
    ($group:ty: $($part:ident),+) => {
        impl $crate::commands::flags::Flags for $group {
            fn lay(&self, over: &mut $crate::config::Overrides) {
                $($crate::commands::flags::Flags::lay(&self.$part, over);)+
            }
        }
    };
}
pub(in crate::commands) use lays;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_number_says_what_is_wanted() {
        assert_eq!(whole("0", "a row number", 0_u64, None), Ok(0));
        assert_eq!(whole(" 20 ", "rounds", 1_u64, Some(20)), Ok(20));
        for text in ["ten", "-1", "1.5", "", "99999999999999999999"] {
            let error = whole(text, "a row number", 0_u64, None).unwrap_err();
            assert_eq!(error, "a row number is wanted, 0 or more", "{text}");
        }
        let error = whole("21", "a number of rounds", 1_u64, Some(20)).unwrap_err();
        assert_eq!(error, "a number of rounds is wanted, 1 to 20");
    }
}
