//! A result file of any provider, line by line, and by whose price its lines are reckoned.

use std::collections::HashMap;
use std::path::Path;

use super::{Args, Report};
use crate::answer::{Expected, Wanted, judge};
use crate::batch::{FailureKind, Outcome, ResultFile, ResultLine, Used};
use crate::commands::steps::{expected, price_of};
use crate::commands::{Context, config_error};
use crate::config::{Account, is_loopback};
use crate::cost::{Currency, Price};
use crate::job::{JobError, Prices, Spec, tokens_of};
use crate::provider::provider_of_model;
use crate::request::Mode;
use crate::request::{CustomId, Form};
use crate::result::Seen;
use crate::store::Store;
use crate::ui::CommandError;

/// Models and jobs whose prices are kept; the lines of a file name few.
const MOST_PRICES: usize = 1000;

/// Models without a price that are named.
const MOST_NAMED: usize = 3;

/// What the sandbox's answers say of themselves.
const MADE_UP: &str = "[sandbox]";

/// By what lines are reckoned.
pub(super) struct Lines<'a> {
    context: &'a Context,
    store: &'a Store,
    account: Option<Account>,
    model: Option<&'a str>,
    /// What the line of the command wants of each answer.
    fields: Option<&'a str>,
}

impl<'a> Lines<'a> {
    /// As the flags say.
    pub(super) fn new(
        args: &'a Args,
        context: &'a Context,
        store: &'a Store,
    ) -> Result<Self, CommandError> {
        let account = args.provider.as_deref().map(|name| context.settings.account(name));
        let account = account.transpose().map_err(config_error)?;
        let fields = args.json_fields.as_deref();
        Ok(Self { context, store, account, model: args.model.as_deref(), fields })
    }

    /// What each answer of a file is to hold: what was asked for now, else what the job wanted
    /// that its first line belongs to.
    fn expected(&self, path: &Path) -> Result<Expected, CommandError> {
        if let Some(fields) = self.fields {
            return expected(&Form { fields: Some(fields.to_owned()), ..Form::default() });
        }
        let mut lines = ResultFile::open(path).map_err(JobError::file("read", path))?;
        let id = lines.find_map(|line| Some(line.ok()?.2.ok()?.custom_id));
        let Some(id) = id.as_deref().and_then(CustomId::parse) else {
            return Ok(Expected::default());
        };
        match self.store.job_by_id(&id.job6)? {
            Some(job) => expected(&Spec::of(&job)?.form),
            None => Ok(Expected::default()),
        }
    }

    /// The price of a line: that of the job it belongs to, else of the model that it names, or of
    /// what the flags say.
    fn price(&self, line: &ResultLine) -> Result<Option<Price>, CommandError> {
        if self.account.is_none()
            && self.model.is_none()
            && let Some(id) = CustomId::parse(&line.custom_id)
            && let Some(job) = self.store.job_by_id(&id.job6)?
        {
            let prices = Prices::of(self.store, &job)?;
            let of = |ask| match &line.by {
                Some(by) => prices.of_call(ask, &by.provider, &by.model).cloned(),
                None => prices.of_ask(ask).cloned(),
            };
            if !prices.has_asks() {
                return Ok(of(None));
            }
            // A retry may have asked another model; a round asks one question.
            let shards = self.store.shards(&job.key)?;
            let mut asks = shards.iter().filter(|shard| shard.round == id.round);
            let ask = asks.next().map(|shard| shard.asks.ask);
            let is_one = asks.all(|shard| Some(shard.asks.ask) == ask);
            return Ok(ask.filter(|_| is_one).and_then(of));
        }
        let settings = &self.context.settings;
        let Some(model) = self.model_of(line) else { return Ok(None) };
        if let Some(account) = &self.account {
            return Ok(price_of(settings, account, model));
        }
        // Who answered a call may be a provider of another machine's settings.
        let by = line.by.as_ref().and_then(|by| settings.account(&by.provider).ok());
        if let Some(account) = by {
            return Ok(price_of(settings, &account, model));
        }
        let Some(maker) = provider_of_model(model) else { return Ok(None) };
        let account = settings.account(maker.name).map_err(config_error)?;
        Ok(price_of(settings, &account, model))
    }

