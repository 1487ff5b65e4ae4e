use super::*;

fn fixture(name: &str) -> String {
    let path = format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).expect(&path)
}

fn told(status: u16, body: &str) -> Told<'_> {
    Told { status, body: body.as_bytes(), ..Told::default() }
}

fn verdict(told: &Told<'_>) -> Option<(CallClass, Advice)> {
    match judge(told) {
        Judged::Answered => None,
        Judged::Failed { class, failure, advice, .. } => {
            assert!(!failure.message.is_empty(), "{failure:?}");
            assert_eq!(failure.status, Some(told.status));
            Some((class, advice))
        }
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const ROW: Advice = Advice::NotThisRow;
const PROVIDER: Advice = Advice::NotThisProvider;
const AGAIN: Advice = Advice::Again(None);
const SLOW: Advice = Advice::SlowDown(None);

/// `S3.06`, defects 2 and 17: the table of what a code advises, whatever stands around it.
#[test]
fn s3_06_codes_decide_before_statuses() {
    let table = [
        ("insufficient_quota", 429, PROVIDER),
        ("billing_hard_limit_reached", 400, PROVIDER),
        ("billing_not_active", 429, PROVIDER),
        ("organization_usage_limit_exceeded", 429, PROVIDER),
        ("organization_spend_limit_exceeded", 429, PROVIDER),
        ("project_spend_limit_exceeded", 429, PROVIDER),
        ("account_deactivated", 401, PROVIDER),
        ("invalid_api_key", 401, PROVIDER),
        ("model_not_found", 404, PROVIDER),
        ("context_length_exceeded", 400, ROW),
        ("content_policy_violation", 400, ROW),
        ("rate_limit_exceeded", 429, SLOW),
        ("rate_limit_exceeded", 200, SLOW),
        ("Throttling.RateQuota", 429, SLOW),
        ("Arrearage", 400, PROVIDER),
        ("exceeded_current_quota_error", 429, PROVIDER),
        ("1000", 401, PROVIDER),
        ("1003", 200, PROVIDER),
        ("1110", 400, PROVIDER),
        ("1113", 429, PROVIDER),
        ("1121", 400, PROVIDER),
        ("1200", 500, AGAIN),
        ("1210", 400, ROW),
        ("1211", 400, PROVIDER),
        ("1212", 400, ROW),
        ("1213", 400, ROW),
        ("1214", 400, ROW),
        ("1215", 400, ROW),
        ("1220", 403, PROVIDER),
        ("1222", 400, PROVIDER),
        ("1230", 500, AGAIN),
        ("1231", 400, AGAIN),
        ("1234", 500, AGAIN),
        ("1261", 400, ROW),
        ("1301", 400, ROW),
        ("1301", 200, ROW),
        ("1302", 429, SLOW),
        ("1302", 200, SLOW),
        ("1303", 429, SLOW),
        ("1304", 429, PROVIDER),
        ("1305", 429, Advice::SlowDown(Some(seconds(30)))),
        ("1308", 429, PROVIDER),
        ("1309", 429, PROVIDER),
        ("1310", 200, PROVIDER),
        ("1311", 429, PROVIDER),
        ("1312", 429, SLOW),
        ("1313", 429, PROVIDER),
        ("1314", 429, PROVIDER),
        ("1321", 429, PROVIDER),
        ("429", 200, SLOW),
        ("503", 200, AGAIN),
        ("401", 200, PROVIDER),
        ("422", 200, ROW),
        ("some_new_word", 200, AGAIN),
        ("some_new_word", 429, SLOW),
        ("some_new_word", 500, AGAIN),
        ("some_new_word", 418, ROW),
    ];
    for (code, status, expected) in table {
        let body = format!(r#"{{"error":{{"code":"{code}","message":"m"}}}}"#);
        let advice = verdict(&told(status, &body)).map(|(_, advice)| advice);
        assert_eq!(advice, Some(expected), "{code} with {status}");
        let number = format!(r#"{{"code":{code},"msg":"m"}}"#);
        if status == 200 && code.parse::<u32>().is_ok() {
            let advice = verdict(&told(status, &number)).map(|(_, advice)| advice);
            assert_eq!(advice, Some(expected), "{number}");
        }
    }
}

/// Rows 2 to 6 of the table where types, headers and statuses speak.
#[test]
fn s3_06_types_headers_and_statuses() {
    // status, body, retry-after, x-should-retry, advice
    type Case<'a> = (u16, &'a str, Option<u64>, Option<bool>, Advice);
    let anthropic =
        |kind: &str| format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"m"}}}}"#);
    let invalid = r#"{"error":{"type":"invalid_request_error","message":"m","code":null}}"#;
    let poor = r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}"#;
    let large = r#"{"error":{"type":"tokens","code":"rate_limit_exceeded","message":"Request too large for gpt-4 in organization org-1 on tokens per min (TPM): Limit 30000, Requested 39375."}}"#;
    let rate = r#"{"error":{"message":"Rate limit reached","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#;
    let no_quota = r#"{"error":{"message":"Quota exceeded","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#;
    let none = "";
    let table: [Case<'_>; 55] = [
        (429, rate, Some(2), None, Advice::SlowDown(Some(seconds(2)))),
        (429, rate, None, Some(true), SLOW),
        (429, rate, None, Some(false), PROVIDER),
        (429, no_quota, Some(2), Some(true), PROVIDER),
        (429, large, Some(2), Some(true), ROW),
        (413, large, None, None, ROW),
        (400, invalid, None, None, ROW),
        (500, invalid, None, Some(true), ROW),
        (401, invalid, None, None, PROVIDER),
        (404, invalid, None, None, PROVIDER),
        (408, invalid, None, None, AGAIN),
        (409, invalid, None, None, AGAIN),
        (429, invalid, None, None, SLOW),
        (400, poor, None, None, PROVIDER),
        (401, &anthropic("authentication_error"), None, None, PROVIDER),
        (402, &anthropic("billing_error"), None, None, PROVIDER),
        (403, &anthropic("permission_error"), None, None, PROVIDER),
        (404, &anthropic("not_found_error"), None, None, PROVIDER),
        (413, &anthropic("request_too_large"), None, None, ROW),
        (429, &anthropic("rate_limit_error"), Some(7), None, Advice::SlowDown(Some(seconds(7)))),
        (500, &anthropic("api_error"), None, None, AGAIN),
        (504, &anthropic("timeout_error"), None, None, AGAIN),
        (529, &anthropic("overloaded_error"), None, None, SLOW),
        (200, &anthropic("overloaded_error"), None, None, SLOW),
        (400, none, None, None, ROW),
        (400, none, None, Some(true), AGAIN),
        (401, none, None, None, PROVIDER),
        (401, none, None, Some(false), PROVIDER),
        (402, none, None, None, PROVIDER),
        (403, none, None, None, PROVIDER),
        (404, "<html>", None, None, PROVIDER),
        (405, none, None, None, PROVIDER),
        (301, none, None, None, PROVIDER),
        (408, none, None, None, AGAIN),
        (409, none, None, None, AGAIN),
        (413, none, None, None, ROW),
        (422, none, None, None, ROW),
        (425, none, None, None, AGAIN),
        (429, none, None, None, SLOW),
        (429, "<html>", Some(0), None, Advice::SlowDown(Some(seconds(0)))),
        (434, none, None, None, PROVIDER),
        (500, none, None, None, AGAIN),
        (500, none, Some(3), None, Advice::Again(Some(seconds(3)))),
        (500, none, None, Some(false), ROW),
        (502, "<html>", None, None, AGAIN),
        (503, none, None, None, AGAIN),
        (503, none, Some(9), None, Advice::SlowDown(Some(seconds(9)))),
        (504, none, None, None, AGAIN),
        (520, none, None, None, AGAIN),
        (529, none, None, None, SLOW),
        (200, none, None, None, AGAIN),
        (200, "{}", None, None, AGAIN),
        (200, "<html>", None, None, AGAIN),
        (200, r#"{"choices":[{"mess"#, None, None, AGAIN),
        (200, r#"{"error":"something"}"#, None, None, AGAIN),
    ];
    for (status, body, after, should_retry, expected) in table {
        let retry_after = after.map(Duration::from_secs);
        let told = Told { retry_after, should_retry, ..told(status, body) };
        let advice = verdict(&told).map(|(_, advice)| advice);
        assert_eq!(advice, Some(expected), "{status} {body} {after:?} {should_retry:?}");
    }
}

/// `S3.06` and defect 17: words decide last, and "capacity" alone says nothing of a rate.
#[test]
fn s3_06_words_decide_where_nothing_else_does() {
    let table = [
        (200, "Rate limit reached", SLOW),
        (200, "RateLimitError", SLOW),
        (200, "Too Many Requests", SLOW),
        (200, "request was throttled", SLOW),
        (200, "Quota exceeded for today", SLOW),
        (200, "the model is at capacity", AGAIN),
        (500, "the model is at capacity", AGAIN),
        (400, "the capacity of the jar is wrong", ROW),
        (400, "Rate limit reached", ROW),
        (429, "anything", SLOW),
    ];
    for (status, words, expected) in table {
        let body = format!(r#"{{"error":{{"message":"{words}"}}}}"#);
        let advice = verdict(&told(status, &body)).map(|(_, advice)| advice);
        assert_eq!(advice, Some(expected), "{status} {words}");
    }
}

/// The services' own samples.
#[test]
fn s3_06_bodies_of_the_fixtures() {
    let wait = Advice::SlowDown(Some(seconds(34)));
    let table = [
        ("openai/reply_rate_limit.json", 429, SLOW),
        ("openai/reply_no_credit.json", 429, PROVIDER),
        ("openai/reply_bad_key.json", 401, PROVIDER),
        ("zhipu/reply_rate.json", 200, SLOW),
        ("zhipu/reply_money.json", 429, PROVIDER),
        ("anthropic/reply_overloaded.json", 529, SLOW),
        ("anthropic/reply_spend_limit.json", 429, PROVIDER),
        ("gemini/reply_quota.json", 429, wait),
        ("gemini/reply_daily_quota.json", 429, PROVIDER),
        ("gemini/reply_bad_key.json", 400, PROVIDER),
    ];
    for (name, status, expected) in table {
        let body = fixture(name);
        let advice = verdict(&told(status, &body)).map(|(_, advice)| advice);
        assert_eq!(advice, Some(expected), "{name}");
    }
    let ramp = fixture("anthropic/reply_spend_limit.json")
        .replace("enforced_spend_limit_reached", "ramp_limit_exceeded");
    let told = Told { retry_after: Some(seconds(5)), ..told(429, &ramp) };
    assert_eq!(verdict(&told).unwrap().1, Advice::SlowDown(Some(seconds(5))));
}

#[test]
fn waits_and_quotas_in_geminis_details() {
    let details =
        |inner: &str| serde_json::from_str(&format!(r#"{{"details":[{inner}]}}"#)).unwrap();
    let quota = |id: &str| details(&format!(r#"{{"violations":[{{"quotaId":"{id}"}}]}}"#));
    let table: [(Value, Option<Duration>, bool); 9] = [
        (details(r#"{"retryDelay":"34s"}"#), Some(seconds(34)), false),
        (details(r#"{},{"retryDelay":"0.5s"}"#), Some(Duration::from_millis(500)), false),
        (details(r#"{"retryDelay":{"seconds":3}}"#), Some(seconds(3)), false),
        (details(r#"{"retryDelay":"soon"}"#), None, false),
        (quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier"), None, true),
        (quota("GenerateContentInputTokensPerModelPerMinute-FreeTier"), None, false),
        (quota("GenerateRequests-FreeTier"), None, true),
        (quota("GenerateRequestsPerMinutePerProjectPerModel"), None, false),
        (Value::Null, None, false),
    ];
    for (error, after, is_used_up) in table {
        assert_eq!(quota_details(&error), (after, is_used_up), "{error}");
    }
}

/// Only what may have been billed counts as unknown.
#[test]
fn which_failures_may_have_been_billed() {
    let error = r#"{"error":{"message":"m","type":"server_error"}}"#;
    let answer = r#"{"choices":[{"message":{"content":"a"}}]}"#;
    let lost = r#"{"choices":[{"message":{"content":"ha"},"finish_reason":"network_error"}]}"#;
    let inside = r#"{"choices":[{"message":{"content":"x"},"error":{"code":429,"message":"m"}}]}"#;
    let harmless = r#"{"choices":[{"message":{"content":"x"},"error":null}]}"#;
    let (unknown, rejected) = (Some(CallClass::Unknown), Some(CallClass::Rejected));
    let table = [
        (200, answer, None),
        (201, answer, None),
        (200, harmless, None),
        (200, r#"{"choices":[]}"#, None),
        (200, r#"{"error":null,"choices":[]}"#, None),
        (200, &fixture("anthropic/message.json"), None),
        (200, &fixture("gemini/answer.json"), None),
        (200, &fixture("gemini/blocked.json"), None),
        (200, lost, unknown),
        (200, inside, rejected),
        (200, error, rejected),
        (200, "{}", unknown),
        (200, "<html>", unknown),
        (200, "", unknown),
        (200, &answer[..20], unknown),
        (400, error, rejected),
        (429, "", rejected),
        (408, error, unknown),
        (500, error, rejected),
        (500, "<html>", unknown),
        (502, error, unknown),
        (503, error, rejected),
        (503, "", unknown),
        (504, error, unknown),
        (529, error, rejected),
        (302, "", rejected),
    ];
    for (status, body, expected) in table {
        let class = verdict(&told(status, body)).map(|(class, _)| class);
        assert_eq!(class, expected, "{status} {body}");
    }
    let cut = Told { is_cut: true, ..told(200, answer) };
    assert_eq!(verdict(&cut), Some((CallClass::Unknown, AGAIN)), "it may be another's prefix");
    let moved = Told { location: Some("https://u:pw@x.example/y?sig=1"), ..told(302, "") };
    let Judged::Failed { failure, .. } = judge(&moved) else { panic!("a redirect is no answer") };
    assert!(failure.message.contains("https://x.example/y"), "{}", failure.message);
    assert!(!failure.message.contains("sig"), "{}", failure.message);
}
