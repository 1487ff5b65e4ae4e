//! Questions that do not fit their table.

use insta::assert_snapshot;

use super::{folder, said, sandboxed, say};

/// Asks `in.csv` with one more flag and its value; nothing may be sent.
fn ask(flag: &str, value: &str) -> String {
    let dir = folder();
    let text = said(sandboxed(&dir, "workflow in.csv out.csv").arg(flag).arg(value));
    assert!(!dir.path("out.csv").exists(), "nothing may be written\n{text}");
    text
}

#[test]
fn a_column_that_the_table_does_not_have() {
    assert_snapshot!(ask("--prompt", "Is {txet} good?"), @r"
    exit 2
    error: the prompt names the column `txet`, which the table does not have (nearest: `text`); columns: `id`, `text`
    ");
    assert_snapshot!(ask("--prompt", "Is {review} good?"), @r"
    exit 2
    error: the prompt names the column `review`, which the table does not have; columns: `id`, `text`
    ");
    assert_snapshot!(ask("--input-column", "txet"), @r"
    exit 2
    error: --input-column names the column `txet`, which the table does not have (nearest: `text`); columns: `id`, `text`
    ");
    assert_snapshot!(ask("--image-column", "photo"), @r"
    exit 2
    error: --image-column names the column `photo`, which the table does not have; columns: `id`, `text`
    ");
    assert_snapshot!(ask("--where", "txet=1"), @r"
    exit 2
    error: --where 'txet=1'
      no column `txet`: did you mean `text`?
    ");
    assert_snapshot!(ask("--where", "text"), @r"
    exit 2
    error: --where 'text'
      cannot read the condition `text`: write column=value, column!=value, column in (a, b) or column not in (a, b)
    ");
}

#[test]
fn a_prompt_that_does_not_read() {
    assert_snapshot!(ask("--prompt", "Is {text good?"), @r"
    exit 2
    error: the prompt opens `{text good?` and never closes it; write `{{` for a brace that is only text
    ");
    assert_snapshot!(ask("--prompt", "@nothing.txt"), @r"
    exit 2
    error: the prompt file nothing.txt is not there
    ");
    assert_snapshot!(ask("--prompt-file", "nothing.txt"), @r"
    exit 2
    error: the prompt file nothing.txt is not there
    ");
    assert_snapshot!(ask("--json-fields", "a,,b["), @r"
    exit 2
    error: --json-fields
      field `b[`: not a path; write `a`, `a.b`, `a[0]` or `a.0`
    ");
    assert_snapshot!(ask("--param", "top_p"), @r"
    exit 2
    error: --param top_p is not of the form key=json
    ");
    assert_snapshot!(ask("--param", "model=\"other\""), @r"
    exit 2
    error: the parameter `model` cannot be set: use --model
    ");
    let dir = folder();
    dir.write("p.j2", "Is {{ txet }} good?");
    assert_snapshot!(said(sandboxed(&dir, "workflow in.csv out.csv --prompt-file p.j2")), @r"
    exit 2
    error: the Jinja prompt names the column `txet`, which the table does not have (nearest: `text`); columns: `id`, `text`
    ");
    dir.write("p.j2", "line one\n{% if %}");
    assert_snapshot!(said(sandboxed(&dir, "workflow in.csv out.csv --prompt-file p.j2")), @r"
    exit 2
    error: the Jinja prompt, line 2: syntax error: unexpected end of block
    ");
}

/// Otherwise every row would ask the same.
#[test]
fn a_prompt_without_placeholder_gets_the_text_behind_it() {
    let dir = folder();
    let line = "workflow in.csv out.csv --dry-run --provider sandbox --progress none --prompt";
    let output = dir.batchctl(line).arg("Is this good?").run().exits(0);
    assert_snapshot!(output.stderr, @r"
    asks: column `text`
    the prompt names no column: `text` is appended
    ");
    assert!(output.stdout.contains(r#""content": "Is this good?\n\ngood""#), "{output}");
}

#[test]
fn rows_that_are_not_there() {
    let dir = folder();
    let ask =
        |flags: &str| say(&dir, &format!("workflow in.csv out.csv --provider sandbox {flags}"));
    assert_snapshot!(ask("--start-row 2 --end-row 1"), @r"
    exit 2
    error: --start-row 2 is not before --end-row 1 (rows count from 0, the end is not included)
    ");
    assert_snapshot!(ask("--start-row 3"), @r"
    exit 2
    asks: column `text`
    error: no row of [DIR]/in.csv is selected; it has rows 0 to 2
    ");
    assert_snapshot!(ask("--end-row 0"), @r"
    exit 2
    error: --start-row 0 is not before --end-row 0 (rows count from 0, the end is not included)
    ");
    assert_snapshot!(ask("--end-row ten"), @r"
    exit 2
    error: invalid value 'ten' for '--end-row <N>': a row number is wanted, 0 or more

    For more information, try '--help'.
    ");
    assert_snapshot!(ask("--end-row=-1"), @r"
    exit 2
    error: invalid value '-1' for '--end-row <N>': a row number is wanted, 0 or more

    For more information, try '--help'.
    ");
    assert_snapshot!(ask("--where id=9"), @r"
    exit 2
    asks: column `text`
    error: no row of [DIR]/in.csv is selected; it has rows 0 to 2
    ");
    // An end past the last row is no slip: tables grow.
    sandboxed(&dir, "workflow in.csv out.csv --end-row 99").run().exits(0);
}
