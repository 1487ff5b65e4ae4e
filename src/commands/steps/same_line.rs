//! Which job a line means: the newest one that asks just this, the one that has the name it
//! gives. What differs is said where a name stands for something else.

use crate::commands::Context;
use crate::config::key;
use crate::job::{Spec, generation};
use crate::store::{JobRecord, Store};
use crate::ui::CommandError;

/// The jobs that ask just what a line asks, each of them paid for anew.
pub(super) struct Generations {
    /// The digest of what is asked, and that of each further generation that was made.
    digests: Vec<String>,
    /// The newest job.
    newest: Option<JobRecord>,
}

impl Generations {
    /// Looks them up. The first may be missing: in a fresh home a line with `--again` makes the
    /// second, as it would have in the old one.
    pub(super) fn of(store: &Store, run_digest: &str) -> Result<Self, CommandError> {
        let mut found =
            Self { digests: vec![run_digest.to_owned()], newest: store.job_by_digest(run_digest)? };
        for number in 2.. {
            let digest = generation(run_digest, number);
            let Some(job) = store.job_by_digest(&digest)? else { break };
            found.digests.push(digest);
            found.newest = Some(job);
        }
        Ok(found)
    }

    /// The job that a line attaches to, or the digest under which it makes a new one. A line that
    /// pays anew attaches only to what such a line made and did not finish: typed again after an
    /// interruption it must not pay twice.
    pub(super) fn meant(mut self, pays_anew: bool) -> Result<JobRecord, String> {
        let is_first = self.digests.len() == 1;
        match self.newest {
            Some(job) if !pays_anew => Ok(job),
            Some(job) if !is_first && !job.state.is_over() => Ok(job),
            _ if pays_anew => {
                let next = u32::try_from(self.digests.len() + 1).unwrap_or(u32::MAX);
                Err(generation(&self.digests[0], next))
            }
            _ => Err(self.digests.swap_remove(0)),
        }
    }

    /// Whether a job asks just this.
    pub(super) fn has(&self, job: &JobRecord) -> bool {
        self.digests.contains(&job.run_digest)
    }
}

/// The name that the line gives its job. One that belongs to a job with other content is refused
/// with what differs: a script must not take that job's answers for its own.
pub(super) fn name_of(
    context: &Context,
    store: &Store,
    generations: &Generations,
    spec: &Spec,
) -> Result<Option<String>, CommandError> {
    let Some(name) = context.settings.get(key::NAME) else { return Ok(None) };
    let Some(job) = store.job_by_name(&name)?.filter(|job| !generations.has(job)) else {
        return Ok(Some(name));
    };
    let short = job.short();
    let differences = differences(&Spec::of(&job)?, spec).join("; ");
    Err(CommandError::usage(format!(
        "the name {name} belongs to job {short}, and this line differs from it in {differences}"
    ))
    .hint(format!("batchctl resume {name}   goes on with that job"))
    .hint("or give this one another --name"))
}

/// In what a line differs from a job, most telling first.
fn differences(job: &Spec, line: &Spec) -> Vec<String> {
    let (was, is) = (&job.question, &line.question);
    let words = |what: &str, was: &str, is: &str| format!("{what} ({was} there, {is} here)");
    let mut all = Vec::new();
    if job.provider != line.provider || job.base_url != line.base_url {
        let at = |spec: &Spec| format!("{} at {}", spec.provider, spec.base_url);
        all.push(words("the provider", &at(job), &at(line)));
    }
    if was.model != is.model {
        all.push(words("the model", &was.model, &is.model));
    }
    if job.source != line.source {
        all.push(words("the table", &job.source, &line.source));
    }
    let images = |spec: &Spec| {
        let images = &spec.question.images;
        (images.columns.clone(), images.detail, images.max_side)
    };
    let rest = [
        (was.source != is.source || was.input_column != is.input_column, "the question"),
        (was.system != is.system, "the system text"),
        (job.selection != line.selection, "the rows"),
        (
            was.max_tokens != is.max_tokens
                || was.temperature != is.temperature
                || was.parameters != is.parameters
                || was.endpoint != is.endpoint,
            "the parameters",
        ),
        (job.form.schema != line.form.schema || was.json_schema != is.json_schema, "the schema"),
        (
            job.form.fields != line.form.fields
                || (was.json_hint != is.json_hint && line.form.schema.is_none()),
            "the fields",
        ),
        (images(job) != images(line), "the image columns"),
        (job.source_digest != line.source_digest, "the cells of the table"),
    ];
    all.extend(rest.into_iter().filter(|(differs, _)| *differs).map(|(_, what)| what.to_owned()));
    if all.is_empty() {
        // Nothing else decides what is sent.
        all.push("the images of its rows".to_owned());
    }
    all
}
