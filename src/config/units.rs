//! Durations (`1h30m`, `90s`, `7d`, plain seconds) and sizes (`200MB`, `1.5GiB`) as people type
//! them.

use std::time::Duration;

/// Seconds per unit letter of a duration.
const DURATION_UNITS: [(&str, f64); 5] =
    [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)];

/// Bytes per unit of a size; decimal and binary ones are told apart by the `i`.
const SIZE_UNITS: [(&str, f64); 12] = [
    ("b", 1.0),
    ("k", 1e3),
    ("kb", 1e3),
    ("kib", 1024.0),
    ("m", 1e6),
    ("mb", 1e6),
    ("mib", 1_048_576.0),
    ("g", 1e9),
    ("gb", 1e9),
    ("gib", 1_073_741_824.0),
    ("tb", 1e12),
    ("tib", 1_099_511_627_776.0),
];

/// A century: longer waits are typing errors, and adding them to a clock could overflow.
const LONGEST: f64 = 100.0 * 365.0 * 86_400.0;

/// Reads a duration: parts of number and unit (`1h30m`), or plain seconds (`90`, `0.5`).
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration: write 90s, 1h30m, 7d or plain seconds");
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let (number, unit, after) = next_part(rest).ok_or_else(wrong)?;
        let is_whole = after.is_empty() && rest.len() == text.trim().len();
        let factor = match unit {
            "" if is_whole => 1.0,
            _ => factor_of(unit, &DURATION_UNITS).ok_or_else(wrong)?,
        };
        seconds += number * factor;
        rest = after.trim_start();
    }
    if seconds > LONGEST {
        return Err(format!("`{text}` is longer than a hundred years"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// Reads a size in bytes: `200MB`, `1.5GiB`, or plain bytes.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size: write 200MB, 1.5GiB or plain bytes");
    let (number, unit, after) = next_part(text.trim()).ok_or_else(wrong)?;
    let factor =
        if unit.is_empty() { 1.0 } else { factor_of(unit, &SIZE_UNITS).ok_or_else(wrong)? };
    let bytes = number * factor;
    // 2^53: above that a float no longer holds every whole number.
    if !after.is_empty() || bytes > 9_007_199_254_740_992.0 {
        return Err(wrong());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 2^53")]
    let bytes = bytes.round() as u64;
    Ok(bytes)
}

/// Splits `1.5GiB rest` into number, unit and the rest.
fn next_part(text: &str) -> Option<(f64, &str, &str)> {
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let digits = text.find(|c| !is_number(c)).unwrap_or(text.len());
    let number: f64 = text[..digits].parse().ok()?;
    let rest = text[digits..].trim_start();
    let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    Some((number, &rest[..letters], &rest[letters..]))
}

fn factor_of(unit: &str, units: &[(&str, f64)]) -> Option<f64> {
    let unit = unit.to_ascii_lowercase();
    units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_people_type_them() {
        let good = [
            ("90", 90.0),
            ("0.5", 0.5),
            ("90s", 90.0),
            ("1h30m", 5400.0),
            ("1h 30m", 5400.0),
            ("7d", 604_800.0),
            ("1.5h", 5400.0),
            ("250ms", 0.25),
            ("2 H", 7200.0),
            ("0", 0.0),
        ];
        for (text, seconds) in good {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["", "h", "-5", "1h30", "5 apples", "1..5s", "inf", "NaN", "1e5", "9999999d"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_decimal_and_binary() {
        let good = [
            ("200MB", 200_000_000),
            ("200 mb", 200_000_000),
            ("1.5GiB", 1_610_612_736),
            ("4096", 4096),
            ("4k", 4000),
            ("10B", 10),
        ];
        for (text, bytes) in good {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "MB", "-1", "1MB2", "5 apples", "99999999TB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
