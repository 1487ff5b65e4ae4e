//! Who may write where: results on stdout, everything else on stderr. A closed pipe is a quiet
//! success.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::clean::{clean, is_hidden};
use super::colour::{Colour, Style};
use super::exit::ExitCode;
use super::fold::fold;

/// How much is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors and results only (`-q`).
    Quiet,
    /// Notes and warnings too.
    #[default]
    Normal,
    /// Details too (`-v`).
    Verbose,
}

type Sink = Arc<Mutex<dyn Write + Send>>;

/// The one place that prints. Every line to stderr is cleaned; data to stdout goes out byte for
/// byte unless it is text for a terminal. Clones print to the same places.
#[derive(Clone)]
pub struct Printer {
    verbosity: Verbosity,
    colour: Colour,
    out: Sink,
    err: Sink,
    /// A bar on the terminal that has to step aside for a line; shared by all clones.
    bars: Arc<OnceLock<indicatif::MultiProgress>>,
    /// Notes, warnings and errors as JSON lines too (`--progress json`).
    is_json: bool,
    /// Whether a document went to stdout; shared by all clones.
    has_document: Arc<AtomicBool>,
    /// The terminals behind stdout and stderr, where they are some.
    terminals: [Option<console::Term>; 2],
}

impl std::fmt::Debug for Printer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Printer").field("verbosity", &self.verbosity).finish_non_exhaustive()
    }
}

impl Printer {
    /// Prints to this process's stdout and stderr; colour is for stderr.
    pub fn new(verbosity: Verbosity, colour: Colour) -> Self {
        Self {
            verbosity,
            colour,
            out: Arc::new(Mutex::new(io::stdout())),
            err: Arc::new(Mutex::new(io::stderr())),
            bars: Arc::default(),
            is_json: false,
            has_document: Arc::default(),
            terminals: [
                io::stdout().is_terminal().then(console::Term::stdout),
                io::stderr().is_terminal().then(console::Term::stderr),
            ],
        }
    }

    /// Prints into memory, for tests: gives back what went to stdout and to stderr.
    pub fn captured(verbosity: Verbosity) -> (Self, Captured) {
        let captured = Captured::default();
        let printer = Self {
            verbosity,
            colour: Colour::Never,
            out: captured.out.clone(),
            err: captured.err.clone(),
            bars: Arc::default(),
            is_json: false,
            has_document: Arc::default(),
            terminals: [None, None],
        };
        (printer, captured)
    }

    /// The same with everything on stderr as one JSON object per line, so that a program that
    /// reads the events is not given anything else.
    #[must_use]
    pub fn in_json_lines(mut self) -> Self {
        self.is_json = true;
        self
    }

    /// Steps aside for these bars from now on; the first ones stay.
    pub(super) fn stand_beside(&self, bars: indicatif::MultiProgress) {
        let _ = self.bars.set(bars);
    }

    /// Whether stderr is JSON lines.
    pub(super) fn is_json(&self) -> bool {
        self.is_json
    }

    /// Whether a document was printed on stdout, as a whole or in part.
    pub(super) fn has_document(&self) -> bool {
        self.has_document.load(Ordering::Relaxed)
    }

    /// How much is said.
    pub fn verbosity(&self) -> Verbosity {
        self.verbosity
    }

    /// Whether stderr takes colour.
    pub fn colour(&self) -> Colour {
        self.colour
    }

    /// A sentence that may help; not with `-q`.
    pub fn note(&self, text: &str) {
        if self.verbosity >= Verbosity::Normal {
            self.say("note", Style::Plain, &clean(text));
        }
    }

    /// Something to look at; the run goes on. Not with `-q`.
    pub fn warning(&self, text: &str) {
        if self.verbosity >= Verbosity::Normal {
            self.say("warning", Style::Warning, &clean(text));
        }
    }

    /// A detail; only with `-v`.
    pub fn detail(&self, text: &str) {
        if self.verbosity >= Verbosity::Verbose {
            self.say("detail", Style::Faint, &clean(text));
        }
    }

    /// What a person must see even with `-q`: errors, and how to go on or stop after an
    /// interrupt.
    pub fn important(&self, text: &str) {
        self.say("important", Style::Plain, &clean(text));
    }

    fn say(&self, event: &str, style: Style, text: &str) {
        if self.is_json {
            return self.line(&serde_json::json!({ "event": event, "text": text }).to_string());
        }
        match style {
            Style::Warning => {
                let text = folded(&format!("warning: {text}"), self.terminals[1].as_ref());
                let word = self.colour.paint(Style::Warning, "warning:");
                self.line(&text.replacen("warning:", &word, 1));
            }
            // What must be seen holds commands to be copied.
            _ if event == "important" => self.line(text),
            style => {
                let text = folded(text, self.terminals[1].as_ref());
                self.line(&self.colour.paint(style, &text));
            }
        }
    }

