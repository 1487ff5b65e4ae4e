//! What a cell of a spreadsheet says as text, and which value a text stands for. Pure.

/// Numbers keep that many digits in a spreadsheet; what goes beyond is lost there already.
pub(in crate::table) const DIGITS: usize = 15;
/// Seconds of a day, which is 1 in a spreadsheet's counting of time.
const DAY: f64 = 86_400.0;

/// How a number is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// As it is.
    Plain,
    /// With leading zeros up to that many digits.
    Padded(usize),
    /// In hundredths, with a percent sign.
    Percent,
    /// With hours: a moment of a day rather than a day.
    Hours,
}

impl Look {
    /// What a number format such as `0.0%` or `00000` makes of numbers. Colours, thousands and
    /// rounding are no part of the value and are left out.
    pub(super) fn of(format: &str) -> Self {
        let first = format.split(';').next().unwrap_or_default();
        if first.len() > 1 && first.bytes().all(|b| b == b'0') {
            return Self::Padded(first.len());
        }
        // In quotes and in brackets (colours, languages) stands nothing of the number.
        let (mut quoted, mut aside) = (false, false);
        for (at, character) in first.char_indices() {
            match character {
                '"' => quoted = !quoted,
                '[' | ']' if !quoted => aside = character == '[',
                _ if quoted || aside || first[..at].ends_with('\\') => {}
                '%' => return Self::Percent,
                'h' | 'H' => return Self::Hours,
                _ => {}
            }
        }
        Self::Plain
    }

    /// The text of a number.
    pub(super) fn text(self, value: f64) -> String {
        match self {
            Self::Percent => format!("{}%", number(value * 100.0)),
            Self::Padded(width) if value >= 0.0 && value.fract() == 0.0 => {
                format!("{:0>width$}", number(value))
            }
            _ => number(value),
        }
    }
}

/// The shortest text of a number that reads back as the same number: no `.0`, and no noise such
/// as 0.30000000000000004, which spreadsheets show as 0.3.
pub(super) fn number(value: f64) -> String {
    let value = tidy(value);
    let size = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if (1e-7..1e21).contains(&size) {
        value.to_string()
    } else {
        format!("{value:E}")
    }
}

/// The number without the noise of its last bits, if it has no more than fifteen digits but that.
fn tidy(value: f64) -> f64 {
    let rounded = format!("{value:.14e}").parse().unwrap_or(value);
    let noise = (rounded - value).abs() <= 4.0 * f64::EPSILON * value.abs();
    if value.fract() != 0.0 && noise { rounded } else { value }
}

/// A moment as parts: year, month, day, hour, minute, second, thousandths.
pub(super) type Moment = (u16, u8, u8, u8, u8, u8, u16);

/// The text of a date, a date with a time, or (below one day) a time. Midnight is left out unless
/// the cell shows it.
pub(super) fn moment(serial: f64, parts: Moment, look: Look) -> String {
    let (year, month, day, hour, minute, second, milli) = parts;
    let mut time = format!("{hour:02}:{minute:02}:{second:02}");
    if milli > 0 {
        time.push_str(&format!(".{milli:03}"));
    }
    if (0.0..1.0).contains(&serial) {
        return time;
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    if time == "00:00:00" && look != Look::Hours { date } else { format!("{date} {time}") }
}

/// The text of a span of time that may be longer than a day, as `26:30:00`.
pub(super) fn span(days: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "spans of time are far below 2^63 ms")]
    let millis = (days.abs() * DAY * 1000.0).round() as i64;
    let sign = if days < 0.0 { "-" } else { "" };
    let (seconds, milli) = (millis / 1000, millis % 1000);
    let mut text =
        format!("{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if milli > 0 {
        text.push_str(&format!(".{milli:03}"));
    }
    text
}

/// The value of a cell that is to be written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    /// Nothing.
    Empty,
    /// Text as it stands; never a formula.
    Text(&'a str),
    /// A number and the format that makes it look as it did.
    Number(f64, String),
    /// True or false.
    Bool(bool),
    /// A date (year, month, day), and the thousandths of seconds of its day.
    Date((u16, u8, u8), u32),
}

