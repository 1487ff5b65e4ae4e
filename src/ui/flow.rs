//! Text that arrives piece by piece, as a model writes it, on its way to a terminal: the same
//! text as the whole would be, cleaned by the same function, only sooner.

use std::io;

use super::clean::{clean, is_hidden};
use super::printer::Printer;

/// What has come of a text and is not printed yet.
///
/// A piece may end in the middle of a terminal escape, of a line end or of a key that must not be
/// shown, so what could still be part of one waits for more.
#[derive(Debug, Default)]
pub struct Flow {
    /// All of it, as it came.
    whole: String,
    waiting: String,
    /// Whether something was printed and its line is not over.
    is_open: bool,
}

impl Flow {
    /// Takes a piece in and prints what can be printed by now.
    pub fn push(&mut self, printer: &Printer, piece: &str) -> io::Result<()> {
        self.whole.push_str(piece);
        self.waiting.push_str(piece);
        let ready = ready(&self.waiting);
        let rest = self.waiting.split_off(ready);
        let text = std::mem::replace(&mut self.waiting, rest);
        self.print(printer, &clean(&text))
    }

    /// Prints what is left, and ends the line unless the text did so itself.
    pub fn end(&mut self, printer: &Printer) -> io::Result<()> {
        let text = std::mem::take(&mut self.waiting);
        self.print(printer, &clean(&text))?;
        if self.is_open {
            self.print(printer, "\n")?;
        }
        Ok(())
    }

    /// All that came, as it came.
    pub fn into_text(self) -> String {
        self.whole
    }

    fn print(&mut self, printer: &Printer, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.is_open = !text.ends_with('\n');
        printer.part(text)
    }
}

/// How many bytes of a text no later piece can change the meaning of: up to a place between words
/// where no escape is open. Keys are words, and every escape ends with its line.
fn ready(text: &str) -> usize {
    let after = |at: usize| at + text[at..].chars().next().map_or(0, char::len_utf8);
    if text.chars().any(opens_escape) {
        return text.rfind('\n').map_or(0, after);
    }
    text.rfind(parts_words).map_or(0, after)
}

/// Whether an escape may begin here: ESC, and its one-character forms.
fn opens_escape(c: char) -> bool {
    matches!(c, '\u{1b}' | '\u{80}'..='\u{9f}')
}

/// Whether no key goes on behind this character, which is printed itself.
fn parts_words(c: char) -> bool {
    let is_gone = c.is_control() || is_hidden(c);
    matches!(c, '\n' | '\t') || !(c.is_ascii_graphic() || is_gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Secret;
    use crate::ui::Verbosity;
    use proptest::prelude::*;

    fn flowed(pieces: &[&str]) -> String {
        let (printer, captured) = Printer::captured(Verbosity::Normal);
        let mut flow = Flow::default();
        for piece in pieces {
            flow.push(&printer, piece).unwrap();
        }
        flow.end(&printer).unwrap();
        captured.stdout()
    }

    #[test]
    fn what_is_cut_in_two_is_cleaned_as_one() {
        Secret::new("sk-flow-test-0001");
        let table: [(&[&str], &str); 9] = [
            (&["one ", "two"], "one two\n"),
            (&["ends\n"], "ends\n"),
            (&["", ""], ""),
            (&["red \u{1b}", "[3", "1mtext"], "red text\n"),
            (&["\u{1b}]0;a title", " of two\u{7}text\n", "on"], "text\non\n"),
            (&["line\r", "\nnext"], "line\nnext\n"),
            (&["key sk-flow-", "test-0001 end"], "key [key] end\n"),
            (&["sk-flow-\u{200e}", "test-\u{1b}[0", "m0001"], "[key]\n"),
            (&["中", "文"], "中文\n"),
        ];
        for (pieces, expected) in table {
            assert_eq!(flowed(pieces), expected, "{pieces:?}");
        }
    }

    #[test]
    fn words_are_shown_as_soon_as_they_are_over() {
        let (printer, captured) = Printer::captured(Verbosity::Normal);
        let mut flow = Flow::default();
        flow.push(&printer, "one tw").unwrap();
        assert_eq!(captured.stdout(), "one ");
        flow.push(&printer, "o 中文，再").unwrap();
        assert_eq!(captured.stdout(), "one two 中文，再", "Chinese has no spaces to wait for");
    }

    proptest! {
        #[test]
        fn pieces_make_the_whole(text in "[\u{0}-\u{ff}中文 \n\u{1b}\\[\\]]*", cut in 0..40_usize) {
            let at = text.char_indices().map(|(at, _)| at).nth(cut).unwrap_or(text.len());
            let whole = clean(&text);
            let shown = flowed(&[&text[..at], &text[at..]]);
            prop_assert_eq!(shown.trim_end_matches('\n'), whole.trim_end_matches('\n'));
        }
    }
}
