//! Everything a person sees: notes and warnings on stderr, data on stdout, progress, questions,
//! errors with hints, exit codes.
//!
//! The only room that prints. It knows nothing of settings or providers; whatever came from
//! outside passes [`clean`] before it reaches a terminal.

mod ask;
mod clean;
mod colour;
mod error;
mod exit;
mod flow;
mod fold;
mod grid;
mod number;
mod printer;
mod progress;
mod shell;

pub use ask::is_interactive;
pub use clean::clean;
pub use colour::{Colour, Style};
pub use error::CommandError;
pub use exit::ExitCode;
pub use flow::Flow;
pub use grid::{Align, grid, shorten};
pub use number::{bytes, count, counted, duration, minute, moment, seconds};
pub use printer::{Captured, Printer, Verbosity};
pub use progress::{ProgressMode, reporter};
pub use shell::Shell;
