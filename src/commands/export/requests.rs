//! Request files that `vllm run-batch` takes: plain lines of `custom_id`, `method`, `url` and
//! `body`, with the urls that every such server knows.

use std::io::Write;

use super::Wrote;
use super::joined::Joined;
use super::place::Place;
use super::questions::Questions;
use crate::commands::Context;
use crate::commands::steps::{Answers, Found};
use crate::request::{Endpoint, Question};
use crate::result::each_status;
use crate::store::Store;
use crate::ui::CommandError;

/// Writes the requests of the wanted rows anew. A row of which no request can be made is counted.
pub(super) fn write_requests(
    context: &Context,
    store: &Store,
    found: &Found,
) -> Result<Wrote, CommandError> {
    let spec = &found.spec;
    let path = spec.output.path.as_deref();
    let answers = Answers::of(store, found)?;
    let mut questions = Questions::of(store, found, &answers, plain)?;
    let joined = Joined::of(found)?;
    let join = joined.join(found);
    let mut wrote = Wrote { rows: found.job.rows, ..Wrote::default() };
    let mut place = Place::create(path)?;
    let mut line = Vec::new();
    let settled = answers.all(store, &found.job.key);
    each_status(join, settled, &mut answers.artifacts(), |row, settled| {
        let id = questions.id(row.number(), settled);
        line.clear();
        // Another model's answer, and what was said of it, is nothing to the one that runs these.
        let asked = questions
            .ask(row, settled, |compiled, asked, _| compiled.write_line(asked, &id, &mut line));
        match asked.map_err(std::io::Error::other)? {
            Ok(()) => {
                wrote.written += 1;
                place.write_all(&line)
            }
            Err(skip) => {
                wrote.skipped += 1;
                let reason = format!("row {} (line {}): {skip}", row.number(), row.line());
                wrote.reason.get_or_insert(reason);
                Ok(())
            }
        }
    })?;
    place.finish(context, store, path)?;
    Ok(wrote)
}

/// The question with nothing of the provider that was asked: vLLM knows the plain urls alone.
fn plain(question: &mut Question) -> Result<(), CommandError> {
    let url = match question.endpoint {
        Endpoint::Chat => "/v1/chat/completions",
        Endpoint::Embeddings => "/v1/embeddings",
        Endpoint::Responses => {
            return Err(CommandError::usage(
                "vllm run-batch takes chat and embeddings; this job asked responses",
            )
            .hint("export it as --format json, which has the messages"));
        }
    };
    url.clone_into(&mut question.line_url);
    Ok(())
}
