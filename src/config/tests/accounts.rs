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

/// S3.02, S3.07, B03: a chain is named on the line or in a file, strong models before light ones.
#[test]
fn s3_02_who_is_asked_in_turn() {
    type Variables = &'static [(&'static str, &'static str)];
    let chains = "[chains.safe]\nmembers = [\"openai\", \"zhipu:glm-4\"]\n\
                  [chains.tiered]\ntiers = [[\"openai:gpt-4o\", \"zhipu:glm-4\"], \
                  [\"openai:gpt-4o-mini\"]]\n[providers.openai]\nmodel = \"gpt-4o\"\n";
    let table: [(&str, Variables, &str); 9] = [
        (
            "",
            &[("BATCHCTL_PROVIDER", "openai, zhipu:glm-4，sandbox")],
            "openai zhipu:glm-4 sandbox",
        ),
        (chains, &[("BATCHCTL_PROVIDER", "safe")], "openai:gpt-4o zhipu:glm-4"),
        (
            chains,
            &[("BATCHCTL_PROVIDER", "tiered")],
            "openai:gpt-4o zhipu:glm-4 openai:gpt-4o-mini",
        ),
        (chains, &[("BATCHCTL_PROVIDER", "sandbox,safe")], "sandbox openai:gpt-4o zhipu:glm-4"),
        (chains, &[("SERVICE_ORDER", "safe")], "openai:gpt-4o zhipu:glm-4"),
        ("", &[("SERVICE_ORDER", "zhipu,openai")], "zhipu openai"),
        ("", &[("SERVICE_ORDER", "web,db")], "openai"),
        ("", &[("SERVICE_ORDER", "zhipu,")], "openai"),
        ("", &[("SERVICE_ORDER", "zhipu"), ("BATCHCTL_PROVIDER", "zai")], "zai"),
    ];
    for (user, environment, expected) in table {
        let settings = Machine::new(environment).user(user).load().unwrap();
        let asked = settings.asked().unwrap();
        let shown = asked.members().map(|who| match &who.model {
            Some(model) => format!("{}:{model}", who.provider),
            None => who.provider.clone(),
        });
        assert_eq!(shown.collect::<Vec<_>>().join(" "), expected, "{environment:?}");
        assert_eq!(settings.who().unwrap(), asked.first);
    }
    let default = format!("default_provider = \"safe\"\n{chains}");
    let settings = Machine::new(&[]).user(&default).load().unwrap();
    assert_eq!(settings.asked().unwrap().chain.as_deref(), Some("safe"));
    let with_flag = settings.with(&{
        let mut over = Overrides::default();
        over.text(key::MODEL, Some("gpt-4o-mini"));
        over
    });
    let asked = with_flag.asked().unwrap();
    assert_eq!(asked.first.model.as_deref(), Some("gpt-4o-mini"), "the flag is the first one's");
    assert_eq!(asked.others[0].model.as_deref(), Some("glm-4"));
}

/// S3.02: what is wrong with a chain is said with its place, before anything is sent.
#[test]
fn s3_02_a_chain_that_cannot_be() {
    let table = [
        ("openai]\nmembers = [\"zhipu\"]", "a provider has this name"),
        ("safe]\nmembers = []", "it has no members"),
        ("safe]\nmembers = [\"opnai\"]", "unknown provider `opnai` (did you mean `openai`?)"),
        ("safe]\nmembers = [\"zhipu\", \"zhipu\"]", "zhipu stands in it twice"),
        ("safe]\nmember = [\"zhipu\"]", "unknown chain setting `member` (did you mean `members`?)"),
        ("safe]\nmembers = \"zhipu\"", "a list of members is wanted"),
        ("safe]\nmembers = [1]", "a list of texts is wanted"),
        ("safe]\nmembers = [\"zhipu\", \"\"]", "a member has no name"),
        ("safe]\nmembers = [\"zhipu\"]\ntiers = [[\"zai\"]]", "either members or tiers"),
        ("a]\nmembers = [\"b\"]\n[chains.b]\nmembers = [\"zai\"]", "b is a chain"),
    ];
    for (text, expected) in table {
        let wrong = Machine::new(&[]).user(&format!("[chains.{text}\n")).wrong();
        assert!(wrong.contains(expected) && wrong.contains("config.toml:"), "{text}: {wrong}");
        let name = format!("chains.{}", text.split(']').next().unwrap());
        assert!(wrong.contains(&name), "it says which chain: {wrong}");
    }
    let project = "[chains.safe]\nmembers = [\"openai\"]\n";
    let wrong = Machine::new(&[]).project(project).wrong();
    assert!(wrong.contains("it decides who is paid"), "{wrong}");
    let settings = Machine::new(&[("BATCHCTL_PROVIDER", "saef")])
        .user("[chains.safe]\nmembers = [\"openai\"]\n")
        .load()
        .unwrap();
    let error = settings.asked().unwrap_err().to_string();
    assert_eq!(error, "no provider is called `saef` (did you mean `safe`?)");
    let settings = Machine::new(&[("BATCHCTL_PROVIDER", "safe:gpt-4o")])
        .user("[chains.safe]\nmembers = [\"openai\"]\n")
        .load()
        .unwrap();
    assert!(settings.asked().unwrap_err().to_string().contains("a model for each of its members"));
    // Where one provider is wanted, the name of a chain is not offered for itself.
    let settings =
        Machine::new(&[]).user("[chains.safe]\nmembers = [\"openai\"]\n").load().unwrap();
    let error = settings.account("safe").unwrap_err().to_string();
    assert_eq!(error, "no provider is called `safe`");
}

