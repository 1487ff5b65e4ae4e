//! The last step of a table that becomes a workbook.

use std::fs::File;
#[cfg(feature = "xlsx")]
use std::io::{self, BufWriter, Read, Seek};
#[cfg(feature = "xlsx")]
use std::path::{Path, PathBuf};

#[cfg(feature = "xlsx")]
use super::GATHERED;
use super::{Keeper, Sink, Target};
use crate::table::TableError;
#[cfg(feature = "xlsx")]
use crate::table::xlsx;

/// Makes the workbook of a sheet's text. What is too long for a cell goes into a file beside it.
#[cfg(feature = "xlsx")]
pub(super) fn workbook(
    text: &mut File,
    sheet: &str,
    target: Target,
    keeper: &dyn Keeper,
) -> Result<(Sink, Vec<String>), TableError> {
    let path = target.path().to_owned();
    let failed = |error| TableError::io("write", &path, error);
    let beside = beside(&path, keeper).map_err(failed)?;
    let mut long = BufWriter::new(target.spool().map_err(failed)?);
    let mut file = target.spool().map_err(failed)?;
    let made = xlsx::write(text, sheet, &beside, (&mut file, &mut long)).map_err(failed)?;
    let mut notes = Vec::new();
    if made.sheets > 1 {
        notes.push(format!("{}: the rows fill {} sheets", path.display(), made.sheets));
    }
    if made.long_texts > 0 {
        let mut long = long.into_inner().map_err(|error| failed(error.into_error()))?;
        let mut whole = Sink::create(Target::Path(beside.clone()))?;
        copy(&mut long, &mut whole).map_err(failed)?;
        whole.commit(keeper).map_err(|error| TableError::io("write", &beside, error))?;
        notes.push(format!(
            "{} longer than a cell of a workbook can be (32,767 characters): whole in {}, only the \
             beginning in {}",
            match made.long_texts {
                1 => "1 text is".to_owned(),
                texts => format!("{texts} texts are"),
            },
            beside.display(),
            path.display()
        ));
    }
    let mut sink = Sink::create(target)?;
    copy(&mut file, &mut sink).map_err(failed)?;
    Ok((sink, notes))
}

#[cfg(not(feature = "xlsx"))]
pub(super) fn workbook(
    _: &mut File,
    _: &str,
    target: Target,
    _: &dyn Keeper,
) -> Result<(Sink, Vec<String>), TableError> {
    Err(TableError::NoWorkbooks(target.path().to_owned()))
}

/// Where texts go that are too long for a cell of the workbook at `path`: a file that is not there
/// yet, or was written for this before.
#[cfg(feature = "xlsx")]
fn beside(path: &Path, keeper: &dyn Keeper) -> io::Result<PathBuf> {
    let mut beside = path.with_extension("long-cells.jsonl");
    let mut number = 1;
    while beside.symlink_metadata().is_ok() && !keeper.may_replace(&beside)? {
        number += 1;
        beside = path.with_extension(format!("long-cells-{number}.jsonl"));
    }
    Ok(beside)
}

#[cfg(feature = "xlsx")]
fn copy(from: &mut File, to: &mut Sink) -> io::Result<()> {
    from.rewind()?;
    let mut piece = vec![0; GATHERED];
    loop {
        let read = from.read(&mut piece)?;
        if read == 0 {
            return Ok(());
        }
        to.push(&piece[..read])?;
    }
}
