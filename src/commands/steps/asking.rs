//! From settings and a table's headers to the question that is put to every row.

use std::fs;
use std::path::{Path, PathBuf};

use super::form::{expected, form};
use super::input::Taken;
use super::mode::{Wanted, wanted};
use super::payee;
use super::tell_form::{kept_here, tell_form, tells_form};
use super::who::Who;
use crate::commands::Context;
use crate::config::key;
use crate::job::{JobError, Other};
use crate::request::{
    Detail, Endpoint, Form, Given, ImageOptions, InputColumn, Mode, Question, Source, infer,
};
use crate::table::{Format, Table, read_text};
use crate::ui::{CommandError, ExitCode};

/// Rows that are looked at to find text and images.
const SAMPLE: usize = 100;

/// A worded question.
pub(in crate::commands) struct Asked {
    /// What is asked of every row.
    pub(in crate::commands) question: Question,
    /// What was chosen that nobody said.
    pub(in crate::commands) notes: Vec<String>,
}

/// A text that was given on the line or in a file.
pub(in crate::commands) struct Text {
    pub(in crate::commands) text: String,
    pub(super) is_jinja: bool,
}

/// Words the question.
pub(in crate::commands) fn ask(
    context: &Context,
    taken: &Taken,
    who: &Who,
) -> Result<Asked, CommandError> {
    let Taken { table, source, .. } = taken;
    let settings = &context.settings;
    let endpoint = endpoint(context);
    let mut question = Question {
        endpoint,
        model: who.model.clone(),
        base_url: who.stored_url.clone(),
        line_url: line_url(context, who, endpoint)?,
        max_tokens: settings.get(key::MAX_TOKENS).and_then(|n| u32::try_from(n).ok()),
        max_tokens_field: who.api.dialect().max_tokens_field(endpoint, &who.model).to_owned(),
        parameters: parameters(context)?,
        temperature: settings.get(key::TEMPERATURE),
        ..Question::default()
    };
    if table.shape().format == Format::Requests {
        question.source = Source::Foreign;
        question.max_tokens = taken.bodies.as_ref().and_then(|bodies| bodies.most);
        question.parameters.clear();
        let note = want_json(context, &mut question, who)?;
        return Ok(Asked { question, notes: note.into_iter().collect() });
    }
    let prompt = given_text(context, settings.get(key::PROMPT), settings.get(key::PROMPT_FILE))?;
    let system = given_text(context, settings.get(key::SYSTEM), settings.get(key::SYSTEM_FILE))?;
    let images = settings.get(key::IMAGE_COLUMN);
    let given = Given {
        prompt: prompt.is_some(),
        prompt_names_columns: prompt.is_some() && names_columns(&question, table, prompt.as_ref())?,
        input_column: settings.get(key::INPUT_COLUMN).map(|text| InputColumn::read(&text)),
        image_columns: (!images.is_empty()).then_some(images),
        messages_column: settings.get(key::MESSAGES_COLUMN),
    };
    let inferred = infer(table.headers(), &sample(table)?, &given)
        .map_err(|error| CommandError::new(ExitCode::Usage, error))?;
    question.source = match inferred.messages_column {
        Some(column) => Source::Messages { column },
        None => prompt_source(prompt.as_ref()),
    };
    question.input_column = inferred.input_column;
    question.system = system.map(|system| system.text);
    question.images = image_options(context, source, inferred.image_columns)?;
    let wanted = want_json(context, &mut question, who)?;
    Ok(Asked { question, notes: inferred.note.into_iter().chain(wanted).collect() })
}

/// The question as each further member of the chain is asked it.
pub(super) fn others(
    (question, who): (&Question, &Who),
    form: &Form,
) -> Result<Vec<Other>, CommandError> {
    if question.source == Source::Foreign && !who.others.is_empty() {
        return Err(CommandError::usage(
            "ready-made requests are sent as they stand, so they go to one provider",
        )
        .hint(format!("--provider {}", who.name)));
    }
    let expected = expected(form)?;
    let others = who.others.iter().map(|other| {
        let mut own = other.question(question);
        if tells_form(question) {
            // What this one is told of the form is what it can take.
            tell_form(&mut own, &expected, (&other.name, other.dialect));
        }
        Other { provider: other.name.clone(), question: own }
    });
    Ok(others.collect())
}

/// The endpoint that the settings name.
pub(super) fn endpoint(context: &Context) -> Endpoint {
    match context.settings.get(key::ENDPOINT).as_str() {
        "embeddings" => Endpoint::Embeddings,
        "responses" => Endpoint::Responses,
        _ => Endpoint::Chat,
    }
}

/// Whether the prompt says itself which columns are asked.
fn names_columns(
    question: &Question,
    table: &Table,
    prompt: Option<&Text>,
) -> Result<bool, CommandError> {
    let question = Question { source: prompt_source(prompt), ..question.clone() };
    question
        .wants_input_column(table.headers())
        .map(|wants| !wants)
        .map_err(|error| CommandError::new(ExitCode::Usage, error))
}

fn prompt_source(prompt: Option<&Text>) -> Source {
    Source::Prompt {
        template: prompt.map(|prompt| prompt.text.clone()).unwrap_or_default(),
        jinja: prompt.is_some_and(|prompt| prompt.is_jinja),
    }
}

