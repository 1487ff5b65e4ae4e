//! Places where a text may be cut in two so that the tokens of both halves are those of the whole.
//!
//! Tokens never reach over the border of two pieces, and the patterns that split texts into
//! pieces agree on some borders whatever stands further left or right:
//! * before a space that follows something visible: every pattern has the space only as the first
//!   character of a piece or among other white space;
//! * between a line end and a letter or digit: no piece goes on from a line end to either;
//! * between a letter and a full stop, comma or the like: no run of letters holds one.
//!
//! In each case what stands before the cut splits as it would at the end of a text: no alternative
//! of a pattern reads past the cut and still matches.

/// Whether a text may be cut before byte `at`, which must lie between two characters.
pub(super) fn may_cut(text: &str, at: usize) -> bool {
    let (before, after) = text.split_at(at);
    match (before.chars().next_back(), after.chars().next()) {
        (Some(before), Some(' ')) => !before.is_whitespace(),
        (Some('\n' | '\r'), Some(after)) => is_letter(after) || after.is_ascii_digit(),
        (Some(before), Some(after)) => is_letter(before) && is_stop(after),
        _ => false,
    }
}

/// Letters of the scripts that prompts are mostly written in; all of them stand alone, which
/// means that normalising never joins them to what stands before.
fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic()
        || matches!(c, '\u{4e00}'..='\u{9fa5}' | 'ぁ'..='ゖ' | 'ァ'..='ヺ' | '가'..='힣')
}

fn is_stop(c: char) -> bool {
    matches!(c, ',' | '.' | ';' | ':' | '!' | '?' | '，' | '。' | '；' | '：' | '！' | '？' | '、')
}

/// The last cut of a text that starts with `common` bytes of another.
pub(super) fn last_cut(text: &str, common: usize) -> Option<usize> {
    let end = (0..=common).rev().find(|at| text.is_char_boundary(*at))?;
    text[..end].char_indices().rev().map(|(at, _)| at).find(|at| may_cut(text, *at))
}

/// The first cut of a text that ends with `common` bytes of another.
pub(super) fn first_cut(text: &str, common: usize) -> Option<usize> {
    let start = (text.len() - common..=text.len()).find(|at| text.is_char_boundary(*at))?;
    text[start..].char_indices().map(|(at, _)| start + at).find(|at| may_cut(text, *at))
}

/// How many bytes two texts have in common at their beginning.
pub(super) fn common_start(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()
}

/// How many bytes two texts have in common at their end.
pub(super) fn common_end(a: &str, b: &str) -> usize {
    a.bytes().rev().zip(b.bytes().rev()).take_while(|(a, b)| a == b).count()
}
