//! The awkward tables of `fixtures/tables/awkward.toml`, each with what must come of it, and a
//! fuzz loop that starts from them.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::*;
use crate::base::mutate::{Mutator, fuzz_time};

#[derive(Deserialize)]
struct Corpus {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    file: Option<String>,
    bytes: String,
    r#as: Option<String>,
    encoding: Option<String>,
    delimiter: Option<char>,
    ragged: Option<Ragged>,
    rows: Option<Vec<Vec<String>>>,
    note: Option<String>,
    answer: Option<String>,
    out: Option<String>,
    out_as: Option<String>,
    out_note: Option<String>,
    error: Option<String>,
}

fn corpus() -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tables/awkward.toml");
    let corpus: Corpus = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    corpus.case
}

/// The bytes that a text with `\n`, `\r`, `\t`, `\\` and `\xNN` stands for, encoded as asked.
fn bytes(text: &str, label: Option<&str>) -> Vec<u8> {
    let (label, marked) = match label {
        Some(label) => (label.strip_suffix("+mark").unwrap_or(label), label.ends_with("+mark")),
        None => ("utf-8", false),
    };
    let encoding = Encoding::for_label(label).unwrap();
    let mut out = if marked { encoding.mark().to_vec() } else { Vec::new() };
    let encode = |text: &str, out: &mut Vec<u8>| {
        encode::Encode::new(encoding, true).push(text, true, out).unwrap();
    };
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        encode(&rest[..at], &mut out);
        let kind = rest.as_bytes()[at + 1];
        let length = if kind == b'x' { 4 } else { 2 };
        match kind {
            b'n' => encode("\n", &mut out),
            b'r' => encode("\r", &mut out),
            b't' => encode("\t", &mut out),
            b'\\' => encode("\\", &mut out),
            b'x' => out.push(u8::from_str_radix(&rest[at + 2..at + 4], 16).unwrap()),
            other => panic!("\\{} is not known", char::from(other)),
        }
        rest = &rest[at + length..];
    }
    encode(rest, &mut out);
    out
}

impl Case {
    fn options(&self) -> ReadOptions {
        ReadOptions {
            encoding: self.encoding.clone(),
            delimiter: self.delimiter,
            ragged: self.ragged.unwrap_or_default(),
            ..ReadOptions::default()
        }
    }

    fn file(&self) -> &str {
        self.file.as_deref().unwrap_or("in.csv")
    }

