//! One answer that holds several things becomes several rows' values.

use serde_json::Value;

use super::extract::{
    Extracted, Fences, ParseStatus, after_thoughts, standing, taken, whole, with_all_digits,
};
use super::fields::Step;
use super::repair::Repair;
use super::scan::scan;
use super::wanted::Wanted;

/// The rows that an answer becomes.
#[derive(Debug, Clone, PartialEq)]
pub struct Exploded {
    /// One per thing in the answer, in its order; none for an empty list, or if nothing was found.
    pub rows: Vec<Extracted>,
    /// How the JSON was found.
    pub status: ParseStatus,
    /// What of the whole is against the schema.
    pub faults: Vec<String>,
}

/// Things of an answer whose faults are told; further ones are only counted.
const TOLD: usize = 5;

impl Exploded {
    /// What is wrong with any of the things, each named by its place from 1 unless it is alone.
    pub fn all_faults(&self) -> Vec<String> {
        let of_things = self.each(|row| &row.faults, |place, fault| format!("{place}: {fault}"));
        self.faults.iter().cloned().chain(of_things).collect()
    }

    /// The keys that a thing lacks.
    pub fn all_absent(&self) -> Vec<String> {
        self.each(|row| &row.absent, |place, key| format!("{key} ({place})"))
    }

    /// What was mended or converted anywhere.
    pub fn all_repairs(&self) -> Vec<Repair> {
        let mut all: Vec<Repair> = Vec::new();
        for repair in self.rows.iter().flat_map(|row| &row.repairs) {
            if !all.contains(repair) {
                all.push(repair.clone());
            }
        }
        all
    }

    fn each<'a>(
        &'a self,
        of: impl Fn(&'a Extracted) -> &'a Vec<String>,
        name: impl Fn(&str, &str) -> String,
    ) -> Vec<String> {
        if let [only] = self.rows.as_slice() {
            return of(only).clone();
        }
        let places = (1..).zip(&self.rows).map(|(place, row)| (format!("item {place}"), row));
        let mut all: Vec<String> = places
            .flat_map(|(place, row)| {
                of(row).iter().map(|text| name(&place, text)).collect::<Vec<_>>()
            })
            .collect();
        if let Some(more) = all.len().checked_sub(TOLD).filter(|more| *more > 0) {
            all.truncate(TOLD);
            all.push(format!("and {more} more"));
        }
        all
    }
}

/// One of the things, and the places in it that are against the schema.
struct Item {
    value: Value,
    misfits: Vec<Vec<Step>>,
}

/// Things that stand together in an answer.
struct Group {
    items: Vec<Item>,
    status: ParseStatus,
    repairs: Vec<Repair>,
    against_schema: Vec<String>,
    /// Where it ends in the text.
    end: usize,
}

/// Takes an answer apart: an array of objects, an object whose only list of objects is meant, or
/// objects one after the other (JSON lines). One object is one row. Of several groups the one with
/// most of the wanted fields counts, among equals one that needs no mending, then the last.
pub fn explode(content: &str, wanted: Wanted<'_>, is_ended: bool) -> Exploded {
    let text = content.trim_start_matches('\u{feff}').trim();
    let groups = match whole(text) {
        Some((json, value)) => vec![Group {
            against_schema: wanted.against_schema(&value),
            items: items(wanted.misfits(&value), with_all_digits(&json, value, &[]), wanted),
            status: ParseStatus::Direct,
            repairs: Vec::new(),
            end: text.len(),
        }],
        None => groups(after_thoughts(text), wanted, is_ended),
    };
    let hits = |group: &Group| -> usize {
        group.items.iter().filter_map(|item| wanted.worth(&item.value)).map(|(_, hits)| hits).sum()
    };
    let best = groups
        .into_iter()
        .filter(|group| group.items.is_empty() || hits(group) > 0)
        .max_by_key(|group| (hits(group), group.repairs.is_empty(), group.end));
    let Some(group) = best else {
        let (rows, faults) = (Vec::new(), Vec::new());
        return Exploded { rows, status: ParseStatus::Failed, faults };
    };
    let row = |item: &Item| {
        let repairs = group.repairs.clone();
        let mut row = taken(&item.value, repairs, group.status, wanted, Vec::new());
        wanted.blank(&mut row.values, &item.misfits);
        row
    };
    let rows: Vec<Extracted> = group.items.iter().map(row).collect();
    let any_repair = !group.repairs.is_empty() || rows.iter().any(|row| !row.repairs.is_empty());
    let status = if any_repair { ParseStatus::Repaired } else { group.status };
    Exploded { rows, status, faults: group.against_schema }
}

/// The groups that stand in a text; objects with nothing but spaces and commas between are one.
fn groups(text: &str, wanted: Wanted<'_>, is_ended: bool) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut can_grow = false;
    let fences = Fences::of(text);
    for candidate in scan(text, is_ended).candidates {
        let span = candidate.span.clone();
        let status = standing(text, &candidate, fences.hold(&candidate));
        let json = &text[span.clone()];
        let against_schema = wanted.against_schema(&candidate.value);
        let misfits = wanted.misfits(&candidate.value);
        let value = with_all_digits(json, candidate.value, &candidate.repairs);
        let is_row = value.is_object() && wanted.worth(&value).is_some_and(|(_, hits)| hits > 0);
        let found = items(misfits, value, wanted);
        match groups.last_mut() {
            Some(last)
                if can_grow
                    && is_row
                    && text[last.end..span.start]
                        .trim_matches([' ', '\t', '\r', '\n', ','])
                        .is_empty() =>
            {
                last.items.extend(found);
                last.end = span.end;
                last.against_schema.extend(against_schema);
                let new = candidate.repairs.into_iter().filter(|r| !last.repairs.contains(r));
                let new: Vec<Repair> = new.collect();
                last.repairs.extend(new);
            }
            _ => groups.push(Group {
                items: found,
                status,
                repairs: candidate.repairs,
                against_schema,
                end: span.end,
            }),
        }
        can_grow = is_row;
    }
    groups
}

