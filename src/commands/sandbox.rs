//! `sandbox`: a local Batch API.

use std::path::PathBuf;
use std::time::Duration;

use super::Context;
use super::flags::whole;
use crate::base::Secret;
use crate::sandbox::{
    Answers, CallLimits, EnqueuedTokens, Families, Family, Faults, Running, SandboxError,
    SandboxOptions, Script, Upstream, serve,
};
use crate::ui::{CommandError, ExitCode};

/// The key in the lines that are printed; any other that begins like it is taken as well.
const DEMO_KEY: &str = "sandbox-demo";
/// No batch takes longer, and none is kept waiting longer (seconds).
const LONGEST: f64 = 7.0 * 24.0 * 3600.0;

const MORE: &str = "\
Answers are made up and say so; equal requests get equal answers. A text with [[fail:400]],
[[fail:429]] or [[fail:500]] in it makes its row fail with that status. Rules of a script:

  [[rule]]
  match = \"a piece of any text of the request\"
  reply = \"the answer\"           # or status = 400, code = \"…\", message = \"…\"
  finish_reason = \"length\"       # stop if not given

GET /sandbox/ledger, with any sandbox- key, tells what would have been billed, and /sandbox/calls
what was seen of each call that answers at once. A key may name an account behind an @, as in
sandbox-test@anna: what is of one account does not exist for another, and each has its own limits.
What goes wrong on purpose: batchctl help faults.";

/// Arguments of `sandbox`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = MORE)]
pub struct Args {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8080, value_parser = port)]
    pub port: u16,
    /// Who answers: auto (schema where JSON is asked for, else echo), echo, schema, script:FILE with
    /// rules, or fixed[:TEXT], the fastest
    #[arg(long, value_name = "auto|echo|schema|fixed|script:FILE", default_value = "auto",
        value_parser = parse_answers)]
    pub answers: AnswersArg,
    /// An OpenAI-compatible server that answers instead, such as `http://127.0.0.1:11434/v1`
    #[arg(long, value_name = "URL", conflicts_with = "answers")]
    pub upstream: Option<String>,
    /// The environment variable that holds the upstream server's key
    #[arg(long, value_name = "NAME", requires = "upstream")]
    pub upstream_key_env: Option<String>,
    /// Requests at the upstream server at once
    #[arg(long, value_name = "N", requires = "upstream", default_value_t = 4,
        value_parser = at_once)]
    pub upstream_concurrency: usize,
    /// Folder for files, batches and the bill; the next start goes on with it [default: in the
    /// home folder]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Seconds from the creation of a batch to its completion
    #[arg(long, value_name = "N", default_value = "2", env = "BATCHCTL_SANDBOX_BATCH_SECONDS",
        value_parser = parse_seconds)]
    pub batch_seconds: Duration,
    /// Seconds from the creation of a batch to its expiry
    #[arg(long, value_name = "N", default_value = "86400", env = "BATCHCTL_SANDBOX_EXPIRE_SECONDS",
        value_parser = parse_seconds)]
    pub expire_seconds: Duration,
    /// Prompt tokens that may wait per account and model; more fails later, or with `:create` is refused
    #[arg(long, value_name = "N[:create]", env = "BATCHCTL_SANDBOX_ENQUEUED_TOKENS",
        value_parser = parse_enqueued)]
    pub enqueued_tokens: Option<EnqueuedTokens>,
    /// Calls a minute that answer at once, per account and service; more are refused with 429
    #[arg(long, value_name = "N", env = "BATCHCTL_SANDBOX_RPM", value_parser = limit)]
    pub rpm: Option<u64>,
    /// Tokens a minute of such calls, prompt and answer
    #[arg(long, value_name = "N", env = "BATCHCTL_SANDBOX_TPM", value_parser = limit)]
    pub tpm: Option<u64>,
    /// Such calls at the same time
    #[arg(long, value_name = "N", env = "BATCHCTL_SANDBOX_AT_ONCE", value_parser = limit)]
    pub at_once: Option<u64>,
    /// How long each such call takes, as in 200ms
    #[arg(long, value_name = "TIME", default_value = "0", env = "BATCHCTL_SANDBOX_LATENCY",
        value_parser = parse_latency)]
    pub latency: Duration,
    /// What is to go wrong: rules, @FILE with rules, or seed:N; see batchctl help faults
    #[arg(long, value_name = "RULES|@FILE|seed:N", env = "BATCHCTL_SANDBOX_FAULTS")]
    pub faults: Option<String>,
    /// Which services it plays; both are those with batches: openai and zhipu
    #[arg(long, value_name = "openai|zhipu|anthropic|gemini|both|all", default_value = "all",
        value_parser = parse_families)]
    pub family: Families,
    /// Take any model, not only those that the services sell
    #[arg(long)]
    pub any_model: bool,
}

