//! Settings that do not exist, or that a cloned folder may not set.

use insta::assert_snapshot;

use super::{folder, said, sandboxed};

/// What a run says with this `./batchctl.toml`.
fn with_file(name: &str, text: &str) -> String {
    let dir = folder();
    dir.write(name, text);
    let text = said(sandboxed(&dir, "workflow in.csv out.csv"));
    assert!(!dir.path("out.csv").exists(), "nothing may be written\n{text}");
    text
}

#[test]
fn a_project_file_with_a_slip_names_file_and_line() {
    let project = |text| with_file("batchctl.toml", text);
    assert_snapshot!(project("[defaults]\ncheck_intervall = \"3s\"\n"), @r"
    exit 2
    error: [DIR]/batchctl.toml:2: unknown setting `check_intervall` (did you mean `check_interval`?)
      all settings: batchctl help settings
    ");
    assert_snapshot!(project("[default]\ncheck_interval = \"3s\"\n"), @r"
    exit 2
    error: [DIR]/batchctl.toml:1: unknown key `default` (did you mean `defaults`?)
    ");
    assert_snapshot!(project("check_intervall = \"3s\"\n"), @r"
    exit 2
    error: [DIR]/batchctl.toml:1: check_intervall: no such key; did you mean `check_interval`, below a line [defaults]?
    ");
    assert_snapshot!(project("colour_of_the_sky = \"blue\"\n"), @r"
    exit 2
    error: [DIR]/batchctl.toml:1: colour_of_the_sky: no such key; at the top stand default_provider, [defaults], [providers.NAME], [chains.NAME], [prices.MODEL] and [job]
    ");
    assert_snapshot!(project("[defaults]\n\ncheck_interval = \"3q\"\n"), @r"
    exit 2
    error: [DIR]/batchctl.toml:3: check_interval: `3q` is not a duration: write [DURATION], [DURATION], [DURATION] or plain seconds
    ");
    assert_snapshot!(project("[defaults]\ncheck_interval = \n"), @r"
    exit 2
    error: [DIR]/batchctl.toml:2: string values must be quoted, expected literal string
    ");
    assert_snapshot!(project("[job]\nimput = \"x.csv\"\n"), @r"
    exit 2
    error: [DIR]/batchctl.toml:2: unknown setting `imput` (did you mean `input`?)
      all settings: batchctl help settings
    ");
    assert_snapshot!(project("[providers.openai]\nmodell = \"x\"\n"), @r"
    exit 2
    error: [DIR]/batchctl.toml:2: unknown provider setting `modell` (did you mean `model`?)
    ");
}

#[test]
fn a_project_file_spends_nothing_and_redirects_no_key() {
    let project = |text| with_file("batchctl.toml", text);
    assert_snapshot!(project("[defaults]\nyes = true\n"), @r"
    exit 2
    error: [DIR]/batchctl.toml:2: `yes` may not be set here: it decides about money; set it in your own configuration or by a flag
    ");
    assert_snapshot!(project("[defaults]\nproxy = \"http://evil:1\"\n"), @r"
    exit 2
    error: [DIR]/batchctl.toml:2: `proxy` may not be set here: it decides where data and keys go; set it in your own configuration or by a flag
    ");
    assert_snapshot!(project("[job]\nimage_root = \"/\"\n"), @r"
    exit 2
    error: [DIR]/batchctl.toml:2: `image_root` may not be set here: it decides which files may be read; set it in your own configuration or by a flag
    ");
    assert_snapshot!(project("[providers.openai]\nbase_url = \"https://evil.example\"\n"), @r"
    exit 2
    error: [DIR]/batchctl.toml:2: `base_url` may not be set here: it decides where data and keys go; set it in your own configuration
    ");
    assert_snapshot!(project("[providers.openai]\napi_key_env = \"HOME\"\n"), @r"
    exit 2
    error: [DIR]/batchctl.toml:2: `api_key_env` may not be set here: it decides where data and keys go; set it in your own configuration
    ");
}

#[test]
fn dot_env_keeps_the_same_rules() {
    let dot_env = |text| with_file(".env", text);
    assert_snapshot!(dot_env("A=1\nBATCHCTL_YES=1\n"), @r"
    exit 2
    error: [DIR]/.env:2: `BATCHCTL_YES` may not be set here: it decides about money; set it in your own configuration or by a flag
    ");
    assert_snapshot!(dot_env("BATCHCTL_HOME=/tmp/elsewhere\n"), @r"
    exit 2
    error: [DIR]/.env:1: `BATCHCTL_HOME` may not be set here: set it in the environment
    ");
    assert_snapshot!(dot_env("BATCHCTL_PROXY=http://evil:1\n"), @r"
    exit 2
    error: [DIR]/.env:1: `BATCHCTL_PROXY` may not be set here: it decides where data and keys go; set it in your own configuration or by a flag
    ");
    assert_snapshot!(dot_env("BATCHCTL_CHECK_INTERVAL=soon\n"), @r"
    exit 2
    error: [DIR]/.env:1: BATCHCTL_CHECK_INTERVAL: `soon` is not a duration: write [DURATION], [DURATION], [DURATION] or plain seconds
    ");
}

/// A warning, since the variable may be a later release's.
#[test]
fn unknown_variables_are_warned_of() {
    let dir = folder();
    let run = sandboxed(&dir, "workflow in.csv out.csv --dry-run").env("BATCHCTL_MAX_ROW", "3");
    let first = run.run().exits(0).stderr.lines().next().unwrap_or_default().to_owned();
    assert_snapshot!(first, @r"
    warning: BATCHCTL_MAX_ROW in the environment is not a setting and is ignored (did you mean BATCHCTL_MAX_ROWS?)
    ");
}

/// The address in `.env` is not taken, and that is said before the key is used.
#[test]
fn an_address_in_dot_env_is_not_taken_silently() {
    let dir = folder();
    dir.write(
        ".env",
        "OPENAI_BASE_URL=https://gateway.example/v1\nOPENAI_API_KEY=sk-of-gateway-1\n",
    );
    let output = dir.batchctl("workflow in.csv out.csv --model my-finetune").run();
    assert_snapshot!(super::text_of(&output), @"
    exit 7
    OPENAI_BASE_URL in ./.env is not used: addresses come from the environment or your own configuration
    key from ./.env
    asks: column `text`
    error: the price of my-finetune at openai is unknown; nothing was sent
      fix: add --yes to send without asking
      fix: add --dry-run to see what would be sent
    ");
}
