//! One answer that holds several things becomes several rows' values.

use serde_json::{Map, Value};

use super::extract::{
    Extracted, Fences, ParseStatus, after_thoughts, is_complete, standing, taken, whole,
    with_all_digits,
};
use super::fields::Step;
use super::kind::named;
use super::repair::Repair;
use super::scan::scan;
use super::wanted::Wanted;
use crate::base::redact;

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

/// The things of one value, and what stands among them that is none.
#[derive(Default)]
struct Things {
    items: Vec<Item>,
    strays: Vec<String>,
}

/// Things that stand together in an answer.
struct Group {
    things: Things,
    status: ParseStatus,
    repairs: Vec<Repair>,
    against_schema: Vec<String>,
    /// Where it ends in the text.
    end: usize,
}

/// Takes an answer apart: an array of objects, an object whose only list of objects is meant, or
/// objects one after the other (JSON lines). One object is one row. Of several groups the one with
/// most of the wanted fields counts, among equals one that needs no mending, then the last; that
/// another says something else is marked. What stands in a list of objects and is none makes no
/// row, and is a fault of the whole.
pub fn explode(content: &str, wanted: Wanted<'_>, is_ended: bool) -> Exploded {
    let text = content.trim_start_matches('\u{feff}').trim();
    let groups = match whole(text) {
        Some((json, value)) => {
            let value = wanted.respelt(value);
            let against_schema = wanted.against_schema(&value);
            let misfits = wanted.misfits(&value);
            let value = with_all_digits(&json, value, &[], wanted);
            vec![Group {
                things: things(misfits, value, wanted),
                status: ParseStatus::Direct,
                repairs: Vec::new(),
                against_schema,
                end: text.len(),
            }]
        }
        None => groups(after_thoughts(text), wanted, is_ended),
    };
    let Some(group) = best(groups, wanted) else {
        let (rows, faults) = (Vec::new(), Vec::new());
        return Exploded { rows, status: ParseStatus::Failed, faults };
    };
    let row = |item: &Item| {
        let repairs = group.repairs.clone();
        let mut row = taken(&item.value, repairs, group.status, wanted, Vec::new());
        wanted.blank(&mut row.values, &item.misfits);
        row
    };
    let rows: Vec<Extracted> = group.things.items.iter().map(row).collect();
    let any_repair = !group.repairs.is_empty() || rows.iter().any(|row| !row.repairs.is_empty());
    let status = if any_repair { ParseStatus::Repaired } else { group.status };
    // The schema says it in its own words, if there is one that minds.
    let strays = if group.against_schema.is_empty() { group.things.strays } else { Vec::new() };
    Exploded { rows, status, faults: group.against_schema.into_iter().chain(strays).collect() }
}