/// The value of a cell whose text stands without quotes.
pub(super) fn value(text: &str) -> Value<'_> {
    let general = |value| Value::Number(value, String::new());
    match text {
        "" => return Value::Empty,
        "TRUE" => return Value::Bool(true),
        "FALSE" => return Value::Bool(false),
        _ => {}
    }
    if let Some(hundredths) = text.strip_suffix('%').filter(|text| is_decimal(text)) {
        let decimals = hundredths.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let format = if decimals == 0 {
            "0%".to_owned()
        } else {
            format!("0.{}%", "0".repeat(decimals.min(DIGITS)))
        };
        // In text, so that 7% is 0.07 and not 0.07000000000000001.
        return format!("{hundredths}e-2")
            .parse()
            .map_or(Value::Text(text), |value| Value::Number(value, format));
    }
    if text.len() > 1 && text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()) {
        return text
            .parse()
            .map_or(Value::Text(text), |value| Value::Number(value, "0".repeat(text.len())));
    }
    if is_number(text) {
        return text.parse().map_or(Value::Text(text), general);
    }
    date(text).or_else(|| time_alone(text)).unwrap_or(Value::Text(text))
}

/// Whether a text is a plain number that a spreadsheet shows just so: such cells of other tables
/// become numbers. Ids with more digits, leading zeros or an exponent stay texts.
pub(in crate::table) fn is_plain_number(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    digits <= DIGITS && is_decimal(text) && text.parse::<f64>().is_ok_and(|n| number(n) == text)
}

/// A JSON number with an exponent, as it stands in the text of a spreadsheet; `None` for any other
/// and where a spreadsheet would lose digits of it.
pub(in crate::table) fn with_exponent(json: &str) -> Option<String> {
    let text = json.replace('e', "E").replace("E+", "E");
    let (mantissa, _) = text.split_once('E')?;
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let is_finite = text.parse().is_ok_and(f64::is_finite);
    (digits <= DIGITS && is_number(&text) && is_finite).then_some(text)
}

/// Sign, digits, and perhaps a point and digits.
fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && digits(part)
}

/// A decimal number, or one with an exponent.
fn is_number(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once('E').unwrap_or((text, "0"));
    let exponent = exponent.strip_prefix('-').unwrap_or(exponent);
    is_decimal(mantissa) && !exponent.is_empty() && exponent.bytes().all(|b| b.is_ascii_digit())
}

/// `2026-11-21`, with or without a time after a blank.
fn date(text: &str) -> Option<Value<'_>> {
    let (date, time) = text.split_once(' ').unwrap_or((text, "00:00:00"));
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 || month.len() != 2 || day.len() != 2 {
        return None;
    }
    let (year, month, day) = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    let millis = millis(time).filter(|millis| *millis < 86_400_000)?;
    Some(Value::Date((year, month, day), u32::try_from(millis).ok()?))
}

/// A time of day or a span of hours.
fn time_alone(text: &str) -> Option<Value<'_>> {
    let (text, sign) = text.strip_prefix('-').map_or((text, 1.0), |text| (text, -1.0));
    let millis = millis(text)?;
    let format = if millis < 86_400_000 { "hh:mm:ss" } else { "[h]:mm:ss" };
    #[expect(clippy::cast_precision_loss, reason = "hours of a spreadsheet, far below 2^52 ms")]
    let days = millis as f64 / (DAY * 1000.0);
    Some(Value::Number(sign * days, format.to_owned()))
}

