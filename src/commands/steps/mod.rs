//! The steps that commands are made of: take the table in, word the question, find out who is
//! asked, plan, ask about money, attach to or make the job, drive it, write the table, report.

mod asking;
mod finish;
mod follow;
mod input;
mod jobs;
mod money;
mod output;
mod plan;
mod tables;
mod who;

pub(in crate::commands) use asking::{Asked, ask};
pub(in crate::commands) use finish::{exit_of, report};
pub(in crate::commands) use follow::{Follow, follow};
pub(in crate::commands) use input::{Taken, take_in};
pub(in crate::commands) use jobs::{Found, find_job, open_store};
pub(in crate::commands) use money::approve;
pub(in crate::commands) use output::{Destination, require_writable};
pub(in crate::commands) use plan::{Planned, Scratch};
pub(in crate::commands) use tables::write_job_table;
pub(in crate::commands) use who::{Who, who_is_asked, who_of_job};
