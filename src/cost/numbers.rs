//! Numbers as people read them in tables.

/// A whole number with commas between thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes as `812 B`, `1.9 kB`, `412 MB`, `1.2 GB` (powers of 1000, as providers state limits).
pub fn megabytes(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    for (unit, name) in UNITS {
        if bytes >= unit {
            let tenths = bytes / (unit / 10);
            return if tenths >= 100 {
                format!("{} {name}", grouped(tenths / 10))
            } else {
                format!("{}.{} {name}", tenths / 10, tenths % 10)
            };
        }
    }
    format!("{bytes} B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (12_345_678, "12,345,678")]
        {
            assert_eq!(grouped(number), text);
        }
        let table = [
            (812, "812 B"),
            (1_900_000, "1.9 MB"),
            (1_999, "1.9 kB"),
            (412_300_000, "412 MB"),
            (10_000_000, "10 MB"),
            (1_250_000_000_000, "1,250 GB"),
        ];
        for (bytes, text) in table {
            assert_eq!(megabytes(bytes), text);
        }
    }
}
