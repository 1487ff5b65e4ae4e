//! What is asked when nothing is said: one text column and every image column, found by names
//! and by the first rows. Never all columns, which may be private and would spoil a study.

use super::columns::Columns;
use super::{InputColumn, RequestError};

/// Headers that a text column goes by, the likeliest first.
const WORDS: [&str; 10] =
    ["text", "content", "question", "input", "comment", "review", "文本", "内容", "评论", "问题"];
const MESSAGES: &str = "messages";
const PROMPT: &str = "prompt";
/// Endings of image files, also of those that no provider takes: such rows get their reason.
const SUFFIXES: [&str; 13] = [
    "jpg", "jpeg", "png", "gif", "webp", "bmp", "tif", "tiff", "heic", "heif", "avif", "svg",
    "jfif",
];

/// What was said, by flag or file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// Whether there is a prompt.
    pub prompt: bool,
    /// Whether that prompt names its columns, so that no text column need be found: not
    /// [`super::Question::wants_input_column`].
    pub prompt_names_columns: bool,
    /// `--input-column`.
    pub input_column: Option<InputColumn>,
    /// `--image-column`; an empty list means that there are to be none.
    pub image_columns: Option<Vec<String>>,
    /// The setting `messages_column`.
    pub messages_column: Option<String>,
}

/// What will be asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inferred {
    /// The column of message arrays; then the others are empty.
    pub messages_column: Option<String>,
    /// The text column.
    pub input_column: Option<InputColumn>,
    /// The image columns, in table order where they were found.
    pub image_columns: Vec<String>,
    /// The choice in one line, where something was chosen that nobody said.
    pub note: Option<String>,
}

/// Chooses what is asked, from the headers and the first selected rows (100 are enough).
pub fn infer(
    headers: &[String],
    sample: &[Vec<String>],
    given: &Given,
) -> Result<Inferred, RequestError> {
    let table = Sample { headers, rows: sample };
    let messages = given.messages_column.clone().or_else(|| {
        let silent = !given.prompt && given.input_column.is_none() && given.image_columns.is_none();
        table.messages_column().filter(|_| silent)
    });
    if let Some(column) = messages {
        let note = given.messages_column.is_none().then(|| format!("asks: messages of `{column}`"));
        return Ok(Inferred { messages_column: Some(column), note, ..Inferred::default() });
    }
    let images = given.image_columns.clone().unwrap_or_else(|| table.image_columns());
    let input = given.input_column.clone().or_else(|| {
        let wanted = !given.prompt_names_columns;
        table.text_column(&images).filter(|_| wanted).map(InputColumn::Named)
    });
    if input.is_none() && images.is_empty() && !given.prompt_names_columns {
        return Err(RequestError::NothingToAsk { columns: Columns(headers).list() });
    }
    let chose_text = given.input_column.is_none() && input.is_some();
    let chose_images = given.image_columns.is_none() && !images.is_empty();
    let note = (chose_text || chose_images).then(|| note(input.as_ref(), &images));
    Ok(Inferred { messages_column: None, input_column: input, image_columns: images, note })
}

fn note(input: Option<&InputColumn>, images: &[String]) -> String {
    let text = match input {
        Some(InputColumn::Named(name)) => Some(format!("asks: column `{name}`")),
        Some(InputColumn::All) => Some("asks: all columns".to_owned()),
        None => None,
    };
    let list = images.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let images = (!images.is_empty()).then(|| format!("images: {list}"));
    text.into_iter().chain(images).collect::<Vec<_>>().join("   ")
}

/// Headers and first rows.
struct Sample<'a> {
    headers: &'a [String],
    rows: &'a [Vec<String>],
}

impl<'a> Sample<'a> {
    /// Columns that a name can stand for: neither nameless nor of a name that comes twice.
    fn columns(&self) -> impl Iterator<Item = (usize, &'a str)> {
        let headers = self.headers;
        (headers.iter().map(String::as_str).enumerate()).filter(move |(_, name)| {
            !name.is_empty() && headers.iter().filter(|other| other == name).count() == 1
        })
    }

