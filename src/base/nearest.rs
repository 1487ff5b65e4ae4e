//! The nearest name for a misspelt one.

/// The candidate that a misspelt name most likely meant, if one is near enough to be worth
/// naming: a third of its letters may differ, rounded up, and `-` and `_` are the same.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = plain(name);
    let allowed = name.chars().count().div_ceil(3);
    candidates
        .into_iter()
        .map(|candidate| (distance(&name, &plain(candidate)), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace('-', "_")
}

/// Letters to insert, delete, replace or swap with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_find_their_name_and_strangers_do_not() {
        let names = ["check_interval", "max_wait", "model", "yes"];
        let table = [
            ("chek_interval", Some("check_interval")),
            ("check-interval", Some("check_interval")),
            ("mdoel", Some("model")),
            ("MaxWait", Some("max_wait")),
            ("ys", Some("yes")),
            ("temperature", None),
            ("", None),
        ];
        for (typed, expected) in table {
            assert_eq!(nearest(typed, names), expected, "{typed}");
        }
    }
}