/// What `--answers` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswersArg {
    /// By what the request asks for.
    Auto,
    /// The last user text.
    Echo,
    /// Values of the right types.
    Schema,
    /// The same text to all.
    Fixed(String),
    /// By the rules of a file.
    Script(PathBuf),
}

fn port(text: &str) -> Result<u16, String> {
    whole(text, "a port", 0, Some(u16::MAX))
}

fn at_once(text: &str) -> Result<usize, String> {
    whole(text, "a number of requests", 1, None)
}

fn parse_answers(text: &str) -> Result<AnswersArg, String> {
    Ok(match text {
        "auto" => AnswersArg::Auto,
        "echo" => AnswersArg::Echo,
        "schema" => AnswersArg::Schema,
        "fixed" => AnswersArg::Fixed("[sandbox] ok".to_owned()),
        _ if text.starts_with("fixed:") => AnswersArg::Fixed(text[6..].to_owned()),
        _ => match text.strip_prefix("script:").filter(|path| !path.is_empty()) {
            Some(path) => AnswersArg::Script(path.into()),
            None => return Err("give auto, echo, schema, fixed or script:FILE".to_owned()),
        },
    })
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=LONGEST).contains(seconds));
    let seconds = seconds.ok_or_else(|| format!("give seconds from 0 to {LONGEST}"))?;
    Ok(Duration::from_secs_f64(seconds))
}

fn parse_enqueued(text: &str) -> Result<EnqueuedTokens, String> {
    let (number, at_create) = match text.strip_suffix(":create") {
        Some(number) => (number, true),
        None => (text, false),
    };
    let limit = number.parse().map_err(|_| "give a number of tokens, or N:create".to_owned())?;
    Ok(EnqueuedTokens { limit, at_create })
}

fn limit(text: &str) -> Result<u64, String> {
    whole(text, "a limit", 1, None)
}

/// `200ms`, `1.5s`, or seconds.
fn parse_latency(text: &str) -> Result<Duration, String> {
    let (number, scale) = match text.strip_suffix("ms") {
        Some(number) => (number, 1000.0),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let seconds: Option<f64> = number.trim().parse().ok().map(|number: f64| number / scale);
    let seconds = seconds.filter(|seconds| (0.0..=LONGEST).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "give a time, such as 200ms or 1.5s".into())
}

fn parse_families(text: &str) -> Result<Families, String> {
    match text {
        "openai" => Ok(Families::Only(Family::OpenAi)),
        "zhipu" => Ok(Families::Only(Family::Zhipu)),
        "anthropic" => Ok(Families::Only(Family::Anthropic)),
        "gemini" => Ok(Families::Only(Family::Gemini)),
        "both" => Ok(Families::Both),
        "all" => Ok(Families::All),
        _ => Err("give openai, zhipu, anthropic, gemini, both or all".to_owned()),
    }
}

/// Runs the command until it is interrupted, which is how it is meant to end.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let options = options(args, context)?;
    let families = options.families;
    let running = context.block_on(serve(options))?.map_err(failed)?;
    for line in greeting(&running, families) {
        context.printer.data(&line)?;
    }
    context.block_on(async {
        stop_signal().await?;
        running.shutdown().await;
        std::io::Result::Ok(())
    })??;
    Ok(ExitCode::Success)
}

fn options(args: &Args, context: &Context) -> Result<SandboxOptions, CommandError> {
    let state = args.state.as_ref().map(|folder| context.folder.join(folder));
    let state = state.unwrap_or_else(|| context.home.join("sandbox-server"));
    Ok(SandboxOptions {
        port: args.port,
        answers: answers(args, context)?,
        families: args.family,
        batch_duration: args.batch_seconds,
        expire_after: args.expire_seconds,
        any_model: args.any_model,
        faults: faults(args.faults.as_deref(), context)?,
        enqueued_tokens: args.enqueued_tokens,
        calls: CallLimits { rpm: args.rpm, tpm: args.tpm, at_once: args.at_once },
        latency: args.latency,
        ..SandboxOptions::new(state)
    })
}

fn faults(given: Option<&str>, context: &Context) -> Result<Faults, CommandError> {
    let opened = given.map(|given| Faults::open(given, &context.folder)).transpose();
    Ok(opened.map_err(|error| CommandError::new(ExitCode::Usage, error))?.unwrap_or_default())
}

