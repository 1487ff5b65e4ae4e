//! `prices`: what models cost, as people and programs see it, and the user's own prices.

use crate::support::workdir::WorkDir;

/// Every list fits 80 columns.
#[test]
fn s1_10_the_lists_of_prices() {
    let dir = WorkDir::new();
    let all = dir.batchctl("prices --all").run().exits(0).stdout;
    for line in all.lines().filter(|line| !line.contains("https://")) {
        assert!(line.chars().count() <= 80, "{} cells: {line}", line.chars().count());
    }
    let zhipu = dir.batchctl("prices --provider zhipu").run().exits(0);
    insta::assert_snapshot!("prices_zhipu", zhipu.stdout);
    // Without a name it is the list of the provider that would be asked.
    let usual = dir.batchctl("prices").run().exits(0).stdout;
    assert!(usual.starts_with("openai   USD"), "{usual}");
    assert!(all.contains(usual.trim_end()), "{usual}");
}

/// One model each: plain, tiers by prompt and answer, tiers alone with a price for reasoning, free,
/// refused in batches, a dated version of a listed one, a fine-tuned one.
#[test]
fn s1_20_all_about_one_model() {
    let dir = WorkDir::new();
    let mut all = String::new();
    for line in [
        "gpt-4o",
        "glm-4.7",
        "qwen-plus-latest --provider dashscope-intl",
        "glm-4-flash",
        "glm-4.7-flash",
        "glm-5.3",
        "gpt-4o-2031-01-01",
        "ft:gpt-4o-2024-08-06:acme::x",
        "claude-haiku-5-5",
        "gpt-4-0613",
    ] {
        let run = dir.batchctl(&format!("prices {line}")).run().exits(0);
        all += &format!("$ batchctl prices {line}\n{}--\n{}\n", run.stdout, run.stderr);
    }
    insta::assert_snapshot!("prices_of_models", all);
    let old = dir.batchctl("prices gpt-4o").env("BATCHCTL_TODAY", "2027-06-11").run().exits(0);
    let warning = "prices of 2026-11-20, 203 days old: check https://developers.openai.com";
    assert!(old.stderr.contains(warning), "{old}");
}

/// Field report 52: unknown is unknown, with the lines that end it; scripts see exit 2.
#[test]
fn field_52_an_unknown_price_says_so_and_how_to_set_it() {
    let dir = WorkDir::new();
    let run = dir.batchctl("prices gpt-4o-max --provider openai").run().exits(2);
    let config = dir.folder().with_file_name("home/.config/batchctl/config.toml");
    let said = run.stderr.replace(&config.display().to_string(), "CONFIG");
    insta::assert_snapshot!("prices_unknown", said);
    let run = dir.batchctl("prices gpt-4o-max --json").run().exits(2);
    let told: serde_json::Value = serde_json::from_str(&run.stdout).expect("one document");
    assert!(told["batch"].is_null() && told["realtime"].is_null(), "{told}");

    // The very lines make it known.
    let lines: Vec<&str> =
        said.lines().map(str::trim).skip_while(|line| !line.starts_with('[')).collect();
    dir.config(&lines.join("\n"));
    let run = dir.batchctl("prices gpt-4o-max --json").run().exits(0);
    let told: serde_json::Value = serde_json::from_str(&run.stdout).expect("one document");
    assert_eq!(told["batch"]["input"], 0.15);
    assert_eq!(told["realtime"]["output"], 1.2);
    assert_eq!(told["set_by_user"], true);
    let shown = dir.batchctl("config show").run().exits(0).stdout;
    assert!(shown.contains("prices.gpt-4o-max.batch_factor"), "{shown}");
    dir.batchctl("config validate").run().exits(0);
}

/// The user's own prices are marked in the list, and stand there for the models they hold for.
#[test]
fn s1_20_the_users_own_prices_are_marked_in_the_list() {
    let dir = WorkDir::new();
    dir.config(
        "[prices.\"gpt-4o\"]\ncurrency = \"USD\"\ninput = 3\noutput = 12\nbatch_factor = 0.5\n\
         [prices.\"glm-mine\"]\ncurrency = \"CNY\"\ninput = 1\nprovider = \"zhipu\"\n",
    );
    let row = |list: &str, model: &str| -> Vec<String> {
        let rows = list.lines().map(|line| line.split_whitespace().map(str::to_owned));
        rows.map(Iterator::collect)
            .rfind(|row: &Vec<String>| row.first().is_some_and(|name| name == model))
            .unwrap_or_default()
    };
    let list = dir.batchctl("prices --provider openai").run().exits(0).stdout;
    assert_eq!(row(&list, "gpt-4o"), ["gpt-4o", "$1.5/6", "$3/12", "yours"], "{list}");
    assert_eq!(row(&list, "gpt-4o-mini")[1], "0.075/0.3", "{list}");
    let list = dir.batchctl("prices --all").run().exits(0).stdout;
    assert_eq!(row(&list, "glm-mine"), ["glm-mine", "unknown", "¥1/?", "yours"], "{list}");
    let run = dir.batchctl("prices gpt-5-pro").run().exits(0);
    assert!(!run.stdout.contains("set by you"), "{run}");
}

