//! Who is asked, at which address, with which key.

use super::*;

#[test]
fn who_is_asked_is_said_and_never_guessed_from_keys() {
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, Option<&'a str>);
    let section = "[providers.openai]\nmodel = \"gpt-4o\"\n";
    let table: [Case; 8] = [
        ("", &[("ZHIPUAI_API_KEY", "zhipu-key-who-test")], "openai", None),
        ("", &[("BATCHCTL_MODEL", "glm-4-flash")], "zhipu", Some("glm-4-flash")),
        ("", &[("BATCHCTL_MODEL", "gpt-4o-mini")], "openai", Some("gpt-4o-mini")),
        ("", &[("BATCHCTL_PROVIDER", "zhipu:glm-4")], "zhipu", Some("glm-4")),
        ("default_provider = \"zhipu\"\n", &[], "zhipu", None),
        (
            "default_provider = \"zhipu:glm-4\"\n",
            &[("BATCHCTL_MODEL", "glm-5")],
            "zhipu",
            Some("glm-5"),
        ),
        (
            "[defaults]\nmodel = \"glm-4\"\n",
            &[("BATCHCTL_PROVIDER", "openai:m")],
            "openai",
            Some("m"),
        ),
        (section, &[], "openai", Some("gpt-4o")),
    ];
    for (user, environment, provider, model) in table {
        let who = Machine::new(environment).user(user).load().unwrap().who().unwrap();
        assert_eq!((who.provider.as_str(), who.model.as_deref()), (provider, model), "{user}");
    }
    let settings = Machine::new(&[("BATCHCTL_PROVIDER", "opnai")]).load().unwrap();
    let error = settings.who().unwrap_err().to_string();
    assert_eq!(error, "no provider is called `opnai` (did you mean `openai`?)");
}

#[test]
fn addresses_come_from_the_user_and_are_noted() {
    let environment = [("OPENAI_BASE_URL", "http://127.0.0.1:8080/v1/")];
    let settings = Machine::new(&environment).load().unwrap();
    let account = settings.account("openai").unwrap();
    assert_eq!(account.base_url, "http://127.0.0.1:8080/v1");
    assert_eq!(
        account.note.as_deref(),
        Some("openai is at http://127.0.0.1:8080/v1 (from OPENAI_BASE_URL)")
    );
    let settings =
        Machine::new(&[]).dot_env("OPENAI_BASE_URL=https://evil.example").load().unwrap();
    let account = settings.account("openai").unwrap();
    assert_eq!(account.base_url, "https://api.openai.com/v1");
    assert!(account.note.unwrap().contains("./.env is not used"));
    // A second account of a vendor takes neither the vendor's variable nor the vendor's key.
    let user = "[providers.second]\nkind = \"openai\"\napi_key_env = \"SECOND_KEY\"\n";
    let environment =
        [("OPENAI_BASE_URL", "http://127.0.0.1:1"), ("OPENAI_API_KEY", "sk-first-account-1")];
    let settings = Machine::new(&environment).user(user).load().unwrap();
    let account = settings.account("second").unwrap();
    assert_eq!(account.base_url, "https://api.openai.com/v1");
    assert!(matches!(settings.key_of(&account), Err(ConfigError::NoKey { .. })));
    let settings = Machine::new(&[]).user("[providers.x]\nmodel = \"m\"\n").load().unwrap();
    assert!(settings.account("x").unwrap_err().to_string().contains("an address is needed"));
    let settings = Machine::new(&[]).user("[providers.x]\nkind = \"opnai\"\n").load().unwrap();
    assert!(settings.account("x").unwrap_err().to_string().contains("did you mean `openai`?"));
    let local = "[providers.ollama]\nbase_url = \"http://localhost:11434/v1\"\n";
    let settings = Machine::new(&[]).user(local).load().unwrap();
    let account = settings.account("ollama").unwrap();
    assert_eq!(settings.key_of(&account).unwrap().1, KeySource::NotNeeded);
}

#[test]
fn keys_come_from_environment_then_dot_env_then_login_s1_09_s3_01() {
    let key_of = |settings: &Settings| {
        let (key, source) = settings.key_of(&settings.account("openai").unwrap())?;
        Ok::<_, ConfigError>((key.expose().to_owned(), source))
    };
    let both = Machine::new(&[("OPENAI_API_KEY", "sk-from-environment")])
        .dot_env("OPENAI_API_KEY=sk-from-dot-env\n");
    let (key, source) = key_of(&both.load().unwrap()).unwrap();
    assert_eq!(key, "sk-from-environment");
    assert_eq!(source, KeySource::Environment("OPENAI_API_KEY".into()));

    let file = Machine::new(&[]).dot_env("OPENAI_API_KEY='sk-from-dot-env'\n");
    let (key, source) = key_of(&file.load().unwrap()).unwrap();
    assert_eq!((key.as_str(), source.to_string().as_str()), ("sk-from-dot-env", "key from ./.env"));

    let kept = Machine::new(&[("ZHIPUAI_API_KEY", "zhipu-key-present")]);
    let settings = kept.load().unwrap();
    let Err(ConfigError::NoKey { provider, variable, present }) = key_of(&settings) else {
        panic!()
    };
    assert_eq!((provider.as_str(), variable.as_deref()), ("openai", Some("OPENAI_API_KEY")));
    assert_eq!(present, ["zhipu"]);
    let mut keyring = Keyring::open(&kept.around.home().unwrap()).unwrap();
    let base_url = "https://api.openai.com/v1".to_owned();
    keyring
        .keep("openai", Kept { key: crate::base::Secret::new("sk-kept-key-1"), base_url })
        .unwrap();
    assert_eq!(key_of(&settings).unwrap().0, "sk-kept-key-1");
    assert_eq!(settings.present_keys(), ["openai", "zhipu"]);
}

