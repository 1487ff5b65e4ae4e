//! Who knows which files of a writer are ours: asked before one is replaced, told of each.

use std::io;
use std::path::Path;

/// What a writer asks and tells about the files that get their names, such as a ledger. Errors
/// end the writing; before a name is given they keep what stood there.
pub trait Keeper {
    /// Whether a file that stands where a further file of the table would go may be replaced.
    fn may_replace(&self, path: &Path) -> io::Result<bool>;

    /// All of a file with this digest is written and gets its name next.
    fn before(&self, path: &Path, digest: &str) -> io::Result<()>;

    /// The file got its name.
    fn after(&self, path: &Path, digest: &str) -> io::Result<()>;
}

/// Keeps no account, and so replaces no further file.
impl Keeper for () {
    fn may_replace(&self, _: &Path) -> io::Result<bool> {
        Ok(false)
    }

    fn before(&self, _: &Path, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn after(&self, _: &Path, _: &str) -> io::Result<()> {
        Ok(())
    }
}