    /// A line about progress; not with `-q`.
    pub(super) fn progress_line(&self, text: &str) {
        if self.verbosity >= Verbosity::Normal {
            self.line(text);
        }
    }

    /// Text for stderr whose foreign parts are clean already and which may hold colour.
    pub(super) fn line(&self, text: &str) {
        let write = || {
            let mut err = self.err.lock().unwrap_or_else(PoisonError::into_inner);
            // Nobody is there to be told that stderr is closed.
            let _ = writeln!(err, "{text}");
        };
        match self.bars.get() {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }

    /// Takes the bars off the terminal and ends the process, whatever its other threads do.
    pub fn end_now(&self, exit: ExitCode) -> ! {
        let end = || std::process::exit(exit.code().into());
        match self.bars.get() {
            // They are not there as long as this lasts, and nobody draws them again.
            Some(bars) => bars.suspend(end),
            None => end(),
        }
    }

    /// Text that a person must read and that is not laid out in columns: as [`Self::important`],
    /// but on a terminal it is broken between words.
    pub fn prose(&self, text: &str) {
        self.say("important", Style::Plain, &folded(&clean(text), self.terminals[1].as_ref()));
    }

    /// A line of an error, clean already, as it fits into the terminal; what marks it is painted.
    pub(super) fn error_line(&self, text: &str) {
        let text = folded(text, self.terminals[1].as_ref());
        let marks = [("error:", Style::Error), ("  fix:", Style::Good)];
        let mark = marks.into_iter().find(|(mark, _)| text.starts_with(mark));
        self.line(&match mark {
            Some((mark, style)) => {
                let (indent, word) = mark.split_at(mark.len() - mark.trim_start().len());
                format!("{indent}{}{}", self.colour.paint(style, word), &text[mark.len()..])
            }
            None => text,
        });
    }

    /// Runs what asks a person, with the bars off the terminal: they would draw over the question
    /// as long as it stands. Other lines may still be printed meanwhile.
    pub(super) fn without_bars<T>(&self, ask: impl FnOnce() -> T) -> T {
        let Some(bars) = self.bars.get() else { return ask() };
        // Best effort: a terminal that is gone asks nobody.
        let _ = bars.clear();
        bars.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        let answer = ask();
        bars.set_draw_target(super::progress::bar::target());
        answer
    }

    /// Text without a line break at its end, for a question, and a space to answer behind.
    pub fn prompt(&self, text: &str) {
        let text = folded(text, self.terminals[1].as_ref());
        let mut err = self.err.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = write!(err, "{text} ");
        let _ = err.flush();
    }

    /// A line of results on stdout, cleaned: what goes into a pipe may well end on a terminal. An
    /// error of the kind `BrokenPipe` means that nobody reads on: end quietly.
    pub fn data(&self, text: &str) -> io::Result<()> {
        let text = clean(text);
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(out, "{text}")?;
        out.flush()
    }

    /// A part of a text on stdout, clean already; see [`Flow`](super::Flow).
    pub(super) fn part(&self, text: &str) -> io::Result<()> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Whether stdout is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.terminals[0].is_some()
    }

    /// Cells of a line of stdout where that is a terminal.
    pub fn columns(&self) -> Option<usize> {
        self.terminals[0].as_ref().map(columns_of)
    }

    /// The same for a line that only people read: on a terminal it is broken between words.
    pub fn row(&self, text: &str) -> io::Result<()> {
        self.data(&folded(&clean(text), self.terminals[0].as_ref()))
    }

    /// One JSON document on stdout, with line breaks for people.
    pub fn json(&self, document: &impl serde::Serialize) -> io::Result<()> {
        let text = serde_json::to_string_pretty(document)?;
        self.has_document.store(true, Ordering::Relaxed);
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(out, "{}", harmless(&text))?;
        out.flush()
    }

    /// One JSON object on stdout whose last member is a list that need not fit into memory: the
    /// members of `head`, an object with at least one, and the items under `name`.
    pub fn json_with_list<T: serde::Serialize, E: From<io::Error>>(
        &self,
        head: &impl serde::Serialize,
        name: &str,
        items: impl Iterator<Item = Result<T, E>>,
    ) -> Result<(), E> {
        let head = serde_json::to_string_pretty(head).map_err(io::Error::from)?;
        let head = head.strip_suffix("\n}").expect("an object with members ends so");
        self.has_document.store(true, Ordering::Relaxed);
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        write!(out, "{},\n  \"{name}\": [", harmless(head))?;
        for (number, item) in items.enumerate() {
            let item = serde_json::to_string(&item?).map_err(io::Error::from)?;
            let comma = if number == 0 { "" } else { "," };
            write!(out, "{comma}\n    {}", harmless(&item))?;
        }
        writeln!(out, "\n  ]\n}}")?;
        Ok(out.flush()?)
    }
}

