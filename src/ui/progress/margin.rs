//! The terminal a bar is drawn on, with the cursor where Ctrl-C does no harm.

use std::io;

use console::Term;
use indicatif::TermLike;

/// Stderr. Lines of a bar fill it to its right edge; a cursor left there lets the `^C` that the
/// terminal shows begin a line of its own, and one line too few would be taken back afterwards.
#[derive(Debug)]
pub(super) struct AtTheMargin(Term);

impl AtTheMargin {
    pub(super) fn new() -> Self {
        Self(Term::buffered_stderr())
    }
}

impl TermLike for AtTheMargin {
    fn width(&self) -> u16 {
        TermLike::width(&self.0)
    }

    fn height(&self) -> u16 {
        TermLike::height(&self.0)
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        gone_or_not(self.0.move_cursor_up(n))
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        gone_or_not(self.0.move_cursor_down(n))
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        gone_or_not(self.0.move_cursor_right(n))
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        gone_or_not(self.0.move_cursor_left(n))
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        gone_or_not(self.0.write_line(text))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        gone_or_not(self.0.write_str(text))
    }

    fn clear_line(&self) -> io::Result<()> {
        gone_or_not(self.0.clear_line())
    }

    /// Each drawing ends with it.
    fn flush(&self) -> io::Result<()> {
        gone_or_not(self.0.write_str("\r").and_then(|()| self.0.flush()))
    }
}

/// A closed window is no failure: what draws would panic, and the hang-up that came with it would
/// not be obeyed.
#[expect(clippy::unnecessary_wraps, reason = "what the trait returns")]
fn gone_or_not(drawn: io::Result<()>) -> io::Result<()> {
    drop(drawn);
    Ok(())
}
