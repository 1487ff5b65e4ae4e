//! The rooms of the program and who may use whom, held as a table and compared with the paths
//! that `src/` really names. A line going the wrong way fails with its file and number.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::repo;

/// Room, and the rooms it may use. The order is that of the design: a room uses only rooms
/// above it.
const ROOMS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("table", &["base"]),
    ("request", &["base", "table"]),
    ("shard", &["base", "request"]),
    ("batch", &["base", "request"]),
    ("answer", &["base", "request", "batch"]),
    ("cost", &["base", "request", "batch"]),
    ("provider", &["base", "request", "shard", "batch"]),
    ("store", &["base", "request", "shard", "batch", "answer"]),
    ("cache", &["base", "request", "batch", "answer", "store"]),
    (
        "job",
        &[
            "base", "table", "request", "shard", "batch", "answer", "cost", "provider", "cache",
            "store",
        ],
    ),
    ("result", &["base", "table", "request", "batch", "answer", "cost"]),
    ("config", &["base", "provider", "cost"]),
    ("ui", &["base", "batch", "answer", "cost", "job", "result"]),
    ("web", &["base", "batch", "answer", "cost", "store", "job", "result", "config"]),
    ("sandbox", &["base", "request", "batch", "cost"]),
    (
        "commands",
        &[
            "base", "table", "request", "shard", "batch", "answer", "cost", "provider", "store",
            "cache", "job", "result", "config", "ui", "web", "sandbox",
        ],
    ),
    // The parser hands its flags to config and prints through ui what fails before a command runs.
    ("cli", &["commands", "config", "ui"]),
    ("main", &["commands", "cli"]),
];

/// Rooms of the table that later work will build.
const NOT_BUILT_YET: &[&str] = &["web"];

/// A room named by another: where, and which.
#[derive(Debug, PartialEq)]
struct Use {
    line: usize,
    room: String,
}

#[test]
fn every_room_uses_only_the_rooms_it_may() {
    let mut wrong = Vec::new();
    for path in sources() {
        let room = room_of(&path);
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!("{}: {room} is no room of the table", shown(&path)));
            continue;
        };
        let text = fs::read_to_string(&path).expect("a source file is readable UTF-8");
        for found in uses(&text, depth_of(&path)) {
            if found.room != room && !allowed.contains(&found.room.as_str()) {
                let place = format!("{}:{}", shown(&path), found.line);
                wrong.push(format!("{place}: {room} may not use {}", found.room));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn the_library_lists_every_room_and_nothing_else() {
    let text = fs::read_to_string(repo("src/lib.rs")).expect("there is a library");
    let mut listed: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .filter(|room| *room != "main")
        .collect();
    listed.sort_unstable();
    let mut wanted: Vec<&str> = ROOMS
        .iter()
        .map(|(room, _)| *room)
        .filter(|room| *room != "main" && !NOT_BUILT_YET.contains(room))
        .collect();
    wanted.sort_unstable();
    assert_eq!(listed, wanted);
    for room in listed {
        let folder = repo(&format!("src/{room}/mod.rs"));
        let file = repo(&format!("src/{room}.rs"));
        assert!(folder.is_file() || file.is_file(), "{room} is listed and has no source");
    }
}

#[test]
fn the_table_itself_only_points_upwards() {
    for (at, (room, allowed)) in ROOMS.iter().enumerate() {
        for used in *allowed {
            let above = ROOMS[..at].iter().any(|(name, _)| name == used);
            assert!(above, "{room} uses {used}, which does not stand above it");
        }
    }
}

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![repo("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a source folder can be listed") {
            let path = entry.expect("a source folder can be listed").path();
            if path.is_dir() && !path.ends_with("tests") {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") && !is_test_file(&path) {
                found.push(path);
            }
        }
    }
    found.retain(|path| *path != repo("src/lib.rs"));
    found.sort();
    assert!(found.len() > 10, "the sources were not found");
    found
}

/// `tests.rs` and `…_tests.rs` are declared under `#[cfg(test)]` in the file beside them.
fn is_test_file(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| {
        let stem = stem.to_string_lossy();
        stem == "tests" || stem.ends_with("_tests") || stem.starts_with("tests_")
    })
}

fn shown(path: &Path) -> String {
    path.strip_prefix(repo("")).unwrap_or(path).display().to_string()
}

/// The first part of the path below `src/`.
fn room_of(path: &Path) -> String {
    let below = path.strip_prefix(repo("src")).expect("sources lie below src");
    let first = below.components().next().expect("a file has a name");
    Path::new(first.as_os_str()).file_stem().expect("a name").to_string_lossy().into_owned()
}

/// How many `super::` lead from this file to the root of the crate.
fn depth_of(path: &Path) -> usize {
    let below = path.strip_prefix(repo("src")).expect("sources lie below src");
    let parts = below.components().count();
    if below.ends_with("mod.rs") { parts - 1 } else { parts }
}

/// Every room that the code names through `crate::`, `batchctl::` or enough `super::`, outside
/// comments, strings and tests.
fn uses(text: &str, depth: usize) -> Vec<Use> {
    let code = without_tests(&without_words(text));
    let supers = "super::".repeat(depth);
    let mut found = Vec::new();
    for root in ["crate::", "batchctl::", supers.as_str()] {
        if root.is_empty() {
            continue;
        }
        for (at, _) in code.match_indices(root) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '$')) {
                continue;
            }
            let line = code[..at].matches('\n').count() + 1;
            let mut named = first_names(&code[at + root.len()..]);
            // In a module inside a file one `super` less would be right: names decide there.
            named.retain(|(_, name)| root != supers || ROOMS.iter().any(|(room, _)| room == name));
            found.extend(named.into_iter().map(|(lines, room)| Use { line: line + lines, room }));
        }
    }
    found.sort_by_key(|u| u.line);
    found
}