    /// The cells of a column that hold something.
    fn cells(&self, column: usize) -> impl Iterator<Item = &'a str> {
        (self.rows.iter().filter_map(move |row| row.get(column)))
            .map(|cell| cell.trim())
            .filter(|cell| !cell.is_empty())
    }

    /// A column called `messages` in which every cell looks like an array of messages.
    fn messages_column(&self) -> Option<String> {
        let (at, name) =
            self.columns().find(|(_, name)| name.trim().eq_ignore_ascii_case(MESSAGES))?;
        let is_array = |cell: &str| cell.starts_with('[') || cell.starts_with('{');
        self.cells(at).all(is_array).then(|| name.to_owned())
    }

    fn image_columns(&self) -> Vec<String> {
        let is_image = |at: usize| {
            let (mut images, mut all) = (0, 0);
            for cell in self.cells(at) {
                all += 1;
                images += usize::from(names_an_image(cell));
            }
            images * 2 > all
        };
        self.columns().filter(|(at, _)| is_image(*at)).map(|(_, name)| name.to_owned()).collect()
    }

    /// The column `prompt`; else the one whose header fits a known word best; else the one with
    /// the longest text.
    fn text_column(&self, images: &[String]) -> Option<String> {
        let texts: Vec<(usize, &str)> = self
            .columns()
            .filter(|(at, name)| !images.iter().any(|image| image == name) && self.is_text(*at))
            .collect();
        let known = texts
            .iter()
            .filter_map(|(at, name)| rank(name).map(|rank| (rank, *at, *name)))
            .min()
            .map(|(_, _, name)| name);
        known.or_else(|| self.longest(&texts)).map(str::to_owned)
    }

    /// Whether a column holds words: an empty table is judged by its headers alone.
    fn is_text(&self, column: usize) -> bool {
        let mut cells = self.cells(column).peekable();
        let is_word = |cell: &str| cell.chars().any(char::is_alphabetic) && !is_address(cell);
        self.rows.is_empty() || (cells.peek().is_some() && cells.any(is_word))
    }

    fn longest(&self, texts: &[(usize, &'a str)]) -> Option<&'a str> {
        let length = |at: usize| self.cells(at).map(|cell| cell.chars().count()).sum::<usize>();
        // Of equals the first, which max_by_key would not give.
        let lengths = texts.iter().map(|(at, name)| (length(*at), *name));
        lengths.rev().max_by_key(|(length, _)| *length).map(|(_, name)| name)
    }
}

/// How well a header fits: the kind of fit first, then which word it is.
fn rank(header: &str) -> Option<(usize, usize)> {
    let header = header.trim().to_lowercase();
    if header == PROMPT {
        return Some((0, 0));
    }
    let whole = |word: &str| header.split(|c: char| !c.is_alphanumeric()).any(|part| part == word);
    WORDS
        .iter()
        .enumerate()
        .filter(|(_, word)| header.contains(**word))
        .map(|(at, word)| match () {
            () if header == *word => (1, at),
            () if whole(word) => (2, at),
            () => (3, at),
        })
        .min()
}

fn is_address(cell: &str) -> bool {
    let lower = cell.get(..8).unwrap_or(cell).to_ascii_lowercase();
    lower.starts_with("http://") || lower.starts_with("https://")
}

/// Whether a cell names an image by its ending, in a path or in the path of an address.
fn names_an_image(cell: &str) -> bool {
    if cell.get(..11).is_some_and(|start| start.eq_ignore_ascii_case("data:image/")) {
        return true;
    }
    let path =
        if is_address(cell) { cell.split(['?', '#']).next().unwrap_or_default() } else { cell };
    let is_suffix = |end: &str| SUFFIXES.iter().any(|suffix| end.eq_ignore_ascii_case(suffix));
    !path.contains('\n') && path.rsplit_once('.').is_some_and(|(_, end)| is_suffix(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[&[&str]]) -> (Vec<String>, Vec<Vec<String>>) {
        let mut rows = rows.iter().map(|row| row.iter().map(ToString::to_string).collect());
        (rows.next().unwrap(), rows.collect())
    }

    /// S1.16 and "what is asked when nothing is said": text, images, then the note.
    #[test]
    fn the_choice_by_names_and_by_rows() {
        type Case<'a> = (&'a [&'a [&'a str]], Option<&'a str>, &'a [&'a str]);
        let cases: &[Case<'_>] = &[
            (&[&["id", "question"], &["1", "why?"]], Some("question"), &[]),
            (&[&["prompt", "text"], &["a", "b"]], Some("prompt"), &[]),
            (&[&["context", "my text"], &["long long", "b"]], Some("my text"), &[]),
            (&[&["text_id", "body"], &["17", "words"]], Some("body"), &[]),
            (&[&["a", "b", "c"], &["x y", "longer words", "9"]], Some("b"), &[]),
            (&[&["a", "b"], &["same", "size"]], Some("a"), &[]),
            (&[&["编号", "评论内容"], &["1", "好"]], Some("评论内容"), &[]),
            (
                &[&["Image Path", "Content of P*"], &["a.JPG", "p"], &["", "q"], &["b.png", ""]],
                Some("Content of P*"),
                &["Image Path"],
            ),
            (
                &[&["pic"], &["https://x.org/a.webp?w=3#f"], &["data:image/png;base64,AA"]],
                None,
                &["pic"],
            ),
            (
                &[&["text", "p1", "p2"], &["see it", "a.heic", "x\\b.tif"]],
                Some("text"),
                &["p1", "p2"],
            ),
            (&[&["link", "n"], &["https://x.org/page", "some words"]], Some("n"), &[]),
            (&[&["text", "text", "other"], &["a", "b", "c"]], Some("other"), &[]),
            (&[&["id", "text"]], Some("text"), &[]),
        ];
        for (rows, text, images) in cases {
            let (headers, sample) = table(rows);
            let made = infer(&headers, &sample, &Given::default());
            let made = made.unwrap();
            assert_eq!(made.input_column, text.map(InputColumn::read), "{rows:?}");
            assert_eq!(made.image_columns, *images, "{rows:?}");
        }
    }

    #[test]
    fn messages_are_taken_only_where_nothing_is_said() {
        let (headers, sample) = table(&[&["messages", "text"], &["[{}]", "words"]]);
        let made = infer(&headers, &sample, &Given::default()).unwrap();
        assert_eq!(made.messages_column.as_deref(), Some("messages"));
        assert_eq!(made.note.as_deref(), Some("asks: messages of `messages`"));
        let given = Given { prompt: true, ..Given::default() };
        let made = infer(&headers, &sample, &given).unwrap();
        assert_eq!(made.input_column, Some(InputColumn::Named("text".into())));
        let (headers, sample) = table(&[&["messages"], &["hello there"]]);
        let made = infer(&headers, &sample, &Given::default()).unwrap();
        assert_eq!(
            (made.messages_column, made.input_column),
            (None, Some(InputColumn::read("messages")))
        );
    }

    #[test]
    fn what_was_said_stands_and_what_was_chosen_is_printed() {
        let (headers, sample) = table(&[&["q", "photo"], &["why", "a.png"]]);
        let made = infer(&headers, &sample, &Given::default()).unwrap();
        assert_eq!(made.note.as_deref(), Some("asks: column `q`   images: `photo`"));
        let given = Given {
            input_column: Some(InputColumn::All),
            image_columns: Some(Vec::new()),
            ..Given::default()
        };
        let made = infer(&headers, &sample, &given).unwrap();
        assert_eq!(
            (made.input_column, made.image_columns, made.note),
            (Some(InputColumn::All), vec![], None)
        );
        let given = Given { prompt: true, prompt_names_columns: true, ..Given::default() };
        let made = infer(&headers, &sample, &given).unwrap();
        assert_eq!((made.input_column, made.note.as_deref()), (None, Some("images: `photo`")));
        let (headers, sample) = table(&[&["id", "n"], &["1", "2"]]);
        let error = infer(&headers, &sample, &Given::default()).unwrap_err().to_string();
        assert!(error.contains("columns: `id`, `n`"), "{error}");
    }
}
