//! Pictures that cannot be sent.

use insta::assert_snapshot;

use super::said;
use crate::support::workdir::WorkDir;

/// A table with four rows: these pictures, then `good.png` until there are four.
fn pictures(cells: &[&str]) -> WorkDir {
    let dir = WorkDir::new();
    dir.fixture("images");
    std::fs::copy(dir.path("images/cat.png"), dir.path("good.png")).unwrap();
    let whole = dir.bytes("good.png");
    dir.write("short.png", &whole[..60]);
    dir.write("text.png", "this is no picture\n");
    dir.write("empty.png", "");
    dir.write("drawing.png", "<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>");
    let mut table = "text,photo\n".to_owned();
    for row in 0..4.max(cells.len()) {
        table += &format!("q{row},{}\n", cells.get(row).unwrap_or(&"good.png"));
    }
    dir.write("in.csv", table);
    dir
}

fn ask(dir: &WorkDir, flags: &str) -> String {
    let line = format!("workflow in.csv out.csv --provider sandbox --progress none {flags}");
    said(dir.batchctl(&line))
}

/// The row keeps its place and says why; the rest is answered; exit 3.
#[test]
fn one_bad_picture_in_four_is_skipped() {
    for (cell, reason) in [
        ("gone.png", "image not found: gone.png"),
        ("short.png", "image is cut short: short.png"),
        ("text.png", "image is text and not a picture: text.png"),
        ("empty.png", "image is an empty file: empty.png"),
        ("images", "images"),
        (
            "/etc/passwd",
            "image outside of the allowed folders (--image-root adds one): /etc/passwd",
        ),
        ("../../../../../../etc/passwd", "image outside of the allowed folders"),
    ] {
        let dir = pictures(&["good.png", cell]);
        let text = ask(&dir, "");
        assert!(
            text.starts_with("exit 3\n") && text.contains("ok       3\n  skipped  1"),
            "{text}"
        );
        let table = dir.read("out.csv");
        let row = table.lines().nth(2).unwrap();
        assert!(row.contains(reason) && row.contains(",skipped,"), "{cell}: {table}");
    }
}

#[test]
fn all_pictures_missing_sends_nothing() {
    let dir = pictures(&["a.png", "b.png", "c.png", "d.png"]);
    assert_snapshot!(ask(&dir, ""), @r"
    exit 2
    asks: column `text`   images: `photo`
    error: the images of 4 of 4 rows cannot be sent: nothing is left to ask
      first: row 0 (line 2): image not found: a.png
      looked in: [DIR]; --image-root DIR adds a folder
    ");
    assert!(!dir.path("out.csv").exists());
    assert_snapshot!(ask(&dir, "--image-root photos"), @r"
    exit 2
    error: --image-root [DIR]/photos is not a folder
    ");
}

/// The line that is printed works as it stands.
#[test]
fn all_pictures_outside_names_the_exact_root() {
    let elsewhere = WorkDir::new();
    elsewhere.fixture("images");
    let cell = elsewhere.path("images/cat.png").display().to_string();
    let dir = pictures(&[&cell, &cell, &cell, &cell]);
    let text = ask(&dir, "").replace(&elsewhere.folder().display().to_string(), "[ELSEWHERE]");
    assert_snapshot!(text, @r"
    exit 2
    asks: column `text`   images: `photo`
    error: the images of 4 of 4 rows cannot be sent: nothing is left to ask
      first: row 0 (line 2): image outside of the allowed folders (--image-root adds one): [ELSEWHERE]/images/cat.png
      fix: add --image-root [ELSEWHERE]/images
    ");
    let root = elsewhere.path("images").display().to_string();
    let text = ask(&dir, &format!("--image-root {root}"));
    assert!(text.starts_with("exit 0\n"), "{text}");
}

#[test]
fn more_than_half_failing_needs_a_word() {
    let dir = pictures(&["a.png", "short.png", "text.png"]);
    assert_snapshot!(ask(&dir, ""), @r"
    exit 2
    asks: column `text`   images: `photo`
    error: the images of 3 of 4 rows cannot be sent, more than half
      first: row 0 (line 2): image not found: a.png
      looked in: [DIR]; --image-root DIR adds a folder
      fix: --allow-missing-images goes on without them
    ");
    let text = ask(&dir, "--allow-missing-images");
    assert!(text.starts_with("exit 3\n"), "{text}");
    let dir = pictures(&["a.png"]);
    assert_snapshot!(ask(&dir, "--set strict_images=true"), @r"
    exit 2
    asks: column `text`   images: `photo`
    error: the images of 1 of 4 rows cannot be sent (strict_images is set)
      first: row 0 (line 2): image not found: a.png
      looked in: [DIR]; --image-root DIR adds a folder
    ");
}
