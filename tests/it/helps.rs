//! The help of every command, as files beside this one: a change of words is seen in a review.

use crate::support::workdir::WorkDir;

const COMMANDS: [&str; 29] = [
    "analyze",
    "cache",
    "cancel",
    "chat",
    "compare",
    "completions",
    "config",
    "convert",
    "demo",
    "download",
    "estimate",
    "export",
    "login",
    "logout",
    "logs",
    "merge",
    "prices",
    "providers",
    "prune",
    "resolve",
    "resume",
    "retry",
    "sandbox",
    "status",
    "submit",
    "try",
    "watch",
    "workflow",
    "help",
];

#[test]
fn helps_of_all_commands() {
    let dir = WorkDir::new();
    for command in COMMANDS {
        let run = dir.batchctl(command).arg("--help").run().exits(0);
        insta::assert_snapshot!(format!("help_{command}"), run.stdout);
        let short = dir.batchctl(command).arg("-h").run().exits(0);
        assert!(short.stdout.lines().count() <= run.stdout.lines().count(), "{short}");
    }
    let top = dir.batchctl("--help").run().exits(0);
    insta::assert_snapshot!("help", top.stdout);
    for topic in ["budget", "exit-codes", "faults", "json", "prices", "settings"] {
        let run = dir.batchctl("help").arg(topic).run().exits(0);
        insta::assert_snapshot!(format!("help_topic_{topic}"), run.stdout);
    }
}

/// A command that the list above forgets would have no snapshot.
#[test]
fn every_listed_command_has_a_snapshot() {
    let dir = WorkDir::new();
    let top = dir.batchctl("--help").run().exits(0).stdout;
    for command in COMMANDS {
        assert!(top.contains(command), "{command} is not in the help:\n{top}");
    }
    let listed = top
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|word| word.chars().all(|c| c.is_ascii_lowercase()));
    for command in listed {
        assert!(COMMANDS.contains(&command), "{command} has no snapshot");
    }
}
