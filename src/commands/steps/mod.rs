//! The steps that commands are made of: take the table in, word the question, find out who is
//! asked, plan, ask about money, attach to or make the job, drive it, write the table, report.

mod account;
mod again;
mod again_json;
mod again_price;
mod answers;
mod asking;
mod asking_like;
mod begin;
mod choice;
mod clean;
mod copies;
mod cost_json;
mod counts;
mod finish;
mod follow;
mod form;
mod former;
mod go_on;
mod input;
mod jobs;
mod late;
mod learned;
mod limits;
mod look;
mod merged;
mod money;
mod on_done;
mod output;
mod paid_before;
mod place;
mod plan;
mod reask;
mod reshape;
mod rival;
mod room;
mod same_line;
mod send;
mod sent;
mod show;
mod side_by_side;
mod signals;
mod spent;
mod tables;
mod tell_form;
mod who;

pub(super) use again::{Change, retry};
pub(super) use answers::{Answers, Pages};
pub(super) use asking_like::words_question;
pub(super) use begin::waits;
pub(super) use choice::{require_fillable, selection_for};
pub(super) use clean::{Cleaned, clean_remote, list_remote, must_stay};
pub(super) use counts::RowCounts;
pub(super) use finish::{ending_of, exit_of_job, reason, report, row_counts};
pub(super) use follow::{Follow, with_driver};
pub(super) use form::{expected, form_on};
pub(super) use go_on::{Drove, drive_job, go_on, if_pruned};
pub(super) use input::{not_there, open_table, read_in_place, read_options};
pub(super) use jobs::{Bare, Found, find_job, open_store};
pub(super) use late::look_for_late;
pub(super) use look::{look, watch_other};
pub(super) use merged::{FillReport, MergeReport, MergeSource, report_merge};
pub(super) use money::require_limits;
pub(super) use on_done::with_on_done;
pub(super) use output::{
    Destination, digest_at, require_beside, require_folder, require_writable, with_look,
};
pub(super) use plan::{Planned, Prepared, Scratch, output_spec, reuse};
pub(super) use reshape::{defaults, keep_fitting, require_shape};
pub(super) use send::{begin_and_go_on, dry_run, estimate, estimate_like, run_workflow, send};
pub(super) use show::{show_estimate, show_plan};
pub(super) use side_by_side::side_by_side;
pub(super) use signals::Listening;
pub(super) use spent::{cost_of_lines, spent, spent_briefly};
pub(super) use tables::{
    Rewrite, Tabled, columns, export_table, mark_export, write_job_table, write_options,
};
pub(super) use who::{Need, Who, price_of, price_tables, who_is_asked, who_of_job};
