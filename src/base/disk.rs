//! The operations on our own files, one by one, so that each can be killed before and after it
//! and be made to fail (see `points`). An operation that a signal cut short is done again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::points::{Fault, crash_point, next_fault, on_unsynced};

/// An operation with the names of the points before and after it.
struct Operation {
    before: &'static str,
    after: &'static str,
}

const CREATE: Operation = Operation { before: "create", after: "created" };
const SYNC: Operation = Operation { before: "sync", after: "synced" };
const SYNC_FOLDER: Operation = Operation { before: "sync folder", after: "synced folder" };
const RENAME: Operation = Operation { before: "rename", after: "renamed" };
const REMOVE: Operation = Operation { before: "remove", after: "removed" };

impl Operation {
    fn run<T>(&self, path: &Path, mut done: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        crash_point!(self.before, path.display());
        let mut failure = next_fault(self.before, path).and_then(Fault::error);
        let value = loop {
            let result = failure.take().map_or_else(&mut done, Err);
            match result {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        crash_point!(self.after, path.display());
        Ok(value)
    }
}

/// A file of ours. Reading and writing may do less than was asked and be interrupted, as the
/// system's own calls may.
#[derive(Debug)]
pub struct DiskFile {
    file: File,
    path: PathBuf,
}

impl DiskFile {
    /// Opens a file for reading.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut failure = next_fault("open", path).and_then(Fault::error);
        loop {
            match failure.take().map_or_else(|| File::open(path), Err) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                file => return Ok(Self { file: file?, path: path.to_owned() }),
            }
        }
    }

    /// Makes a file, or empties the one that is there.
    pub fn create(path: &Path) -> io::Result<Self> {
        Self::create_with(path, OpenOptions::new().write(true).create(true).truncate(true))
    }

    pub(super) fn create_with(path: &Path, options: &OpenOptions) -> io::Result<Self> {
        let file = CREATE.run(path, || {
            let file = options.open(path)?;
            on_unsynced(|unsynced| unsynced.made(path));
            Ok(file)
        })?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Opens a file to write on behind its first bytes, as many as are to be kept; makes it where
    /// there is none. What stands behind them is cut off.
    pub fn append(path: &Path, keep: u64) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = if path.exists() {
            let file = CREATE.run(path, || options.read(true).append(true).open(path))?;
            let length = file.metadata()?.len();
            if length > keep {
                file.set_len(keep)?;
            }
            on_unsynced(|unsynced| unsynced.kept(path, length.min(keep)));
            Self { file, path: path.to_owned() }
        } else {
            Self::create_with(path, options.read(true).append(true).create(true))?
        };
        Ok(file)
    }

    /// Cuts off what stands behind so many bytes.
    pub fn cut(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    /// Makes the bytes survive a power loss, without what else is known of the file.
    pub fn sync_data(&self) -> io::Result<()> {
        SYNC.run(&self.path, || {
            self.file.sync_data()?;
            on_unsynced(|unsynced| unsynced.synced(&self.path));
            Ok(())
        })
    }

    /// Makes the content survive a power loss.
    pub fn sync(&self) -> io::Result<()> {
        SYNC.run(&self.path, || {
            self.file.sync_all()?;
            on_unsynced(|unsynced| unsynced.synced(&self.path));
            Ok(())
        })
    }

    /// Fills the buffer with the bytes from this offset on; the file's own position may move.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match next_fault("read", &self.path).and_then(Fault::error) {
            Some(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::FileExt::read_exact_at(&self.file, buffer, offset)
        }
        #[cfg(not(unix))]
        {
            let mut file = &self.file;
            file.seek(SeekFrom::Start(offset))?;
            file.read_exact(buffer)
        }
    }

    /// Fills the buffer from this offset on, as far as the file goes; returns how far that is. The
    /// file's own position may move.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = self.file.metadata()?.len().saturating_sub(offset);
        let there = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        self.read_exact_at(&mut buffer[..there], offset)?;
        Ok(there)
    }

    /// The file without the points, for those who read it their own way.
    pub fn into_inner(self) -> File {
        self.file
    }
}

impl Read for DiskFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = match next_fault("read", &self.path) {
            Some(Fault::Short) => buffer.len().div_ceil(2),
            Some(fault) => return Err(fault.error().expect("all but a short one are errors")),
            None => buffer.len(),
        };
        self.file.read(&mut buffer[..wanted])
    }
}

impl Write for DiskFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        crash_point!("write", self.path.display());
        let wanted = match next_fault("write", &self.path) {
            Some(Fault::Short) => bytes.len().div_ceil(2),
            Some(fault) => return Err(fault.error().expect("all but a short one are errors")),
            None => bytes.len(),
        };
        let written = self.file.write(&bytes[..wanted])?;
        on_unsynced(|unsynced| unsynced.written(&self.path));
        crash_point!("written", self.path.display());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for DiskFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Gives a file or folder another name; durable once the folder is synced.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    RENAME.run(to, || {
        on_unsynced(|unsynced| unsynced.renaming(from, to));
        fs::rename(from, to)
    })
}

/// Removes a file.
pub fn remove_file(path: &Path) -> io::Result<()> {
    REMOVE.run(path, || {
        on_unsynced(|unsynced| unsynced.removing(path));
        fs::remove_file(path)
    })
}

/// Copies a file and makes the copy's content survive a power loss; its name does once its folder
/// is synced.
pub fn copy(from: &Path, to: &Path) -> io::Result<u64> {
    let bytes = copy_unsynced(from, to)?;
    sync_file(to)?;
    Ok(bytes)
}

/// The same for a file that is [synced](sync_file) later.
pub fn copy_unsynced(from: &Path, to: &Path) -> io::Result<u64> {
    let mut source = DiskFile::open(from)?;
    let mut copy = DiskFile::create(to)?;
    let mut buffer = vec![0; 1 << 18];
    let mut bytes = 0;
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(bytes),
            Ok(read) => {
                copy.write_all(&buffer[..read])?;
                bytes += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Makes the content of a file that was written elsewhere survive a power loss.
pub fn sync_file(path: &Path) -> io::Result<()> {
    DiskFile::open(path)?.sync()
}

/// Makes the names in this folder survive a power loss.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    SYNC_FOLDER.run(folder, || {
        #[cfg(unix)]
        File::open(folder)?.sync_all()?;
        on_unsynced(|unsynced| unsynced.folder_synced(folder));
        Ok(())
    })
}

/// Whether an error is the disk's own trouble and not what was asked of it: full, over quota,
/// broken, read-only.
pub fn is_disk_trouble(error: &io::Error) -> bool {
    #[cfg(unix)]
    let is_broken = error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error());
    #[cfg(not(unix))]
    let is_broken = false;
    let kinds = [
        io::ErrorKind::StorageFull,
        io::ErrorKind::QuotaExceeded,
        io::ErrorKind::ReadOnlyFilesystem,
    ];
    is_broken || kinds.contains(&error.kind())
}
