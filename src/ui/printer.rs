//! Who may write where: results on stdout, everything else on stderr.

/// How much is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors and results only (`-q`).
    Quiet,
    /// Notes and warnings too.
    #[default]
    Normal,
    /// Details too (`-v`).
    Verbose,
}

/// The one place that prints.
#[derive(Debug, Clone, Default)]
pub struct Printer {
    verbosity: Verbosity,
}
