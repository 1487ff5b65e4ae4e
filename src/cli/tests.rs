//! Tests of the command line as it is typed, and snapshots of its help.

use super::*;

fn line(text: &str) -> Result<Cli, clap::Error> {
    let words: Vec<OsString> = text.split_whitespace().map(OsString::from).collect();
    parse(&words)
}

#[test]
fn the_parser_is_sound_and_every_command_is_in_one_group() {
    parser().debug_assert();
    let listed: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    for command in parser().get_subcommands() {
        let times = listed.iter().filter(|name| **name == command.get_name()).count();
        assert_eq!(times, 1, "{}", command.get_name());
    }
    assert_eq!(listed.len(), parser().get_subcommands().count());
}

#[test]
fn the_users_four_lines_parse_as_they_are() {
    let Command::Workflow(args) =
        line("batchctl workflow in.csv out.csv --end-row 10").unwrap().command
    else {
        panic!()
    };
    assert_eq!(args.ask.rows.range.end_row, Some(10), "S1.04");
    assert_eq!(args.input.unwrap().to_str(), Some("in.csv"), "S1.01");
    assert_eq!(args.output.unwrap().to_str(), Some("out.csv"));
    let Command::Estimate(args) = line("batchctl estimate").unwrap().command else { panic!() };
    assert_eq!(args.input, None);
    let Command::Merge(args) = line("batchctl merge results.jsonl --original-csv").unwrap().command
    else {
        panic!()
    };
    assert_eq!(args.original_csv, Some(None), "S1.13");
    assert_eq!(args.results.len(), 1);
    let Command::Status(args) = line("batchctl status batch_abc").unwrap().command else {
        panic!()
    };
    assert_eq!(args.id.as_deref(), Some("batch_abc"));
}

#[test]
fn other_lines_that_must_parse() {
    let lines = [
        "batchctl run in.csv",
        "batchctl merge a.jsonl b.jsonl --original-csv in.csv --output-csv out.csv --start-row 5",
        "batchctl merge --original-csv in.csv a.jsonl -o out.csv",
        "batchctl create in.csv out.jsonl --model gpt-4o --start-row 0 --end-row 3",
        "batchctl create-input in.csv",
        "batchctl list",
        "batchctl wait last --max-wait 1h30m",
        "batchctl resume",
        "batchctl cancel k7f2qd -q",
        "batchctl -v --progress json workflow - - --set ragged=pad",
        "batchctl workflow in.csv --completion-window 24h --check-interval 60 --keep-temp-files",
        "batchctl workflow in.csv -n 3 -m glm-4-flash --provider zhipu -p @p.txt -s hi -y -o out.csv",
        "batchctl workflow in.csv --json-fields a,b.c,d[0] --bom --row-index --details --all-rows",
        "batchctl submit a.jsonl b.jsonl --wait",
        "batchctl config show --json",
        "batchctl login zhipu",
        "batchctl completions bash",
        "batchctl export k7f2qd - --format vllm --status error,bad",
        "batchctl compare k7f2qd last --field a --field b --reference truth -o d.csv",
        "batchctl help exit-codes",
    ];
    for text in lines {
        if let Err(error) = line(text) {
            panic!("{text}: {error}");
        }
    }
}

#[test]
fn wrong_lines_end_with_2_and_name_the_nearest() {
    let table = [
        ("batchctl workflow in.csv --end-rwo 10", "'--end-row'"),
        ("batchctl workflw in.csv", "'workflow'"),
        ("batchctl workflow in.csv --image-detail hihg", "'high'"),
        ("batchctl workflow in.csv --max-wait soon", "90s, 1h30m"),
        ("batchctl workflow in.csv --temperature 3", "0 to 2"),
        ("batchctl workflow in.csv out.csv -o other.csv", "cannot be used with"),
        ("batchctl workflow in.csv -p a --prompt-file b", "cannot be used with"),
        ("batchctl workflow in.csv -q -v", "cannot be used with"),
        ("batchctl workflow in.csv --end-row -1", "a row number is wanted, 0 or more"),
        ("batchctl workflow in.csv --retries -1", "a number of retries is wanted, 0 to 100"),
        ("batchctl resume --rounds -1", "a number of rounds is wanted, 1 to 20"),
        ("batchctl chat hi --max-cost 1USD", "daily_budget"),
        ("batchctl merge", "required"),
        ("batchctl", "Usage"),
    ];
    for (text, expected) in table {
        let error = line(text).unwrap_err();
        assert!(error.to_string().contains(expected), "{text}: {error}");
        assert_eq!(error.exit_code(), 2, "{text}");
    }
}