/// The thousandths of a second of `12:34:56` or `12:34:56.789`.
fn millis(text: &str) -> Option<u64> {
    let (clock, milli) = text.split_once('.').unwrap_or((text, "000"));
    let mut parts = clock.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let all = [hours, minutes, seconds, milli].into_iter().all(digits);
    if parts.next().is_some() || !all || minutes.len() != 2 || seconds.len() != 2 {
        return None;
    }
    let number = |text: &str| text.parse::<u64>().ok();
    let seconds =
        number(hours)?.checked_mul(3600)?.checked_add(number(minutes)? * 60 + number(seconds)?)?;
    seconds.checked_mul(1000)?.checked_add(if milli.len() == 3 { number(milli)? } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b13_numbers_are_shown_as_a_spreadsheet_shows_them_and_read_back() {
        let table: &[(f64, &str, &str)] = &[
            (5.0, "General", "5"),
            (-0.0, "General", "0"),
            (0.1 + 0.2, "General", "0.3"),
            (1.0 / 3.0, "General", "0.3333333333333333"),
            (13_800_138_000.0, "General", "13800138000"),
            (123_456_789_012_346_000.0, "0", "123456789012346000"),
            (1e300, "General", "1E300"),
            (1e-9, "General", "1E-9"),
            (42.0, "00000", "00042"),
            (2134.0, "00000;@", "02134"),
            (0.07, "0%", "7%"),
            (0.1234, "0.0%", "12.34%"),
            (0.5, "\"%\"0.0", "0.5"),
            (0.5, "[White]0%", "50%"),
            (3.25, "#,##0.00", "3.25"),
        ];
        for (given, format, expected) in table {
            assert_eq!(Look::of(format).text(*given), *expected, "{given} as {format}");
            let Value::Number(read, _) = value(expected) else { panic!("{expected} is a number") };
            assert!((read - given).abs() <= 1e-15 * given.abs(), "{expected} reads as {read}");
        }
    }

    #[test]
    fn b13_dates_and_times_are_iso_and_read_back() {
        let day = Look::of("yyyy\\-mm\\-dd");
        assert_eq!(moment(46347.0, (2026, 11, 21, 0, 0, 0, 0), day), "2026-11-21");
        let midnight = moment(46347.0, (2026, 11, 21, 0, 0, 0, 0), Look::of("d.m.yy hh:mm"));
        assert_eq!(midnight, "2026-11-21 00:00:00");
        let noon = moment(46347.5, (2026, 11, 21, 12, 0, 0, 5), day);
        assert_eq!(noon, "2026-11-21 12:00:00.005");
        assert_eq!(moment(0.5, (1899, 12, 31, 12, 0, 0, 0), day), "12:00:00");
        assert_eq!(Look::of("yyyy\"h\""), Look::Plain);
        assert_eq!(span(26.5 / 24.0), "26:30:00");
        assert_eq!(span(-0.5), "-12:00:00");
        assert_eq!(value("2026-11-21"), Value::Date((2026, 11, 21), 0));
        assert_eq!(value("2026-11-21 00:00:01.500"), Value::Date((2026, 11, 21), 1500));
        assert_eq!(value("12:00:00"), Value::Number(0.5, "hh:mm:ss".to_owned()));
        assert_eq!(value("36:00:00"), Value::Number(1.5, "[h]:mm:ss".to_owned()));
        assert_eq!(value("00042"), Value::Number(42.0, "00000".to_owned()));
        assert_eq!(value("12.5%"), Value::Number(0.125, "0.0%".to_owned()));
        assert_eq!(value("TRUE"), Value::Bool(true));
        assert_eq!(value(""), Value::Empty);
        for text in ["2026-1-5", "1:2", "1:2:3:4", "inf", "NaN", "1e5", "+1", "--1", "%", "中"] {
            assert_eq!(value(text), Value::Text(text), "{text}");
        }
    }

    #[test]
    fn b13_only_plain_numbers_of_other_tables_become_numbers() {
        for text in ["0", "5", "-3.25", "13800138000", "123456789012345"] {
            assert!(is_plain_number(text), "{text}");
        }
        for text in ["", "007", "1.50", "+1", "1e5", "110101199003070012", "-", ".5", "5.", "inf"] {
            assert!(!is_plain_number(text), "{text}");
        }
    }
}
