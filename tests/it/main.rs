//! The integration tests: one binary, one file per subcommand or promise, so that a change is
//! linked once. They run the built program and the library from outside.

mod adopt;
mod again;
mod answers;
mod architecture;
mod bad_input;
mod budget;
mod cache;
mod cached;
mod calls_end;
mod cancel;
mod chat;
mod compare;
mod contract;
mod cost_after;
mod endings;
mod export;
mod failover;
mod faults;
mod features;
mod field;
mod formats;
mod golden;
mod helps;
mod interrupted;
mod limits;
mod logs;
mod looks;
mod matrix;
mod merging;
mod modes;
mod no_keys;
mod now;
mod odd_results;
mod on_done;
mod pictures;
mod points;
mod prices;
mod prices_before;
mod prices_shown;
mod providers;
mod prune;
mod ranges;
mod readme;
mod realtime;
mod reask;
mod rehearsal;
mod replacing;
mod request_files;
mod reshape;
mod result_files;
mod resume_all;
mod retry;
mod rounds;
mod schedules;
mod schema;
mod schema_random;
mod seeds;
mod signals;
mod status;
mod steps;
mod support;
#[cfg(feature = "xlsx")]
mod tables;
mod together;
mod tokens;
mod upstream;
mod way_out;
mod workflow;

use std::fs;

use support::repo;

/// A file that nobody declares is a test that never runs.
#[test]
fn no_file_of_the_integration_tests_is_forgotten() {
    assert_eq!(undeclared("tests/it"), Vec::<String>::new());
    assert_eq!(undeclared("tests/it/support"), Vec::<String>::new());
}

/// Names in this folder that its `main.rs` or `mod.rs` does not declare as modules.
fn undeclared(folder: &str) -> Vec<String> {
    let folder = repo(folder);
    let root = ["main.rs", "mod.rs"]
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
        .expect("a folder of tests has a main.rs or a mod.rs");
    let declared: Vec<String> = fs::read_to_string(&root)
        .expect("the root file was just found")
        .lines()
        .filter_map(|line| line.trim_start_matches("pub(crate) ").strip_prefix("mod "))
        .filter_map(|rest| rest.split([';', ' ']).next().map(str::to_owned))
        .collect();
    let mut forgotten: Vec<String> = fs::read_dir(&folder)
        .expect("the folder holds the root file")
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| *path != root)
        .filter(|path| path.extension().is_some_and(|e| e == "rs") || path.join("mod.rs").is_file())
        .filter_map(|path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()))
        .filter(|name| !declared.contains(name))
        .collect();
    forgotten.sort();
    forgotten
}
