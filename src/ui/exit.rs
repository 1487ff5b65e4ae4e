//! The exit codes. They are public: scripts rely on them, and a code never changes its meaning.

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// Every row is good; also a dry run, and `--no-wait` after a clean submit.
    Success = 0,
    /// Something nobody expected.
    Unexpected = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// Finished, and some rows are not good.
    SomeRowsBad = 3,
    /// Credentials missing or refused.
    Credentials = 4,
    /// Nothing was accepted, or a person must decide.
    NothingAccepted = 5,
    /// Stopped waiting; the job goes on remotely.
    StillRunning = 6,
    /// Stopped by a limit on cost or requests.
    Limit = 7,
    /// Another process holds the job.
    Locked = 8,
    /// Local storage failed.
    Storage = 9,
    /// Interrupted (Ctrl-C); can be resumed.
    Interrupted = 130,
    /// Terminated (TERM, HUP); can be resumed.
    Terminated = 143,
}

impl ExitCode {
    /// All of them, in numerical order.
    pub const ALL: [Self; 12] = [
        Self::Success,
        Self::Unexpected,
        Self::Usage,
        Self::SomeRowsBad,
        Self::Credentials,
        Self::NothingAccepted,
        Self::StillRunning,
        Self::Limit,
        Self::Locked,
        Self::Storage,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The number the process ends with.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The code with this number.
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|exit| exit.code() == number)
    }

    /// One line for `batchctl help exit-codes`.
    pub fn about(self) -> &'static str {
        match self {
            Self::Success => {
                "every row is good (also a dry run, and --no-wait after a clean submit)"
            }
            Self::Unexpected => "unexpected error",
            Self::Usage => "wrong usage or configuration",
            Self::SomeRowsBad => {
                "finished, some rows are not good (--allow-partial turns it into 0)"
            }
            Self::Credentials => "credentials missing or refused",
            Self::NothingAccepted => {
                "nothing was accepted, too many rows failed, or a person must decide"
            }
            Self::StillRunning => "stopped waiting (--max-wait), the job goes on remotely",
            Self::Limit => "stopped by a limit on cost or requests",
            Self::Locked => "another process holds the job",
            Self::Storage => "local storage failed",
            Self::Interrupted => "interrupted by Ctrl-C, can be resumed",
            Self::Terminated => "terminated by a signal, can be resumed",
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(exit: ExitCode) -> Self {
        Self::from(exit.code())
    }
}
