//! Records as JSON objects: the user's own as they were written, others made.

use super::{Emit, push_number};
use crate::table::cell::{Cell, push_json, push_json_string};
use crate::table::fill::json_value;
use crate::table::json::MESSAGES;
use crate::table::{Format, Row};

impl Emit {
    pub(super) fn json(&mut self, row: &Row, cells: &[Cell<'_>], out: &mut Vec<u8>) {
        if !self.keys.is_empty() {
            self.built(row, cells, out);
            return;
        }
        let single_line = self.format != Format::Json;
        let filling = self.filling(cells);
        let place = filling.and_then(|(column, _)| json_value(row, column));
        let filled = filling.zip(place).map(|((_, cell), place)| {
            let mut value = Vec::new();
            push_json(cell, &mut value);
            let value = String::from_utf8_lossy(&value);
            [&row.raw[..place.start], &value, &row.raw[place.end..]].concat()
        });
        let unplaced = filling.is_some() && filled.is_none();
        let raw = filled.as_deref().unwrap_or(&row.raw);
        let Some(inner) = raw.strip_prefix('{').and_then(|raw| raw.strip_suffix('}')) else {
            let mut pairs = Pairs { lead: "", spaced: true, first: true };
            out.push(b'{');
            self.index(row, &mut pairs, out);
            pairs.key(MESSAGES, out);
            push_raw(&row.raw, single_line, out);
            self.cells(cells, &mut pairs, out);
            out.push(b'}');
            return;
        };
        let spaced = *self.spaced.get_or_insert_with(|| inner.contains("\": "));
        let body = inner.trim_ascii();
        let (lead, trail) = if single_line {
            ("", "")
        } else {
            let before = inner.len() - inner.trim_ascii_start().len();
            (&inner[..before], &inner[inner.trim_ascii_end().len().max(before)..])
        };
        let mut pairs = Pairs { lead, spaced, first: true };
        out.push(b'{');
        self.index(row, &mut pairs, out);
        if !body.is_empty() {
            pairs.between(out);
            push_raw(body, single_line, out);
        }
        if unplaced && let Some((fill, (_, cell))) = self.fill.zip(filling) {
            pairs.key(&self.added[fill.added], out);
            push_json(cell, out);
        }
        self.cells(cells, &mut pairs, out);
        out.extend_from_slice(trail.as_bytes());
        out.push(b'}');
    }

    /// An object made of a delimited record: all its values are strings.
    fn built(&self, row: &Row, cells: &[Cell<'_>], out: &mut Vec<u8>) {
        let mut pairs = Pairs { lead: "", spaced: false, first: true };
        out.push(b'{');
        self.index(row, &mut pairs, out);
        let filling = self.filling(cells);
        for (index, (key, cell)) in self.keys.iter().zip(row.cells()).enumerate() {
            pairs.between(out);
            out.extend_from_slice(key);
            match filling {
                Some((column, cell)) if column == index => push_json(cell, out),
                _ => push_json_string(cell, out),
            }
        }
        self.cells(cells, &mut pairs, out);
        out.push(b'}');
    }

    fn index(&self, row: &Row, pairs: &mut Pairs<'_>, out: &mut Vec<u8>) {
        if let Some(name) = &self.row_index {
            pairs.key(name, out);
            push_number(row.number, out);
        }
    }

    fn cells(&self, cells: &[Cell<'_>], pairs: &mut Pairs<'_>, out: &mut Vec<u8>) {
        for (index, name) in self.beside() {
            pairs.key(name, out);
            push_json(cells[index], out);
        }
    }
}

/// The punctuation between the pairs of an object, as the user's own object has it.
struct Pairs<'a> {
    lead: &'a str,
    spaced: bool,
    first: bool,
}

impl Pairs<'_> {
    fn between(&mut self, out: &mut Vec<u8>) {
        if !std::mem::take(&mut self.first) {
            out.push(b',');
            if self.spaced && self.lead.is_empty() {
                out.push(b' ');
            }
        }
        out.extend_from_slice(self.lead.as_bytes());
    }

    fn key(&mut self, name: &str, out: &mut Vec<u8>) {
        self.between(out);
        push_json_string(name, out);
        out.extend_from_slice(if self.spaced { b": " } else { b":" });
    }
}

/// The JSON keys of a delimited table's columns: JSON knows no empty and no equal keys.
pub(super) fn keys(headers: &[String], others: &[String]) -> Vec<Vec<u8>> {
    let mut taken: Vec<String> = others.to_vec();
    taken.extend(headers.iter().cloned());
    let mut seen = std::collections::HashSet::new();
    let mut key = |(index, header): (usize, &String)| {
        let mut name = header.clone();
        if header.is_empty() || seen.contains(header) {
            let base = if header.is_empty() { "column" } else { header };
            let mut number = index + 1;
            while name.is_empty() || taken.contains(&name) {
                name = format!("{base}_{number}");
                number += headers.len();
            }
            taken.push(name.clone());
        }
        seen.insert(name.clone());
        let mut key = Vec::new();
        push_json_string(&name, &mut key);
        key.push(b':');
        key
    };
    headers.iter().enumerate().map(&mut key).collect()
}

/// Copies JSON text; on a single line, line ends and the indentation after them are left out,
/// which stand between tokens only.
fn push_raw(raw: &str, single_line: bool, out: &mut Vec<u8>) {
    if !single_line || !raw.contains(['\n', '\r']) {
        out.extend_from_slice(raw.as_bytes());
        return;
    }
    for (index, line) in raw.split(['\n', '\r']).enumerate() {
        let line = if index == 0 { line } else { line.trim_ascii_start() };
        out.extend_from_slice(line.as_bytes());
    }
}
