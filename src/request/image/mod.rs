//! Images of rows: found within the allowed folders, judged by their bytes, sent as data URLs.
//! An address passes through to the provider untouched; nothing is fetched.
//!
//! Planning an image and writing it look the file up anew, so that a link that was turned
//! elsewhere in between is caught.

mod file;
mod locate;
mod memo;
mod reference;
mod scale;
mod sniff;
mod whole;

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use self::reference::size_of_data_url;

use self::file::Stamp;
use self::locate::Roots;
use self::memo::Memo;
use self::reference::Reference;
use self::sniff::Kind;
use super::escape::escape;
use super::{ImageOptions, Skip, SkipKind};

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ImageSize {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

/// What an image will add to its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Planned {
    /// The exact length of the inside of its JSON string, in bytes.
    pub(super) bytes: u64,
    /// What stands for it in a content key.
    pub(super) key: Key,
    /// Its pixels as sent; `None` for an address.
    pub(super) size: Option<ImageSize>,
}

/// What stands for an image in a content key: what it is, the digest of its bytes (or of its
/// address), and the longest side it was allowed.
pub(super) type Key = [u8; 37];

const KEY_OF_URL: u8 = 0;
const KEY_OF_FILE: u8 = 1;

/// Finds, judges and encodes images; remembers what it has learnt of files that did not change.
#[derive(Debug, Clone)]
pub(super) struct ImageStore {
    roots: Roots,
    max_bytes: u64,
    max_side: Option<u32>,
    memo: Memo,
    bytes: Vec<u8>,
    outside: Option<PathBuf>,
    /// Whether a file was not found, or lies where no folder is to be advised.
    is_any_astray: bool,
}

/// An image ready to be encoded: the bytes as read, or made smaller.
struct Loaded<'a> {
    kind: Kind,
    bytes: std::borrow::Cow<'a, [u8]>,
    size: Option<ImageSize>,
}

impl ImageStore {
    pub(super) fn new(options: &ImageOptions) -> Self {
        Self {
            roots: Roots::new(&options.roots),
            max_bytes: options.max_bytes,
            max_side: options.max_side,
            memo: Memo::default(),
            bytes: Vec::new(),
            outside: None,
            is_any_astray: false,
        }
    }

    /// The folder that holds every image so far that lies outside of the allowed folders. None
    /// where another was not found, climbs out with `..` or is the system's: what one cell says
    /// must not open a folder that nobody meant.
    pub(super) fn outside(&self) -> Option<&Path> {
        let folder = self.outside.as_deref().filter(|_| !self.is_any_astray);
        folder.filter(|folder| folder.parent().is_some())
    }

    /// What the image of a cell will add to its line.
    pub(super) fn plan(&mut self, cell: &str) -> Result<Planned, Skip> {
        match Reference::of(cell) {
            Reference::Url(url) => Ok(self.plan_url(url, None)),
            Reference::Data(url) => {
                let size = reference::check_data_url(url, self.max_bytes)?;
                Ok(self.plan_url(url, size))
            }
            Reference::Path(path) => self.plan_file(path),
        }
    }

    /// Appends the image of a cell as the inside of a JSON string.
    pub(super) fn write(&mut self, cell: &str, out: &mut Vec<u8>) -> Result<(), Skip> {
        match Reference::of(cell) {
            Reference::Url(url) => escape(url, out),
            Reference::Data(url) => {
                reference::check_data_url(url, self.max_bytes)?;
                escape(url, out);
            }
            Reference::Path(cell) => {
                let path = self.locate(cell)?;
                file::read(&path, cell, self.max_bytes, &mut self.bytes)?;
                let image = load(cell, &self.bytes, self.max_side)?;
                out.extend_from_slice(prefix(image.kind).as_bytes());
                push_base64(&image.bytes, out);
            }
        }
        Ok(())
    }

    fn plan_url(&self, url: &str, size: Option<ImageSize>) -> Planned {
        let mut escaped = Vec::new();
        escape(url, &mut escaped);
        let key = self.key(KEY_OF_URL, &blake3::hash(url.as_bytes()));
        Planned { bytes: escaped.len() as u64, key, size }
    }

