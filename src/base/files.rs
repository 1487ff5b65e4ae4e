//! Files that are never seen half-written, folders only their owner reads, and a lock that the
//! kernel gives back when its holder dies.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::disk::{DiskFile, rename, sync_folder};

/// One megabyte: larger buffers did not make copying a table any faster.
const BUFFER: usize = 1 << 20;

/// A file that appears under its name only when it is complete: written as `NAME.part`, flushed,
/// synced, renamed, and its folder synced. Dropped without [`AtomicFile::commit`], it leaves
/// whatever stood under the name untouched.
#[derive(Debug)]
pub struct AtomicFile {
    target: PathBuf,
    part: PathBuf,
    file: Option<BufWriter<DiskFile>>,
}

impl AtomicFile {
    /// Begins the file beside its final place.
    pub fn create(target: &Path) -> io::Result<Self> {
        let part = part_name(target);
        let file = DiskFile::create(&part)?;
        Ok(Self {
            target: target.to_owned(),
            part,
            file: Some(BufWriter::with_capacity(BUFFER, file)),
        })
    }

    /// Makes the content durable and gives it its name.
    pub fn commit(self) -> io::Result<()> {
        self.seal()?.commit()
    }

    /// Makes the content durable; the name comes later, when all that belongs together is there.
    pub fn seal(mut self) -> io::Result<SealedFile> {
        let writer = self.file.take().expect("the file is taken only here");
        let sealed = SealedFile {
            target: std::mem::take(&mut self.target),
            part: Some(std::mem::take(&mut self.part)),
        };
        // Dropped by a failure, the sealed file takes its half with it.
        let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync()?;
        Ok(sealed)
    }
}

/// A complete file that waits for its name. Dropped without [`SealedFile::commit`], it is removed.
#[derive(Debug)]
pub struct SealedFile {
    target: PathBuf,
    part: Option<PathBuf>,
}

impl SealedFile {
    /// The name it will get.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Gives the file its name.
    pub fn commit(mut self) -> io::Result<()> {
        let part = self.part.take().expect("the part is taken only here");
        if let Err(error) = rename(&part, &self.target) {
            // Best effort: the half of a file is in everybody's way.
            let _ = fs::remove_file(&part);
            return Err(error);
        }
        sync_folder_of(&self.target)
    }
}

impl Drop for SealedFile {
    fn drop(&mut self) {
        if let Some(part) = &self.part {
            // Best effort, as with a file that was not completed.
            let _ = fs::remove_file(part);
        }
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_mut().expect("written only before commit").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().expect("written only before commit").flush()
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // Best effort: a left-over `.part` is rubbish that the next try overwrites.
            let _ = fs::remove_file(&self.part);
        }
    }
}

fn part_name(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

/// Makes a rename in this file's folder survive a power loss.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => sync_folder(folder),
        _ => sync_folder(Path::new(".")),
    }
}

/// Creates a folder, with its parents, that only its owner may enter (0700 on Unix).
pub fn private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Replaces a small file that only its owner may read (0600 on Unix), atomically.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let part = part_name(path);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = DiskFile::create_with(&part, &options)?;
    file.write_all(content)?;
    file.sync()?;
    rename(&part, path)?;
    sync_folder_of(path)
}

/// Creates an empty file that only its owner may read, unless it exists.
pub fn touch_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Whether a folder lies on a network file system, where locks and SQLite cannot be trusted.
pub fn is_on_network(path: &Path) -> bool {
    // NFS, SMB, CIFS, SMB2: the magic numbers of statfs(2).
    #[cfg(target_os = "linux")]
    const NETWORK: [u64; 4] = [0x6969, 0x517B, 0xFF53_4D42, 0xFE53_4D42];
    #[cfg(target_os = "linux")]
    {
        rustix::fs::statfs(path).is_ok_and(|stat| {
            // The field's width and sign differ between architectures.
            let kind = u64::try_from(stat.f_type).unwrap_or_default() & 0xFFFF_FFFF;
            NETWORK.contains(&kind)
        })
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = path;
        false
    }
}

/// Whether anyone but its owner may read or change a file (never said off Unix, where this
/// program cannot tell).
pub fn is_open_to_others(path: &Path) -> io::Result<bool> {
    let metadata = fs::metadata(path)?;
    #[cfg(unix)]
    let is_open = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0;
    #[cfg(not(unix))]
    let is_open = metadata.len() == u64::MAX;
    Ok(is_open)
}

/// Whether the process was started with hangups ignored, as `nohup` does: then a handler of ours
/// would undo what the user asked for. Never said where the system does not tell.
pub fn ignores_hangup() -> bool {
    const HANGUP: u64 = 1; // the first bit of the mask is signal 1
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return false };
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & HANGUP != 0)
}

/// Bytes that may still be written on the file system of this path.
pub fn free_space(path: &Path) -> io::Result<u64> {
    #[cfg(unix)]
    {
        let stat = rustix::fs::statvfs(path)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        Ok(u64::MAX)
    }
}

/// Why a lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it; the text is what that process wrote about itself.
    #[error("held by another process ({0})")]
    Held(String),
    /// The lock file could not be opened or locked.
    #[error("cannot lock {path}: {source}")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// An exclusive lock on a file. The kernel releases it when the process dies, so there are no
/// stale locks; the text in the file is only for messages.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

/// How long [`FileLock::acquire_soon`] is patient.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

impl FileLock {
    /// Takes the lock, waiting a moment for a process that only looks something up.
    pub fn acquire_soon(path: &Path) -> Result<Self, LockError> {
        let start = Instant::now();
        loop {
            match Self::acquire(path) {
                Err(LockError::Held(_)) if start.elapsed() < LOCK_PATIENCE => {
                    std::thread::sleep(Duration::from_millis(25));
                }
                other => return other,
            }
        }
    }

    /// Takes the lock, however long others need.
    pub fn acquire_after(path: &Path) -> Result<Self, LockError> {
        loop {
            match Self::acquire(path) {
                Err(LockError::Held(_)) => std::thread::sleep(Duration::from_millis(25)),
                other => return other,
            }
        }
    }

    /// Takes the lock at once or says who holds it.
    pub fn acquire(path: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError::Io { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                return Err(LockError::Held(holder.trim().to_owned()));
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        write!(file, "process {}", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_uncommitted_file_leaves_the_old_one_and_no_rubbish() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        fs::write(&path, "old").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"sealed").unwrap();
        let sealed = file.seal().unwrap();
        assert_eq!(sealed.target(), path);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old", "not before it gets its name");
        drop(sealed);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        file.commit().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

        let taken = folder.path().join("taken");
        fs::create_dir(&taken).unwrap();
        AtomicFile::create(&taken).unwrap().commit().unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no half file is left");
    }

    #[test]
    fn a_lock_is_held_once_and_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("job.lock");
        let first = FileLock::acquire(&path).unwrap();
        assert!(
            matches!(FileLock::acquire(&path), Err(LockError::Held(text)) if text.starts_with("process "))
        );
        drop(first);
        FileLock::acquire(&path).unwrap();
    }
}
