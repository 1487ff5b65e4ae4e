//! Makes sure that a table can be read as UTF-8: checks it, or decodes it once into a text file.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use encoding_rs::DecoderResult;

use super::encoding::{Commonness, foreign, nul_remedy, sample};
use super::scan::{count, find};
use super::{Encoding, TableError};
use crate::base::private_dir;

/// Bytes handled at once.
const PIECE: usize = 1 << 18;
/// Bytes looked at for marks and signatures.
const HEAD: usize = 4096;

/// A table's text, readable as UTF-8.
#[derive(Debug)]
pub(super) struct Text {
    /// The file that holds it: the user's own, or one in the scratch folder.
    pub(super) path: PathBuf,
    /// Its first byte after a byte order mark.
    pub(super) start: u64,
    pub(super) encoding: Encoding,
    pub(super) bom: bool,
    /// What was guessed, for the user to see.
    pub(super) note: Option<String>,
}

/// The whole text of a small file such as a prompt, decoded as tables are.
pub fn read_text(path: &Path, label: Option<&str>) -> Result<String, TableError> {
    let failed = |error| TableError::io("read", path, error);
    let scratch = tempfile::tempdir().map_err(failed)?;
    let found = text(path, label, scratch.path())?;
    let bytes = std::fs::read(&found.path).map_err(failed)?;
    let start = usize::try_from(found.start).unwrap_or(usize::MAX).min(bytes.len());
    String::from_utf8(bytes[start..].to_vec()).map_err(|error| failed(io::Error::other(error)))
}

/// Finds the encoding of a file (or of standard input, for `-`) and decodes what is not UTF-8
/// into `scratch/input.utf8`.
pub(super) fn text(source: &Path, label: Option<&str>, scratch: &Path) -> Result<Text, TableError> {
    text_of(source, &regular(source, scratch)?, label, scratch)
}

/// The same for a file that [`regular`] made.
pub(super) fn text_of(
    source: &Path,
    bytes: &Path,
    label: Option<&str>,
    scratch: &Path,
) -> Result<Text, TableError> {
    let label = label.map(Encoding::for_label).transpose()?;
    let file = Bytes { source, path: bytes, scratch };
    let head = file.head()?;
    if head.is_empty() {
        return Err(TableError::Empty(source.to_owned()));
    }
    if let Some((what, remedy)) = foreign(&head) {
        let path = source.to_owned();
        return Err(TableError::NotATable {
            path,
            what: what.to_owned(),
            remedy: remedy.to_owned(),
        });
    }
    match (label, Encoding::by_mark(&head)) {
        (Some(asked), marked) => {
            // `utf-16` says nothing about the order of bytes: there the mark decides.
            let same = |m: &Encoding| *m == asked || (m.is_utf16() && asked.is_utf16());
            file.declared(marked.filter(same).unwrap_or(asked), &head)
        }
        (None, Some(marked)) => {
            let note = (!marked.is_utf8())
                .then(|| format!("read {} as {}", file.source.display(), marked.name()));
            Ok(Text { note, ..file.declared(marked, &head)? })
        }
        (None, None) => file.unmarked(&head),
    }
}

/// A file that can be read more than once: standard input and pipes are copied first.
pub(super) fn regular(source: &Path, scratch: &Path) -> Result<PathBuf, TableError> {
    let failed = |error| TableError::io("open", source, error);
    let is_stdin = source == Path::new("-");
    if !is_stdin {
        let kind = std::fs::metadata(source).map_err(failed)?;
        if kind.is_dir() {
            let (what, remedy) = ("a folder".to_owned(), "name a file in it".to_owned());
            return Err(TableError::NotATable { path: source.to_owned(), what, remedy });
        }
        if kind.is_file() {
            return Ok(source.to_owned());
        }
    }
    private_dir(scratch).map_err(|error| TableError::io("create", scratch, error))?;
    let copy = scratch.join("input.raw");
    let mut to = File::create(&copy).map_err(|error| TableError::io("create", &copy, error))?;
    let copied = if is_stdin {
        io::copy(&mut io::stdin().lock(), &mut to)
    } else {
        io::copy(&mut File::open(source).map_err(failed)?, &mut to)
    };
    copied.map_err(|error| TableError::io("read", source, error))?;
    Ok(copy)
}