/// The `url` of each request line; a service may answer in calls what it takes in no batch.
fn line_url(context: &Context, who: &Who, endpoint: Endpoint) -> Result<String, CommandError> {
    if wanted(context) == Wanted::Of(Mode::Realtime) {
        return Ok(payee::line_url(who.api.dialect(), endpoint).to_owned());
    }
    let url = who.api.line_url(endpoint).ok_or_else(|| {
        CommandError::usage(format!(
            "{} takes no {} requests in a batch",
            who.name,
            endpoint.as_str()
        ))
        .hint("add --now to ask by calls, at the realtime price")
    })?;
    Ok(url.to_owned())
}

/// Words the wanted form into the question, and says what was chosen.
fn want_json(
    context: &Context,
    question: &mut Question,
    who: &Who,
) -> Result<Option<String>, CommandError> {
    let form = form(context)?;
    let expected = expected(&form)?;
    if form.schema.is_some() && question.endpoint == Endpoint::Embeddings {
        return Err(CommandError::usage("embeddings are numbers and fit no JSON schema")
            .hint("leave out --json-schema, or --endpoint embeddings"));
    }
    if question.source == Source::Foreign {
        return Ok(form.schema.map(|_| kept_here("the requests are ready-made and sent as such")));
    }
    if context.settings.get(key::NO_JSON_HINT) || question.endpoint == Endpoint::Embeddings {
        return Ok(form.schema.map(|_| kept_here("not sent (--no-json-hint)")));
    }
    Ok(tell_form(question, &expected, (&who.name, who.api.dialect())))
}

/// The first rows, as text.
fn sample(table: &Table) -> Result<Vec<Vec<String>>, CommandError> {
    let mut rows = table.rows().map_err(JobError::from)?;
    let mut sample = Vec::new();
    while sample.len() < SAMPLE
        && let Some(row) = rows.next_row().map_err(JobError::from)?
    {
        sample.push((0..table.headers().len()).map(|i| row.cell(i).to_owned()).collect());
    }
    Ok(sample)
}

/// A text from a flag (`@file` reads a file) or from a file of its own.
pub(in crate::commands) fn given_text(
    context: &Context,
    text: Option<String>,
    file: Option<String>,
) -> Result<Option<Text>, CommandError> {
    let path = match (text, file) {
        (Some(text), _) => match text.strip_prefix('@') {
            Some(path) => PathBuf::from(path),
            None => return Ok(Some(Text { text, is_jinja: false })),
        },
        (None, Some(path)) => PathBuf::from(path),
        (None, None) => return Ok(None),
    };
    let file = context.folder.join(&path);
    if !file.is_file() {
        return Err(CommandError::usage(format!(
            "the prompt file {} is not there",
            path.display()
        )));
    }
    let text = read_text(&file, None).map_err(|error| CommandError::new(ExitCode::Usage, error))?;
    let is_jinja = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("j2"));
    Ok(Some(Text { text: text.trim_end_matches(['\r', '\n']).to_owned(), is_jinja }))
}

/// `key=json`; a value that is no JSON is taken as text, as a shell user would expect.
pub(super) fn parameters(
    context: &Context,
) -> Result<Vec<(String, serde_json::Value)>, CommandError> {
    let read = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            let value = serde_json::from_str(value)
                .unwrap_or_else(|_| serde_json::Value::String(value.to_owned()));
            Ok((name.trim().to_owned(), value))
        }
        _ => Err(CommandError::usage(format!("--param {text} is not of the form key=json"))),
    };
    context.settings.get(key::PARAM).iter().map(read).collect()
}

/// The allowed roots: the table's folder, the working folder, and those that were named.
fn image_options(
    context: &Context,
    source: &Path,
    columns: Vec<String>,
) -> Result<ImageOptions, CommandError> {
    let settings = &context.settings;
    let table_folder = source.parent().filter(|folder| !folder.as_os_str().is_empty());
    let named: Vec<PathBuf> =
        settings.get(key::IMAGE_ROOT).into_iter().map(|root| context.folder.join(root)).collect();
    if let Some(root) = named.iter().find(|root| !root.is_dir()) {
        let text = format!("--image-root {} is not a folder", root.display());
        return Err(CommandError::usage(text));
    }
    let mut roots: Vec<PathBuf> = Vec::new();
    let all = table_folder.map(Path::to_owned).into_iter().chain([context.folder.clone()]);
    for root in all.chain(named) {
        let root = fs::canonicalize(&root).unwrap_or(root);
        if !roots.contains(&root) {
            roots.push(root);
        }
    }
    Ok(ImageOptions {
        columns,
        roots,
        detail: detail(context),
        max_side: max_side(context),
        ..ImageOptions::default()
    })
}

/// How closely images are looked at.
pub(super) fn detail(context: &Context) -> Detail {
    match context.settings.get(key::IMAGE_DETAIL).as_str() {
        "low" => Detail::Low,
        "auto" => Detail::Auto,
        _ => Detail::High,
    }
}

/// The longest side that images may have.
pub(in crate::commands) fn max_side(context: &Context) -> Option<u32> {
    context.settings.get(key::IMAGE_MAX_SIDE).and_then(|side| u32::try_from(side).ok())
}
