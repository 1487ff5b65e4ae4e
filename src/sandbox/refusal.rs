//! A refusal of a call or of one request, in the words and the shape of the family.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
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
    /// Whether a limit on tokens was met, not on requests.
    of_tokens: bool,
    /// When to come again: a header, at Gemini a part of the body.
    pub(super) retry: Option<Duration>,
}

impl Refusal {
    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            status,
            code: None,
            zhipu: None,
            param: None,
            message,
            of_tokens: false,
            retry: None,
        }
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

    pub(super) fn of_tokens(mut self, of_tokens: bool) -> Self {
        self.of_tokens = of_tokens;
        self
    }

    pub(super) fn retry(mut self, after: Duration) -> Self {
        self.retry = Some(after);
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

    /// The service has too much to do, as each says it.
    pub(super) fn overloaded(family: Family) -> Self {
        match family {
            Family::OpenAi => {
                Self::new(503, "The engine is currently overloaded.").code("server_overloaded")
            }
            Family::Zhipu => {
                Self::new(429, "该模型当前访问量过大 (the model is overloaded)").zhipu("1305")
            }
            Family::Anthropic => Self::new(529, "Overloaded"),
            Family::Gemini => Self::new(503, "The model is overloaded. Please try again later."),
        }
    }

    fn openai_type(&self) -> &str {
        match (self.status, self.code.as_deref()) {
            (_, Some("insufficient_quota")) => "insufficient_quota",
            (429, _) if self.of_tokens => "tokens",
            (429, _) => "requests",
            (500.., _) => "server_error",
            _ => "invalid_request_error",
        }
    }

    fn zhipu_code(&self) -> String {
        let by_status = match (self.status, self.code.as_deref()) {
            (429, Some("insufficient_quota")) => "1113",
            (401, _) => "1000",
            (403, _) => "1220",
            (429, _) => "1302",
            (404, _) => "1222",
            (500.., _) => "1230",
            _ => "1210",
        };
        // A rule of a script may give a number of its own.
        let given = self.code.as_deref().filter(|code| code.bytes().all(|b| b.is_ascii_digit()));
        given.or(self.zhipu).unwrap_or(by_status).to_owned()
    }

    fn anthropic_type(&self) -> &str {
        match (self.status, self.code.as_deref()) {
            // A rule may give one of Anthropic's own types.
            (_, Some(code)) if code.ends_with("_error") && code != "server_error" => code,
            (401, _) => "authentication_error",
            (402, _) => "billing_error",
            (403, _) => "permission_error",
            (404, _) => "not_found_error",
            (413, _) => "request_too_large",
            (429, _) => "rate_limit_error",
            (504, _) => "timeout_error",
            (529, _) => "overloaded_error",
            (500.., _) => "api_error",
            _ => "invalid_request_error",
        }
    }

    fn anthropic(&self) -> Value {
        let mut error = json!({"type": self.anthropic_type(), "message": self.message});
        if self.code.as_deref() == Some("insufficient_quota") {
            error["error_code"] = json!("enforced_spend_limit_reached");
        }
        json!({"type": "error", "error": error, "request_id": "req_sandbox"})
    }

    fn gemini(&self) -> Value {
        let status = match self.status {
            401 => "UNAUTHENTICATED",
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            429 => "RESOURCE_EXHAUSTED",
            499 => "CANCELLED",
            503 | 529 => "UNAVAILABLE",
            504 => "DEADLINE_EXCEEDED",
            500.. => "INTERNAL",
            _ => "INVALID_ARGUMENT",
        };
        let mut error = json!({"code": self.status, "message": self.message, "status": status});
        let mut details = Vec::new();
        match self.code.as_deref() {
            Some("invalid_api_key") => details.push(json!({
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
            })),
            Some("insufficient_quota") => {
                details.push(quota_failure("GenerateRequestsPerDayPerProjectPerModel-FreeTier"));
            }
            _ if self.status == 429 => {
                details.push(quota_failure("GenerateRequestsPerMinutePerProjectPerModel"));
            }
            _ => {}
        }
        if let Some(retry) = self.retry {
            details.push(json!({
                "@type": "type.googleapis.com/google.rpc.RetryInfo",
                "retryDelay": format!("{}s", retry.as_secs_f64()),
            }));
        }
        if !details.is_empty() {
            error["details"] = Value::Array(details);
        }
        json!({"error": error})
    }

    /// The body a client gets.
    pub(super) fn body(&self, family: Family) -> Value {
        match family {
            Family::OpenAi => json!({"error": {
                "message": self.message,
                "type": self.openai_type(),
                "param": self.param,
                "code": self.code,
            }}),
            Family::Zhipu => {
                json!({"error": {"code": self.zhipu_code(), "message": self.message}})
            }
            Family::Anthropic => self.anthropic(),
            Family::Gemini => self.gemini(),
        }
    }

    pub(super) fn response(&self, family: Family) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut reply = (status, Json(self.body(family))).into_response();
        let Some(retry) = self.retry else { return reply };
        let headers = reply.headers_mut();
        // Zhipu says nothing of it, Gemini in the body.
        if matches!(family, Family::OpenAi | Family::Anthropic) {
            let seconds = retry.as_millis().div_ceil(1000).max(1);
            headers.insert(header::RETRY_AFTER, number(seconds));
        }
        if family == Family::OpenAi {
            headers.insert("retry-after-ms", number(retry.as_millis().max(1)));
        }
        reply
    }
}

fn number(value: u128) -> HeaderValue {
    HeaderValue::from(u64::try_from(value).unwrap_or(u64::MAX))
}

fn quota_failure(id: &str) -> Value {
    json!({
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{
            "quotaMetric": "generativelanguage.googleapis.com/generate_content_requests",
            "quotaId": id,
        }],
    })
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Self::fault(error)
    }
}
