//! Which proxy a call goes through, in words for the message about a call that did not get there.

use crate::provider::Proxy;
use crate::provider::settings::{Address, presentable};

/// ` through the proxy socks5h://127.0.0.1:1080 (ALL_PROXY)`; empty where calls go straight.
/// `variable` looks up the environment.
pub(super) fn of_proxy(
    proxy: &Proxy,
    address: &Address,
    variable: impl Fn(&str) -> Option<String>,
) -> String {
    if address.is_loopback() {
        return String::new();
    }
    match proxy {
        Proxy::None => String::new(),
        Proxy::Url(url) => through(url, "--proxy"),
        Proxy::System => {
            let set = |name: &str| {
                let lower = name.to_ascii_lowercase();
                let text = variable(&lower).or_else(|| variable(name))?;
                (!text.trim().is_empty()).then_some(text)
            };
            if set("NO_PROXY").is_some_and(|list| excepts(&list, &address.host())) {
                return String::new();
            }
            let found = ["HTTPS_PROXY", "ALL_PROXY"].map(|name| Some((set(name)?, name)));
            let first = found.into_iter().flatten().next();
            first.map(|(url, name)| through(&url, name)).unwrap_or_default()
        }
    }
}

fn through(url: &str, place: &str) -> String {
    format!(" through the proxy {} ({place})", presentable(url))
}

/// Whether a list such as `localhost,.example.com` names the host.
fn excepts(list: &str, host: &str) -> bool {
    let host = host.split(':').next().unwrap_or_default();
    list.split(',').map(str::trim).any(|entry| {
        let entry = entry.trim_start_matches('.');
        entry == "*"
            || (!entry.is_empty()
                && (host == entry
                    || host.strip_suffix(entry).is_some_and(|rest| rest.ends_with('.'))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Variables<'a> = &'a [(&'a str, &'a str)];

    #[test]
    fn the_proxy_that_stands_in_the_way_is_named() {
        let remote = Address::parse("https://api.openai.com/v1").unwrap();
        let local = Address::parse("http://127.0.0.1:1/v1").unwrap();
        let system = Proxy::System;
        let own = Proxy::Url("http://me:secret@10.0.0.1:8080".to_owned());
        let all = [("ALL_PROXY", "socks5h://127.0.0.1:1")];
        let except = [("https_proxy", "http://p:1"), ("no_proxy", "x.org, .openai.com")];
        let cases: [(&Proxy, &Address, Variables<'_>, &str); 6] = [
            (&system, &remote, &all, " through the proxy socks5h://127.0.0.1:1 (ALL_PROXY)"),
            (&system, &local, &all, ""),
            (&Proxy::None, &remote, &all, ""),
            (&own, &remote, &[], " through the proxy http://10.0.0.1:8080 (--proxy)"),
            (&system, &remote, &except, ""),
            (&system, &remote, &except[..1], " through the proxy http://p:1 (HTTPS_PROXY)"),
        ];
        for (proxy, address, variables, expected) in cases {
            let variable = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, text)| (*text).to_owned())
            };
            assert_eq!(of_proxy(proxy, address, variable), expected, "{variables:?}");
        }
    }
}
