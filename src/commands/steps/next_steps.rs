//! What a person can do once a run has ended, by how it did: the lines to type.

use super::account::Account;
use super::jobs::Found;
use crate::batch::FailureKind;
use crate::commands::Context;
use crate::job::Ending;
use crate::ui::counted;

/// What to do next, and what still costs meanwhile.
pub(super) fn hints(context: &Context, account: &Account<'_>, found: &Found) -> Vec<String> {
    let mut lines = next_steps(context, account, found);
    let is_cut_short = matches!(account.ending, Ending::Refused(_) | Ending::Unreachable(_));
    if is_cut_short && account.runs_on {
        let job = found.job.short();
        lines.push(format!("what was sent runs on and costs; collect it: batchctl watch {job}"));
    }
    lines
}

fn next_steps(context: &Context, account: &Account<'_>, found: &Found) -> Vec<String> {
    let job = found.job.short();
    let provider = &found.job.provider;
    let resume = format!("batchctl resume {job}");
    match account.ending {
        Ending::Refused(failure) => match failure.kind {
            FailureKind::Credentials => {
                vec![
                    format!("fix: {}", new_key(context, provider)),
                    format!("then go on: {resume}"),
                ]
            }
            FailureKind::Account if failure.is_storage_full() => vec![
                "fix: batchctl prune --remote --older-than 0   (the files of all jobs that are over)"
                    .to_owned(),
                format!("then go on: {resume}"),
            ],
            FailureKind::Account => vec![format!("once that is mended at {provider}: {resume}")],
            _ if account.is_collecting => vec![
                format!("its batches have run; their answers are fetched again by: {resume}"),
                format!("if they are lost: batchctl resolve {job} --absent"),
            ],
            _ => vec![
                "fix: mend what it names and type the line again; what was refused costs nothing"
                    .to_owned(),
                format!("if it was mended at {provider}: {resume}"),
            ],
        },
        // It answered: neither address nor network is at fault.
        Ending::Unreachable(failure) if failure.status.is_some() => {
            vec![format!("nothing is lost; once {provider} answers again: {resume}")]
        }
        Ending::Unreachable(_) => vec![
            "fix: check the address, the network and the proxy (--proxy URL, or --proxy none)"
                .to_owned(),
            format!("then go on: {resume}"),
        ],
        Ending::NeedsOperator(_) if !account.is_searching => vec![
            "it ran and is paid, and no file of its answers is named; it may be later".to_owned(),
            format!("ask again:       {resume}"),
            format!("give them up:    batchctl resolve {job} --absent   (missing rows are sent"),
            "                 and paid for again as long as rounds are left)".to_owned(),
        ],
        Ending::NeedsOperator(_) => vec![
            "a batch may or may not exist, so nothing more is sent: look for it in the provider's \
             console"
                .to_owned(),
            format!("if it is there:  batchctl resolve {job} --batch BATCH"),
            format!("if it is not:    batchctl resolve {job} --absent   (its rows are sent again)"),
        ],
        // What to do after a signal was said when it came.
        Ending::Stopped(_) => Vec::new(),
        Ending::Halted(_) => vec![
            format!("nothing more is sent; if the rest is to go out as it is: {resume}"),
            format!("to ask otherwise: batchctl cancel {job}, then"),
            format!("  batchctl retry {job}{} --prompt-file FILE", account.classes_to_ask()),
        ],
        Ending::OverBudget(over) => {
            let lines = over.lines(job).into_iter();
            lines.map(|line| format!("go on:    {line}")).collect()
        }
        Ending::Leftovers(rows) => {
            vec![format!("{} may succeed as one more batch: {resume}", counted(*rows, "row"))]
        }
        Ending::Waiting | Ending::Unclear(_) => vec![
            format!("go on:    batchctl resume {job}"),
            format!("stop it:  batchctl cancel {job}"),
        ],
        // What was pruned cannot be asked again.
        Ending::Done | Ending::Cancelled if account.is_pruned => Vec::new(),
        Ending::Done => account.once_more(),
        Ending::Cancelled => {
            let mut lines = account.once_more();
            lines.push("all of it anew, and paid anew: the same line with --again".to_owned());
            lines
        }
    }
}

/// How a key that was refused is replaced.
fn new_key(context: &Context, provider: &str) -> String {
    let login = format!("batchctl login {}", context.shell.quote(provider));
    let account = context.settings.account(provider).ok();
    match account.and_then(|account| account.dialect.key_variables.first()) {
        Some(variable) => {
            format!("{login}      or   {}", context.shell.set_variable(variable, "…"))
        }
        None => login,
    }
}
