//! The ground every room stands on: secrets that do not show themselves, a clock that can be
//! handed in, files that are never seen half-written, locks that die with their process, points
//! at which tests kill the program.
//!
//! Nothing here knows what a row or a batch is. The few Unix-only calls of the program live here.

mod clock;
mod digest;
mod disk;
mod fault;
mod files;
#[cfg(test)]
pub(crate) mod mutate;
mod nearest;
mod points;
mod power;
mod secret;

pub use clock::{Clock, SystemClock};
pub use digest::{hex, hex_of_file, short_hash};
pub use disk::{
    DiskFile, copy, copy_unsynced, is_disk_trouble, remove_file, rename, sync_file, sync_folder,
};
pub use fault::fault_words;
pub use files::{
    AtomicFile, FileLock, LockError, SealedFile, free_space, ignores_hangup, is_on_network,
    is_open_to_others, private_dir, touch_private, write_private,
};
pub use nearest::nearest;
pub(crate) use points::{crash_point, pass_crash_point};
pub use secret::{Secret, redact};
