//! The program on a terminal of its own, made by script(1), which belongs to every Debian: keys
//! are typed, the terminal is closed, and what stands on the screen in the end is read.

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use super::bench::{Bench, until};
use super::workdir::WorkDir;

/// How wide it is.
const COLUMNS: usize = 80;

/// Ctrl-C as a keyboard sends it.
pub(crate) const CONTROL_C: &[u8] = b"\x03";

/// A terminal in whose foreground the program runs.
pub(crate) struct Terminal {
    script: Child,
    keyboard: ChildStdin,
    screen: Arc<Mutex<Vec<u8>>>,
    reader: thread::JoinHandle<()>,
    folder: PathBuf,
}

impl Terminal {
    /// Runs `batchctl` with this line (split at spaces; the shell's own signs work) in the folder
    /// of a bench, waits divided by `scale`. One that is closed later takes no keys.
    pub(crate) fn open(bench: &Bench, line: &str, scale: u32, is_closed_later: bool) -> Self {
        Self::at((&bench.dir, bench.gate.address()), line, scale, is_closed_later)
    }

    /// The same in a folder of its own, the provider at this address.
    pub(crate) fn at(
        (dir, address): (&WorkDir, &str),
        line: &str,
        scale: u32,
        is_closed_later: bool,
    ) -> Self {
        let folder = dir.folder();
        for name in ["../pid", "../code"] {
            // They are of an earlier run, if they are there.
            let _ = fs::remove_file(folder.join(name));
        }
        let program = env!("CARGO_BIN_EXE_batchctl");
        // The outer shell outlives every signal, so that the code of the program is known even
        // where the terminal is gone. Only it is told of that, and it can pass that on only to
        // what runs in its background.
        let run = if is_closed_later {
            format!(
                "trap 'kill -HUP $!' HUP; {program} {line} & echo $! >../pid; wait $!; code=$?; \
                 [ $code != 129 ] || {{ wait $!; code=$?; }}"
            )
        } else {
            format!("trap : INT TERM; sh -c 'echo $$ >../pid; exec {program} {line}'; code=$?")
        };
        let command = format!(
            "stty rows 24 cols {COLUMNS}; {run}; echo $code >../code.new; \
             mv ../code.new ../code; exit $code"
        );
        let mut script = Command::new("script")
            .args(["--quiet", "--return", "--command", &command, "/dev/null"])
            .current_dir(&folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TERM", "xterm")
            .env("BATCHCTL_HOME", dir.home())
            .env("BATCHCTL_TIME_SCALE", scale.to_string())
            .env("OPENAI_BASE_URL", format!("{address}/v1"))
            .env("OPENAI_API_KEY", "sandbox-integration-test")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script(1) belongs to every Debian");
        let keyboard = script.stdin.take().expect("stdin is a pipe");
        let mut shown = script.stdout.take().expect("stdout is a pipe");
        let screen = Arc::new(Mutex::new(Vec::new()));
        let kept = screen.clone();
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = shown.read(&mut bytes) {
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend(&bytes[..count]);
            }
        });
        Self { script, keyboard, screen, reader, folder }
    }

    /// Presses keys.
    pub(crate) fn types(&mut self, keys: &[u8]) {
        // The program may have ended, and its terminal with it.
        let _ = self.keyboard.write_all(keys).and_then(|()| self.keyboard.flush());
    }

    /// Whether this was shown by now.
    pub(crate) fn shows(&self, text: &str) -> bool {
        let bytes = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        // Notes are broken between words as the terminal is wide.
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        words(&String::from_utf8_lossy(&bytes)).contains(&words(text))
    }

    /// Sends the program, and nothing else on this terminal, a request to end.
    pub(crate) fn terminates(&self) {
        let pid = fs::read_to_string(self.folder.join("../pid")).expect("the shell wrote it");
        let pid = pid.trim().parse().ok().and_then(Pid::from_raw).expect("a number above zero");
        kill_process(pid, Signal::TERM).expect("the program runs");
    }

    /// Closes the window: what runs in it is hung up.
    pub(crate) fn closes(&mut self) {
        self.script.kill().expect("it can be killed");
    }

    /// Waits until the program has ended: its code, and the screen.
    pub(crate) fn end(mut self) -> (Option<i32>, Screen) {
        let code = self.folder.join("../code");
        until("the program has ended", || code.exists());
        let code = fs::read_to_string(code).expect("it is there").trim().parse().ok();
        drop(self.keyboard);
        self.script.wait().expect("it ends");
        self.reader.join().expect("reading a pipe does not panic");
        let bytes = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        (code, Screen::of(&String::from_utf8_lossy(&bytes)))
    }
}

