//! The check of an input file, line by line, in memory that does not grow with its lines' length.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::family::{Family, Limits, ZHIPU_BATCH_MODELS};
use super::refusal::Refusal;

/// The list of complaints is cut here; a file that is wrong on every line says so soon enough.
const MOST_PROBLEMS: usize = 1000;
/// Zhipu refuses shorter ids.
const ZHIPU_SHORTEST_ID: usize = 6;

/// One complaint about an input file, as it stands in `errors.data`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Problem {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) param: Option<String>,
    /// From 1.
    pub(super) line: Option<u64>,
}

/// What the check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Checked {
    pub(super) requests: u64,
    pub(super) model: Option<String>,
    pub(super) problems: Vec<Problem>,
}

/// One line, read only as deep as the check needs; unknown keys are passed over unread.
#[derive(Deserialize)]
struct Line<'a> {
    custom_id: Option<Value>,
    method: Option<Value>,
    url: Option<Value>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Body {
    model: Option<Value>,
}

/// What to hold a file against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) family: Family,
    pub(super) limits: Limits,
    /// The batch's endpoint, which every line's `url` must equal.
    pub(super) endpoint: &'a str,
    /// Whether models are looked up; not where another server answers.
    pub(super) check_models: bool,
}

/// Checks a file as a service does before it starts a batch.
pub(super) fn check(path: &Path, rules: Rules<'_>) -> io::Result<Checked> {
    let mut check = Check { rules, found: Checked::default(), seen: HashSet::new() };
    each_line(path, |number, bytes| {
        check.line(number, bytes);
        check.found.problems.len() < MOST_PROBLEMS
    })?;
    let mut found = check.found;
    if found.requests == 0 && found.problems.is_empty() {
        found.problems.push(problem("empty_file", "The batch input file is empty.", None, None));
    }
    if found.requests > rules.limits.max_requests {
        let most = rules.limits.max_requests;
        let text = format!("The file has more than the {most} requests a batch may hold.");
        found.problems.insert(0, problem("too_many_tasks", text, None, None));
    }
    Ok(found)
}

/// Calls `act` with the number (from 1) and the bytes of each line that is not blank, until it
/// says false.
pub(super) fn each_line(path: &Path, mut act: impl FnMut(u64, &[u8]) -> bool) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 18, File::open(path)?);
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        if reader.read_until(b'\n', &mut bytes)? == 0 {
            break;
        }
        let line = bytes.trim_ascii();
        if !line.is_empty() && !act(number, line) {
            break;
        }
    }
    Ok(())
}

struct Check<'a> {
    rules: Rules<'a>,
    found: Checked,
    /// Short digests of the ids so far: 8 bytes a line, whatever the ids look like.
    seen: HashSet<u64>,
}

impl Check<'_> {
    fn line(&mut self, number: u64, bytes: &[u8]) {
        self.found.requests += 1;
        if let Err((code, message, param)) = self.judge(bytes) {
            self.found.problems.push(problem(code, message, param, Some(number)));
        }
    }

    fn judge(&mut self, bytes: &[u8]) -> Result<(), Complaint> {
        let line: Line<'_> = serde_json::from_slice(bytes).map_err(|error| {
            ("invalid_json_line", format!("This line is not a JSON object: {error}"), None)
        })?;
        let custom_id = text(line.custom_id, "custom_id")?;
        let method = text(line.method, "method")?;
        let url = text(line.url, "url")?;
        let body: Body = match line.body {
            Some(body) => serde_json::from_str(body.get()).map_err(|_| missing("body"))?,
            None => return Err(missing("body")),
        };
        let model = text(body.model, "body.model")?;
        if !self.seen.insert(crate::base::short_hash(&blake3::hash(custom_id.as_bytes()))) {
            let text = format!("The custom_id '{custom_id}' is used more than once in the file.");
            return Err(("duplicate_custom_id", text, Some("custom_id")));
        }
        if method != "POST" {
            return Err(("invalid_method", "The method must be POST.".into(), Some("method")));
        }
        self.judge_url(&url)?;
        self.judge_model(&model)
    }

    fn judge_url(&self, url: &str) -> Result<(), Complaint> {
        let Rules { family, endpoint, .. } = self.rules;
        if family.endpoint(url).is_none() {
            let known = family.endpoints();
            let text = format!("The url '{url}' is not one of {known}.");
            return Err(("invalid_url", text, Some("url")));
        }
        if url != endpoint {
            let text = format!("The url '{url}' is not the batch's endpoint '{endpoint}'.");
            return Err(("url_mismatch", text, Some("url")));
        }
        Ok(())
    }

    fn judge_model(&mut self, model: &str) -> Result<(), Complaint> {
        let param = Some("body.model");
        if self.rules.check_models && !self.rules.family.takes_model(model) {
            let text = format!("The model '{model}' does not exist or is not for batches.");
            return Err(("model_not_found", text, param));
        }
        let first = self.found.model.get_or_insert_with(|| model.to_owned());
        if *first != model {
            let text = format!("The model '{model}' is not the '{first}' of the first line.");
            return Err(("mismatched_model", text, param));
        }
        Ok(())
    }
}