/// The things in a value, each with its own of the places that are against the schema.
fn items(misfits: Vec<Vec<Step>>, value: Value, wanted: Wanted<'_>) -> Vec<Item> {
    let is_list =
        |value: &Value| value.as_array().is_some_and(|items| items.iter().all(Value::is_object));
    let has_hits = wanted.worth(&value).is_some_and(|(_, hits)| hits > 0);
    match value {
        Value::Array(items) if items.iter().all(Value::is_object) => of_list(items, &[], &misfits),
        Value::Object(object) if !has_hits => {
            let lists: Vec<(&String, &Value)> =
                object.iter().filter(|(_, value)| is_list(value)).collect();
            match lists.as_slice() {
                [(key, Value::Array(items))] => {
                    of_list(items.clone(), &[Step::Key((*key).clone())], &misfits)
                }
                [_, ..] if lists.iter().all(|(_, list)| **list == Value::Array(Vec::new())) => {
                    Vec::new()
                }
                _ => vec![Item { value: Value::Object(object), misfits }],
            }
        }
        other => vec![Item { value: other, misfits }],
    }
}

/// The elements of the list at that place. The places in an element that is alone may begin in it.
fn of_list(items: Vec<Value>, list: &[Step], misfits: &[Vec<Step>]) -> Vec<Item> {
    let is_alone = items.len() == 1 && list.is_empty();
    let with_its_misfits = |(index, value): (usize, Value)| {
        let own = |place: &Vec<Step>| match place.strip_prefix(list)?.split_first() {
            Some((Step::Index(at), rest)) => (*at == index).then(|| rest.to_vec()),
            _ => is_alone.then(|| place.clone()),
        };
        Item { misfits: misfits.iter().filter_map(own).collect(), value }
    };
    items.into_iter().enumerate().map(with_its_misfits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{Fields, cell_text};

    /// S0.32: an array answer becomes several rows.
    #[test]
    fn s0_32_lists_become_rows() {
        use ParseStatus::{Direct, Embedded, Failed, Fenced, Repaired};
        let table: [(&str, ParseStatus, &[&str]); 15] = [
            (r#"[{"a":1,"b":2},{"a":3}]"#, Direct, &["1|2", "3|-"]),
            (r#"{"a":1}"#, Direct, &["1|-"]),
            (r#"{"items":[{"a":1},{"a":2}]}"#, Direct, &["1|-", "2|-"]),
            (r#"{"n":2,"items":[{"a":1},{"a":2}],"tags":["x"]}"#, Direct, &["1|-", "2|-"]),
            (r#"{"a":1,"items":[{"a":7}]}"#, Direct, &["1|-"]),
            ("[]", Direct, &[]),
            (r#"{"items":[]}"#, Direct, &[]),
            (r#"{"n":0,"items":[],"tags":[]}"#, Direct, &[]),
            ("{\"a\":1}\n{\"a\":2}\n{\"a\":3}", Embedded, &["1|-", "2|-", "3|-"]),
            ("好的：\n```json\n[{\"a\":1},{\"a\":2}]\n```", Fenced, &["1|-", "2|-"]),
            ("[{'a':1},{'a':2},]", Repaired, &["1|-", "2|-"]),
            (r#"see {"a":9} so [{"a":1},{"a":2}]"#, Embedded, &["1|-", "2|-"]),
            (r#"[{"a":12345678901234567890123}]"#, Direct, &["12345678901234567890123|-"]),
            (r#"[{"x":1}]"#, Failed, &[]),
            ("none", Failed, &[]),
        ];
        let fields = Fields::parse("a,b").unwrap();
        for (content, status, rows) in table {
            let exploded = explode(content, Some(&fields).into(), true);
            let cell = |value: &Option<Value>| match value {
                Some(value) => cell_text(value).into_owned(),
                None => "-".to_owned(),
            };
            let found: Vec<String> = exploded
                .rows
                .iter()
                .map(|row| row.values.iter().map(cell).collect::<Vec<_>>().join("|"))
                .collect();
            assert_eq!(
                (exploded.status, found.as_slice()),
                (status, &rows.iter().map(|r| (*r).to_owned()).collect::<Vec<_>>()[..]),
                "{content}"
            );
        }
    }

    #[test]
    fn rows_keep_their_own_faults() {
        let fields = Fields::parse("a:number").unwrap();
        let told = |content: &str| {
            let exploded = explode(content, Some(&fields).into(), true);
            let faults: Vec<usize> = exploded.rows.iter().map(|row| row.faults.len()).collect();
            (faults, exploded.all_faults().join("; "))
        };
        let fault = |came: &str| format!("`a` is the text \"{came}\" where a number is wanted");
        let (faults, text) = told(r#"[{"a":1},{"a":"x"}]"#);
        assert_eq!((faults.as_slice(), text), (&[0, 1][..], format!("item 2: {}", fault("x"))));
        assert_eq!(told(r#"[{"a":"x"}]"#).1, fault("x"), "one alone needs no number");
        let many = format!("[{}]", [r#"{"a":"x"}"#; 8].join(","));
        assert!(told(&many).1.ends_with("; and 3 more"), "{}", told(&many).1);
    }
}
