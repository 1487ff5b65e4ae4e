//! The examples that people come with (S0.26, S3.16, S4): each goes through a batch and through
//! calls, and the tables are the same to the byte.

use crate::support::runs::at;
use crate::support::sandbox::Sandbox;
use crate::support::workdir::{Run, WorkDir};

/// An example: its table, what is asked, the exit code, and a cell that must come of it.
struct Example {
    name: &'static str,
    flags: &'static [&'static str],
    exit: i32,
    cells: &'static [(usize, &'static str, &'static str)],
}

const EXAMPLES: &[Example] = &[
    Example {
        name: "sentiment",
        flags: &[
            "--prompt-file",
            "sentiment.txt",
            "--input-column",
            "review",
            "--json-fields",
            "sentiment:positive|negative|neutral,confidence:number,reason",
        ],
        exit: 0,
        cells: &[
            (0, "sentiment", "positive"),
            (1, "reason", "broken, no answer"),
            (3, "reason", "质量好"),
            (5, "sentiment", "neutral"),
        ],
    },
    Example {
        name: "classification",
        flags: &[
            "--prompt-file",
            "classification.txt",
            "--input-column",
            "Ticket Text",
            "--json-fields",
            "category,tags,urgent:bool",
        ],
        exit: 3,
        cells: &[
            (0, "tags", r#"["login","today"]"#),
            (2, "category", "bug"),
            (4, "status", "unparsed"),
            (4, "raw_response", "I would file this under question."),
        ],
    },
    Example {
        name: "extraction",
        flags: &[
            "--prompt-file",
            "extraction.txt",
            "--input-column",
            "note",
            "--json-fields",
            "name,company,skills,contact.mail",
        ],
        exit: 0,
        cells: &[
            (0, "name", "Li Wei"),
            (1, "skills", r#"["{portraits}","{{murals}}"]"#),
            (3, "contact.mail", "ana@example.com"),
        ],
    },
    Example {
        name: "chat",
        flags: &["--prompt", "In one sentence: {question}"],
        exit: 0,
        cells: &[(0, "status", "ok")],
    },
    Example {
        name: "pictures",
        flags: &["--prompt", "Describe {what}.", "--image-column", "file"],
        exit: 0,
        cells: &[
            (0, "response", "A cartoon of a cat."),
            (2, "response", "Mountains above a lake."),
        ],
    },
    Example {
        name: "relations",
        flags: &[
            "--prompt-file",
            "relations.txt",
            "--json-fields",
            "relation,confidence:number",
            "--default",
            "relation=unknown",
            "--default",
            "confidence=0.5",
        ],
        exit: 3,
        cells: &[
            (0, "relation", "employer"),
            (5, "relation", "unknown"),
            (5, "confidence", "0.5"),
            (5, "status", "defaulted"),
            (7, "status", "defaulted"),
            (199, "relation", "none"),
        ],
    },
];

/// The fixtures, and a sandbox that answers as they say.
fn desk() -> (WorkDir, Sandbox) {
    let dir = WorkDir::new();
    dir.fixture("seeds");
    dir.fixture("images");
    for entry in std::fs::read_dir(dir.path("seeds")).expect("it was just copied") {
        let from = entry.expect("it can be listed").path();
        let to = dir.path(&from.file_name().expect("a name").to_string_lossy());
        std::fs::rename(from, to).expect("a scratch file can be moved");
    }
    let rules = format!("script:{}", dir.path("answers.json").display());
    let sandbox = Sandbox::with(&["--batch-seconds", "0.1", "--answers", &rules]);
    (dir, sandbox)
}

fn run(dir: &WorkDir, sandbox: &Sandbox, example: &Example, more: &[&str]) -> Run {
    let name = example.name;
    let line = format!("workflow {name}.csv {name}.out.csv --row-index --max-tokens 200 --yes");
    at(sandbox, dir.batchctl(&line)).args(example.flags).args(more)
}

/// S0.26, S4.14, S4.15, S4.16, B02: the same line in both modes gives the same table, in the
/// table's order, with defaults for what failed.
#[test]
fn s0_26_s4_14_s4_15_the_examples_give_the_same_table_in_both_modes() {
    let (batch, first) = desk();
    let (calls, second) = desk();
    for example in EXAMPLES {
        let name = format!("{}.out.csv", example.name);
        run(&batch, &first, example, &["--mode", "batch"]).run().exits(example.exit);
        run(&calls, &second, example, &["--now"]).run().exits(example.exit);
        let table = batch.cells(&name);
        for (row, column, expected) in example.cells {
            assert_eq!(table.column(column)[*row], *expected, "{name}, row {row}, {column}");
        }
        let rows = table.column("row_index");
        assert!(rows.iter().enumerate().all(|(row, cell)| *cell == row.to_string()), "{name}");
        assert_eq!(batch.read(&name), calls.read(&name), "{name}");
        assert_eq!(batch.bytes(&name), calls.bytes(&name), "{name}");
    }
    assert_eq!(first.seen()["calls"], 0, "batches made no call");
    assert_eq!((first.created(), second.created()), (EXAMPLES.len(), 0));
    assert_eq!(second.seen()["answered_again"], 0);
    let relations = calls.cells("relations.out.csv");
    assert_eq!(relations.len(), 200);
    let filled = relations.column("status").iter().filter(|cell| **cell == "defaulted").count();
    assert!((15..40).contains(&filled), "{filled} of 200 failed");
    assert!(relations.column("relation").iter().all(|cell| !cell.is_empty()));
}

/// S3.11, S3.12: the one sentence and the picture by `chat` are the cells of the tables.
#[test]
fn s3_11_chat_says_what_stands_in_the_table() {
    let (dir, sandbox) = desk();
    let question = "In one sentence: What is a batch API? (q1)";
    let said = at(&sandbox, dir.batchctl("chat -p")).arg(question).run().exits(0);
    run(&dir, &sandbox, &EXAMPLES[3], &["--now"]).run().exits(0);
    assert_eq!(said.stdout.trim_end(), dir.cells("chat.out.csv").column("response")[0]);
    let line = "chat --image images/cat.png -p";
    let said = at(&sandbox, dir.batchctl(line)).arg("Describe the animal.").run().exits(0);
    assert_eq!(said.stdout, "A cartoon of a cat.\n");
}
