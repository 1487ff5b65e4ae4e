//! Reads a text between quotes where the quotes may be other ones than JSON's, or stand inside the
//! text unescaped. What the text says is never changed.

use super::reader::Reader;
use super::repair::Repair;

/// Where a text stands, which decides what may follow its closing quote.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Key,
    Value,
}

/// Whether a text may begin with this character.
pub(super) fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '“' | '”' | '‘' | '’' | '＂')
}

/// Whether `c` may close what `open` opened.
fn is_partner(open: char, c: char) -> bool {
    match open {
        '"' | '\'' => c == open,
        '‘' | '’' => matches!(c, '‘' | '’'),
        _ => matches!(c, '“' | '”' | '＂' | '"'),
    }
}

/// What a quote inside a text is.
enum Means {
    Close,
    Inside,
    Unclear,
}

/// Reads a text from its opening quote to its closing one.
pub(super) fn read_text(reader: &mut Reader<'_>, place: Place) -> Option<String> {
    let open = reader.next()?;
    if open != '"' {
        reader.repairs.note(Repair::Quotes);
    }
    let mut text = String::new();
    let mut inside = 0usize;
    loop {
        let c = reader.next()?;
        if c == '\\' {
            escape(reader, &mut text)?;
        } else if is_partner(open, c) {
            match meaning(reader, place, open) {
                Means::Close => break,
                Means::Unclear => return None,
                Means::Inside => {
                    // An apostrophe is no quote.
                    let is_apostrophe = matches!(c, '\'' | '’')
                        && text.chars().next_back().is_some_and(char::is_alphanumeric)
                        && reader.peek().is_some_and(char::is_alphanumeric);
                    inside += usize::from(!is_apostrophe);
                    reader.repairs.note(Repair::InnerQuotes);
                    text.push(c);
                }
            }
        } else {
            if c < ' ' {
                reader.repairs.note(Repair::ControlCharacters);
            }
            text.push(c);
        }
    }
    // Quotes inside a text come in pairs. An odd one means that the text was closed too early.
    inside.is_multiple_of(2).then_some(text)
}

/// Tells by what follows whether the quote just read closes its text.
fn meaning(reader: &mut Reader<'_>, place: Place, open: char) -> Means {
    let rest = &reader.text[reader.at..];
    let ahead = rest.trim_start();
    // Spaces are looked at once more when they are read; that at most doubles the work.
    reader.steps += rest.len() - ahead.len();
    let ends_line = rest[..rest.len() - ahead.len()].contains('\n');
    let mut after = ahead.chars();
    let next = after.next();
    let closes = match (place, next) {
        (Place::Key, next) => matches!(next, Some(':' | '：')),
        (Place::Value, None | Some(',' | '}' | ']' | '｝' | '］')) => true,
        // Inside a Chinese text such a comma is as likely as between two values.
        (Place::Value, Some('，' | '、')) => {
            let beyond = after.as_str().trim_start();
            reader.steps += after.as_str().len() - beyond.len();
            let is_next =
                |c| is_quote(c) || matches!(c, '{' | '[' | '}' | ']' | '｛' | '｝' | '］');
            beyond.starts_with(is_next)
        }
        (Place::Value, Some(next)) => {
            let is_comment = ahead.starts_with("//") || ahead.starts_with("/*");
            is_comment || ahead.starts_with("```") || (ends_line && is_quote(next))
        }
    };
    // A colon or a second quote where the text should go on: there are two readings.
    let is_unclear = match next {
        _ if place == Place::Key => true,
        Some(':') => true,
        Some('：') => after.next().is_some_and(is_quote),
        next => next.is_some_and(|next| is_partner(open, next)),
    };
    match (closes, is_unclear) {
        (true, _) => Means::Close,
        (false, true) => Means::Unclear,
        (false, false) => Means::Inside,
    }
}

/// Reads what follows a backslash. One that escapes nothing stays in the text.
fn escape(reader: &mut Reader<'_>, text: &mut String) -> Option<()> {
    let c = reader.next()?;
    match c {
        '"' | '\\' | '/' => text.push(c),
        'b' => text.push('\u{8}'),
        'f' => text.push('\u{c}'),
        'n' => text.push('\n'),
        'r' => text.push('\r'),
        't' => text.push('\t'),
        'u' if code(reader).is_some() => text.push(unicode(reader)?),
        '\'' => {
            reader.repairs.note(Repair::Escape);
            text.push(c);
        }
        _ => {
            reader.repairs.note(Repair::Escape);
            text.push('\\');
            text.push(c);
        }
    }
    Some(())
}

/// The four hex digits ahead.
fn code(reader: &Reader<'_>) -> Option<u32> {
    let digits = reader.text.get(reader.at..reader.at + 4)?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

/// Reads the digits after `\u`, and the second half of a pair.
fn unicode(reader: &mut Reader<'_>) -> Option<char> {
    let first = code(reader)?;
    skip(reader, 4)?;
    if let Some(c) = char::from_u32(first) {
        return Some(c);
    }
    if first < 0xdc00 && reader.text[reader.at..].starts_with("\\u") {
        let back = reader.at;
        skip(reader, 2)?;
        if let Some(second) = code(reader).filter(|code| (0xdc00..0xe000).contains(code)) {
            skip(reader, 4)?;
            return char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00));
        }
        reader.at = back;
    }
    reader.repairs.note(Repair::Escape);
    Some(char::REPLACEMENT_CHARACTER)
}

fn skip(reader: &mut Reader<'_>, count: usize) -> Option<()> {
    (0..count).try_for_each(|_| reader.next().map(|_| ()))
}
