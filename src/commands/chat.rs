//! `chat [PROMPT]`: one question, or a conversation on a terminal, asked at once. What fails at
//! one service goes to the next that was named; if all fail that is an error, never an answer.

mod answer;
mod ask;
mod once;
mod question;
mod show;
mod talk;

use std::time::Duration;

pub(super) use self::answer::{Said, read};
pub(super) use self::show::CostDocument;

use self::ask::Asker;
use self::question::Wanted;
use super::Context;
use super::flags::{Flags, JsonArg, WhoArgs, pixels, retries, temperature, tokens, wait};
use super::steps::{Opened, call_options, open_store};
use crate::config::{Overrides, Value, key};
use crate::job::Chain;
use crate::ui::{CommandError, ExitCode};

/// Arguments of `chat`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Args {
    /// What to ask; text piped in is put below it [default: a conversation on a terminal]
    #[arg(value_name = "PROMPT")]
    pub words: Vec<String>,
    /// What to ask, or the file that says it
    #[arg(short, long, value_name = "TEXT|@FILE", conflicts_with = "words")]
    pub prompt: Option<String>,
    /// Picture to ask about, a file or an address; may be repeated. Without a prompt it is described
    #[arg(long = "image", value_name = "FILE")]
    pub images: Vec<String>,
    /// System message, sent before the conversation [default: none]
    #[arg(short, long, value_name = "TEXT|@FILE")]
    pub system: Option<String>,
    /// Who is asked.
    #[command(flatten)]
    pub who: WhoArgs,
    /// Sampling temperature, 0 to 2 [default: the provider's]
    #[arg(long, value_name = "T", value_parser = temperature)]
    pub temperature: Option<f64>,
    /// Most tokens an answer may have [default: the model's maximum]
    #[arg(long, value_name = "N", value_parser = tokens)]
    pub max_tokens: Option<u64>,
    /// Further request parameter as JSON, for example `top_p=0.9`; may be repeated
    #[arg(long = "param", value_name = "KEY=JSON", hide_short_help = true)]
    pub parameters: Vec<String>,
    /// How closely the model looks at pictures [default: high]
    #[arg(long, value_name = "DETAIL", value_parser = ["high", "low", "auto"], hide_short_help = true)]
    pub image_detail: Option<String>,
    /// Make larger pictures smaller, in pixels of the longer side [default: as they are]
    #[arg(long, value_name = "PX", value_parser = pixels, hide_short_help = true)]
    pub image_max_side: Option<u64>,
    /// How long one service may take before the next is asked [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = wait)]
    pub timeout: Option<Duration>,
    /// How often it is asked again, in all, where services fail in passing [default: 3]
    #[arg(long, value_name = "N", value_parser = retries, hide_short_help = true)]
    pub retries: Option<u64>,
    /// Refused with what there is instead: what an answer costs is known when it is there.
    #[arg(long, value_name = "AMOUNT", value_parser = no_limit, allow_hyphen_values = true, hide = true)]
    pub max_cost: Option<String>,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

impl Flags for Args {
    fn lay(&self, over: &mut Overrides) {
        self.who.lay(over);
        over.set(key::TEMPERATURE, self.temperature.map(Value::Number));
        over.whole(key::MAX_TOKENS, self.max_tokens);
        over.list(key::PARAM, &self.parameters);
        over.text(key::IMAGE_DETAIL, self.image_detail.as_deref());
        over.whole(key::IMAGE_MAX_SIDE, self.image_max_side);
        over.set(key::TIMEOUT, self.timeout.map(Value::Duration));
        over.whole(key::RETRIES, self.retries);
    }
}

fn no_limit(_: &str) -> Result<String, String> {
    Err("chat has no limit of its own: --max-tokens bounds an answer, and what answers cost counts \
         against the setting daily_budget (batchctl help budget)"
        .to_owned())
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let wanted = question::wanted(args, context)?;
    let system = question::system(args, context)?;
    let has_images = matches!(&wanted, Wanted::Once(turn) if !turn.images.is_empty());
    let mut opened = Opened::for_calls();
    let members = ask::open(context, &mut opened, (system.as_deref(), has_images))?;
    let store = open_store(context)?;
    let chain = Chain::new(members, call_options(context), &store, &*context.clock)?;
    let asker = Asker { chain, store: &store };
    match wanted {
        Wanted::Once(turn) => once::once(context, &asker, turn),
        Wanted::Talk => talk::talk(context, &asker),
    }
}
