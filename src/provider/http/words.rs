//! Transport faults in words: no address, no query, no key.

use std::error::Error;

use crate::base::redact;

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
    let Some(mut cause) = error.source() else {
        // Without a cause the error's own text would hold the address.
        return if error.is_builder() {
            "unusable setting".to_owned()
        } else {
            "unknown".to_owned()
        };
    };
    while let Some(next) = cause.source() {
        cause = next;
    }
    redact(&cause.to_string()).into_owned()
}
