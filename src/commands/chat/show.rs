//! What is printed of an answer, and of none: for people, and as one JSON document.

use serde::Serialize;

use super::answer::Said;
use super::ask::{Answered, Failed, Nobody};
use crate::answer::RowStatus;
use crate::batch::Usage;
use crate::commands::Context;
use crate::config::is_loopback;
use crate::cost::{Currency, Price};
use crate::ui::{CommandError, ExitCode, count, counted, seconds};

/// An answer, for programs.
#[derive(Debug, Serialize)]
struct Document<'a> {
    schema_version: u32,
    content: &'a str,
    status: &'static str,
    error: Option<&'a str>,
    provider: &'a str,
    model: &'a str,
    finish_reason: Option<&'a str>,
    usage: Option<UsageDocument>,
    cost: Option<CostDocument>,
    seconds: f64,
    tries: u32,
    failed: Vec<FailedDocument<'a>>,
}

#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the words of the document")]
struct UsageDocument {
    prompt_tokens: u64,
    cached_tokens: u64,
    completion_tokens: u64,
    reasoning_tokens: u64,
}

impl From<Usage> for UsageDocument {
    fn from(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.prompt_tokens,
            cached_tokens: usage.cached_tokens,
            completion_tokens: usage.completion_tokens,
            reasoning_tokens: usage.reasoning_tokens,
        }
    }
}

/// What an answer cost, in the currency's unit.
#[derive(Debug, Serialize)]
pub(in crate::commands) struct CostDocument {
    currency: Currency,
    actual: f64,
    charged: bool,
}

impl CostDocument {
    /// `None` where it is unknown.
    pub(in crate::commands) fn of(said: &Said, price: Option<&Price>, url: &str) -> Option<Self> {
        let cost = said.cost(price)?;
        let charged = !is_loopback(url);
        Some(Self { currency: cost.currency, actual: cost.units(), charged })
    }
}

/// A service that did not answer.
#[derive(Debug, Serialize)]
struct FailedDocument<'a> {
    provider: &'a str,
    model: &'a str,
    class: &'static str,
    http_status: Option<u16>,
    code: Option<&'a str>,
    message: &'a str,
    /// How often it was asked.
    tries: u32,
}

impl<'a> From<&'a Failed> for FailedDocument<'a> {
    fn from(failed: &'a Failed) -> Self {
        Self {
            provider: &failed.provider,
            model: &failed.model,
            class: failed.failure.kind.as_str(),
            http_status: failed.failure.status,
            code: failed.failure.code.as_deref(),
            message: &failed.failure.message,
            tries: failed.tries,
        }
    }
}

/// No answer, for programs: a failure as every command prints it, and each service's own.
#[derive(Debug, Serialize)]
struct Failure<'a> {
    schema_version: u32,
    error: Told<'a>,
    failed: Vec<FailedDocument<'a>>,
    exit_code: u8,
}

#[derive(Debug, Serialize)]
struct Told<'a> {
    message: String,
    causes: Vec<String>,
    hints: &'a [String],
}

impl Answered<'_> {
    /// Prints the answer as a document.
    pub(super) fn print_document(&self, context: &Context) -> Result<(), CommandError> {
        let said = &self.said;
        Ok(context.printer.json(&Document {
            schema_version: 1,
            content: &said.text,
            status: said.status.as_str(),
            error: said.error.as_deref(),
            provider: &self.member.name,
            model: said.model.as_deref().unwrap_or(&self.member.model),
            finish_reason: said.finish_reason.as_deref(),
            usage: said.usage.map(UsageDocument::from),
            cost: CostDocument::of(said, self.member.price.as_ref(), &self.member.stored_url),
            seconds: seconds(self.took),
            tries: self.tries,
            failed: self.failed.iter().map(FailedDocument::from).collect(),
        })?)
    }

    /// Says on stderr who answered instead of whom, what is wrong with the answer, and with `-v`
    /// what it used.
    pub(super) fn tell(&self, context: &Context) {
        let printer = &context.printer;
        if !self.failed.is_empty() {
            let failed: Vec<String> = self.failed.iter().map(Failed::line).collect();
            let (name, model) = (&self.member.name, &self.member.model);
            printer.warning(&format!("{}; answered by {name} ({model})", failed.join("; ")));
        }
        if let Some(warning) = warning(&self.said) {
            printer.warning(&warning);
        }
        printer.detail(&self.account());
    }

    /// Who answered, tokens, cost and time.
    fn account(&self) -> String {
        let model = self.said.model.as_deref().unwrap_or(&self.member.model);
        let tokens = match self.said.usage {
            Some(usage) => format!(
                "{} prompt + {} completion tokens",
                count(usage.prompt_tokens),
                count(usage.completion_tokens)
            ),
            None => "tokens unknown".to_owned(),
        };
        let cost = match self.said.cost(self.member.price.as_ref()) {
            _ if is_loopback(&self.member.stored_url) => "nothing charged".to_owned(),
            Some(cost) => cost.show(),
            None => "cost unknown".to_owned(),
        };
        let seconds = self.took.as_secs_f64();
        let tries = match self.tries {
            1 => String::new(),
            tries => format!(" · {}", counted(tries.into(), "try").replace("trys", "tries")),
        };
        format!("{} · {model} · {tokens} · {cost} · {seconds:.1}s{tries}", self.member.name)
    }

    /// 0 for a good answer, 3 for one that is cut off, refused or empty.
    pub(super) fn exit(&self) -> ExitCode {
        if self.said.status.is_good() { ExitCode::Success } else { ExitCode::SomeRowsBad }
    }
}

/// What a person must know of an answer that is not good.
fn warning(said: &Said) -> Option<String> {
    match said.status {
        RowStatus::Ok => None,
        RowStatus::Truncated => {
            Some("the answer is cut off by the token limit: raise --max-tokens".to_owned())
        }
        RowStatus::Refused => Some("the model would not answer".to_owned()),
        status => {
            let why = said.error.as_deref().unwrap_or(status.as_str());
            Some(format!("this is no good answer: {why}"))
        }
    }
}

impl Nobody {
    /// Prints the failure as a document where one is wanted, and gives it back as an error.
    pub(super) fn into_error(self, context: &Context) -> CommandError {
        let error = self.error();
        if context.json {
            let mut causes = error.error.chain().map(ToString::to_string);
            let document = Failure {
                schema_version: 1,
                error: Told {
                    message: causes.next().unwrap_or_default(),
                    causes: causes.collect(),
                    hints: &error.hints,
                },
                failed: self.failed.iter().map(FailedDocument::from).collect(),
                exit_code: error.exit.code(),
            };
            // Nobody is there to be told that stdout is closed.
            let _ = context.printer.json(&document);
        }
        error
    }
}