/// The bytes of a table, by the name that messages use.
struct Bytes<'a> {
    source: &'a Path,
    path: &'a Path,
    scratch: &'a Path,
}

/// Where a text stops being UTF-8.
struct Invalid {
    offset: u64,
    line: u64,
    /// Whether characters beyond ASCII came before.
    was_utf8: bool,
}

impl Bytes<'_> {
    fn open(&self) -> Result<File, TableError> {
        File::open(self.path).map_err(|error| TableError::io("open", self.source, error))
    }

    fn read(&self, file: &mut File, into: &mut [u8]) -> Result<usize, TableError> {
        loop {
            match file.read(into) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result.map_err(|e| TableError::io("read", self.source, e)),
            }
        }
    }

    fn head(&self) -> Result<Vec<u8>, TableError> {
        let mut head = Vec::with_capacity(HEAD);
        let read = self.open()?.take(HEAD as u64).read_to_end(&mut head);
        read.map_err(|error| TableError::io("read", self.source, error))?;
        Ok(head)
    }

    /// Text whose encoding is known by its mark or by the user's word.
    fn declared(&self, encoding: Encoding, head: &[u8]) -> Result<Text, TableError> {
        let mark = encoding.mark();
        let bom = !mark.is_empty() && head.starts_with(mark);
        let skip = if bom { mark.len() as u64 } else { 0 };
        if encoding.is_utf8() {
            return match self.check(head)? {
                None => Ok(self.as_it_is(bom)),
                Some(invalid) => Err(self.undecodable(invalid.line, encoding, UTF8_REMEDY)),
            };
        }
        match self.decode(encoding, skip, &mut Commonness::default())? {
            Ok(path) => Ok(Text { path, start: 0, encoding, bom, note: None }),
            Err(line) => Err(self.undecodable(
                line,
                encoding,
                "is the encoding right? try without --encoding",
            )),
        }
    }

    /// Text that says nothing about itself: UTF-8, or Chinese if it clearly is.
    fn unmarked(&self, head: &[u8]) -> Result<Text, TableError> {
        let Some(invalid) = self.check(head)? else { return Ok(self.as_it_is(false)) };
        let mut commonness = Commonness::default();
        let decoded = self.decode(Encoding::GB18030, 0, &mut commonness)?;
        if let Ok(path) = &decoded
            && commonness.is_chinese()
        {
            let note = Some(format!("read {} as GB18030", self.source.display()));
            let (path, encoding) = (path.clone(), Encoding::GB18030);
            return Ok(Text { path, start: 0, encoding, bom: false, note });
        }
        Err(self.refusal(&invalid, decoded.is_ok())?)
    }

    fn as_it_is(&self, bom: bool) -> Text {
        let start = if bom { Encoding::UTF_8.mark().len() as u64 } else { 0 };
        Text { path: self.path.to_owned(), start, encoding: Encoding::UTF_8, bom, note: None }
    }

    /// Checks the whole file for UTF-8; a NUL byte is an error at once.
    fn check(&self, head: &[u8]) -> Result<Option<Invalid>, TableError> {
        let mut file = self.open()?;
        let mut buffer = vec![0; PIECE];
        let (mut kept, mut offset, mut line, mut was_utf8) = (0, 0_u64, 1_u64, false);
        loop {
            let read = self.read(&mut file, &mut buffer[kept..])?;
            let bytes = &buffer[..kept + read];
            let valid = encoding_rs::Encoding::utf8_valid_up_to(bytes);
            if let Some(nul) = find(&bytes[..valid], 0) {
                let line = line + count(&bytes[..nul], b'\n');
                let remedy = nul_remedy(head).to_owned();
                return Err(TableError::Nul { path: self.source.to_owned(), line, remedy });
            }
            line += count(&bytes[..valid], b'\n');
            was_utf8 = was_utf8 || !bytes[..valid].is_ascii();
            let rest = bytes.len() - valid;
            let broken_off =
                str::from_utf8(&bytes[valid..]).is_err_and(|e| e.error_len().is_none());
            if rest > 0 && (read == 0 || !broken_off) {
                return Ok(Some(Invalid { offset: offset + valid as u64, line, was_utf8 }));
            }
            if read == 0 {
                return Ok(None);
            }
            buffer.copy_within(valid..valid + rest, 0);
            offset += valid as u64;
            kept = rest;
        }
    }

    /// Decodes the file into the scratch folder. The inner error is the line that cannot be.
    fn decode(
        &self,
        encoding: Encoding,
        skip: u64,
        commonness: &mut Commonness,
    ) -> Result<Result<PathBuf, u64>, TableError> {
        private_dir(self.scratch).map_err(|e| TableError::io("create", self.scratch, e))?;
        let path = self.scratch.join("input.utf8");
        let failed = |error| TableError::io("write", &path, error);
        let mut out = BufWriter::new(File::create(&path).map_err(failed)?);
        let mut file = self.open()?;
        io::copy(&mut Read::by_ref(&mut file).take(skip), &mut io::sink())
            .map_err(|error| TableError::io("read", self.source, error))?;
        let mut decoder = encoding.0.new_decoder_without_bom_handling();
        let (mut buffer, mut utf8) = (vec![0; PIECE], vec![0; PIECE]);
        let mut line = 1;
        loop {
            let read = self.read(&mut file, &mut buffer)?;
            commonness.add(&buffer[..read]);
            let mut rest = &buffer[..read];
            loop {
                let (result, used, written) =
                    decoder.decode_to_utf8_without_replacement(rest, &mut utf8, read == 0);
                rest = &rest[used..];
                let text = &utf8[..written];
                if let Some(nul) = find(text, 0) {
                    let line = line + count(&text[..nul], b'\n');
                    let remedy = "this is a binary file, or not in this encoding".to_owned();
                    return Err(TableError::Nul { path: self.source.to_owned(), line, remedy });
                }
                line += count(text, b'\n');
                out.write_all(text).map_err(failed)?;
                match result {
                    DecoderResult::InputEmpty => break,
                    DecoderResult::OutputFull => {}
                    DecoderResult::Malformed(..) => return Ok(Err(line)),
                }
            }
            if read == 0 {
                out.flush().map_err(failed)?;
                return Ok(Ok(path));
            }
        }
    }

    fn undecodable(&self, line: u64, encoding: Encoding, remedy: &str) -> TableError {
        let (path, encoding) = (self.source.to_owned(), encoding.name().to_owned());
        TableError::Undecodable { path, line, encoding, remedy: remedy.to_owned() }
    }

    /// The error for text that is not UTF-8 and not clearly Chinese either.
    fn refusal(&self, invalid: &Invalid, reads_as_chinese: bool) -> Result<TableError, TableError> {
        use std::io::{Seek, SeekFrom};
        let from = invalid.offset.saturating_sub(128);
        let mut file = self.open()?;
        file.seek(SeekFrom::Start(from)).map_err(|e| TableError::io("read", self.source, e))?;
        let mut near = Vec::new();
        let read = file.take(256).read_to_end(&mut near);
        read.map_err(|error| TableError::io("read", self.source, error))?;
        let at = usize::try_from(invalid.offset - from).unwrap_or(0);
        let western = sample(&near, at, encoding_rs::WINDOWS_1252);
        let line = invalid.line;
        if reads_as_chinese && !invalid.was_utf8 {
            let chinese = sample(&near, at, encoding_rs::GB18030);
            return Ok(TableError::Doubtful {
                path: self.source.to_owned(),
                line,
                chinese,
                western,
            });
        }
        let remedy = if invalid.was_utf8 {
            UTF8_REMEDY.to_owned()
        } else {
            format!(
                "with --encoding latin1 it reads `{western}`; if that is wrong, name the right \
                 encoding or save the table as CSV UTF-8"
            )
        };
        Ok(self.undecodable(line, Encoding::UTF_8, &remedy))
    }
}

const UTF8_REMEDY: &str = "what stands before is, so this place may be damaged: mend it, name \
                           another --encoding, or save the table as CSV UTF-8 again";
