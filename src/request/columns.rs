//! Finding columns by the names that people write.

use super::RequestError;

/// More names than this make an error message unreadable.
const MOST_LISTED: usize = 20;

/// The headers of a table, for looking names up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns<'a>(pub(super) &'a [String]);

impl<'a> Columns<'a> {
    /// The one column with exactly this name.
    pub(super) fn find(self, name: &str, place: &'static str) -> Result<usize, RequestError> {
        let mut places = self.0.iter().enumerate().filter(|(_, header)| *header == name);
        match (places.next(), places.next()) {
            (Some((at, _)), None) => Ok(at),
            (Some((first, _)), Some((second, _))) => Err(RequestError::DuplicateColumn {
                place,
                name: name.to_owned(),
                first: first + 1,
                second: second + 1,
            }),
            (None, _) => Err(RequestError::UnknownColumn {
                place,
                name: name.to_owned(),
                nearest: self.nearest(name).map(str::to_owned),
                columns: self.list(),
            }),
        }
    }

    /// The header that is spelt most like this name.
    pub(super) fn nearest(self, name: &str) -> Option<&'a str> {
        let wanted = name.trim().to_lowercase();
        self.0
            .iter()
            .filter(|header| !header.is_empty())
            .min_by_key(|header| distance(&wanted, &header.trim().to_lowercase()))
            .map(String::as_str)
    }

    /// The headers for a message.
    pub(super) fn list(self) -> String {
        let mut text: Vec<String> =
            self.0.iter().take(MOST_LISTED).map(|header| format!("`{header}`")).collect();
        if self.0.len() > MOST_LISTED {
            text.push(format!("and {} more", self.0.len() - MOST_LISTED));
        }
        text.join(", ")
    }
}

/// How many characters must be put in, taken out, or changed to turn one text into the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_missed_with_a_hint_and_refused_when_double() {
        let headers: Vec<String> = ["Content of P*", "", "label", "label"].map(String::from).into();
        let columns = Columns(&headers);
        assert_eq!(columns.find("Content of P*", "the prompt"), Ok(0));
        let text = columns.find("content of p", "the prompt").unwrap_err().to_string();
        assert!(text.contains("nearest: `Content of P*`"), "{text}");
        let text = columns.find("label", "--image-column").unwrap_err().to_string();
        assert!(text.contains("columns 3 and 4"), "{text}");
    }

    #[test]
    fn distances() {
        for (a, b, expected) in
            [("", "", 0), ("a", "", 1), ("kitten", "sitting", 3), ("文本", "文章", 1)]
        {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }
}