/// The first name of a path, or of each path in a `{…}` group, with the lines passed before it.
fn first_names(code: &str) -> Vec<(usize, String)> {
    let name = |code: &str| -> String {
        code.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '*')).collect()
    };
    if !code.starts_with('{') {
        return vec![(0, name(code))];
    }
    let (mut found, mut level, mut lines, mut wanted) = (Vec::new(), 0_usize, 0, false);
    for (at, c) in code.char_indices() {
        match c {
            '{' => level += 1,
            '}' => level -= 1,
            '\n' => lines += 1,
            _ => {}
        }
        if level == 0 {
            break;
        }
        if level == 1 && matches!(c, '{' | ',') {
            wanted = true;
        } else if wanted && !c.is_whitespace() {
            found.push((lines, name(&code[at..])));
            wanted = false;
        }
    }
    found.retain(|(_, name)| !name.is_empty());
    found
}

/// The code with comments and the content of strings and characters blanked; lines stay.
fn without_words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if let Some(length) = string_length(rest) {
            length
        } else {
            out.push(c);
            let mut length = c.len_utf8();
            if c.is_alphanumeric() || c == '_' {
                // A whole word at once, so that the `r` of `for"` is not taken for a raw string.
                let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
                let word = word.unwrap_or(rest.len());
                out.push_str(&rest[length..word]);
                length = word;
            }
            rest = &rest[length..];
            continue;
        };
        out.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &rest[length..];
    }
    out
}

/// The length of the string or character literal that starts here, if one does.
fn string_length(code: &str) -> Option<usize> {
    let body = code.strip_prefix('b').unwrap_or(code);
    let start = code.len() - body.len();
    if let Some(raw) = body.strip_prefix('r') {
        let hashes = raw.bytes().take_while(|b| *b == b'#').count();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let from = start + 1 + hashes + 1;
            return Some(code[from..].find(&end).map_or(code.len(), |at| from + at + end.len()));
        }
    }
    let quote = body.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut escaped = false;
    for (at, c) in body.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return Some(start + at + c.len_utf8());
        } else if quote == '\'' && body.char_indices().nth(2).is_none_or(|(n, _)| at >= n) {
            return None; // a lifetime
        }
    }
    None
}

/// The code with every item under `#[cfg(test)]` blanked; lines stay.
fn without_tests(code: &str) -> String {
    let mark = "#[cfg(test)]";
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find(mark) {
        out.push_str(&rest[..at]);
        let length = at + mark.len() + item_length(&rest[at + mark.len()..]);
        out.extend(rest[at..length].chars().filter(|c| *c == '\n'));
        rest = &rest[length..];
    }
    out.push_str(rest);
    out
}

/// From here to the end of an item: its closing brace, or a semicolon outside all brackets.
fn item_length(code: &str) -> usize {
    let mut level = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '{' | '(' | '[' => level += 1,
            '}' if level == 1 => return at + 1,
            '}' | ')' | ']' => level = level.saturating_sub(1),
            ';' if level == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rooms(text: &str, depth: usize) -> Vec<(usize, String)> {
        uses(text, depth).into_iter().map(|u| (u.line, u.room)).collect()
    }

    #[test]
    fn paths_to_rooms_are_found_wherever_they_stand() {
        type Case<'a> = (&'a str, usize, &'a [(usize, &'a str)]);
        let cases: &[Case<'_>] = &[
            ("use crate::base::Secret;\n", 1, &[(1, "base")]),
            (
                "\nuse crate::{\n  batch::{Batch, Usage},\n  job,\n};",
                1,
                &[(3, "batch"), (4, "job")],
            ),
            ("fn f() -> crate::store::Store { crate::ui::print() }", 1, &[(1, "store"), (1, "ui")]),
            ("pub(in crate::table) fn f() {}", 2, &[(1, "table")]),
            ("use super::super::job::Event;", 2, &[(1, "job")]),
            ("use super::Event;", 2, &[]),
            ("// crate::job\n/* crate::ui */ /// [`crate::web`]\n", 1, &[]),
            (
                "let a = \"crate::job\"; let b = r#\"\"crate::ui\"#; let c = '\"'; crate::web",
                1,
                &[(1, "web")],
            ),
            ("fn f<'a>(a: &'a str) -> &'a str { crate::cost::x(a) }", 1, &[(1, "cost")]),
            ("#[cfg(test)]\nmod tests {\n  use crate::job::X;\n}\nuse crate::ui;", 1, &[(5, "ui")]),
            ("#[cfg(test)]\nmod tests;\nuse crate::ui;", 1, &[(3, "ui")]),
            ("#[cfg(test)]\nuse crate::{job, ui};\nuse crate::web;", 1, &[(3, "web")]),
            ("use batchctl::cli;", 0, &[(1, "cli")]),
            ("my_crate::job(); $crate::job();", 1, &[]),
        ];
        for (text, depth, wanted) in cases {
            let wanted: Vec<(usize, String)> =
                wanted.iter().map(|(line, room)| (*line, (*room).to_owned())).collect();
            assert_eq!(rooms(text, *depth), wanted, "{text}");
        }
    }

    #[test]
    fn a_file_knows_its_room_and_its_depth() {
        let cases =
            [("main.rs", "main", 1), ("table/mod.rs", "table", 1), ("table/csv.rs", "table", 2)];
        for (path, room, depth) in cases {
            let path = repo("src").join(path);
            assert_eq!((room_of(&path).as_str(), depth_of(&path)), (room, depth));
        }
    }
}