/// The group that counts.
fn best(mut groups: Vec<Group>, wanted: Wanted<'_>) -> Option<Group> {
    let hits = |group: &Group| -> usize {
        let of = |item: &Item| wanted.worth(&item.value).map(|(_, hits)| hits);
        group.things.items.iter().filter_map(of).sum()
    };
    let said = |group: &Group| -> Vec<_> {
        group.things.items.iter().map(|item| wanted.said(&item.value)).collect()
    };
    groups.retain(|group| group.things.items.is_empty() || hits(group) > 0);
    let order = |group: &Group| (hits(group), group.repairs.is_empty(), group.end);
    let position = (0..groups.len()).max_by_key(|position| order(&groups[*position]))?;
    let mut best = groups.swap_remove(position);
    let (worth, taken) = (hits(&best), said(&best));
    let is_chosen = worth > 0
        && groups.iter().any(|rival| {
            hits(rival) == worth && is_complete(&rival.repairs) && said(rival) != taken
        });
    if is_chosen {
        best.repairs.push(Repair::Chosen);
    }
    Some(best)
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
        let value = wanted.respelt(candidate.value);
        let against_schema = wanted.against_schema(&value);
        let misfits = wanted.misfits(&value);
        let value = with_all_digits(json, value, &candidate.repairs, wanted);
        let is_row = value.is_object() && wanted.worth(&value).is_some_and(|(_, hits)| hits > 0);
        let found = things(misfits, value, wanted);
        match groups.last_mut() {
            Some(last)
                if can_grow
                    && is_row
                    && text[last.end..span.start]
                        .trim_matches([' ', '\t', '\r', '\n', ','])
                        .is_empty() =>
            {
                last.things.items.extend(found.items);
                last.things.strays.extend(found.strays);
                last.end = span.end;
                last.against_schema.extend(against_schema);
                let new = candidate.repairs.into_iter().filter(|r| !last.repairs.contains(r));
                let new: Vec<Repair> = new.collect();
                last.repairs.extend(new);
            }
            _ => groups.push(Group {
                things: found,
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
fn things(misfits: Vec<Vec<Step>>, value: Value, wanted: Wanted<'_>) -> Things {
    let has_hits = wanted.worth(&value).is_some_and(|(_, hits)| hits > 0);
    let alone = |value: Value, misfits: Vec<Vec<Step>>| Things {
        items: vec![Item { value, misfits }],
        strays: Vec::new(),
    };
    match value {
        Value::Array(items)
            if items.iter().all(Value::is_object)
                || (!has_hits && items.iter().any(Value::is_object)) =>
        {
            of_list(items, &[], &misfits)
        }
        Value::Object(object) if !has_hits => match list_in(&object) {
            Some(key) => match &object[key] {
                Value::Array(items) => {
                    of_list(items.clone(), &[Step::Key(key.to_owned())], &misfits)
                }
                _ => Things::default(),
            },
            None => alone(Value::Object(object), misfits),
        },
        other => alone(other, misfits),
    }
}

/// The key of the list that is meant: the only one whose elements are objects, else the only one
/// that has an object at all. Of several that are all empty any will do.
fn list_in(object: &Map<String, Value>) -> Option<&str> {
    let lists = |is_list: fn(&[Value]) -> bool| -> Vec<(&str, &[Value])> {
        let lists = object.iter().filter_map(|(key, value)| Some((key, value.as_array()?)));
        let lists = lists.filter(|(_, items)| is_list(items));
        lists.map(|(key, items)| (key.as_str(), items.as_slice())).collect()
    };
    let of_objects = lists(|items| items.iter().all(Value::is_object));
    match of_objects.as_slice() {
        [(key, items)] if !items.is_empty() => return Some(key),
        [_, _, ..] if of_objects.iter().any(|(_, items)| !items.is_empty()) => return None,
        _ => {}
    }
    match lists(|items| items.iter().any(Value::is_object)).as_slice() {
        [(key, _)] => Some(key),
        [] => of_objects.first().map(|(key, _)| *key),
        _ => None,
    }
}

/// The elements of the list at that place. The places in an element that is alone may begin in it.
fn of_list(items: Vec<Value>, list: &[Step], misfits: &[Vec<Step>]) -> Things {
    let is_alone = items.len() == 1 && list.is_empty();
    let mut things = Things::default();
    for (index, value) in items.into_iter().enumerate() {
        if !value.is_object() {
            let came = named(&value);
            let fault = format!("element {} is {came} where an object is wanted", index + 1);
            things.strays.push(redact(&fault).into_owned());
            continue;
        }
        let own = |place: &Vec<Step>| match place.strip_prefix(list)?.split_first() {
            Some((Step::Index(at), rest)) => (*at == index).then(|| rest.to_vec()),
            _ => is_alone.then(|| place.clone()),
        };
        let misfits = misfits.iter().filter_map(own).collect();
        things.items.push(Item { value, misfits });
    }
    if let Some(more) = things.strays.len().checked_sub(TOLD).filter(|more| *more > 0) {
        things.strays.truncate(TOLD);
        things.strays.push(format!("and {more} more"));
    }
    things
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{Fields, cell_text};

    /// S0.32: an array answer becomes several rows.
    #[test]
    fn s0_32_lists_become_rows() {
        use ParseStatus::{Direct, Embedded, Failed, Fenced, Repaired};
        let table: [(&str, ParseStatus, &[&str]); 22] = [
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
            (r#"[{"a":1}] or rather [{"a":2}]"#, Repaired, &["2|-"]),
            (r#"[{"a":1}] and again [{"a":1}]"#, Embedded, &["1|-"]),
            (r#"[{"a":1},"a note",{"a":2}]"#, Direct, &["1|-", "2|-"]),
            (r#"{"items":["none",{"a":1}],"tags":["x"]}"#, Direct, &["1|-"]),
            (r#"{"items":[{"a":1}],"mixed":["x",{"a":2}]}"#, Direct, &["1|-"]),
            (r#"{"items":[],"mixed":["x",{"a":2}]}"#, Direct, &["2|-"]),
            (r#"["x","y"]"#, Failed, &[]),
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
        let (faults, text) = told(r#"{"all":[{"a":1},"a note",null,{"a":2}]}"#);
        assert_eq!(faults, [0, 0], "what is no object makes no row");
        assert_eq!(
            text,
            "element 2 is the text \"a note\" where an object is wanted; \
             element 3 is null where an object is wanted"
        );
        let many = format!("[{{\"a\":1}},{}]", ["7"; 8].join(","));
        assert!(told(&many).1.ends_with("; and 3 more"), "{}", told(&many).1);
        let many = format!("[{}]", [r#"{"a":"x"}"#; 8].join(","));
        assert!(told(&many).1.ends_with("; and 3 more"), "{}", told(&many).1);
    }
}
