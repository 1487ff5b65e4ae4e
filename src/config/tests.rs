//! Tests of the layers together, on machines made of values.

mod accounts;

use std::fs;
use std::time::Duration;

use super::*;

/// A machine with its own folder, user file, home and environment.
struct Machine {
    folder: tempfile::TempDir,
    around: Surroundings,
}

impl Machine {
    fn new(environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        for name in ["work", "config/batchctl", "data"] {
            fs::create_dir_all(path(name)).unwrap();
        }
        let around = Surroundings {
            folder: path("work"),
            environment: environment
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect(),
            config_file: None,
            config_folder: Some(path("config")),
            data_folder: Some(path("data")),
        };
        Self { folder, around }
    }

    fn user(self, text: &str) -> Self {
        fs::write(self.folder.path().join("config/batchctl/config.toml"), text).unwrap();
        self
    }

    fn project(self, text: &str) -> Self {
        fs::write(self.folder.path().join("work/batchctl.toml"), text).unwrap();
        self
    }

    fn dot_env(self, text: &str) -> Self {
        fs::write(self.folder.path().join("work/.env"), text).unwrap();
        self
    }

    fn load(&self) -> Result<Settings, ConfigError> {
        Settings::load(&self.around)
    }

    /// The message of what is wrong, with the folder's name taken out.
    fn wrong(&self) -> String {
        let text = self.load().unwrap_err().to_string();
        text.replace(&self.folder.path().display().to_string(), "~")
    }
}

#[test]
fn the_highest_layer_wins_and_is_named() {
    let user = "[defaults]\nmodel = \"user\"\ntemperature = 1\nragged = \"pad\"\nmax_wait = \"2h\"\nmax_rows = 7\n";
    let project =
        "[defaults]\nmodel = \"project\"\ntemperature = 0.5\nragged = \"skip\"\nmax_wait = 90\n";
    let machine =
        Machine::new(&[("BATCHCTL_MODEL", "environment"), ("BATCHCTL_TEMPERATURE", "0.25")])
            .user(user)
            .project(project)
            .dot_env("BATCHCTL_RAGGED=error\nBATCHCTL_MODEL=dotenv\n");
    let mut over = Overrides::default();
    over.text(key::MODEL, Some("flag"));
    let settings = machine.load().unwrap().with(&over);
    assert_eq!(settings.get(key::MODEL).as_deref(), Some("flag"));
    assert_eq!(settings.get(key::TEMPERATURE), Some(0.25));
    assert_eq!(settings.get(key::RAGGED), "error");
    assert_eq!(settings.get(key::MAX_WAIT), Some(Duration::from_secs(90)));
    assert_eq!(settings.get(key::MAX_ROWS), Some(7));
    assert_eq!(settings.get(key::COMPLETION_WINDOW), "24h", "S1.05");
    let work = &machine.around.folder;
    assert_eq!(settings.source(key::MODEL), Some(&Source::Flag));
    let variable = Source::Environment("BATCHCTL_TEMPERATURE".into());
    assert_eq!(settings.source(key::TEMPERATURE), Some(&variable));
    assert_eq!(settings.source(key::RAGGED), Some(&Source::DotEnv(work.join(".env"))));
    assert_eq!(settings.source(key::MAX_WAIT), Some(&Source::Project(work.join("batchctl.toml"))));
    assert!(matches!(settings.source(key::MAX_ROWS), Some(Source::User(_))));
    assert_eq!(settings.source(key::COMPLETION_WINDOW), Some(&Source::Default));
    assert_eq!(settings.source(key::ENCODING), None);
}

#[test]
fn every_shape_of_value_is_read() {
    let project = r#"
        [job]
        input = "in.csv"
        json_fields = ["a", "b.c"]
        image_column = "photo"
        where = ["a=b", "c!=d"]
        max_shard_bytes = "1.5MB"
        check_interval = 0.5
        param = { top_p = 0.9, stop = ["x"], seed = 1 }
    "#;
    let settings = Machine::new(&[]).project(project).load().unwrap();
    assert_eq!(settings.get(key::INPUT).as_deref(), Some("in.csv"));
    assert_eq!(settings.get(key::JSON_FIELDS).as_deref(), Some("a,b.c"));
    assert_eq!(settings.get(key::IMAGE_COLUMN), ["photo"]);
    assert_eq!(settings.get(key::WHERE), ["a=b", "c!=d"]);
    assert_eq!(settings.get(key::MAX_SHARD_BYTES), Some(1_500_000));
    assert_eq!(settings.get(key::CHECK_INTERVAL), Some(Duration::from_millis(500)));
    let mut parameters = settings.get(key::PARAM);
    parameters.sort();
    assert_eq!(parameters, ["seed=1", "stop=[\"x\"]", "top_p=0.9"]);
}

