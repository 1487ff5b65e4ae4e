//! A conversation on a terminal: a line is a question, what was said goes along with the next
//! one. Editing a line is the terminal's.

use std::io::{self, BufRead};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::ask::{Answered, Asker, Nobody};
use super::question::{Typed, typed};
use crate::commands::Context;
use crate::commands::steps::Signals;
use crate::job::StopCause;
use crate::request::Turn;
use crate::ui::{CommandError, ExitCode, Flow};

/// What stands before what a person types.
const MARK: &str = ">";
/// Bytes of a line that a terminal of Linux passes on; what is typed beyond them it drops.
const TERMINAL_LINE: usize = 4_095;
const CUT_LINE: &str = "a terminal passes on 4,095 bytes of a line at most, so that this one may \
                        be cut off: nothing was asked\n  a longer text: batchctl chat < FILE";

/// What can be typed besides questions.
const HELP: &str = "exit, quit, bye or Ctrl-D leaves · Ctrl-C stops an answer, twice leaves · \
                    /clear begins anew";

/// How asking went.
enum Heard<'a> {
    Answer(Answered<'a>),
    Nobody(Nobody),
    /// A person stopped it, after so much had come.
    Stopped(String),
    /// The process is to end.
    Terminated,
}

/// Asks what is typed until it is over.
pub(super) fn talk(context: &Context, asker: &Asker<'_>) -> Result<ExitCode, CommandError> {
    let names: Vec<String> = asker
        .chain
        .members()
        .iter()
        .map(|member| format!("{} ({})", member.name, member.model))
        .collect();
    context.block_on(async {
        let mut talk = Talk {
            context,
            asker,
            lines: lines(),
            signals: Signals::new()?,
            turns: Vec::new(),
            is_leaving: false,
        };
        // Only now a Ctrl-C is what the note says.
        context.printer.note(&format!("{} · {HELP}", names.join(", then ")));
        talk.run().await
    })?
}

struct Talk<'a> {
    context: &'a Context,
    asker: &'a Asker<'a>,
    lines: UnboundedReceiver<String>,
    signals: Signals,
    /// What was said so far.
    turns: Vec<Turn>,
    /// Whether one more Ctrl-C leaves.
    is_leaving: bool,
}

impl<'a> Talk<'a> {
    async fn run(&mut self) -> Result<ExitCode, CommandError> {
        let context = self.context;
        let printer = &context.printer;
        loop {
            printer.prompt(MARK);
            let line = tokio::select! {
                line = self.lines.recv() => line,
                cause = self.signals.next() => {
                    // The terminal shows `^C` in the middle of the line.
                    printer.important("");
                    if cause == StopCause::Terminate {
                        return Ok(ExitCode::Terminated);
                    }
                    if self.is_leaving {
                        return Ok(ExitCode::Interrupted);
                    }
                    self.is_leaving = true;
                    printer.note("once more to leave");
                    continue;
                }
            };
            let Some(line) = line else {
                // Ctrl-D leaves the cursor behind the mark.
                printer.important("");
                return Ok(ExitCode::Success);
            };
            self.is_leaving = false;
            if line.trim_end_matches(['\r', '\n']).len() >= TERMINAL_LINE {
                printer.note(CUT_LINE);
                continue;
            }
            match typed(&line) {
                Typed::Nothing => {}
                Typed::Leave => return Ok(ExitCode::Success),
                Typed::Clear => {
                    self.turns.clear();
                    printer.note("what was said is forgotten");
                }
                Typed::Help => printer.note(HELP),
                Typed::Unknown(command) => {
                    printer.note(&format!("there is no {command}; {HELP}"));
                }
                Typed::Question(text) => {
                    if let Some(exit) = self.question(text).await? {
                        return Ok(exit);
                    }
                }
            }
        }
    }

    /// Asks a question; what got no answer is not kept.
    async fn question(&mut self, text: &str) -> Result<Option<ExitCode>, CommandError> {
        self.turns.push(Turn::asked(text));
        let heard = self.hear().await?;
        match heard {
            Heard::Answer(answered) => {
                answered.tell(self.context);
                self.turns.push(Turn::answered(answered.said.text));
            }
            Heard::Nobody(nobody) => {
                self.context.printer.error(&nobody.error());
                self.turns.pop();
            }
            Heard::Stopped(text) => {
                self.context.printer.note("stopped; it may still be billed");
                self.is_leaving = true;
                if text.trim().is_empty() {
                    self.turns.pop();
                } else {
                    self.turns.push(Turn::answered(text));
                }
            }
            Heard::Terminated => return Ok(Some(ExitCode::Terminated)),
        }
        Ok(None)
    }

    async fn hear(&mut self) -> Result<Heard<'a>, CommandError> {
        let asker = self.asker;
        let mut flow = Flow::default();
        let heard = tokio::select! {
            end = asker.ask(self.context, &self.turns, Some(&mut flow)) => Ok(end?),
            cause = self.signals.next() => Err(cause),
        };
        flow.end(&self.context.printer)?;
        Ok(match heard {
            Ok(Ok(answered)) => Heard::Answer(answered),
            Ok(Err(nobody)) => Heard::Nobody(nobody),
            Err(StopCause::Interrupt) => Heard::Stopped(flow.into_text()),
            Err(StopCause::Terminate) => Heard::Terminated,
        })
    }
}

/// What is typed, line by line, read by a thread of its own: it waits for a person, whatever
/// else goes on, and ends with the process.
fn lines() -> UnboundedReceiver<String> {
    let (send, lines) = unbounded_channel();
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        let mut line = Vec::new();
        while input.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).into_owned();
            if send.send(text).is_err() {
                return;
            }
            line.clear();
        }
    });
    lines
}