/// The text as it fits into a terminal, if it goes to one.
fn folded(text: &str, terminal: Option<&console::Term>) -> String {
    let Some(terminal) = terminal else { return text.to_owned() };
    // Some begin a new line when the last cell is filled.
    fold(text, columns_of(terminal) - 1).join("\n")
}

fn columns_of(terminal: &console::Term) -> usize {
    terminal.size_checked().map_or(80, |(_, columns)| usize::from(columns).max(1))
}

/// JSON without loaded keys, and with everything escaped that a terminal might obey: JSON itself
/// asks that only of the first 32 characters. Its meaning stays the same.
fn harmless(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        // Between strings stand no other control characters than these.
        if c != '\n' && (c.is_control() || is_hidden(c)) {
            out.extend([format!("\\u{:04x}", u32::from(c))]);
        } else {
            out.push(c);
        }
    }
    crate::base::redact(&out).into_owned()
}

/// What a [`Printer::captured`] was given.
#[derive(Debug, Clone, Default)]
pub struct Captured {
    out: Arc<Mutex<Vec<u8>>>,
    err: Arc<Mutex<Vec<u8>>>,
}

impl Captured {
    /// What went to stdout so far.
    pub fn stdout(&self) -> String {
        text_of(&self.out)
    }

    /// What went to stderr so far.
    pub fn stderr(&self) -> String {
        text_of(&self.err)
    }
}

fn text_of(bytes: &Mutex<Vec<u8>>) -> String {
    String::from_utf8_lossy(&bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Secret;

    #[test]
    fn what_is_said_depends_on_verbosity_and_is_always_clean() {
        let table = [
            (Verbosity::Quiet, "must\n"),
            (Verbosity::Normal, "note \nwarning: odd\nmust\n"),
            (Verbosity::Verbose, "note \nwarning: odd\nfine\nmust\n"),
        ];
        for (verbosity, expected) in table {
            let (printer, captured) = Printer::captured(verbosity);
            printer.note("note \u{1b}[2J");
            printer.warning("odd\u{7}");
            printer.detail("fine");
            printer.important("must");
            assert_eq!(captured.stderr(), expected);
            assert_eq!(captured.stdout(), "");
        }
    }

    #[test]
    fn json_means_the_same_and_moves_no_terminal() {
        let (printer, captured) = Printer::captured(Verbosity::Normal);
        let text = "a\u{1b}[2J\u{9b}31m\u{202e}\u{7f}中文\n";
        printer.json(&serde_json::json!({ "error": text })).unwrap();
        let items = [text, "b"].map(Ok::<_, io::Error>);
        printer
            .json_with_list(&serde_json::json!({ "n": {"m": 1} }), "rows", items.into_iter())
            .unwrap();
        let none = std::iter::empty::<io::Result<u8>>();
        printer.json_with_list(&serde_json::json!({ "n": [] }), "rows", none).unwrap();
        let out = captured.stdout();
        assert!(out.chars().all(|c| c == '\n' || !c.is_control() && !is_hidden(c)), "{out:?}");
        let mut documents =
            serde_json::Deserializer::from_str(&out).into_iter::<serde_json::Value>();
        assert_eq!(documents.next().unwrap().unwrap()["error"], text);
        let list = documents.next().unwrap().unwrap();
        assert_eq!(list, serde_json::json!({ "n": {"m": 1}, "rows": [text, "b"] }));
        assert_eq!(documents.next().unwrap().unwrap()["rows"], serde_json::json!([]));
    }

    #[test]
    fn no_key_leaves_by_any_door() {
        Secret::new("sk-printer-test-0001");
        let (printer, captured) = Printer::captured(Verbosity::Verbose);
        let text = "refused: sk-printer-test-0001";
        printer.note(text);
        printer.warning(text);
        printer.detail(text);
        printer.important(text);
        printer.data(text).unwrap();
        printer.json(&serde_json::json!({ "error": text })).unwrap();
        let all = captured.stdout() + &captured.stderr();
        assert!(!all.contains("sk-printer"), "{all}");
        assert_eq!(all.matches("[key]").count(), 6);
    }
}
