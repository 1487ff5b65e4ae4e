//! Finding columns by the names that people write.

use super::RequestError;
use crate::table::nearest;

/// More names than this make an error message unreadable.
const MOST_LISTED: usize = 20;

/// The headers of a table, for looking names up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns<'a>(pub(super) &'a [String]);

impl Columns<'_> {
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
                nearest: nearest(name, self.0).map(str::to_owned),
                columns: self.list(),
            }),
        }
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
}
