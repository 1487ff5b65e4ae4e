//! `providers health`: what the last calls told of each provider, and who is left alone for a
//! while because of it.

use std::time::Duration;

use serde::Serialize;

use super::HealthArgs;
use crate::commands::steps::open_store;
use crate::commands::{Context, config_error};
use crate::config::key;
use crate::store::HealthRecord;
use crate::ui::{CommandError, ExitCode, duration, grid, moment, seconds};

#[derive(Debug, Serialize)]
struct Document {
    schema_version: u32,
    failure_threshold: u64,
    cool_down_seconds: f64,
    reset: Vec<String>,
    providers: Vec<Health>,
}

/// How one provider does with one model.
#[derive(Debug, Serialize)]
struct Health {
    provider: String,
    model: String,
    base_url: String,
    /// `closed`: it is asked; `open`: left alone; `half-open`: the next call tries it.
    state: &'static str,
    available: bool,
    /// In a row.
    failures: u32,
    cool_down_remaining_seconds: f64,
    last_reason: Option<String>,
    last_answered: Option<String>,
}

/// Forgets what is to be forgotten, and prints the rest.
pub(super) fn run(args: &HealthArgs, context: &Context) -> Result<ExitCode, CommandError> {
    let mut names: Vec<String> = Vec::new();
    for text in &args.reset {
        let (members, _) = context.settings.named(text, "--reset").map_err(config_error)?;
        // What is remembered of a provider is so of all its models.
        let of = |member: &String| member.split(':').next().unwrap_or_default().trim().to_owned();
        for name in members.iter().map(of) {
            context.settings.account(&name).map_err(config_error)?;
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let store = open_store(context)?;
    for name in &names {
        let text = match store.reset_health(name)? {
            0 => format!("nothing is remembered of {name}"),
            _ => format!("the failures of {name} are forgotten"),
        };
        context.printer.note(&text);
    }
    let now = context.clock.unix().saturating_mul(1000);
    let all: Vec<Health> =
        store.all_health()?.into_iter().map(|known| Health::of(known, now)).collect();
    let (threshold, cool_down) =
        (context.settings.get(key::FAILURE_THRESHOLD), context.settings.get(key::COOL_DOWN));
    if context.json {
        context.printer.json(&Document {
            schema_version: 1,
            failure_threshold: threshold,
            cool_down_seconds: cool_down.as_secs_f64(),
            reset: names,
            providers: all,
        })?;
        return Ok(ExitCode::Success);
    }
    if all.is_empty() {
        context.printer.note("no provider was called at once yet");
        return Ok(ExitCode::Success);
    }
    let words =
        ["NAME", "MODEL", "STATE", "FAILURES", "ASKED AGAIN IN", "LAST ANSWER", "LAST FAILURE"];
    let mut rows = vec![words.map(str::to_owned).to_vec()];
    rows.extend(all.iter().map(Health::cells));
    for line in grid(&rows, &[]) {
        context.printer.data(&line)?;
    }
    context.printer.note(&format!(
        "left alone for {} after {threshold} failures in a row (settings cool_down, \
         failure_threshold)",
        duration(cool_down)
    ));
    Ok(ExitCode::Success)
}

impl Health {
    fn of(known: HealthRecord, now: i64) -> Self {
        let left = known.until.map(|until| until.saturating_sub(now));
        let state = match left {
            None => "closed",
            Some(left) if left > 0 => "open",
            Some(_) => "half-open",
        };
        let left = left.and_then(|left| u64::try_from(left).ok()).unwrap_or(0);
        Self {
            available: state != "open",
            provider: known.provider,
            model: known.model,
            base_url: known.base_url,
            state,
            failures: known.failures,
            cool_down_remaining_seconds: seconds(Duration::from_millis(left)),
            last_reason: known.reason,
            last_answered: known.answered.map(|at| moment(at / 1000)),
        }
    }

    fn cells(&self) -> Vec<String> {
        let some = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let left = match self.state {
            "open" => duration(Duration::from_secs_f64(self.cool_down_remaining_seconds.ceil())),
            "half-open" => "now".to_owned(),
            _ => "-".to_owned(),
        };
        let state = self.state.to_owned();
        let (name, model) = (self.provider.clone(), self.model.clone());
        let (answered, reason) = (some(&self.last_answered), some(&self.last_reason));
        vec![name, model, state, self.failures.to_string(), left, answered, reason]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S3.09, S3.10: available or not, failures in a row, and how long it is left alone.
    #[test]
    fn a_provider_is_closed_open_or_half_open() {
        let known = |until| HealthRecord { failures: 3, until, ..HealthRecord::default() };
        for (until, state, available, left) in [
            (None, "closed", true, 0.0),
            (Some(61_500), "open", false, 1.5),
            (Some(60_000), "half-open", true, 0.0),
            (Some(0), "half-open", true, 0.0),
        ] {
            let health = Health::of(known(until), 60_000);
            let seconds = health.cool_down_remaining_seconds;
            assert_eq!((health.state, health.available), (state, available), "{until:?}");
            assert!((seconds - left).abs() < 1e-9, "{until:?}: {seconds}");
        }
    }
}
