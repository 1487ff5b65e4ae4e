//! The steps that commands are made of: take the table in, word the question, find out who is
//! asked, plan, ask about money, attach to or make the job, drive it, write the table, report.

mod account;
mod again;
mod asking;
mod begin;
mod clean;
mod copies;
mod finish;
mod follow;
mod former;
mod go_on;
mod input;
mod jobs;
mod look;
mod merged;
mod money;
mod on_done;
mod output;
mod plan;
mod rival;
mod row_check;
mod same_line;
mod send;
mod sent;
mod show;
mod signals;
mod tables;
mod who;

pub(super) use again::{Change, retry};
pub(super) use begin::waits;
pub(super) use clean::{Cleaned, clean_remote, list_remote, must_stay};
pub(super) use finish::{ending_of, exit_of_job, reason, report, row_counts};
pub(super) use follow::{Follow, with_driver};
pub(super) use go_on::{Drove, drive_job, go_on, if_pruned};
pub(super) use input::{not_there, open_table, read_in_place};
pub(super) use jobs::{Bare, Found, find_job, open_store};
pub(super) use look::{look, watch_other};
pub(super) use merged::report_merge;
pub(super) use on_done::with_on_done;
pub(super) use output::{Destination, digest_at, require_folder, require_writable, with_look};
pub(super) use plan::{Planned, Prepared, Scratch, output_spec, reuse, selection};
pub(super) use row_check::RowCheck;
pub(super) use send::{begin_and_go_on, dry_run, run_workflow, send};
pub(super) use show::{show_estimate, show_plan};
pub(super) use tables::{Rewrite, columns, write_job_table, write_options};
pub(super) use who::{Need, Who, who_is_asked, who_of_job};