#[test]
fn a_key_is_never_a_flag_and_is_not_repeated_s1_09() {
    let words = |text: &str| text.split_whitespace().map(OsString::from).collect::<Vec<_>>();
    for text in [
        "batchctl workflow in.csv --api-key sk-flag-secret",
        "batchctl --api-key=sk-flag-secret status",
        "batchctl workflow --openai-api-key sk-flag-secret",
        "batchctl workflow --api_key sk-flag-secret",
    ] {
        let error = key_as_flag(&words(text)).unwrap();
        assert_eq!(error.exit, ExitCode::Usage);
        let lines = error.lines().join("\n");
        assert!(lines.contains("batchctl login openai") && !lines.contains("secret"), "{lines}");
    }
    assert!(key_as_flag(&words("batchctl workflow in.csv -p api-key")).is_none());
    assert!(key_as_flag(&words("batchctl workflow -- --api-key")).is_none());
}

#[test]
fn a_missing_key_names_the_same_line_through_the_sandbox_s1_23() {
    let table = [
        (
            "batchctl workflow in.csv out.csv",
            Some("batchctl workflow in.csv out.csv --provider sandbox"),
        ),
        (
            "batchctl workflow --provider zhipu in.csv -n 3",
            Some("batchctl workflow in.csv -n 3 --provider sandbox"),
        ),
        (
            "batchctl run in.csv -p Say:{a}",
            Some("batchctl run in.csv -p 'Say:{a}' --provider sandbox"),
        ),
        ("batchctl submit in.jsonl", None),
    ];
    for (text, expected) in table {
        let words: Vec<OsString> = text.split_whitespace().map(OsString::from).collect();
        let command = parse(&words).unwrap().command;
        assert_eq!(command.rehearsal(&words, Shell::Posix).as_deref(), expected);
    }
}

#[test]
fn short_help_shows_twenty_flags_of_the_main_command() {
    let mut parser = parser();
    parser.build();
    let workflow = parser.find_subcommand("workflow").unwrap();
    let is_shown = |arg: &&clap::Arg| {
        !arg.is_positional()
            && !arg.is_hide_set()
            && !arg.is_hide_short_help_set()
            && arg.get_id() != "help"
    };
    let shown: Vec<_> = workflow.get_arguments().filter(is_shown).map(clap::Arg::get_id).collect();
    assert_eq!(shown.len(), 20, "{shown:?}");
}

fn help_of(text: &str) -> String {
    let error = parser().term_width(100).try_get_matches_from(text.split(' ')).unwrap_err();
    assert_eq!(error.exit_code(), 0);
    error.to_string()
}

#[test]
fn help_of_the_program() {
    insta::assert_snapshot!(help_of("batchctl --help"));
}

#[test]
fn lists_and_lines_of_our_own_fit_80_columns() {
    let help = parser().term_width(80).try_get_matches_from(["batchctl", "-h"]).unwrap_err();
    for line in help.to_string().lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn help_of_workflow() {
    insta::assert_snapshot!("workflow_short", help_of("batchctl workflow -h"));
    insta::assert_snapshot!("workflow_long", help_of("batchctl workflow --help"));
}

#[test]
fn help_of_every_flag_is_one_sentence() {
    for command in parser().get_subcommands() {
        for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            let place = format!("{} {}", command.get_name(), argument.get_id());
            assert!(!help.is_empty(), "{place}");
            assert!(help.chars().count() <= 130 && !help.ends_with('.'), "{place}: {help}");
        }
    }
}
