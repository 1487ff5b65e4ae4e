//! A refusal of a call or of one request, in the words and the shape of the family.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Family;

/// What is wrong, before it is put into a family's shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The HTTP status, or the `status_code` of a line.
    pub(super) status: u16,
    /// The code in OpenAI's words; Zhipu has numbers, see [`Refusal::zhipu`].
    pub(super) code: Option<String>,
    /// Zhipu's number, where the status alone does not give it.
    zhipu: Option<&'static str>,
    /// The field that is wrong.
    pub(super) param: Option<String>,
    /// A sentence for a person.
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, code: None, zhipu: None, param: None, message: message.into() }
    }

    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    pub(super) fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    pub(super) fn zhipu(mut self, code: &'static str) -> Self {
        self.zhipu = Some(code);
        self
    }

    pub(super) fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    pub(super) fn missing(param: &str) -> Self {
        Self::bad(format!("Missing required parameter: '{param}'."))
            .code("missing_required_parameter")
            .zhipu("1213")
            .param(param)
    }

    /// A fault of our own, such as a full disk.
    pub(super) fn fault(reason: impl std::fmt::Display) -> Self {
        Self::new(500, format!("The sandbox cannot go on: {reason}"))
    }

    fn kind(&self) -> &str {
        match (self.status, self.code.as_deref()) {
            (_, Some("insufficient_quota")) => "insufficient_quota",
            (429, _) => "requests",
            (500.., _) => "server_error",
            _ => "invalid_request_error",
        }
    }

    fn zhipu_code(&self) -> String {
        let by_status = match self.status {
            401 => "1000",
            403 => "1220",
            429 => "1302",
            404 => "1222",
            500.. => "1230",
            _ => "1210",
        };
        // A rule of a script may give a number of its own.
        let given = self.code.as_deref().filter(|code| code.bytes().all(|b| b.is_ascii_digit()));
        given.or(self.zhipu).unwrap_or(by_status).to_owned()
    }

    /// The body a client gets.
    pub(super) fn body(&self, family: Family) -> Value {
        match family {
            Family::OpenAi => json!({"error": {
                "message": self.message,
                "type": self.kind(),
                "param": self.param,
                "code": self.code,
            }}),
            Family::Zhipu => {
                json!({"error": {"code": self.zhipu_code(), "message": self.message}})
            }
        }
    }

    pub(super) fn response(&self, family: Family) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        (status, Json(self.body(family))).into_response()
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Self::fault(error)
    }
}
