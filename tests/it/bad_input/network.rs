//! Addresses that nobody answers at, proxies in the way, and no certificates.

use insta::assert_snapshot;

use super::{folder, said};
use crate::support::sandbox::Sandbox;
use crate::support::workdir::{Run, WorkDir};

/// A loopback address at which nobody listens.
fn closed() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    format!("http://{}", listener.local_addr().expect("a bound socket has an address"))
}

/// With pauses a thousand times shorter, and a key, so that only the way is at fault.
fn remote(dir: &WorkDir, line: &str) -> Run {
    dir.batchctl(line)
        .env("OPENAI_API_KEY", "sk-integration-test-1")
        .env("BATCHCTL_TIME_SCALE", "1000")
}

#[test]
fn an_address_at_which_nobody_answers() {
    let dir = folder();
    let line = "workflow in.csv out.csv --progress none";
    let run = remote(&dir, line).env("OPENAI_BASE_URL", format!("{}/v1", closed()));
    assert_snapshot!(said(run), @"
    exit 5
    openai is at http://127.0.0.1:[PORT]/v1 (from OPENAI_BASE_URL)
    asks: column `text`
    rehearsal, nothing is charged; at the provider: likely $0.0045, $0.0068 set aside as there is no --max-tokens for 3 requests at openai, gpt-4o, prices of [TIME]
    job [JOB] not reachable at openai · 3 rows in [DURATION]
      no connection to 127.0.0.1: Connection refused (os error 111)
      pending  3
    output    out.csv
    fix: check the address, the network and the proxy (--proxy URL, or --proxy none)
    then go on: batchctl resume [JOB]
    ");
    let sandbox = Sandbox::start();
    // Nothing was sent; the mended address takes the same line.
    dir.batchctl("workflow in.csv out.csv --progress none --check-interval 0.2")
        .openai_at(sandbox.address())
        .run()
        .exits(0);
}

#[test]
fn a_host_that_does_not_exist() {
    let dir = folder();
    let run = remote(&dir, "workflow in.csv out.csv --yes --progress none")
        .env("OPENAI_BASE_URL", "https://no-such-host.invalid/v1");
    run.run().exits(5).says(&[
        "no connection to no-such-host.invalid: ",
        "fix: check the address, the network and the proxy",
        "then go on: batchctl resume ",
    ]);
}

#[test]
fn addresses_a_key_does_not_go_to() {
    let dir = folder();
    let at =
        |url: &str| said(remote(&dir, "workflow in.csv out.csv --yes").env("OPENAI_BASE_URL", url));
    assert_snapshot!(at("http://api.example.com/v1"), @r#"
    exit 2
    error: OPENAI_BASE_URL: the address "http://api.example.com/v1" cannot be used: a key is only sent over https (http only on loopback)
    "#);
    assert_snapshot!(at("ftp://api.example.com"), @r#"
    exit 2
    error: OPENAI_BASE_URL: the address "ftp://api.example.com" cannot be used: it must begin with https://
    "#);
    assert_snapshot!(at("nonsense"), @r#"
    exit 2
    error: OPENAI_BASE_URL: the address "nonsense" cannot be used: it must begin with https://
    "#);
}

/// Calls to this machine take no proxy, whatever the environment says.
#[test]
fn loopback_takes_no_proxy() {
    let sandbox = Sandbox::start();
    let dir = folder();
    let mut run = dir
        .batchctl("workflow in.csv out.csv --progress none --check-interval 0.2")
        .openai_at(sandbox.address());
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"] {
        run = run.env(name, "http://127.0.0.1:9");
    }
    for name in ["ALL_PROXY", "all_proxy"] {
        run = run.env(name, "socks5h://127.0.0.1:9");
    }
    run.run().exits(0);
}

#[test]
fn a_proxy_that_refuses_is_named() {
    let dir = folder();
    let proxy = closed().replace("http://", "");
    let line = "workflow in.csv out.csv --yes --progress none";
    remote(&dir, line).env("ALL_PROXY", format!("socks5h://{proxy}")).run().exits(5).says(&[
        &format!("no connection to api.openai.com through the proxy socks5h://{proxy} (ALL_PROXY)"),
    ]);
    remote(&dir, line)
        .arg(format!("--proxy=http://me:secretword@{proxy}"))
        .run()
        .exits(5)
        .says(&[&format!(
            "no connection to api.openai.com through the proxy http://{proxy} (--proxy)"
        )])
        .hides(&["secretword"]);
    assert_snapshot!(said(remote(&dir, line).arg("--proxy=ftp://p")), @"
    exit 2
    error: --proxy: the proxy cannot be used: ftp:// is not a kind of proxy (give URL, `system` or `none`)
    ");
    assert_snapshot!(said(remote(&dir, line).arg("--proxy=nonsense")), @"
    exit 2
    error: --proxy: the proxy cannot be used: not an address: relative URL without a base (give URL, `system` or `none`)
    ");
}

#[test]
fn without_certificates_loopback_works_and_https_says_what_to_install() {
    let sandbox = Sandbox::start();
    let dir = folder();
    let bare =
        |run: Run| run.env("SSL_CERT_FILE", "/nonexistent").env("SSL_CERT_DIR", "/nonexistent");
    let line = "workflow in.csv out.csv --progress none --check-interval 0.2";
    bare(dir.batchctl(line)).openai_at(sandbox.address()).run().exits(0);
    assert_snapshot!(said(bare(remote(&dir, "workflow in.csv out.csv --yes"))), @r"
    exit 2
    error: no CA certificates were found on this system, so no https address can be trusted: install the package ca-certificates, or point SSL_CERT_FILE at a file with certificates
    ");
    bare(dir.batchctl("workflow in.csv o2.csv --provider sandbox")).run().exits(0);
}