/// What stands on a terminal that is as high as it must be.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    /// All lines, the oldest first.
    pub(crate) lines: Vec<String>,
    /// The line of the cursor.
    row: usize,
    column: usize,
    is_cursor_hidden: bool,
}

impl Screen {
    /// Shows what a program sent. Only what moving lines need is understood.
    fn of(sent: &str) -> Self {
        let mut screen = Self { lines: vec![String::new()], ..Self::default() };
        let mut rest = sent;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '\r' => screen.column = 0,
                '\n' => screen.goes_to(screen.row + 1),
                '\u{1b}' => {
                    let Some(end) = rest.find(|c: char| c.is_ascii_alphabetic()) else { break };
                    screen.obeys(&rest[..=end]);
                    rest = &rest[end + 1..];
                }
                c => screen.puts(c),
            }
        }
        screen
    }

    fn goes_to(&mut self, row: usize) {
        self.row = row;
        while self.lines.len() <= row {
            self.lines.push(String::new());
        }
    }

    fn puts(&mut self, c: char) {
        // As real ones do: a line that is exactly full does not begin the next one yet.
        if self.column == COLUMNS {
            self.goes_to(self.row + 1);
            self.column = 0;
        }
        let line = &mut self.lines[self.row];
        let mut cells: Vec<char> = line.chars().collect();
        cells.resize(cells.len().max(self.column + 1), ' ');
        cells[self.column] = c;
        *line = cells.into_iter().collect();
        self.column += 1;
    }

    fn obeys(&mut self, order: &str) {
        let number = order.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(1);
        match order.chars().last() {
            Some('A') => self.row = self.row.saturating_sub(number),
            Some('B') => self.goes_to(self.row + number),
            Some('K') if order == "[2K" => self.lines[self.row].clear(),
            Some('K') => {
                let kept = self.lines[self.row].chars().take(self.column).collect();
                self.lines[self.row] = kept;
            }
            Some('J') => {
                self.lines.truncate(self.row + 1);
                self.obeys("[K");
            }
            Some('l') if order == "[?25l" => self.is_cursor_hidden = true,
            Some('h') if order == "[?25h" => self.is_cursor_hidden = false,
            // Colours.
            Some('m') => {}
            _ => panic!("the program sends {order:?} to the terminal"),
        }
    }

    /// Whether a shell that prompts now does so on a line of its own, with a cursor, and no
    /// moving line was left behind.
    pub(crate) fn is_tidy(&self) -> bool {
        let is_moving = |line: &String| line.contains(|c| ('\u{2800}'..='\u{28ff}').contains(&c));
        // The terminal itself shows keys that came when the program had ended.
        let is_blank = |line: &String| line.replace("^C", "").trim().is_empty();
        let below = self.lines[self.row..].iter().all(is_blank);
        let is_at_start = self.column == 0 || self.lines[self.row].starts_with("^C");
        below && is_at_start && !self.is_cursor_hidden && !self.lines.iter().any(is_moving)
    }

    /// Whether a line says this.
    pub(crate) fn says(&self, text: &str) -> bool {
        self.lines.iter().any(|line| line.contains(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_is_tidy_only_without_a_moving_line() {
        let cases = [
            ("done\r\n", true),
            ("done", false),
            ("⠋ reading", false),
            ("⠋ reading\r\x1b[2Kdone\r\n", true),
            ("⠋ reading\r\n  below\r\x1b[1A\x1b[2K\x1b[1B\x1b[2K\x1b[1Aok\r\n", true),
            ("\x1b[?25ldone\r\n", false),
            ("⠋ reading\r\ndone\r\n", false),
        ]
        .map(|(sent, is_tidy)| (sent.to_owned(), is_tidy));
        // A moving line of two, the first as wide as the terminal, is taken back.
        let full = format!("⠋{}", " ".repeat(2 * COLUMNS - 1));
        let taken = format!("a\r\n{full}\x1b[1A\r\x1b[2K\x1b[1B\r\x1b[2K\x1b[1Ab\r\n");
        assert_eq!(Screen::of(&taken).lines, ["a", "b", ""]);

        for (sent, expected) in cases {
            let screen = Screen::of(&sent);
            assert_eq!(screen.is_tidy(), expected, "{sent:?}: {screen:?}");
        }
        assert!(Screen::of("⠋ old\r\x1b[2Knew").says("new"));
        assert!(!Screen::of("⠋ old\r\x1b[2Knew").says("old"));
    }
}
