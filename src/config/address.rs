//! Addresses that a key may be sent to.

use super::error::ConfigError;

/// Takes an address if it is `https`, or `http` on this machine, without user, query or
/// fragment; gives it back without a slash at its end.
pub(super) fn check_address(url: &str, place: &str) -> Result<String, ConfigError> {
    let url = url.trim().trim_end_matches('/');
    let wrong =
        |why| ConfigError::Address { place: place.to_owned(), url: without_secrets(url), why };
    let (scheme, rest) =
        url.split_once("://").ok_or_else(|| wrong("an address begins with https://"))?;
    let authority = rest.split('/').next().unwrap_or_default();
    if rest.contains(['?', '#', ' ', '\\']) || rest.chars().any(char::is_control) {
        return Err(wrong("a query, fragment, space or backslash does not belong in an address"));
    }
    if authority.contains('@') {
        return Err(wrong("a user or password does not belong in an address"));
    }
    if host_of(authority).is_empty() {
        return Err(wrong("the host is missing"));
    }
    match scheme.to_ascii_lowercase().as_str() {
        "https" => Ok(url.to_owned()),
        "http" if is_loopback(url) => Ok(url.to_owned()),
        "http" => Err(wrong("a key is sent over https only, except to this machine")),
        _ => Err(wrong("an address begins with https://")),
    }
}

/// Whether an address is on this machine.
pub fn is_loopback(url: &str) -> bool {
    if url.starts_with("sandbox:") {
        return true;
    }
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host_of(authority);
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// The host of `user@host:port`.
fn host_of(authority: &str) -> &str {
    let host = authority.rsplit('@').next().unwrap_or_default();
    if let Some(end) = host.find(']') {
        return &host[..=end];
    }
    host.split(':').next().unwrap_or_default()
}

/// An address as it may be shown: without user and password, query and fragment.
pub fn without_secrets(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_over_https_or_stays_on_this_machine() {
        let good = [
            ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
            ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://[::1]:8080/v1", "http://[::1]:8080/v1"),
        ];
        for (url, expected) in good {
            assert_eq!(check_address(url, "x").unwrap(), expected);
        }
        let bad = [
            "api.openai.com",
            "http://api.openai.com/v1",
            "http://localhost.evil.com/v1",
            "http://127.0.0.1@evil.com/v1",
            "https://user:secret@host/v1",
            "https://host/v1?key=secret",
            "ftp://host",
            "https://",
            "http://evil.com\\@127.0.0.1/",
        ];
        for url in bad {
            let error = check_address(url, "x").unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