    /// Whether a line is of a sandbox: the job it belongs to says so, else its made-up answer.
    fn is_rehearsed(&self, line: &ResultLine) -> Result<bool, CommandError> {
        if let Some(id) = CustomId::parse(&line.custom_id)
            && let Some(job) = self.store.job_by_id(&id.job6)?
        {
            return Ok(is_loopback(&job.base_url));
        }
        Ok(matches!(&line.outcome, Outcome::Answered(reply) if reply.content.contains(MADE_UP)))
    }

    /// The model whose price counts; of a call the one that was asked for, as its line says.
    fn model_of<'l>(&'l self, line: &'l ResultLine) -> Option<&'l str> {
        let asked = line.by.as_ref().map(|by| by.model.as_str());
        self.model.or(asked).or(line.model.as_deref())
    }

    /// What tells lines of one price from others.
    fn key(&self, line: &ResultLine) -> String {
        let id = CustomId::parse(&line.custom_id);
        let job = id.map(|id| format!("{} {}", id.job6, id.round)).unwrap_or_default();
        let by = line.by.as_ref().map(|by| by.provider.as_str()).unwrap_or_default();
        format!("{job} {by} {}", self.model_of(line).unwrap_or_default())
    }
}

/// Takes a file in.
pub(super) fn add_file(
    path: &Path,
    name: &str,
    lines: &Lines<'_>,
    report: &mut Report,
) -> Result<u64, CommandError> {
    let mut prices: HashMap<String, Option<Price>> = HashMap::new();
    let mut used: HashMap<Option<Currency>, Used> = HashMap::new();
    let (mut read, mut broken) = (0_u64, 0_u64);
    let expected = lines.expected(path)?;
    // A file is of one batch: one line of a sandbox tells it of all.
    let mut is_charged = true;
    for line in ResultFile::open(path).map_err(JobError::file("read", path))? {
        let (_, _, line) = line.map_err(JobError::file("read", path))?;
        read += 1;
        let Ok(line) = line else {
            broken += 1;
            report.analysis.add_broken();
            continue;
        };
        add_line(&line, expected.wanted(), report);
        is_charged = is_charged && !lines.is_rehearsed(&line)?;
        let Some(usage) = line.usage.filter(|usage| usage.total() > 0) else { continue };
        let key = lines.key(&line);
        if !prices.contains_key(&key) {
            let price = lines.price(&line)?;
            if prices.len() == MOST_PRICES {
                prices.clear();
            }
            if price.is_none() && report.without_price.len() < MOST_NAMED {
                let model = lines.model_of(&line).unwrap_or("lines without a model");
                report.without_price.insert(model.to_owned());
            }
            prices.insert(key.clone(), price);
        }
        let price = prices[&key].as_ref();
        let mode = if line.by.is_some() { Mode::Realtime } else { Mode::Batch };
        report.called += u64::from(line.by.is_some());
        let cost = price.and_then(|price| price.cost(mode, tokens_of(usage)));
        let currency = price.map(|price| price.currency).filter(|_| cost.is_some());
        used.entry(currency).or_default().add(Some(usage), cost);
    }
    if read > 0 && broken == read {
        return Err(CommandError::usage(format!("{name} holds no result lines (JSONL)"))
            .hint("name the output or error file of a batch, or a job"));
    }
    for (currency, used) in used {
        report.pay(used, currency, is_charged);
    }
    Ok(read)
}

fn add_line(line: &ResultLine, wanted: Wanted<'_>, report: &mut Report) {
    let judged = judge(line, wanted);
    let reply = match &line.outcome {
        Outcome::Answered(reply) => Some(reply),
        Outcome::Failed(_) => None,
    };
    let usage = line.usage.filter(|usage| usage.total() > 0);
    let has_run = reply.is_some() || judged.class == Some(FailureKind::NoAnswer);
    report.without_usage += u64::from(has_run && usage.is_none());
    report.analysis.add(&Seen {
        name: &line.custom_id,
        status: judged.status,
        class: judged.class,
        error: judged.error.as_deref(),
        usage,
        text: reply.map(|reply| reply.content.as_str()),
        finish_reason: reply.and_then(|reply| reply.finish_reason.as_deref()),
        model: line.model.as_deref(),
        parse_status: judged.parse_status,
        values: wanted.fields().map(|fields| (fields, judged.values.as_slice())),
        seconds: None,
    });
}
