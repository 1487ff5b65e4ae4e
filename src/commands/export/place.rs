//! The file that an export becomes, or standard output.

use std::io::{self, Write};
use std::path::Path;

use crate::base::AtomicFile;
use crate::commands::Context;
use crate::commands::steps::Marks;
use crate::job::JobError;
use crate::store::Store;
use crate::table::Keeper;
use crate::ui::CommandError;

/// Where bytes go, hashed on their way.
pub(super) struct Place {
    end: End,
    hasher: blake3::Hasher,
}

enum End {
    File(AtomicFile),
    Stdout(io::Stdout),
}

impl Place {
    /// Begins a file, which appears under its name only when it is complete; without a path,
    /// standard output.
    pub(super) fn create(path: Option<&Path>) -> Result<Self, CommandError> {
        let end = match path {
            Some(path) => {
                End::File(AtomicFile::create(path).map_err(JobError::file("create", path))?)
            }
            None => End::Stdout(io::stdout()),
        };
        Ok(Self { end, hasher: blake3::Hasher::new() })
    }

    /// Completes it and records that the file is ours.
    pub(super) fn finish(
        self,
        context: &Context,
        store: &Store,
        path: Option<&Path>,
    ) -> Result<(), CommandError> {
        match (self.end, path) {
            (End::File(file), Some(path)) => {
                let failed = JobError::file("write", path);
                let digest = self.hasher.finalize().to_hex().to_string();
                let marks = Marks::new(context, store);
                let marked = marks.before(path, &digest).and_then(|()| file.commit());
                marked.and_then(|()| marks.after(path, &digest)).map_err(failed)?;
            }
            (End::Stdout(mut stdout), _) => stdout.flush()?,
            (End::File(_), None) => {}
        }
        Ok(())
    }
}

impl Write for Place {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.end {
            End::File(file) => file.write(bytes)?,
            End::Stdout(stdout) => stdout.write(bytes)?,
        };
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.end {
            End::File(file) => file.flush(),
            End::Stdout(stdout) => stdout.flush(),
        }
    }
}
