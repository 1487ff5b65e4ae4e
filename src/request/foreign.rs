//! Request lines that another program made: their id and body are kept as they are.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Endpoint, Skip, SkipKind};

/// A foreign request line, taken apart and not yet changed.
#[derive(Debug, Clone)]
pub struct ForeignRequest<'a> {
    /// Its id; an integer is read as text.
    pub custom_id: Cow<'a, str>,
    /// The model its body names.
    pub model: Option<Cow<'a, str>>,
    /// The body, as JSON text.
    pub body: &'a str,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    custom_id: &'a RawValue,
    #[serde(borrow)]
    url: Option<Cow<'a, str>>,
    #[serde(borrow)]
    body: &'a RawValue,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    stream: Option<bool>,
}

/// Takes a request line apart. A line for another endpoint than the job's is refused; another
/// version prefix (`/v1/…` at a service that says `/v4/…`) is not, since the job writes its own.
pub fn read_foreign(line: &str, endpoint: Endpoint) -> Result<ForeignRequest<'_>, Skip> {
    let refuse = |what: String| Skip::new(SkipKind::Foreign, what);
    let Line { custom_id, url, body } = read_object(line)
        .map_err(|what| refuse(format!("not a request line with custom_id and body: {what}")))?;
    if let Some(url) = url.as_deref().filter(|url| !url.trim().is_empty())
        && Endpoint::of_url(url) != Some(endpoint)
    {
        let asked = endpoint.as_str();
        return Err(refuse(format!("the request is for {url}, but this job asks {asked}")));
    }
    let Body { model, stream } = read_object(body.get())
        .map_err(|what| refuse(format!("the request body cannot be read: {what}")))?;
    if stream == Some(true) {
        return Err(refuse("the request asks for a stream, which no batch gives".to_owned()));
    }
    let custom_id = read_id(custom_id.get())
        .ok_or_else(|| refuse(format!("the custom_id {} is not a text", custom_id.get())))?;
    Ok(ForeignRequest { custom_id, model, body: body.get() })
}

/// Reads a JSON object. An array is refused: its elements would be taken for members in order.
pub(super) fn read_object<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, String> {
    if !json.trim_start().starts_with('{') {
        return Err("it is not an object".to_owned());
    }
    serde_json::from_str(json).map_err(|error| error.to_string())
}

fn read_id(json: &str) -> Option<Cow<'_, str>> {
    if json.starts_with('"') {
        return serde_json::from_str::<Text<'_>>(json).ok().map(|text| text.0);
    }
    json.bytes().all(|byte| byte.is_ascii_digit()).then_some(Cow::Borrowed(json))
}

/// Borrows where it can, which a bare `Cow` never does.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_lines_are_taken_apart_or_refused() {
        let line = r#"{"custom_id": "a\"1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m", "x": [1, 2]}}"#;
        let read = read_foreign(line, Endpoint::Chat).unwrap();
        assert_eq!(read.custom_id, "a\"1");
        assert_eq!(read.model.as_deref(), Some("m"));
        assert_eq!(read.body, r#"{"model": "m", "x": [1, 2]}"#);
        let bare = read_foreign(r#"{"custom_id":12,"body":{}}"#, Endpoint::Chat).unwrap();
        assert_eq!((bare.custom_id.as_ref(), bare.model), ("12", None));
        for (line, expected) in [
            (r#"{"body":{}}"#, "not a request line"),
            (r#"["id","/v1/chat/completions",{}]"#, "not a request line"),
            (r#"{"custom_id":"a"}"#, "not a request line"),
            (r#"{"custom_id":null,"body":{}}"#, "the custom_id null"),
            (
                r#"{"custom_id":"a","body":["m",false]}"#,
                "the request body cannot be read: it is not an object",
            ),
            (
                r#"{"custom_id":"a","body":"x"}"#,
                "the request body cannot be read: it is not an object",
            ),
            (r#"{"custom_id":"a","body":{"stream":true}}"#, "the request asks for a stream"),
            (r#"{"custom_id":"a","url":"/v1/embeddings","body":{}}"#, "the request is for /v1/emb"),
        ] {
            let reason = read_foreign(line, Endpoint::Chat).unwrap_err().reason;
            assert!(reason.starts_with(expected), "{line}: {reason}");
        }
    }
}
