//! File names on the line: patterns are expanded here, for shells that do not.

use std::path::{Path, PathBuf};

use crate::ui::CommandError;

/// The files that names and patterns (`*` and `?` in the last part) stand for, sorted within each
/// pattern. A pattern that fits nothing is an error; a plain name is taken as it is.
pub(super) fn expand(names: &[PathBuf], folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let mut files = Vec::new();
    for name in names {
        let pattern = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !pattern.contains(['*', '?']) || folder.join(name).exists() {
            files.push(name.clone());
            continue;
        }
        let parent = name.parent().unwrap_or(Path::new(""));
        let mut found: Vec<PathBuf> = std::fs::read_dir(folder.join(parent))
            .map_err(|error| CommandError::usage(format!("{}: {error}", name.display())))?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|file| fits(pattern.as_bytes(), file.as_bytes()))
            .map(|file| parent.join(file))
            .collect();
        if found.is_empty() {
            return Err(CommandError::usage(format!("no file fits {}", name.display())));
        }
        found.sort();
        files.append(&mut found);
    }
    Ok(files)
}

/// Whether a name fits a pattern: `*` stands for any run of bytes, `?` for one.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=name.len()).any(|skipped| fits(rest, &name[skipped..])),
        (Some((b'?', pattern)), Some((_, name))) => fits(pattern, name),
        (Some((wanted, pattern)), Some((found, name))) => wanted == found && fits(pattern, name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_expanded_and_plain_names_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b-2.jsonl", "b-1.jsonl", "c.csv"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let names = |given: &[&str]| {
            let given: Vec<PathBuf> = given.iter().map(PathBuf::from).collect();
            expand(&given, folder.path()).map_err(|e| e.error.to_string())
        };
        let expected: Vec<PathBuf> =
            ["b-1.jsonl", "b-2.jsonl", "gone.csv"].map(PathBuf::from).into();
        assert_eq!(names(&["b-?.jsonl", "gone.csv"]), Ok(expected.clone()));
        assert_eq!(names(&["b*l"]).unwrap(), expected[..2]);
        assert!(names(&["x*.jsonl"]).unwrap_err().contains("no file fits"));
    }
}
