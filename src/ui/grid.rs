//! Small tables for people: columns aligned by what a terminal shows, so that Chinese headers,
//! which are two cells wide, stand in line.

use unicode_width::UnicodeWidthStr;

use super::clean::clean;

/// Which side a column's cells stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Lays rows out in columns, two spaces between them, no space at the end of a line. Cells are
/// cleaned and their line breaks become spaces; a column without an entry in `align` is `Left`.
pub fn grid(rows: &[Vec<String>], align: &[Align]) -> Vec<String> {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| one_line(cell)).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max())
        .map(Option::unwrap_or_default)
        .collect();
    rows.iter()
        .map(|row| {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                if column > 0 {
                    line.push_str("  ");
                }
                let space = " ".repeat(widths[column] - cell.width());
                match align.get(column) {
                    Some(Align::Right) => line.extend([space.as_str(), cell]),
                    _ => line.extend([cell.as_str(), &space]),
                }
            }
            line.trim_end().to_owned()
        })
        .collect()
}

/// The text on one line, at most that many terminal cells wide, cut with `…`.
pub fn shorten(text: &str, width: usize) -> String {
    let text = one_line(text);
    if text.width() <= width {
        return text;
    }
    let mut out = String::new();
    for c in text.chars() {
        let next = out.width() + c.to_string().width();
        if next + 1 > width {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

fn one_line(text: &str) -> String {
    clean(text).replace(['\n', '\t'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_headers_stand_in_line() {
        let rows = [
            vec!["列".into(), "n".into(), "end".into()],
            vec!["name\u{1b}[31m".into(), "1,204".into()],
        ];
        let lines = grid(&rows, &[Align::Left, Align::Right]);
        assert_eq!(lines, ["列        n  end", "name  1,204"]);
    }

    #[test]
    fn long_text_is_cut_by_width() {
        assert_eq!(shorten("short", 5), "short");
        assert_eq!(shorten("longer text", 5), "long…");
        assert_eq!(shorten("很长的文字", 5), "很长…");
        assert_eq!(shorten("two\nlines", 20), "two lines");
    }
}