/// The form that `--provider` and `--models` take is understood; another provider that has the
/// model is named.
#[test]
fn a_provider_before_the_model_is_understood() {
    let dir = WorkDir::new();
    let plain = dir.batchctl("prices glm-4-plus --provider zhipu").run().exits(0).stdout;
    let joined = dir.batchctl("prices zhipu:glm-4-plus").run().exits(0).stdout;
    assert_eq!(plain, joined);
    dir.batchctl("prices ft:gpt-4o-2024-08-06:acme::x").run().exits(0);
    let run = dir.batchctl("prices openai:glm-4-plus").run().exits(2);
    let said = "listed at zhipu: batchctl prices glm-4-plus --provider zhipu";
    assert!(run.stderr.contains(said), "{run}");
    assert!(run.stderr.contains("[prices.\"glm-4-plus\"]"), "{run}");
    let run = dir.batchctl("prices text-embedding-3-small").run().exits(0);
    let batch = run.stdout.lines().find(|line| line.trim_start().starts_with("batch "));
    let cells: Vec<&str> = batch.unwrap_or_default().split_whitespace().collect();
    assert_eq!(cells.last(), Some(&"-"), "{run}");
}

/// A number with commas is read whole; one below 0 is named as what it is.
#[test]
fn amounts_with_commas_and_below_zero() {
    let dir = WorkDir::new();
    dir.table("in.csv", &[&["question"], &["hello"]]);
    let workflow = "workflow in.csv out.csv --provider sandbox --dry-run -p {question}";
    dir.batchctl(&format!("{workflow} --max-cost 5,000USD")).hurried().run().exits(0);
    for wrong in ["-1", "-5USD", "5,00USD"] {
        let run = dir.batchctl(&format!("{workflow} --max-cost {wrong}")).run().exits(2);
        assert!(run.stderr.contains(&format!("'{wrong}' is no amount")), "{run}");
    }
}

/// Each model once, what is set aside in the place of a worst case, 80 columns.
#[test]
fn s1_11_models_side_by_side_stay_within_80_columns() {
    let dir = WorkDir::new();
    dir.table("in.csv", &[&["question"], &["hello"]]);
    let long = "ft:gpt-4o-mini-2024-07-18:a-company-with-a-long-name::abcdef";
    let run = dir
        .batchctl("estimate in.csv -p {question} --models")
        .arg(format!("gpt-4o,,gpt-4o,zhipu:glm-4-plus,{long}"))
        .run()
        .exits(0);
    let rows: Vec<&str> = run.stdout.lines().filter(|line| !line.starts_with(' ')).collect();
    assert!(rows.iter().all(|line| line.chars().count() <= 80), "{run}");
    assert_eq!(rows.iter().filter(|line| line.starts_with("gpt-4o ")).count(), 1, "{run}");
    assert!(run.stderr.contains("gpt-4o is named more than once"), "{run}");
    assert!(run.stderr.contains("an empty name is left out"), "{run}");
    assert!(run.stdout.contains("($0.00"), "{run}");
    assert!(run.stdout.contains("is set aside"), "{run}");
    assert!(run.stdout.contains(long), "the notes have the whole name: {run}");
    dir.batchctl("estimate in.csv -p {question} --models ,").run().exits(2);
    let run = dir.batchctl("estimate in.csv -p {question} --models gpt-4o --max-tokens 9").run();
    assert!(!run.stdout.contains("set aside"), "{run}");
}

/// What is wrong with a price is named with its line; a cloned folder sets none.
#[test]
fn wrong_prices_are_refused_where_they_stand() {
    let dir = WorkDir::new();
    let table = [
        ("[prices.m]\ninput = -1\ncurrency = \"USD\"", ":2: input: `-1` is no price"),
        ("[prices.m]\ninput = \"1\"\ncurrency = \"USD\"", ":2: input: a number is wanted"),
        ("[prices.m]\ninput = 1", ":1: prices.\"m\": currency is missing"),
        ("[prices.m]\ncurrency = \"USD\"", ":1: prices.\"m\": input is missing"),
        ("[prices.m]\ncurrency = \"dollar\"", ":2: currency: 'dollar' is no currency"),
        ("[prices.m]\ninptu = 1", ":2: unknown key of a price `inptu` (did you mean `input`?)"),
        ("[prices.m]\nbatch_factor = 1.5", ":2: batch_factor: a number from 0 to 1"),
        ("[prices.m]\nas_of = \"May\"", ":2: as_of: `May` is no day"),
        ("[prices.gpt-4.1]\ninput = 1", "quotes: [prices.\"gpt-4.1\"]"),
        ("[prices]\nm = 1", "a section [prices.\"MODEL\"] is wanted"),
        (
            "[prices.m]\ninput = 1\ncurrency = \"USD\"\nprovider = \"opanai\"",
            ":1: unknown provider `opanai` (did you mean `openai`?)",
        ),
    ];
    for (text, expected) in table {
        dir.config(text);
        let run = dir.batchctl("prices gpt-4o").run().exits(2);
        assert!(run.stderr.contains(expected), "{text}\n{run}");
    }
    dir.config("");
    dir.write("batchctl.toml", "[prices.m]\ninput = 0.01\ncurrency = \"USD\"\n");
    let run = dir.batchctl("prices gpt-4o").run().exits(2);
    assert!(run.stderr.contains("`[prices]` may not be set here: it decides about money"), "{run}");
}

/// Field report 58: the warning comes before the upload, and nothing is refused here.
#[test]
fn field_58_a_model_that_batches_refuse_is_warned_of() {
    let dir = WorkDir::new();
    dir.table("in.csv", &[&["question"], &["hello"]]);
    for command in ["estimate in.csv", "workflow in.csv out.csv --yes"] {
        let run = dir
            .batchctl(command)
            .args(&["--provider", "sandbox", "--model", "glm-5.3", "-p", "{question}"])
            .hurried()
            .run()
            .exits(0);
        let warning = "glm-5.3 at zhipu: refused for batches (code 1210) in tests of 2026-09; the provider decides";
        assert!(run.stderr.contains(warning), "{run}");
    }
}
