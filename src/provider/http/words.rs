//! Transport faults in words: no address, no query, no key.

use std::error::Error;

use crate::base::redact;

/// The sentence for a call without a reply.
pub(super) fn of_call(error: &hyper_util::client::legacy::Error, host: &str, way: &str) -> String {
    let cause = last_cause(error).unwrap_or_else(|| "unknown".to_owned());
    if error.is_connect() {
        format!("no connection to {host}{way}: {cause}")
    } else {
        format!("the connection to {host}{way} broke: {cause}")
    }
}

/// The sentence for a fault between us and a host; `way` names the proxy between, if there is one.
pub(super) fn of_transport(error: &reqwest::Error, host: &str, way: &str) -> String {
    let cause = innermost(error);
    if error.is_connect() {
        format!("no connection to {host}{way}: {cause}")
    } else if error.is_timeout() {
        format!("{host} did not answer in time{way}")
    } else {
        format!("the connection to {host}{way} broke: {cause}")
    }
}

/// The last cause of an error, which is the one that names the trouble. The outer ones name the
/// address with its query.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    // Without a cause the error's own text would hold the address.
    last_cause(error).unwrap_or_else(|| {
        let words = if error.is_builder() { "unusable setting" } else { "unknown" };
        words.to_owned()
    })
}

fn last_cause(error: &dyn Error) -> Option<String> {
    let mut cause = error.source()?;
    while let Some(next) = cause.source() {
        cause = next;
    }
    Some(redact(&cause.to_string()).into_owned())
}
