//! Lengths of answers: what finished rows of a prompt tell about the rows still to be asked.
//!
//! The range is one for the mean of the rows to come, not of the rows that were seen. It cannot
//! know of a kind of answer that no finished row had; for that there is the worst case.

/// What is taken for the length of an answer that nothing is known of.
const ASSUMED: f64 = 300.0;
/// So many finished rows foretell a range; the figures of fewer say next to nothing.
pub(super) const FEWEST: u64 = 5;
/// The upper end is not beyond so many times the mean, unless an answer was that long.
const MOST: f64 = 3.0;
/// The standard normal quantile of 99.95 %: 1 in 1000 lies outside, were all assumptions met.
const Z: f64 = 3.290_527;
/// Student's quantiles of 99.95 % for 1 to 9 degrees of freedom.
const STUDENT: [f64; 9] = [636.619, 31.599, 12.924, 8.610, 6.869, 5.959, 5.408, 5.041, 4.781];
/// By how much a side is widened for each unit of skewness towards it.
const SKEW: f64 = 0.2;
/// The part of Student's quantile that is used on the scale of logarithms, where the normal
/// assumption fits skewed lengths far better.
const LOG_SHARE: f64 = 0.85;
/// The least distance of either end from the mean: the rows to come are never quite like the
/// rows that were seen.
const LEAST: f64 = 0.1;

/// Completion tokens of a row on average over the rows that are to be asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PerRow {
    /// It is hardly less; `None` where too little was learned.
    pub low: Option<f64>,
    /// The best single figure.
    pub likely: f64,
    /// It is hardly more.
    pub high: Option<f64>,
}

/// Lengths of answers that finished rows of the same prompt had, in completion tokens.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lengths {
    count: u64,
    mean: f64,
    variance: f64,
    skewness: f64,
    longest: f64,
    log_mean: f64,
    log_variance: f64,
}

impl Lengths {
    /// Takes lengths in.
    pub fn of(tokens: &[u64]) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "no answer has 2^53 tokens")]
        let values: Vec<f64> = tokens.iter().map(|tokens| *tokens as f64).collect();
        // An answer of no token at all has no logarithm.
        let logs: Vec<f64> = values.iter().map(|value| value.max(1.0).ln()).collect();
        let (mean, variance) = moments(&values);
        let (log_mean, log_variance) = moments(&logs);
        let deviation = variance.sqrt();
        let cubes = values.iter().map(|value| (value - mean).powi(3)).sum::<f64>();
        Self {
            count: values.len() as u64,
            mean,
            variance,
            skewness: if deviation > 0.0 {
                cubes / number(values.len()) / deviation.powi(3)
            } else {
                0.0
            },
            longest: values.iter().copied().fold(0.0, f64::max),
            log_mean,
            log_variance,
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// What so many further rows have on average.
    ///
    /// With `n` lengths of mean m and variance s², the mean of N further ones differs from m with
    /// variance s² (1/n + 1/N): the mean was estimated, and the rows to come scatter themselves.
    /// The range is the prediction interval of Student's distribution for that (Hahn and Meeker,
    /// *Statistical Intervals*, section 4.8), changed in four ways so that it holds for few and
    /// skewed lengths: s² grows by m²/n, as by one more answer as far away as the mean itself;
    /// a side is widened with the skewness towards it (after Johnson, "Modified t tests", 1978);
    /// the upper end is at least that of Cox's interval for the mean of lognormal lengths (Zhou
    /// and Gao, 1997, with Student's quantile as Olsson, 2005, proposes), as long as that is not
    /// above the longest one seen; and neither end is nearer than 10 %. No end is below 0 or above
    /// `limit`, and the upper one not above the longest length that was seen and three times the
    /// mean. Fewer than `FEWEST` lengths give no range.
    pub fn per_row(&self, rows: u64, limit: Option<u64>) -> PerRow {
        #[expect(clippy::cast_precision_loss, reason = "a limit is far below 2^53")]
        let limit = limit.map(|limit| limit as f64);
        let capped = |value: f64| limit.map_or(value, |limit| value.min(limit));
        if self.count == 0 {
            return PerRow { low: None, likely: capped(ASSUMED), high: None };
        }
        let likely = capped(self.mean);
        if self.count < FEWEST {
            return PerRow { low: None, likely, high: None };
        }
        let n = count(self.count);
        let share = 1.0 / n + 1.0 / count(rows.max(1));
        let t = student(self.count - 1);
        let half = t * ((self.variance + self.mean * self.mean / n) * share).sqrt();
        let widened = |skewness: f64| half * (1.0 + SKEW * skewness.max(0.0));
        let v = self.log_variance;
        let log_share = 1.0 / (n - 1.0) + 1.0 / count(rows.max(1));
        let log_half = LOG_SHARE * t * (v * share + v * v / 2.0 * log_share).sqrt();
        let lognormal = (self.log_mean + v / 2.0 + log_half).exp().min(self.longest);
        let high = (self.mean + widened(self.skewness)).max(lognormal);
        let high = high.min(self.longest.max(MOST * self.mean));
        let low = self.mean - widened(-self.skewness);
        // A mean of a few tokens is not known to a tenth of one.
        let least = (self.mean * LEAST).max(0.5);
        PerRow {
            low: Some(capped(low.min(self.mean - least).max(0.0))),
            likely,
            high: Some(capped(high.max(self.mean + least))),
        }
    }
}

/// Mean and variance of the population that these were drawn from.
fn moments(values: &[f64]) -> (f64, f64) {
    if values.is_empty() {
        return (0.0, 0.0);
    }
    let n = number(values.len());
    let mean = values.iter().sum::<f64>() / n;
    let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    (mean, if values.len() > 1 { squares / (n - 1.0) } else { 0.0 })
}

#[expect(clippy::cast_precision_loss, reason = "rows of a table")]
fn number(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "rows of a table")]
fn count(count: u64) -> f64 {
    count as f64
}

/// Student's quantile of 99.95 %; above 9 degrees by the expansion of Cornish and Fisher.
fn student(degrees: u64) -> f64 {
    let known = usize::try_from(degrees).ok().and_then(|degrees| STUDENT.get(degrees - 1));
    if let Some(known) = known {
        return *known;
    }
    let v = count(degrees);
    let first = (Z.powi(3) + Z) / 4.0;
    let second = (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / 96.0;
    let third = (3.0 * Z.powi(7) + 19.0 * Z.powi(5) + 17.0 * Z.powi(3) - 15.0 * Z) / 384.0;
    Z + first / v + second / v.powi(2) + third / v.powi(3)
}

#[cfg(test)]
#[path = "lengths_tests.rs"]
mod tests;
