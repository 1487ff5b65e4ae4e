//! Flag groups that several commands share. Every value goes into the settings as the highest
//! layer, so that commands read one place and a flag, a file and the environment mean the same.

mod answer;
mod ask;
mod general;
mod question;
mod rows;
mod running;
mod table;
mod who;

pub use answer::AnswerArgs;
pub use ask::AskArgs;
pub use general::{GeneralArgs, JsonArg};
pub use question::QuestionArgs;
pub use rows::{RangeArgs, RowsArgs};
pub use running::{LimitArgs, NewJobArgs, PaceArgs, RunningArgs, SpendArgs};
pub use table::{ReadArgs, WriteArgs};
pub use who::WhoArgs;

use crate::config::Overrides;

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