#[test]
fn a_kept_key_goes_to_its_own_address_and_is_refused_when_others_can_read_it() {
    let machine = Machine::new(&[("OPENAI_BASE_URL", "http://127.0.0.1:8080/v1")]);
    let home = machine.around.home().unwrap();
    let mut keyring = Keyring::open(&home).unwrap();
    let base_url = "https://api.openai.com/v1".to_owned();
    keyring
        .keep("openai", Kept { key: crate::base::Secret::new("sk-kept-key-2"), base_url })
        .unwrap();
    let settings = machine.load().unwrap();
    let error = settings.key_of(&settings.account("openai").unwrap()).unwrap_err();
    assert!(matches!(error, ConfigError::KeyElsewhere { .. }), "{error}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode =
            |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&home), mode(keyring.path())), (0o700, 0o600));
        fs::set_permissions(keyring.path(), fs::Permissions::from_mode(0o644)).unwrap();
        let error = Keyring::open(&home).unwrap_err();
        assert!(matches!(error, ConfigError::OpenKeyFile { .. }), "{error}");
        fs::set_permissions(keyring.path(), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let mut keyring = Keyring::open(&home).unwrap();
    assert!(keyring.forget("openai").unwrap());
    assert!(!keyring.forget("openai").unwrap());
    fs::write(keyring.path(), "openai = sk-broken-key-3").unwrap();
    let error = Keyring::open(&home).unwrap_err().to_string();
    assert!(!error.contains("broken-key"), "{error}");
}

#[test]
fn no_key_shows_in_settings_or_errors() {
    let machine = Machine::new(&[("OPENAI_API_KEY", "sk-environment-secret-9")])
        .dot_env("ZHIPUAI_API_KEY=dot-env-secret-9\nSERVICE_PASSWORD=hunter2-secret\n");
    let settings = machine.load().unwrap();
    let shown = crate::base::redact(&format!("{settings:?}")).into_owned();
    for secret in ["sk-environment-secret-9", "dot-env-secret-9", "hunter2-secret"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let error = settings.account("sk-typed-instead-of-a-name").unwrap_err();
    assert!(!error.to_string().contains("sk-typed"), "{error}");
}

#[test]
fn a_key_goes_over_https_or_stays_on_this_machine() {
    let bad = [
        "api.openai.com",
        "http://api.openai.com/v1",
        "http://localhost.evil.com/v1",
        "http://127.0.0.1@evil.com/v1",
        "https://user:secret@host/v1",
        "https://host/v1?key=secret",
        "http://evil.com\\@127.0.0.1/",
    ];
    for url in bad {
        let settings = Machine::new(&[("OPENAI_BASE_URL", url)]).load().unwrap();
        let error = settings.account("openai").unwrap_err().to_string();
        assert!(error.starts_with("OPENAI_BASE_URL: ") && !error.contains("secret"), "{error}");
    }
    assert!(is_loopback("http://[::1]:8080/v1") && is_loopback("sandbox:"));
    assert!(!is_loopback("https://api.openai.com/v1"));
}

#[test]
fn an_account_opens_with_its_proxy() {
    let clock = std::sync::Arc::new(crate::base::SystemClock::new());
    let key = crate::base::Secret::new("sk-proxy-test-1");
    let settings = Machine::new(&[("BATCHCTL_PROXY", "socks5h://127.0.0.1:1080")]).load().unwrap();
    let account = settings.account("zhipu").unwrap();
    let opened = settings.provider_settings(&account, key.clone(), clock.clone()).unwrap();
    assert_eq!(opened.dialect.name, "zhipu", "S4.02");
    assert_eq!(opened.proxy, crate::provider::Proxy::Url("socks5h://127.0.0.1:1080".into()));
    let settings = Machine::new(&[("BATCHCTL_PROXY", "gopher://x")]).load().unwrap();
    let error = settings.provider_settings(&account, key, clock).unwrap_err().to_string();
    assert!(error.starts_with("environment BATCHCTL_PROXY: "), "{error}");
}