/// Who pays is never guessed: a list with a gap asked the usual provider, or one fewer.
#[test]
fn a_list_of_providers_with_a_gap_is_refused_with_its_place() {
    let chains = "[chains.safe]\nmembers = [\"openai\"]\n";
    let flag = |text: &str| {
        let mut over = Overrides::default();
        over.text(key::PROVIDER, Some(text));
        Machine::new(&[]).user(chains).load().unwrap().with(&over).asked()
    };
    let table = [
        ("", "--provider: ``: nobody is named; name a provider, as openai, or leave it out"),
        (" ", "nobody is named"),
        ("openai,", "--provider: `openai,`: a name is missing beside a comma or before a colon"),
        (",", "a name is missing beside a comma"),
        ("openai,,zhipu", "a name is missing"),
        ("safe，", "a name is missing"),
        (":gpt-4o", "a name is missing"),
        ("openai:", "--provider: `openai:`: a model is missing behind the colon"),
        ("safe:", "a model is missing"),
    ];
    for (text, expected) in table {
        let error = flag(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text:?}: {error}");
    }
    assert_eq!(flag("safe, zhipu:glm-4").unwrap().members().count(), 2);
    let of_environment =
        |text| Machine::new(&[("BATCHCTL_PROVIDER", text)]).load().unwrap().asked();
    let error = of_environment("openai,").unwrap_err().to_string();
    assert!(error.starts_with("environment BATCHCTL_PROVIDER: `openai,`"), "{error}");
    assert_eq!(of_environment("").unwrap().first.provider, "openai", "set to nothing is not set");
}

/// S3.03, S3.04, S3.05, S4.03, S4.04, section 6 row 16: what the seeds' variables mean here.
#[test]
fn s3_03_variables_of_other_programs_are_read_or_named() {
    let settings = Machine::new(&[("FAILURE_THRESHOLD", "5"), ("BATCHCTL_TIMEOUT", "20")])
        .dot_env(
            "SERVICE_TIMEOUT=15\nCOOL_DOWN_PERIOD=90\nUSE_BATCH_API_FOR_GRAPH=true\n\
             BATCH_API_THRESHOLD=7\nSERVICE_ORDER=\n",
        )
        .load()
        .unwrap();
    assert_eq!(settings.get(key::TIMEOUT), Some(Duration::from_secs(20)), "ours comes first");
    assert_eq!(settings.get(key::COOL_DOWN), Duration::from_secs(90));
    assert_eq!(settings.get(key::FAILURE_THRESHOLD), 5);
    assert_eq!(settings.get(key::MODE), "batch", "no other program decides about the price");
    assert_eq!(settings.get(key::BATCH_THRESHOLD), 20);
    insta::assert_snapshot!(settings.warnings().join("\n"), @"
    COOL_DOWN_PERIOD in ./.env is read as BATCHCTL_COOL_DOWN=90
    USE_BATCH_API_FOR_GRAPH in ./.env is not read, it would decide about the price: BATCHCTL_MODE is our name for it
    BATCH_API_THRESHOLD in ./.env is not read, it would decide about the price: BATCHCTL_BATCH_THRESHOLD is our name for it
    FAILURE_THRESHOLD in the environment is read as BATCHCTL_FAILURE_THRESHOLD=5
    ");
    let settings = Machine::new(&[("BATCHCTL_MODE", "auto"), ("USE_BATCH_API_FOR_GRAPH", "false")]);
    assert!(settings.load().unwrap().warnings().is_empty());
    let odd = Machine::new(&[("COOL_DOWN_PERIOD", "soon")]).load().unwrap();
    assert_eq!(odd.get(key::COOL_DOWN), Duration::from_secs(60));
    assert!(odd.warnings()[0].contains("is ignored"), "{:?}", odd.warnings());
}

/// S3.08: each provider has its own limits of calls.
#[test]
fn s3_08_a_provider_has_its_own_timeout_and_limits() {
    let user = "[providers.openai]\ntimeout = \"15s\"\nconcurrency = 5\nrpm = 500\n";
    let account = Machine::new(&[]).user(user).load().unwrap().account("openai").unwrap();
    assert_eq!(account.timeout, Some(Duration::from_secs(15)));
    let limits = SetLimits { concurrency: Some(5), rpm: Some(500), tpm: None };
    assert_eq!(account.limits, limits);
}
