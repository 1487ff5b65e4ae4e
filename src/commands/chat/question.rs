//! What is asked: from the line, a file, or what is piped in.

use std::io::{self, IsTerminal};
use std::path::Path;

use super::Args;
use crate::commands::Context;
use crate::commands::steps::{given_text, max_side};
use crate::request::{ImageOptions, Turn, image_url};
use crate::table::{TableError, read_text};
use crate::ui::{CommandError, ExitCode};

/// What is asked about a picture when nobody says anything.
const DESCRIBE: &str = "Describe this picture.";
/// The same about several.
const DESCRIBE_ALL: &str = "Describe these pictures.";

/// How the command goes on.
pub(super) enum Wanted {
    /// One question.
    Once(Turn),
    /// A conversation.
    Talk,
}

/// The question, `Talk` where a person is to type it.
pub(super) fn wanted(args: &Args, context: &Context) -> Result<Wanted, CommandError> {
    let given = given_text(context, args.prompt.clone(), None)?.map(|given| given.text);
    let words = (!args.words.is_empty()).then(|| args.words.join(" "));
    let is_dash = words.as_deref() == Some("-");
    let said = given.or(words.filter(|_| !is_dash));
    let piped = if is_dash || !io::stdin().is_terminal() { piped()? } else { None };
    let images = images(args, context)?;
    match together(said, piped, images.len()) {
        Some(text) => Ok(Wanted::Once(Turn { images, ..Turn::asked(text) })),
        None if io::stdin().is_terminal() && !is_dash && !context.json => Ok(Wanted::Talk),
        None => Err(CommandError::usage("nothing to ask: there is no prompt")
            .hint("batchctl chat \"What is a batch?\"")
            .hint("or pipe it in: echo \"What is a batch?\" | batchctl chat")),
    }
}

/// The system message of the line. That of a project's table is not meant here.
pub(super) fn system(args: &Args, context: &Context) -> Result<Option<String>, CommandError> {
    Ok(given_text(context, args.system.clone(), None)?.map(|given| given.text))
}

/// What is asked in all: what was piped in stands below what was said, as the matter below the
/// question. Pictures alone are described.
fn together(said: Option<String>, piped: Option<String>, images: usize) -> Option<String> {
    let is_some = |text: &String| !text.trim().is_empty();
    let parts = [said.filter(is_some), piped.filter(is_some)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    match (parts.as_slice(), images) {
        ([], 0) => None,
        ([], 1) => Some(DESCRIBE.to_owned()),
        ([], _) => Some(DESCRIBE_ALL.to_owned()),
        (parts, _) => Some(parts.join("\n\n")),
    }
}

/// The text on stdin, decoded as tables are; `None` where it is empty.
fn piped() -> Result<Option<String>, CommandError> {
    match read_text(Path::new("-"), None) {
        Ok(text) => Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned())),
        Err(TableError::Empty(_)) => Ok(None),
        Err(error) => Err(CommandError::new(ExitCode::Usage, error)
            .context("what is piped in cannot be asked")
            .hint("for a picture: batchctl chat --image FILE")),
    }
}

fn images(args: &Args, context: &Context) -> Result<Vec<String>, CommandError> {
    let options = ImageOptions { max_side: max_side(context), ..ImageOptions::default() };
    let read = |name: &String| {
        image_url(name, &context.folder, &options)
            .map_err(|skip| CommandError::new(ExitCode::Usage, skip))
    };
    args.images.iter().map(read).collect()
}

/// What a line typed in a conversation is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed<'a> {
    /// Something to ask.
    Question(&'a str),
    /// Nothing.
    Nothing,
    /// The conversation is over.
    Leave,
    /// It begins anew.
    Clear,
    /// What can be typed is to be told.
    Help,
    /// A command that there is not.
    Unknown(&'a str),
}

/// Reads a line as a person types it.
pub(super) fn typed(line: &str) -> Typed<'_> {
    let line = line.trim();
    let word = line.trim_end_matches(['.', '!', '。', '！']).to_lowercase();
    match word.as_str() {
        "" if line.is_empty() => Typed::Nothing,
        "exit" | "quit" | "bye" | "/exit" | "/quit" | "/bye" | "退出" | "再见" => Typed::Leave,
        "/clear" | "/new" => Typed::Clear,
        "/help" | "/?" => Typed::Help,
        _ if is_command(line) => Typed::Unknown(line),
        _ => Typed::Question(line),
    }
}

/// A slash and one word of letters; paths such as `/etc/hosts` are questions.
fn is_command(line: &str) -> bool {
    let word = line.strip_prefix('/').unwrap_or_default();
    !word.is_empty() && word.chars().all(char::is_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S3.11: the words that end a conversation.
    #[test]
    fn lines_as_people_type_them() {
        for word in ["exit", "quit", "bye", " Bye! ", "EXIT", "/quit", "退出", "再见！"] {
            assert_eq!(typed(word), Typed::Leave, "{word}");
        }
        for line in ["how do I quit vim", "exit codes", "!", "/etc/hosts", "/etc/hosts is what?"] {
            assert_eq!(typed(line), Typed::Question(line), "{line}");
        }
        assert_eq!(typed("  \t"), Typed::Nothing);
        assert_eq!(typed("/clear"), Typed::Clear);
        assert_eq!(typed("/help"), Typed::Help);
        assert_eq!(typed("/clera"), Typed::Unknown("/clera"));
    }

    /// S3.12: a picture alone is described.
    #[test]
    fn what_is_asked_comes_from_all_that_is_there() {
        let text = |text: &str| Some(text.to_owned());
        let table = [
            (text("Why?"), None, 0, text("Why?")),
            (None, text("Why?"), 0, text("Why?")),
            (text("Translate:"), text("hello"), 0, text("Translate:\n\nhello")),
            (text(" "), text("hello"), 0, text("hello")),
            (None, None, 0, None),
            (text(""), text("\n"), 0, None),
            (None, None, 1, text(DESCRIBE)),
            (None, None, 2, text(DESCRIBE_ALL)),
            (text("Whose?"), None, 2, text("Whose?")),
        ];
        for (said, piped, images, expected) in table {
            assert_eq!(
                together(said.clone(), piped.clone(), images),
                expected,
                "{said:?} {piped:?}"
            );
        }
    }
}
