//! A job: one table sent through. Plans it, submits its shards, waits, fetches what came back,
//! and records every step in the store, so that a killed run goes on where it was.

mod agenda;
mod budget;
mod build;
mod by_tokens;
mod cancel;
mod collect;
mod contents;
mod convert;
mod count;
mod drive;
mod ending;
mod error;
mod event;
mod fetch;
mod folder;
mod former;
mod found_file;
mod halt;
mod id;
mod lists;
mod plan;
mod planner;
mod poll;
mod price;
mod queue;
mod realtime;
mod reask;
mod reconcile;
mod refused;
mod repack;
mod resolve;
mod retry;
mod rounds;
mod send;
mod settle;
mod spec;
mod stop;
mod submit;
mod surplus;
mod tally;
mod told;
mod unsent;
mod workers;

pub use budget::{DailyBudget, OverBudget, Raise, lines_in_reason};
pub use build::{BuiltFile, build_shard, each_row, require_space};
pub use by_tokens::{Most, waves};
pub use cancel::cancel_unsent;
pub use convert::{Converted, Places, RequestFile, convert};
pub use drive::{DriveOptions, Driver, Ending};
pub use error::JobError;
pub use event::{Event, NoReport, Reporter};
pub use folder::JobFolder;
pub use former::{Former, find_formers};
pub use id::{create_key, generation, key_of_digest, new_job_key};
pub use lists::Lists;
pub use plan::{Plan, plan, visit_selected};
pub use poll::{Progress, last_seen};
pub use price::{Prices, at_mode, terms_of, tokens_of};
pub use queue::LEARNED_FOR;
pub use realtime::{
    Answered, AskFailed, CallLimits, CallOptions, Chain, Member, Standing,
};
pub use reask::{Objections, form_line};
pub use reconcile::{
    LISTING_ALLOWANCE, LateJob, Search, Step, find_late, may_have_late_batches, next_step,
};
pub use resolve::{Resolved, Undecided};
pub use retry::{RetryPlan, Wanted as WantedRows, plan_retry};
pub use spec::{Onto, Other, OutputSpec, Spec};
pub use stop::{Stop, StopCause};
pub use tally::Tally;
pub use unsent::Reuse;
