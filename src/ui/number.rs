//! Numbers and times as people read them.

use std::time::Duration;

/// `1204` as `1,204`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `count` with the word it counts, in singular or plural: `1 row`, `1,204 rows`.
pub fn counted(number: u64, word: &str) -> String {
    let plural = match (number, word) {
        (1, _) => "",
        (_, word) if word.ends_with("ch") || word.ends_with('s') => "es",
        _ => "s",
    };
    format!("{} {word}{plural}", count(number))
}

/// Bytes in decimal units with up to three digits: `412 MB`, `1.9 MB`, `80.1 GB`.
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = number as f64;
    let mut unit = 0;
    // 999.5 would be rounded to 1000.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && value < 99.95);
    format!("{value:.digits$} {}", UNITS[unit])
}

/// A time span in at most two units: `0.4s`, `8.1s`, `41s`, `1m 12s`, `2h 5m`, `3d 4h`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 9.95 {
        return format!("{seconds:.1}s");
    }
    let whole = duration.as_secs() + u64::from(duration.subsec_millis() >= 500);
    let parts = |big: u64, unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{big}{unit}"),
        _ => format!("{big}{unit} {small}{small_unit}"),
    };
    match whole {
        0..60 => format!("{whole}s"),
        60..3600 => parts(whole / 60, "m", whole % 60, "s"),
        3600..86_400 => parts(whole / 3600, "h", whole % 3600 / 60, "m"),
        _ => parts(whole / 86_400, "d", whole % 86_400 / 3600, "h"),
    }
}

/// Seconds to the millisecond, for documents: a float of nanoseconds has a tail that nobody measured.
pub fn seconds(duration: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "2^53 milliseconds are 285,000 years")]
    let milliseconds = (duration.as_nanos() + 500_000).div_euclid(1_000_000) as f64;
    milliseconds / 1000.0
}

/// A moment in local time, as people write it.
pub fn moment(unix: i64) -> String {
    jiff::Timestamp::from_second(unix).map_or_else(
        |_| "?".to_owned(),
        |time| {
            time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
        },
    )
}

/// A moment in local time to the minute, for lists.
pub fn minute(unix: i64) -> String {
    let mut text = moment(unix);
    text.truncate("2026-11-21 12:54".len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_of_documents_have_no_tail() {
        let table = [
            (Duration::from_millis(11_819), "11.819"),
            (Duration::from_nanos(52_357_100), "0.052"),
            (Duration::from_micros(500), "0.001"),
            (Duration::from_secs(90), "90"),
            (Duration::ZERO, "0"),
        ];
        for (span, expected) in table {
            assert_eq!(seconds(span).to_string(), expected, "{span:?}");
        }
    }

    #[test]
    fn counts_sizes_and_times() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1204, "1,204"), (50_000, "50,000"), (1_234_567, "1,234,567")]
        {
            assert_eq!(count(number), text);
        }
        for (number, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1_900_000, "1.9 MB"),
            (412_000_000, "412 MB"),
            (999_999, "1.0 MB"),
            (80_100_000_000, "80.1 GB"),
        ] {
            assert_eq!(bytes(number), text);
        }
        for (milliseconds, text) in [
            (0, "0.0s"),
            (8140, "8.1s"),
            (9960, "10s"),
            (41_000, "41s"),
            (59_600, "1m"),
            (72_000, "1m 12s"),
            (1_020_000, "17m"),
            (7_500_000, "2h 5m"),
            (274_000_000, "3d 4h"),
        ] {
            assert_eq!(duration(Duration::from_millis(milliseconds)), text);
        }
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(counted(2, "batch"), "2 batches");
    }
}
