//! Everything a person sees: notes and warnings on stderr, data on stdout, progress, questions,
//! errors with hints, exit codes.
//!
//! The only room that prints. It knows nothing of settings or providers; whatever came from
//! outside passes [`clean`] before it reaches a terminal.

mod clean;
mod error;
mod exit;
mod printer;

pub use clean::clean;
pub use error::CommandError;
pub use exit::ExitCode;
pub use printer::{Printer, Verbosity};