#[test]
fn what_is_wrong_in_a_file_is_named_with_its_line() {
    let table = [
        (
            "[defaults]\nchek_interval = 1\n",
            "~/config/batchctl/config.toml:2: unknown setting `chek_interval` (did you mean `check_interval`?)",
        ),
        ("[defaults]\n\nmodel = 5\n", "~/config/batchctl/config.toml:3: model: a text is wanted"),
        (
            "[defaults]\nmax_wait = \"soon\"\n",
            "~/config/batchctl/config.toml:2: max_wait: `soon` is not a duration: write 90s, 1h30m, 7d or plain seconds",
        ),
        (
            "[defaults]\nmax_rows = -1\n",
            "~/config/batchctl/config.toml:2: max_rows: `-1` is not a whole number, 0 or more",
        ),
        (
            "[defaults]\nragged = \"foo\"\n",
            "~/config/batchctl/config.toml:2: ragged: `foo` is not one of error, pad, skip",
        ),
        (
            "[defualts]\n",
            "~/config/batchctl/config.toml:1: unknown key `defualts` (did you mean `defaults`?)",
        ),
        (
            "model = \"x\"\n",
            "~/config/batchctl/config.toml:1: model: write it below a line [defaults]",
        ),
        (
            "[job]\ninput = \"x\"\n",
            "~/config/batchctl/config.toml:1: `[job]` may not be set here: it belongs in ./batchctl.toml of the folder of the job",
        ),
        (
            "[defaults]\ninput = \"x\"\n",
            "~/config/batchctl/config.toml:2: `input` may not be set here: it belongs in [job] of ./batchctl.toml",
        ),
        (
            "[providers.x]\nbase-url = \"y\"\n",
            "~/config/batchctl/config.toml:2: unknown provider setting `base-url` (did you mean `base_url`?)",
        ),
        (
            "[providers.x]\napi_key_env = \"sk-secret-value\"\n",
            "~/config/batchctl/config.toml:2: api_key_env: the name of an environment variable is wanted, not a key (keys: batchctl login)",
        ),
        (
            "check_intervall = 3\n",
            "~/config/batchctl/config.toml:1: check_intervall: no such key; did you mean `check_interval`, below a line [defaults]?",
        ),
        (
            "[zzzzzzzz]\n",
            "~/config/batchctl/config.toml:1: zzzzzzzz: no such key; at the top stand default_provider, [defaults], [providers.NAME], [chains.NAME], [prices.MODEL] and [job]",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(Machine::new(&[]).user(text).wrong(), expected);
    }
    let syntax = Machine::new(&[]).user("[defaults]\nmodel = \n").wrong();
    assert!(syntax.starts_with("~/config/batchctl/config.toml:2: "), "{syntax}");
}

#[test]
fn a_cloned_folder_spends_no_money_and_redirects_no_key() {
    let project = [
        "[defaults]\nyes = true\n",
        "[job]\nyes = true\n",
        "[defaults]\nconfirm_above = \"1000 USD\"\n",
        "[defaults]\nimage_root = [\"/home\"]\n",
        "[defaults]\nproxy = \"http://evil:1\"\n",
        "[defaults]\noverwrite = true\n",
        "[providers.openai]\nbase_url = \"https://evil.example/v1\"\n",
        "[providers.openai]\nkind = \"zhipu\"\n",
        "[providers.openai]\napi_key_env = \"AWS_SECRET_ACCESS_KEY\"\n",
        "[defaults]\ntime_scale = 5\n",
    ];
    for text in project {
        let error = Machine::new(&[]).project(text).load().unwrap_err();
        assert!(matches!(error, ConfigError::Banned { .. }), "{text}: {error}");
    }
    let dot_env = [
        "BATCHCTL_YES=1",
        "BATCHCTL_HOME=/tmp/x",
        "BATCHCTL_CONFIG=evil.toml",
        "BATCHCTL_PROXY=http://evil:1",
        "BATCHCTL_IMAGE_ROOT=/",
        "BATCHCTL_CONFIRM_ABOVE=1000",
        "BATCHCTL_TIME_SCALE=5",
    ];
    for text in dot_env {
        let error = Machine::new(&[]).dot_env(text).load().unwrap_err();
        assert!(matches!(error, ConfigError::Banned { .. }), "{text}: {error}");
    }
    // The user may.
    Machine::new(&[("BATCHCTL_YES", "1")]).user(project[0]).load().unwrap();
    Machine::new(&[]).user(project[6]).load().unwrap();
    let settings =
        Machine::new(&[]).project("[providers.openai]\nmodel = \"m\"\ntier = 2\n").load();
    assert_eq!(settings.unwrap().account("openai").unwrap().tier, Some(2));
}

#[test]
fn an_unknown_variable_is_a_warning_with_the_nearest_name() {
    let machine = Machine::new(&[("BATCHCTL_CHEK_INTERVAL", "5"), ("BATCHCTL_MODEL", "")]);
    let settings = machine.load().unwrap();
    assert_eq!(
        settings.warnings(),
        [
            "BATCHCTL_CHEK_INTERVAL in the environment is not a setting and is ignored (did you mean BATCHCTL_CHECK_INTERVAL?)"
        ]
    );
    assert_eq!(settings.get(key::MODEL), None);
    let error = Machine::new(&[("BATCHCTL_MAX_WAIT", "soon")]).wrong();
    assert!(error.starts_with("environment: BATCHCTL_MAX_WAIT: `soon`"), "{error}");
}

#[test]
fn set_is_checked_like_a_file() {
    let mut over = Overrides::default();
    over.assign("max-shard-bytes=5MB").unwrap();
    over.assign("where=a=b").unwrap();
    over.assign("where=c=d").unwrap();
    let settings = Settings::defaults().with(&over);
    assert_eq!(settings.get(key::MAX_SHARD_BYTES), Some(5_000_000));
    assert_eq!(settings.get(key::WHERE), ["a=b", "c=d"]);
    let table = [
        ("ragd=pad", "--set: unknown setting `ragd` (did you mean `ragged`?)"),
        ("ragged=x", "--set: ragged: `x` is not one of error, pad, skip"),
        ("ragged", "--set ragged: write --set key=value"),
        ("input=x", "--set: `input` may not be set here: give it as an argument of the command"),
    ];
    for (text, expected) in table {
        assert_eq!(over.assign(text).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_prompt_or_its_file_whichever_stands_higher() {
    let inline = |text: &str| Some(TextSource::Inline(text.into()));
    let file = |path: &str| Some(TextSource::File(path.into()));
    let table = [
        ("prompt = \"p\"", &[][..], inline("p")),
        ("prompt = \"p\"", &[("BATCHCTL_PROMPT_FILE", "f.txt")][..], file("f.txt")),
        ("prompt_file = \"f.txt\"", &[("BATCHCTL_PROMPT", "p")][..], inline("p")),
        ("prompt = \"@f.txt\"", &[][..], file("f.txt")),
        ("prompt = \"@@home\"", &[][..], inline("@home")),
        ("model = \"m\"", &[][..], None),
    ];
    for (text, environment, expected) in table {
        let machine = Machine::new(environment).project(&format!("[job]\n{text}\n"));
        assert_eq!(machine.load().unwrap().prompt().unwrap(), expected, "{text}");
    }
    let both = Machine::new(&[]).project("[job]\nprompt = \"p\"\nprompt_file = \"f\"\n");
    assert!(both.load().unwrap().prompt().is_err());
}

#[test]
fn a_named_file_must_exist_and_home_is_absolute() {
    let mut machine = Machine::new(&[("BATCHCTL_HOME", "here")]);
    assert_eq!(machine.around.home().unwrap(), machine.around.folder.join("here"));
    machine.around.config_file = Some("missing.toml".into());
    assert!(machine.wrong().starts_with("cannot access missing.toml: "));
}

/// Entering a cloned folder must not spend more than its user allows, and may spend less.
#[test]
fn p10_a_project_only_lowers_the_limits_of_the_user() {
    const USER: &str = "[defaults]\nmax_cost = \"10 USD\"\nmax_requests = 500\n";
    let machine = |project: &str| Machine::new(&[]).user(USER).project(project);
    let table = [
        ("max_cost = \"5USD\"", "max_cost", Ok("5USD")),
        ("max_cost = \"10USD\"", "max_cost", Ok("10USD")),
        (
            "max_cost = \"11USD\"",
            "max_cost",
            Err("11USD is above your own max_cost, which is 10USD"),
        ),
        ("max_cost = \"5CNY\"", "max_cost", Err("cannot be compared with your own max_cost")),
        ("daily_budget = \"5CNY\"", "daily_budget", Ok("5CNY")),
        ("max_requests = 20", "max_requests", Ok("20")),
        ("max_requests = 501", "max_requests", Err("501 is above your own max_requests")),
    ];
    for (line, name, expected) in table {
        let project = format!("[defaults]\n{line}\n");
        match (machine(&project).load(), expected) {
            (Ok(settings), Ok(expected)) => {
                let (_, found) = settings.all().find(|(setting, _)| setting.name == name).unwrap();
                assert_eq!(found.unwrap().0.to_string(), expected, "{line}");
            }
            (Err(error @ ConfigError::Banned { .. }), Err(words)) => {
                let text = error.to_string();
                assert!(text.contains(words) && text.contains("batchctl.toml:2"), "{text}");
            }
            (found, _) => panic!("{line}: {:?}", found.map(|_| ())),
        }
    }
    let error = Machine::new(&[]).user(USER).dot_env("BATCHCTL_MAX_COST=11USD").load();
    assert!(matches!(error, Err(ConfigError::Banned { .. })));
    let settings = Machine::new(&[("BATCHCTL_MAX_COST", "$90")]).user(USER).load().unwrap();
    assert_eq!(settings.get(key::MAX_COST).as_deref(), Some("90USD"), "the user's own word");
}

/// Whatever stands in a configuration file: an error with its place, never a panic.
/// `BATCHCTL_FUZZ_SECONDS` says for how long.
#[test]
fn fuzzed_files_are_read_or_named() {
    use crate::base::mutate::{Mutator, fuzz_time};
    let seeds: Vec<Vec<u8>> = [
        "[defaults]\nmodel = \"user\"\ntemperature = 1\nragged = \"pad\"\nmax_wait = \"2h\"\nmax_rows = 7\n",
        "[job]\ninput = \"in.csv\"\nwhere = [\"a=b\", 'c in (1, 2)']\nparam = { top_p = 0.5 }\n",
        "# notes\n[providers.mine]\nbase_url = \"http://127.0.0.1:1/v1\"\nkind = \"openai\"\n",
        "[prices.\"m\"]\ninput = 1.5\noutput = \"3\"\ncurrency = \"USD\"\n",
        "BATCHCTL_MODEL=x\nOPENAI_API_KEY='y' # no\nexport A=\"b\\n\"\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    let machine = Machine::new(&[]);
    let end = std::time::Instant::now() + fuzz_time(Duration::from_millis(300));
    let mut round = 0_u64;
    while std::time::Instant::now() < end {
        let mut mutator = Mutator::new(round);
        let bytes = mutator.mutate(&seeds);
        let name =
            ["config/batchctl/config.toml", "work/batchctl.toml", "work/.env"][mutator.below(3)];
        let path = machine.folder.path().join(name);
        fs::write(&path, &bytes).unwrap();
        let read = std::panic::catch_unwind(|| machine.load().map(drop));
        let text = String::from_utf8_lossy(&bytes);
        let Ok(read) = read else { panic!("round {round} panicked on {name}: {text:?}") };
        if let Err(error) = read {
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            let said = error.to_string();
            assert!(said.contains(&file), "round {round}: {said:?} names no file: {text:?}");
        }
        fs::remove_file(&path).unwrap();
        round += 1;
    }
    assert!(round > 0);
}
