//! Questions. Asked only where a person can answer; the default is always no.

use std::io::{self, BufRead, IsTerminal};

use super::clean::clean;
use super::printer::Printer;

/// Whether questions may be asked: stdin and stderr are terminals and `CI` is unset.
pub fn is_interactive() -> bool {
    let ci = std::env::var_os("CI").is_some_and(|text| !text.is_empty());
    io::stdin().is_terminal() && io::stderr().is_terminal() && !ci
}

impl Printer {
    /// Asks a yes-or-no question on the terminal; anything but `y` or `yes` is no, so is an end
    /// of input. What was typed before the question could be read answers nothing. Ask only if
    /// [`is_interactive`].
    pub fn confirm(&self, question: &str) -> io::Result<bool> {
        Ok(is_yes(&self.answer(&format!("{question} [y/N]"))?))
    }

    /// The line that is typed once the question can be read.
    fn answer(&self, question: &str) -> io::Result<String> {
        self.without_bars(|| {
            forget_typed();
            self.prompt(&clean(question));
            read_line(&mut io::stdin().lock())
        })
    }

    /// Asks for one of several letters on the terminal; `None` if the answer is none of them.
    pub fn choose(&self, question: &str, letters: &[char]) -> io::Result<Option<char>> {
        let line = self.answer(question)?;
        let first = line.trim().chars().next().map(|c| c.to_ascii_lowercase());
        Ok(first.filter(|letter| letters.contains(letter)))
    }

    /// Reads a key: typed without echo on a terminal, else the first line of stdin.
    pub fn read_key(&self, question: &str) -> io::Result<String> {
        if !io::stdin().is_terminal() {
            return read_line(&mut io::stdin().lock()).map(|line| line.trim().to_owned());
        }
        self.prompt(clean(question).trim_end());
        let key = console::Term::stderr().read_secure_line()?;
        Ok(key.trim().to_owned())
    }
}

/// Throws away what was typed and not read yet; a pipe keeps what it holds.
#[cfg(unix)]
fn forget_typed() {
    // Best effort: it is refused only where stdin is no terminal.
    let _ = rustix::termios::tcflush(io::stdin(), rustix::termios::QueueSelector::IFlush);
}

/// Throws away what was typed and not read yet, where that can be done.
#[cfg(not(unix))]
fn forget_typed() {}

fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

fn read_line(input: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_no() {
        for (line, expected) in [
            ("y\n", true),
            ("YES\n", true),
            ("\n", false),
            ("", false),
            ("n\n", false),
            ("yolo\n", false),
        ] {
            assert_eq!(is_yes(line), expected, "{line:?}");
        }
    }
}
