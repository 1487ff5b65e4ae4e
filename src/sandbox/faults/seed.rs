//! A schedule of faults out of a number: plausible ones, each of which a client can survive with
//! every row answered, and the same ones for the same number.

use super::dice::Dice;

/// Faults in one schedule, at least and at most.
const FAULTS: (usize, usize) = (2, 6);

/// Templates: `N` stands for which one (1 to 4), `T` for a time of 0.1 to 0.8 batches, `S` for a
/// share of 10 to 90 %, `R` for 1 to 3 rows.
const PLAUSIBLE: [&str; 44] = [
    "upload#N: before-commit 503",
    "upload#N: after-commit close",
    "upload#N: cut S",
    "upload#N: rate-limit retry-after=T",
    "upload#N: late T",
    "upload#N: not-ready T",
    "list-files#N: 500",
    "list-files#N: cut S chunked",
    "create#N: before-commit 500",
    "create#N: before-commit close",
    "create#N: before-commit hang T",
    "create#N: after-commit close",
    "create#N: after-commit reset",
    "create#N: after-commit 503",
    "create#N: after-commit 502 html",
    "create#N: after-commit 200 empty",
    "create#N: after-commit hang T",
    "create#N: cut S",
    "create#N: cut S no-length",
    "create#N: slow T",
    "create#N: late T",
    "create#N: late T 504",
    "create#N: rate-limit",
    "create#N: token-limit",
    "retrieve#N: 500",
    "retrieve#N: 502 html",
    "retrieve#N: cut S",
    "retrieve#N: after-commit reset",
    "retrieve#N: rate-limit retry-date=T",
    "list#N: 503",
    "list#N: cut S",
    "download#N: cut S",
    "download#N: cut S chunked",
    "download#N: 500",
    "delete#N: after-commit close",
    "batch#N: listing-lag T",
    "batch#N: expire S",
    "batch#N: fail token-limit",
    "batch#N: finalizing T",
    "batch#N: nameless T",
    "result#N: missing R",
    "result#N: duplicate R",
    "result#N: foreign R",
    "result#N: counts null",
];

/// The rules that a number stands for.
pub(super) fn schedule(seed: u64) -> Vec<String> {
    let mut dice = Dice::new(seed);
    let count = FAULTS.0 + dice.below(FAULTS.1 - FAULTS.0 + 1);
    (0..count).map(|_| one(&mut dice)).collect()
}

fn one(dice: &mut Dice) -> String {
    let template = PLAUSIBLE[dice.below(PLAUSIBLE.len())];
    let mut rule = String::new();
    for letter in template.chars() {
        match letter {
            'N' => rule.push_str(&(1 + dice.below(4)).to_string()),
            'T' => rule.push_str(&format!("0.{}x", 1 + dice.below(8))),
            'S' => rule.push_str(&format!("{}%", 10 + dice.below(81))),
            'R' => rule.push_str(&(1 + dice.below(3)).to_string()),
            other => rule.push(other),
        }
    }
    rule
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Faults;

    #[test]
    fn every_plausible_fault_can_be_read_and_a_seed_repeats_itself() {
        for template in PLAUSIBLE {
            let rule = template.replace('N', "2").replace('T', "0.5x");
            let rule = rule.replace('S', "40%").replace('R', "2");
            Faults::parse(&rule).unwrap_or_else(|error| panic!("{error}"));
        }
        let mut met = std::collections::HashSet::new();
        for seed in 0..300 {
            let rules = schedule(seed);
            assert!((FAULTS.0..=FAULTS.1).contains(&rules.len()));
            assert_eq!(rules, schedule(seed));
            Faults::parse(&format!("seed:{seed}")).unwrap();
            met.extend(rules.iter().map(|rule| rule.replace(|c: char| c.is_ascii_digit(), "")));
        }
        assert!(met.len() > 40, "only {} kinds in 300 seeds", met.len());
    }
}
