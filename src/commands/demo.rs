//! `demo`: a small table through the sandbox, in seconds, without a key.

use std::path::{Path, PathBuf};

use super::Context;
use super::flags::JsonArg;
use super::steps::{open_table, run_workflow};
use crate::config::key;
use crate::job::JobError;
use crate::ui::{CommandError, ExitCode, grid, shorten};

/// Arguments of `demo`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Folder to work in; made if missing [default: batchctl-demo]
    #[arg(value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

/// The table and its pictures, as files of the demo's folder.
const FILES: [(&str, &[u8]); 7] = [
    ("demo.csv", include_bytes!("../../fixtures/demo/demo.csv")),
    ("cat.png", include_bytes!("../../fixtures/images/cat.png")),
    ("chart.png", include_bytes!("../../fixtures/images/chart.png")),
    ("fish.gif", include_bytes!("../../fixtures/images/fish.gif")),
    ("flower.webp", include_bytes!("../../fixtures/images/flower.webp")),
    ("house.png", include_bytes!("../../fixtures/images/house.png")),
    ("mountain.jpg", include_bytes!("../../fixtures/images/mountain.jpg")),
];

/// Cells of a terminal that a text is shown in: the whole table then fits 80.
const CELL_WIDTH: usize = 22;

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let named = args.folder.clone().unwrap_or_else(|| PathBuf::from("batchctl-demo"));
    let folder = context.folder.join(&named);
    std::fs::create_dir_all(&folder).map_err(JobError::file("make", &folder))?;
    for (name, content) in FILES {
        let path = folder.join(name);
        if !path.exists() {
            std::fs::write(&path, content).map_err(JobError::file("write", &path))?;
        }
    }
    let input = folder.join("demo.csv");
    let output = folder.join("answers.csv");
    let context = context.with_settings(|over| {
        over.text(key::PROVIDER, Some("sandbox"));
        // Nobody wants to be told of a rehearsal.
        over.text(key::ON_DONE, Some(""));
        over.text(key::PROMPT, Some("{text}"));
        over.text(key::JSON_FIELDS, Some("mood,summary"));
    });
    let exit = run_workflow(&input, &output, &context)?;
    if exit == ExitCode::Success && !context.json {
        show(&output, &context)?;
        next_lines(&named, &context);
    }
    Ok(exit)
}

/// The first columns of the answers, so that nobody has to open a file to see what happened.
fn show(output: &Path, context: &Context) -> Result<(), CommandError> {
    let scratch = tempfile::tempdir()?;
    let table = open_table(output, context, scratch.path())?;
    let wanted = ["id", "text", "photo", "mood", "status"];
    let columns: Vec<usize> = wanted
        .iter()
        .filter_map(|name| table.headers().iter().position(|header| header == name))
        .collect();
    let mut lines = Vec::new();
    let mut rows = table.rows().map_err(JobError::from)?;
    while let Some(row) = rows.next_row().map_err(JobError::from)? {
        lines.push(columns.iter().map(|column| shorten(row.cell(*column), CELL_WIDTH)).collect());
    }
    let header = wanted.iter().map(ToString::to_string).collect();
    lines.insert(0, header);
    for line in grid(&lines, &[]) {
        context.printer.data(&line)?;
    }
    Ok(())
}

fn next_lines(folder: &Path, context: &Context) {
    let table = folder.join("demo.csv");
    context.printer.note("the answers are synthetic. With a key of your own:");
    for (login, provider) in [("openai", "openai:gpt-4o-mini"), ("zhipu", "zhipu:glm-4v-flash")] {
        context.printer.note(&format!("  batchctl login {login}"));
        context.printer.note(&format!(
            "  batchctl workflow {} real.csv --provider {provider} -p '{{text}}'",
            table.display()
        ));
    }
}