    /// What is wrong with what came of it, if anything is.
    fn check(&self, folder: &Path) -> Result<(), String> {
        let path = folder.join(self.file());
        fs::write(&path, bytes(&self.bytes, self.r#as.as_deref())).unwrap();
        let read = Table::open(&path, &self.options(), &folder.join("scratch"))
            .and_then(|table| Ok((all_rows(&table)?, table)));
        let (rows, table) = match (read, &self.error) {
            (Ok(read), None) => read,
            (Ok((rows, _)), Some(_)) => return Err(format!("it was read: {rows:?}")),
            (Err(error), expected) => {
                let said = error.to_string().replace(&format!("{}/", folder.display()), "");
                let wanted = expected.as_ref().is_some_and(|part| said.contains(part));
                return if wanted { Ok(()) } else { Err(said) };
            }
        };
        if self.rows.as_ref() != Some(&rows) {
            return Err(format!("rows: {rows:?}"));
        }
        let notes = table.notes().join("\n");
        if !notes.contains(self.note.as_deref().unwrap_or("")) {
            return Err(format!("notes: {notes}"));
        }
        let answer = self.answer.as_deref().unwrap_or("ok");
        let (written, notes) =
            with_answers(&table, &folder.join(format!("out.{}", self.file())), answer);
        if let Some(out) = &self.out {
            let expected = bytes(out, self.out_as.as_deref());
            if written != expected {
                return Err(format!("written: {:?}", String::from_utf8_lossy(&written)));
            }
        }
        match &self.out_note {
            Some(part) if !notes.contains(part) => Err(format!("notes on writing: {notes}")),
            None if !notes.is_empty() => Err(format!("notes on writing: {notes}")),
            _ => Ok(()),
        }
    }
}

/// Header and rows.
fn all_rows(table: &Table) -> Result<Vec<Vec<String>>, TableError> {
    let mut all = vec![table.headers().to_vec()];
    let mut rows = table.rows()?;
    while let Some(row) = rows.next_row()? {
        all.push(row.cells().map(str::to_owned).collect());
    }
    Ok(all)
}

/// The table with one more column, as bytes, and what is said about it.
fn with_answers(table: &Table, path: &Path, answer: &str) -> (Vec<u8>, String) {
    let options = WriteOptions::like(table, Some(path));
    let columns = ["answer".to_owned()];
    let target = Target::Path(path.to_owned());
    let mut writer = Writer::create(target, table, &columns, &options).unwrap();
    let mut rows = table.rows().unwrap();
    while let Some(row) = rows.next_row().unwrap() {
        writer.write(row, &[Cell::Model(answer)]).unwrap();
    }
    let written = writer.finish().unwrap();
    (fs::read(path).unwrap(), written.notes.join("\n"))
}

/// B13, and S2.07 for the JSON among them.
#[test]
fn b13_awkward_tables_come_out_as_written_down() {
    let corpus = corpus();
    assert!(corpus.len() >= 60, "{} tables", corpus.len());
    let mut wrong = Vec::new();
    for case in &corpus {
        let folder = tempfile::tempdir().unwrap();
        if let Err(what) = case.check(folder.path()) {
            wrong.push(format!("{}: {what}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whatever bytes come: nothing panics, and what is read at all is read again from what is
/// written. `BATCHCTL_FUZZ_SECONDS` says for how long; the seeds are printed with a failure.
#[test]
fn b13_fuzzed_tables_are_refused_or_survive_writing() {
    let corpus = corpus();
    let seeds: Vec<Vec<u8>> =
        corpus.iter().map(|case| bytes(&case.bytes, case.r#as.as_deref())).collect();
    let folder = tempfile::tempdir().unwrap();
    let end = Instant::now() + fuzz_time(Duration::from_millis(700));
    let mut round = 0_u64;
    while Instant::now() < end {
        let mut mutator = Mutator::new(round);
        let case = &corpus[mutator.below(corpus.len())];
        let bytes = mutator.mutate(&seeds);
        let survived = std::panic::catch_unwind(|| survives(folder.path(), case, &bytes));
        match survived {
            Ok(Ok(())) => {}
            Ok(Err(what)) => panic!("round {round}: {what}: {bytes:?}"),
            Err(why) => panic!("round {round} panicked on {bytes:?}: {why:?}"),
        }
        round += 1;
    }
    assert!(round > 0);
}

/// Reads the bytes, writes them with answers, and reads that.
fn survives(folder: &Path, case: &Case, bytes: &[u8]) -> Result<(), String> {
    let path = folder.join(case.file());
    fs::write(&path, bytes).unwrap();
    let read = Table::open(&path, &case.options(), &folder.join("scratch"))
        .and_then(|table| Ok((all_rows(&table)?, table)));
    // An error is an answer; that it names the place is the other test's business.
    let Ok((rows, table)) = read else { return Ok(()) };
    // A header that begins with the mark itself, after blank lines that are left out, reads as one.
    let is_marked = rows[0].first().is_some_and(|name| name.starts_with('\u{feff}'));
    if rows[0].is_empty() || is_marked || table.shape().format == Format::Requests {
        return Ok(());
    }
    let out = folder.join(format!("out.{}", case.file()));
    let (_, notes) = with_answers(&table, &out, "好=1");
    let shape = table.shape();
    let options = ReadOptions {
        delimiter: shape.format.is_delimited().then(|| char::from(shape.delimiter)),
        ragged: Ragged::Pad,
        format: (shape.format.is_delimited() && !shape.sep_line).then_some(shape.format),
        ..ReadOptions::default()
    };
    let became_utf8 = notes.contains("UTF-8 with BOM");
    let encoding = (!became_utf8).then(|| shape.encoding.name().to_owned());
    let options = ReadOptions { encoding, ..options };
    let again = Table::open(&out, &options, &folder.join("scratch2"))
        .and_then(|table| all_rows(&table))
        .map_err(|error| format!("what was written does not read: {error}"))?;
    // JSON objects may bring their keys in another order, so columns are found by name there.
    let place = |(index, name): (usize, &String)| {
        let found = again[0].iter().position(|other| other == name).unwrap_or(usize::MAX);
        if shape.format.is_delimited() { index } else { found }
    };
    let places: Vec<usize> = rows[0].iter().enumerate().map(place).collect();
    let cell = |row: &Vec<String>, at: &usize| row.get(*at).cloned().unwrap_or_default();
    let own: Vec<Vec<String>> =
        again.iter().map(|row| places.iter().map(|at| cell(row, at)).collect()).collect();
    let same = own == rows;
    if same { Ok(()) } else { Err(format!("{rows:?} became {again:?}")) }
}
