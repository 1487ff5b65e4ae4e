//! Both READMEs name every command, every `batchctl` line in them is one that the program takes,
//! and both show the same lines.

use std::fs;

use batchctl::cli::Cli;
use clap::CommandFactory as _;

use crate::support::repo;

const READMES: [&str; 2] = ["README.md", "README.zh-CN.md"];

fn readme(name: &str) -> String {
    fs::read_to_string(repo(name)).unwrap_or_else(|error| panic!("cannot read {name}: {error}"))
}

/// One fenced block: its language and its lines, with the number of the first.
struct Block {
    language: String,
    first: usize,
    lines: Vec<String>,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            if !open {
                let language = language.trim().to_owned();
                found.push(Block { language, first: number + 2, lines: Vec::new() });
            }
            open = !open;
        } else if open && let Some(block) = found.last_mut() {
            block.lines.push(line.to_owned());
        }
    }
    assert!(!open, "a block of code is not closed");
    found
}

/// The shell lines of a block with `\` continuations joined.
fn shell_lines(block: &Block) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (offset, line) in block.lines.iter().enumerate() {
        let piece = line.trim_end().strip_suffix('\\').unwrap_or(line);
        match found.last_mut().filter(|_| open) {
            Some((_, whole)) => whole.push_str(piece),
            None => found.push((block.first + offset, piece.to_owned())),
        }
        open = piece.len() != line.len();
    }
    found
}

/// The simple commands of a line, each as its words: what a shell would start.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut found = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut characters = line.chars().peekable();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some('"'), '\\') if matches!(characters.peek(), Some('"' | '\\' | '$')) => {
                word.get_or_insert_default().extend(characters.next());
            }
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, '|' | ';' | '&' | '<' | '>' | ' ' | '\t') => {
                let last = found.last_mut().expect("it is never empty");
                last.extend(word.take());
                if matches!(c, '|' | ';' | '&') {
                    found.push(Vec::new());
                }
                if matches!(c, '<' | '>') {
                    // A redirection: what follows is a file of the shell's, not an argument.
                    while characters.next_if(|c| matches!(c, ' ' | '>')).is_some() {}
                    while characters.next_if(|c| !c.is_whitespace()).is_some() {}
                }
            }
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    found.last_mut().expect("it is never empty").extend(word);
    found.retain(|words| !words.is_empty());
    found
}

/// The program's arguments if these words start it, after `NAME=value` and `cargo run … --`.
fn our_arguments(words: &[String]) -> Option<Vec<String>> {
    let is_setting = |word: &String| {
        word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
        })
    };
    let start = words.iter().position(|word| word != "$" && !is_setting(word))?;
    match words[start..].iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [program, rest @ ..] if *program == "batchctl" || program.ends_with("/batchctl") => {
            Some(rest.iter().map(|word| (*word).to_owned()).collect())
        }
        ["cargo", "run", rest @ ..] => {
            let at = rest.iter().position(|word| *word == "--")?;
            Some(rest[at + 1..].iter().map(|word| (*word).to_owned()).collect())
        }
        _ => None,
    }
}

#[test]
fn both_readmes_name_every_command() {
    let root = Cli::command();
    for name in READMES {
        let text = readme(name);
        let missing: Vec<&str> = root
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
            .map(clap::Command::get_name)
            .filter(|command| !text.contains(&format!("batchctl {command}")))
            .collect();
        assert!(missing.is_empty(), "{name} names no line with {missing:?}");
    }
}

#[test]
fn every_line_of_the_readmes_is_one_that_the_program_takes() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for name in READMES {
        for block in blocks(&readme(name)).iter().filter(|b| b.language == "sh") {
            for (number, line) in shell_lines(block) {
                for arguments in commands(&line).iter().filter_map(|words| our_arguments(words)) {
                    seen += 1;
                    let whole = std::iter::once("batchctl".to_owned()).chain(arguments);
                    if let Err(error) = Cli::command().try_get_matches_from(whole)
                        && error.use_stderr()
                    {
                        wrong.push(format!("{name}:{number}: {line}\n{error}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(seen > 20, "only {seen} lines of the program were found");
}

/// Words around the code are translated, comments in shell lines too, the lines are not.
#[test]
fn both_readmes_show_the_same_lines() {
    let code = |name: &str| -> Vec<String> {
        let strip = |line: &str| line.split(" #").next().unwrap_or(line).trim_end().to_owned();
        blocks(&readme(name))
            .iter()
            .filter(|block| !block.language.is_empty())
            .flat_map(|block| block.lines.iter().map(|line| strip(line)).collect::<Vec<_>>())
            .filter(|line| !line.starts_with('#'))
            .collect()
    };
    assert_eq!(code(READMES[0]), code(READMES[1]));
}

/// What CI runs as tests is what the README tells a newcomer to type.
#[test]
fn the_readme_s_test_command_is_the_one_that_is_checked() {
    let check = fs::read_to_string(repo("scripts/check.sh")).expect("the script is there");
    assert!(check.lines().any(|line| line.trim() == "cargo test"));
    for name in READMES {
        let text = readme(name);
        assert!(blocks(&text).iter().any(|b| b.lines.iter().any(|line| line == "cargo test")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_as_a_shell_splits_it() {
        let words = |line: &str| commands(line).join(&"|".to_owned()).join(" · ");
        let cases = [
            ("batchctl status # all jobs", "batchctl · status"),
            (
                "A=1 batchctl x 'a b' \"c\\\"d\" | head -3",
                "A=1 · batchctl · x · a b · c\"d · | · head · -3",
            ),
            ("batchctl merge - < a.jsonl > b.csv", "batchctl · merge · -"),
        ];
        for (line, wanted) in cases {
            assert_eq!(words(line), wanted);
        }
        let ours = |line: &str| our_arguments(&commands(line)[0]).map(|words| words.join(" "));
        assert_eq!(ours("OPENAI_API_KEY=x batchctl demo").as_deref(), Some("demo"));
        assert_eq!(ours("cargo run --release -- demo").as_deref(), Some("demo"));
        assert_eq!(ours("./target/release/batchctl demo").as_deref(), Some("demo"));
        assert_eq!(ours("cargo test"), None);
    }
}
