//! From what a cell says to a file within the allowed folders.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::super::{Skip, SkipKind};

/// Folders in which the kernel shows devices and itself; what looks like a file there is none.
const NEVER: [&str; 3] = ["/proc", "/sys", "/dev"];

/// Folders of the system: nobody keeps pictures there, so none is ever advised.
const OF_SYSTEM: [&str; 9] =
    ["/etc", "/boot", "/bin", "/sbin", "/lib", "/lib64", "/usr", "/run", "/root/.ssh"];

/// The folders that images are looked for in, and outside of which none is read.
#[derive(Debug, Clone)]
pub(super) struct Roots {
    /// As given, for joining, with the links resolved, for comparing.
    folders: Vec<(PathBuf, PathBuf)>,
}

/// Why no file was had.
#[derive(Debug)]
pub(super) struct Missing {
    pub(super) skip: Skip,
    /// A file that is there, but outside.
    pub(super) outside: Option<PathBuf>,
}

impl Roots {
    /// A root that does not exist holds nothing.
    pub(super) fn new(roots: &[PathBuf]) -> Self {
        let real = |root: &PathBuf| Some((root.clone(), root.canonicalize().ok()?));
        Self { folders: roots.iter().filter_map(real).collect() }
    }

    /// The file that a cell names, with all links resolved. Relative paths are tried in each
    /// root in turn; `\` counts as a separator where a path with it is not found as it stands.
    pub(super) fn locate(&self, cell: &str) -> Result<PathBuf, Missing> {
        let with_slashes = cell.contains('\\').then(|| cell.replace('\\', "/"));
        let (mut outside, mut denied) = (None, None);
        for spelt in [Some(cell), with_slashes.as_deref()].into_iter().flatten() {
            for (root, _) in &self.folders {
                match root.join(spelt).canonicalize() {
                    Ok(real) if self.holds(&real) => return Ok(real),
                    Ok(real) => outside = Some(real),
                    Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                        denied = Some(error);
                    }
                    Err(_) => {}
                }
            }
        }
        let reason = match (&outside, denied) {
            (Some(_), _) => {
                format!("image outside of the allowed folders (--image-root adds one): {cell}")
            }
            (None, Some(error)) => format!("image cannot be read ({error}): {cell}"),
            (None, None) => format!("image not found: {cell}"),
        };
        Err(Missing { skip: Skip::new(SkipKind::ImageNotFound, reason), outside })
    }

    fn holds(&self, real: &Path) -> bool {
        self.folders.iter().any(|(_, root)| real.starts_with(root))
            && !NEVER.iter().any(|never| real.starts_with(never))
    }
}

/// Whether a file outside tells of no folder that was meant: its cell climbs out of the allowed
/// ones with `..`, or it is the system's.
pub(super) fn is_astray(cell: &str, real: &Path) -> bool {
    let system = NEVER.iter().chain(&OF_SYSTEM);
    cell.split(['/', '\\']).any(|part| part == "..")
        || system.into_iter().any(|folder| real.starts_with(folder))
}

/// The deepest folder that holds both the folder so far and this file.
pub(super) fn common_folder(so_far: Option<PathBuf>, file: &Path) -> Option<PathBuf> {
    let mut folder = file.parent()?;
    let Some(so_far) = so_far else { return Some(folder.to_owned()) };
    while !so_far.starts_with(folder) {
        folder = folder.parent()?;
    }
    Some(folder.to_owned())
}