type Complaint = (&'static str, String, Option<&'static str>);

fn missing(param: &'static str) -> Complaint {
    ("missing_required_parameter", format!("Missing required parameter: '{param}'."), Some(param))
}

/// A key that must be a string with something in it.
fn text(value: Option<Value>, param: &'static str) -> Result<String, Complaint> {
    match value {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        _ => Err(missing(param)),
    }
}

fn problem(
    code: &str,
    message: impl Into<String>,
    param: Option<&str>,
    line: Option<u64>,
) -> Problem {
    Problem { code: code.into(), message: message.into(), param: param.map(Into::into), line }
}

/// The two complaints that Zhipu makes at once, when a file is uploaded.
pub(super) fn check_zhipu_upload(path: &Path, check_models: bool) -> Result<(), Refusal> {
    let mut refusal = None;
    each_line(path, |number, bytes| {
        refusal = refuse_zhipu_line(number, bytes, check_models);
        refusal.is_none()
    })?;
    refusal.map_or(Ok(()), Err)
}

fn refuse_zhipu_line(number: u64, bytes: &[u8], check_models: bool) -> Option<Refusal> {
    let Ok(line) = serde_json::from_slice::<Line<'_>>(bytes) else {
        let text = format!("第{number}行不是合法的 JSON (line {number} is not JSON)");
        return Some(Refusal::bad(text).zhipu("1214"));
    };
    let id = line.custom_id.as_ref().and_then(Value::as_str).unwrap_or_default();
    if id.chars().count() < ZHIPU_SHORTEST_ID {
        let text = format!(
            "第{number}行 custom_id 长度不能小于{ZHIPU_SHORTEST_ID} \
             (line {number}: custom_id is shorter than {ZHIPU_SHORTEST_ID} characters)"
        );
        return Some(Refusal::bad(text).zhipu("1214"));
    }
    let body: Option<Body> = line.body.and_then(|body| serde_json::from_str(body.get()).ok());
    let model = body.and_then(|body| body.model);
    let model = model.as_ref().and_then(Value::as_str).unwrap_or_default();
    if check_models && !Family::Zhipu.takes_model(model) {
        let text = format!(
            "第{number}行 模型 {model} 不支持 Batch，支持的模型 \
             (line {number}: not a batch model; accepted are): {}",
            ZHIPU_BATCH_MODELS.join(", ")
        );
        return Some(Refusal::bad(text).zhipu("1210"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, url: &str, model: &str) -> String {
        format!(
            r#"{{"custom_id":"{id}","method":"POST","url":"{url}","body":{{"model":"{model}"}}}}"#
        )
    }

    #[test]
    fn each_complaint_names_its_line() {
        let chat = "/v1/chat/completions";
        let good = line("row-000001", chat, "gpt-4o-mini");
        let table = [
            (String::new(), "empty_file", None),
            (format!("{good}\n{{\"cut"), "invalid_json_line", Some(2)),
            (format!("{good}\n\n[1]"), "invalid_json_line", Some(3)),
            (format!("{good}\n{good}"), "duplicate_custom_id", Some(2)),
            (format!("{good}\n{}", line("b", chat, "gpt-4o")), "mismatched_model", Some(2)),
            (line("a", "/v1/songs", "gpt-4o"), "invalid_url", Some(1)),
            (line("a", "/v1/embeddings", "gpt-4o"), "url_mismatch", Some(1)),
            (line("a", chat, "glm-4-flash"), "model_not_found", Some(1)),
            (line("", chat, "gpt-4o"), "missing_required_parameter", Some(1)),
            (line("a", chat, ""), "missing_required_parameter", Some(1)),
            (good.replace("POST", "GET"), "invalid_method", Some(1)),
            (
                format!(
                    "{good}\n{}\n{}",
                    line("b", chat, "gpt-4o-mini"),
                    line("c", chat, "gpt-4o-mini")
                ),
                "too_many_tasks",
                None,
            ),
        ];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("input.jsonl");
        for (content, code, place) in table {
            std::fs::write(&path, &content).unwrap();
            let rules = Rules {
                family: Family::OpenAi,
                limits: Limits { max_requests: 2, max_bytes: 1000 },
                endpoint: chat,
                check_models: true,
            };
            let problems = check(&path, rules).unwrap().problems;
            let first = problems.first().map(|p| (p.code.as_str(), p.line));
            assert_eq!(first, Some((code, place)), "{content}");
        }
    }
}