/// The options of a sandbox in this process: what the variables of its flags say.
pub(in crate::commands) fn options_by_environment(
    state: PathBuf,
    context: &Context,
) -> Result<SandboxOptions, CommandError> {
    let mut options = SandboxOptions::new(state);
    if let Some(time) = variable("BATCHCTL_SANDBOX_BATCH_SECONDS", parse_seconds)? {
        options.batch_duration = time;
    }
    if let Some(time) = variable("BATCHCTL_SANDBOX_EXPIRE_SECONDS", parse_seconds)? {
        options.expire_after = time;
    }
    options.enqueued_tokens = variable("BATCHCTL_SANDBOX_ENQUEUED_TOKENS", parse_enqueued)?;
    options.calls = CallLimits {
        rpm: variable("BATCHCTL_SANDBOX_RPM", limit)?,
        tpm: variable("BATCHCTL_SANDBOX_TPM", limit)?,
        at_once: variable("BATCHCTL_SANDBOX_AT_ONCE", limit)?,
    };
    if let Some(time) = variable("BATCHCTL_SANDBOX_LATENCY", parse_latency)? {
        options.latency = time;
    }
    let given = variable("BATCHCTL_SANDBOX_FAULTS", |text| Ok(text.to_owned()))?;
    options.faults = faults(given.as_deref(), context)?;
    Ok(options)
}

/// The value of a variable, if it is set and not empty.
fn variable<T>(
    name: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, CommandError> {
    let Ok(text) = std::env::var(name) else { return Ok(None) };
    if text.is_empty() {
        return Ok(None);
    }
    parse(&text).map(Some).map_err(|wanted| {
        CommandError::usage(format!("the environment variable {name} is `{text}`: {wanted}"))
    })
}

fn answers(args: &Args, context: &Context) -> Result<Answers, CommandError> {
    if let Some(url) = &args.upstream {
        let key = args.upstream_key_env.as_deref().map(key_from).transpose()?;
        let upstream = Upstream::new(url, key).map_err(failed)?;
        return Ok(Answers::Upstream(upstream.with_concurrency(args.upstream_concurrency)));
    }
    Ok(match &args.answers {
        AnswersArg::Auto => Answers::Auto,
        AnswersArg::Echo => Answers::Echo,
        AnswersArg::Schema => Answers::Schema,
        AnswersArg::Fixed(text) => Answers::Fixed(text.clone()),
        AnswersArg::Script(path) => {
            Answers::Script(Script::open(&context.folder.join(path)).map_err(failed)?)
        }
    })
}

fn key_from(name: &str) -> Result<Secret, CommandError> {
    match std::env::var(name) {
        Ok(key) if !key.trim().is_empty() => Ok(Secret::new(key.trim())),
        _ => Err(CommandError::message(
            ExitCode::Credentials,
            format!("the environment variable {name} holds no key"),
        )),
    }
}

fn failed(error: SandboxError) -> CommandError {
    let exit = match error {
        SandboxError::State { .. } => ExitCode::Storage,
        _ => ExitCode::Usage,
    };
    CommandError::new(exit, error)
}

/// Where it is, and the lines that make a client talk to it.
fn greeting(running: &Running, families: Families) -> Vec<String> {
    let mut lines = vec![format!("batchctl-sandbox at http://{}", running.address())];
    let names = [
        (Family::OpenAi, "OPENAI"),
        (Family::Zhipu, "ZHIPUAI"),
        (Family::Anthropic, "ANTHROPIC"),
        (Family::Gemini, "GEMINI"),
    ];
    for (family, name) in names {
        if families.contains(family) {
            lines.push(format!("export {name}_BASE_URL={}", running.base_url(family)));
            lines.push(format!("export {name}_API_KEY={DEMO_KEY}"));
        }
    }
    lines
}

/// Ctrl-C, or what a supervisor sends.
async fn stop_signal() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_flags_may_say() {
        assert_eq!(parse_answers("script:a.toml"), Ok(AnswersArg::Script("a.toml".into())));
        assert!(parse_answers("script:").is_err() && parse_answers("loud").is_err());
        assert_eq!(parse_seconds("0.05"), Ok(Duration::from_millis(50)));
        for wrong in ["-1", "NaN", "inf", "soon"] {
            assert!(parse_seconds(wrong).is_err(), "{wrong}");
        }
        let enqueued = |limit, at_create| Ok(EnqueuedTokens { limit, at_create });
        assert_eq!(parse_enqueued("90000"), enqueued(90_000, false));
        assert_eq!(parse_enqueued("5:create"), enqueued(5, true));
        assert!(parse_enqueued("5:later").is_err() && parse_enqueued("").is_err());
        assert_eq!(parse_families("zhipu"), Ok(Families::Only(Family::Zhipu)));
        assert_eq!(parse_families("both"), Ok(Families::Both));
        assert_eq!(parse_families("all"), Ok(Families::All));
        assert!(parse_families("none").is_err());
        let times = [("200ms", 200), ("1.5s", 1500), ("2", 2000), ("0", 0)];
        for (text, millis) in times {
            assert_eq!(parse_latency(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert!(parse_latency("-1s").is_err() && parse_latency("soon").is_err());
        assert_eq!(parse_answers("fixed:a"), Ok(AnswersArg::Fixed("a".into())));
    }
}
