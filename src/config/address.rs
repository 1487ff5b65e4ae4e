//! Addresses as they may be shown.

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
    fn user_password_and_query_are_not_shown() {
        let table = [
            ("http://user:secret@proxy:8080", "http://proxy:8080"),
            ("https://host/v1?key=secret#x", "https://host/v1"),
            ("socks5h://127.0.0.1:1080", "socks5h://127.0.0.1:1080"),
            ("system", "system"),
        ];
        for (url, expected) in table {
            assert_eq!(without_secrets(url), expected);
        }
    }
}