    fn plan_file(&mut self, cell: &str) -> Result<Planned, Skip> {
        let path = self.locate(cell)?;
        if let Some(planned) = Stamp::of(&path).and_then(|stamp| self.memo.get(&path, stamp)) {
            return Ok(planned);
        }
        let stamp = file::read(&path, cell, self.max_bytes, &mut self.bytes)?;
        let image = load(cell, &self.bytes, self.max_side)?;
        let planned = Planned {
            bytes: (prefix(image.kind).len() + base64_length(image.bytes.len())) as u64,
            key: self.key(KEY_OF_FILE, &blake3::hash(&self.bytes)),
            size: image.size,
        };
        self.memo.put(path, stamp, planned);
        Ok(planned)
    }

    fn key(&self, what: u8, digest: &blake3::Hash) -> Key {
        let mut key = [0; 37];
        key[0] = what;
        key[1..33].copy_from_slice(digest.as_bytes());
        key[33..].copy_from_slice(&self.max_side.unwrap_or(0).to_le_bytes());
        key
    }

    fn locate(&mut self, cell: &str) -> Result<PathBuf, Skip> {
        self.roots.locate(cell).map_err(|missing| {
            let is_astray = |found: &PathBuf| locate::is_astray(cell, found);
            self.is_any_astray |= missing.outside.as_ref().is_none_or(is_astray);
            if let Some(found) = &missing.outside {
                self.outside = locate::common_folder(self.outside.take(), found);
            }
            missing.skip
        })
    }
}

/// What a request carries for one picture that a person named: a file's data URL, or an address as
/// it stands. Of `options` the limits count and not the folders: the name was typed, not read from
/// a table.
pub fn image_url(name: &str, folder: &Path, options: &ImageOptions) -> Result<String, Skip> {
    match Reference::of(name) {
        Reference::Url(url) => Ok(url.to_owned()),
        Reference::Data(url) => {
            reference::check_data_url(url, options.max_bytes)?;
            Ok(url.to_owned())
        }
        Reference::Path(name) => {
            let path = folder.join(name);
            if !path.exists() {
                return Err(Skip::new(SkipKind::ImageNotFound, format!("image not found: {name}")));
            }
            let mut bytes = Vec::new();
            file::read(&path, name, options.max_bytes, &mut bytes)?;
            let image = load(name, &bytes, options.max_side)?;
            let mut url = prefix(image.kind).as_bytes().to_vec();
            push_base64(&image.bytes, &mut url);
            Ok(String::from_utf8(url).expect("a prefix and base64 are ASCII"))
        }
    }
}

/// Whether a file is a picture by its first bytes, one that can be sent or one that cannot.
pub fn is_picture(bytes: &[u8]) -> bool {
    sniff::is_picture(bytes)
}

/// Judges the bytes of a file, and makes the image smaller where it is too large.
fn load<'a>(cell: &str, bytes: &'a [u8], max_side: Option<u32>) -> Result<Loaded<'a>, Skip> {
    let unfit = |what: String| Skip::new(SkipKind::ImageUnfit, format!("image {what}: {cell}"));
    let kind = sniff::kind(bytes).map_err(|what| unfit(what.to_owned()))?;
    if !whole::is_whole(kind, bytes) {
        return Err(unfit("is cut short".to_owned()));
    }
    let size = size_of(bytes).ok_or_else(|| unfit("has no readable size".to_owned()))?;
    match max_side.filter(|longest| size.width.max(size.height) > *longest) {
        None => Ok(Loaded { kind, bytes: bytes.into(), size: Some(size) }),
        Some(longest) => {
            let small = scale::fit(kind, bytes, size, longest).map_err(unfit)?;
            Ok(Loaded { kind: small.kind, bytes: small.bytes.into(), size: Some(small.size) })
        }
    }
}

/// The pixels that the header of an image tells.
fn size_of(bytes: &[u8]) -> Option<ImageSize> {
    let size = imagesize::blob_size(bytes).ok()?;
    let width = u32::try_from(size.width).ok()?;
    let height = u32::try_from(size.height).ok()?;
    (width > 0 && height > 0).then_some(ImageSize { width, height })
}

fn prefix(kind: Kind) -> &'static str {
    match kind {
        Kind::Jpeg => "data:image/jpeg;base64,",
        Kind::Png => "data:image/png;base64,",
        Kind::Gif => "data:image/gif;base64,",
        Kind::Webp => "data:image/webp;base64,",
    }
}

fn base64_length(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

/// Encodes straight into the line: there is nothing in base64 that JSON would escape.
fn push_base64(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + base64_length(bytes.len()), 0);
    STANDARD
        .encode_slice(bytes, &mut out[start..])
        .expect("the buffer has just been made long enough");
}

#[cfg(test)]
pub(in crate::request) mod tests;
