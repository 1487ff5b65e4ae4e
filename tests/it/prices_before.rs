//! The price before a run: what `estimate` tells, what is asked, what is refused, and whether the
//! range that finished rows give holds.

use std::fmt::Write as _;

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::workdir::{Run, WorkDir};

/// An address that nothing is sent to: what is refused is refused before it is asked for.
const NOWHERE: &str = "https://no-such-host.invalid/v1";

/// A folder with a table of so many short rows.
pub(crate) fn folder(rows: usize) -> WorkDir {
    let dir = WorkDir::new();
    let mut table = "id,text\n".to_owned();
    for row in 0..rows {
        let _ = writeln!(table, "{row},review number {row}");
    }
    dir.write("in.csv", table);
    dir
}

/// A run whose keys are made up and whose addresses answer nobody.
pub(crate) fn remote(dir: &WorkDir, line: &str) -> Run {
    dir.batchctl(line)
        .env("OPENAI_BASE_URL", NOWHERE)
        .env("OPENAI_API_KEY", "sk-made-up")
        .env("BATCHCTL_HOME", dir.home())
        .env("ZHIPUAI_BASE_URL", NOWHERE)
        .env("ZHIPUAI_API_KEY", "made-up")
}

/// Exit code and what was printed.
fn said(run: Run) -> String {
    let text = run.run().hides(&["\u{1b}"]).snapshot();
    let text = text.replacen("exit: ", "exit ", 1);
    text.replacen("\n--- stdout\n--- stderr\n", "\n", 1)
}

/// Field report 52, feature 9 of the list of faults: an unknown price says so and is not 0.
#[test]
fn field_52_the_price_of_an_unknown_model_is_unknown() {
    let dir = folder(3);
    assert_snapshot!(said(remote(&dir, "estimate in.csv --model my-finetune --max-tokens 100")), @"
    exit 0
    --- stdout
    Input     in.csv   3 rows
    Model     my-finetune   openai   tokenizer o200k_base (estimate)
              prices unknown
                     requests   input tok    output tok      realtime      batch
      text                  3         ~33         ≤ 300       unknown    unknown
      to send               3         ~33         ≤ 300       unknown    unknown
    Likely    unknown   output tokens 300
              assumed: no finished row of exactly this question
    Worst     unknown if every answer has 100 tokens (--max-tokens)
    Upload    552 B in 1 shard (limit 50,000 requests, 200 MB)
    Queue     prompt tokens that may be queued: unknown
    --- stderr
    asks: column `text`
    ");
    assert_snapshot!(said(remote(&dir, "workflow in.csv out.csv --model my-finetune")), @"
    exit 7
    openai is at https://no-such-host.invalid/v1 (from OPENAI_BASE_URL)
    asks: column `text`
    error: the price of my-finetune at openai is unknown; nothing was sent
      fix: add --yes to send without asking
      fix: add --dry-run to see what would be sent
    ");
    let limited = "workflow in.csv out.csv --model my-finetune --max-cost 5USD";
    assert_snapshot!(said(remote(&dir, limited)), @r#"
    exit 7
    openai is at https://no-such-host.invalid/v1 (from OPENAI_BASE_URL)
    asks: column `text`
    error: the price of my-finetune at openai is unknown, so --max-cost 5USD cannot be held; nothing was sent
      fix: below [prices."my-finetune"] of your config.toml set input and output (for a million tokens), batch_factor and currency
    "#);
}

/// Field report 58: whether a model can be batched is its own matter.
#[test]
fn field_58_a_model_that_is_not_taken_in_batches() {
    let dir = folder(3);
    let line = "workflow in.csv out.csv --provider zhipu:glm-5.2 --max-tokens 100";
    assert_snapshot!(said(remote(&dir, line)), @"
    exit 7
    zhipu is at https://no-such-host.invalid/v1 (from ZHIPUAI_BASE_URL)
    asks: column `text`
    warning: glm-5.2 at zhipu: refused for batches (code 1210) in tests of 2026-09; the provider decides
    error: the batch price of glm-5.2 at zhipu is unknown; nothing was sent
      fix: add --yes to send without asking
      fix: add --dry-run to see what would be sent
    ");
}

#[test]
fn an_old_price_says_so() {
    let dir = folder(3);
    dir.config(
        "[prices.\"my-finetune\"]\ninput = 0.3\noutput = 1.2\ncurrency = \"USD\"\n\
         batch_factor = 0.5\nas_of = \"2025-01-31\"\n",
    );
    let text = said(remote(&dir, "estimate in.csv --model my-finetune --max-tokens 100"));
    let days = text.split(" days old").next().and_then(|text| text.rsplit(' ').next());
    let text = text.replace(days.expect("it says how old"), "[DAYS]");
    let place = text.split("check ").nth(1).and_then(|place| place.split("/.config").next());
    let text = text.replace(place.expect("it says where"), "[HOME]");
    assert_snapshot!(text, @"
    exit 0
    --- stdout
    Input     in.csv   3 rows
    Model     my-finetune   openai   tokenizer o200k_base (estimate)
              prices set by you, of [TIME]
                     requests   input tok    output tok      realtime      batch
      text                  3         ~33         ≤ 300       $0.0004    $0.0002
      to send               3         ~33         ≤ 300       $0.0004    $0.0002
    Likely    $0.0002   output tokens 300
              assumed: no finished row of exactly this question
    Worst     $0.0002 if every answer has 100 tokens (--max-tokens)
    Saves     $0.0002 (50 %) against realtime
    Upload    552 B in 1 shard (limit 50,000 requests, 200 MB)
    Queue     prompt tokens that may be queued: unknown
    --- stderr
    asks: column `text`
    warning: prices set by you, of [TIME], [DAYS] days old: check [HOME]/.config/batchctl/config.toml:1
    ");
}

/// A model that costs nothing is not asked about: the line gets as far as the address.
#[test]
fn a_free_model_is_not_asked_about() {
    let dir = folder(3);
    let free = remote(&dir, "estimate in.csv --provider zhipu:glm-4-flash");
    assert_snapshot!(said(free), @"
    exit 0
    --- stdout
    Input     in.csv   3 rows
    Model     glm-4-flash   zhipu   tokenizer glm-4 (estimate)   prices of 2026-09
                     requests   input tok    output tok      realtime      batch
      text                  3         ~33         ~ 900          free       free
      to send               3         ~33         ~ 900          free       free
    Likely    free   output tokens 900
              assumed: no finished row of exactly this question
    Upload    501 B in 1 shard (limit 50,000 requests, 100 MB)
    Queue     prompt tokens that may be queued: unknown
    --- stderr
    asks: column `text`
    ");
    let sent = remote(&dir, "workflow in.csv out.csv --provider zhipu:glm-4-flash --progress none");
    sent.run().exits(5).says(&["no connection to no-such-host.invalid"]);
}

/// The price of a request goes by its own size.
#[test]
fn b08_a_step_of_the_price_is_crossed() {
    let dir = folder(1);
    let mut table = "id,text\n1,short\n".to_owned();
    let _ = writeln!(table, "2,{}", "word ".repeat(273_000));
    dir.write("in.csv", table);
    let line = "estimate in.csv --model gpt-5.4 --max-tokens 1000";
    assert_snapshot!(said(remote(&dir, line)), @"
    exit 0
    --- stdout
    Input     in.csv   2 rows
    Model     gpt-5.4   openai   tokenizer o200k_base (exact)   prices of [TIME]
                     requests   input tok    output tok      realtime      batch
      text                  2     273,016       ≤ 2,000         $1.40      $0.70
      to send               2     273,016       ≤ 2,000         $1.40      $0.70
    Likely    $0.69   output tokens 600
              assumed: no finished row of exactly this question
    Worst     $0.70 if every answer has 1,000 tokens (--max-tokens)
    Step      1 row with 272,001 or more prompt tokens: another price holds for
              them, $0.69 of what is likely
    Saves     $0.69 (50 %) against realtime
    Upload    1.3 MB in 1 shard (limit 50,000 requests, 200 MB)
    Queue     prompt tokens that may be queued: unknown
    --- stderr
    asks: column `text`
    row 1 (line 3) has a cell of more than 1 MiB
    ");
}

#[test]
fn without_max_tokens_there_is_no_worst_case() {
    let dir = folder(3);
    assert_snapshot!(said(remote(&dir, "estimate in.csv --model gpt-4o")), @"
    exit 0
    --- stdout
    Input     in.csv   3 rows
    Model     gpt-4o   openai   tokenizer o200k_base (exact)   prices of [TIME]
                     requests   input tok    output tok      realtime      batch
      text                  3          33         ~ 900       $0.0091    $0.0045
      to send               3          33         ~ 900       $0.0091    $0.0045
    Likely    $0.0045   output tokens 900
              assumed: no finished row of exactly this question
    Worst     without --max-tokens it is the model's own maximum (16,384 tokens a
              row), which is of no use; reserved: $0.0068, 1.5 x likely
    Saves     $0.0045 (50 %) against realtime
    Upload    486 B in 1 shard (limit 50,000 requests, 200 MB)
    Queue     prompt tokens that may be queued: unknown
    --- stderr
    asks: column `text`
    ");
    let document = remote(&dir, "estimate in.csv --model gpt-4o --json").run().exits(0).json();
    assert_eq!(document["cost"]["worst"], Value::Null);
    assert_eq!(document["cost"]["currency"], "USD");
    let likely = document["cost"]["likely"].as_f64().expect("a number");
    let reserved = document["cost"]["reserved"].as_f64().expect("a number");
    assert!((reserved / likely - 1.5).abs() < 0.01, "{likely} {reserved}");
}

/// Where nobody can be asked, up to 1 USD or 7 CNY goes and the rest stops.
#[test]
fn b10_a_dollar_goes_unasked_where_nobody_can_be_asked() {
    let dir = folder(150);
    let line = "workflow in.csv out.csv --progress none --model gpt-4o --max-tokens";
    assert_snapshot!(said(remote(&dir, line).arg("4096")), @"
    exit 7
    openai is at https://no-such-host.invalid/v1 (from OPENAI_BASE_URL)
    asks: column `text`
    error: 150 requests to gpt-4o at openai: likely $0.23, at most $3.07, which is above the $1.00 that goes unasked; nothing was sent
      fix: add --max-cost 3.08USD to send, and to stop before it costs more
      fix: add --yes to send without asking
      fix: add --dry-run to see what would be sent
    ");
    remote(&dir, line).arg("1024").run().exits(5).says(&["no connection"]);
    let dir = folder(150);
    let yuan = "workflow in.csv out.csv --provider zhipu:glm-4-plus --max-tokens 20000";
    assert_snapshot!(said(remote(&dir, yuan)), @"
    exit 7
    zhipu is at https://no-such-host.invalid/v1 (from ZHIPUAI_BASE_URL)
    asks: column `text`
    error: 150 requests to glm-4-plus at zhipu: likely ¥0.12, at most ¥7.50, which is above the ¥7.00 that goes unasked; nothing was sent
      fix: add --max-cost 7.51CNY to send, and to stop before it costs more
      fix: add --yes to send without asking
      fix: add --dry-run to see what would be sent
    ");
}

/// Above the limit nothing begins; below it what is likely decides.
#[test]
fn b10_a_limit_below_what_is_likely_is_refused_at_once() {
    let dir = folder(150);
    let line =
        "workflow in.csv out.csv --progress none --model gpt-4o --max-tokens 4096 --max-cost";
    assert_snapshot!(said(remote(&dir, line).arg("0.1USD")), @"
    exit 7
    openai is at https://no-such-host.invalid/v1 (from OPENAI_BASE_URL)
    asks: column `text`
    error: 150 requests to gpt-4o at openai are likely to cost $0.23, above the limit of $0.10; nothing was sent
      fix: add --max-cost 3.08USD to send all of it
      fix: or ask fewer rows, with --end-row or --where
    ");
    remote(&dir, line).arg("4USD").run().exits(5).says(&["no connection"]);
}

/// S1.08: only the estimate, with the same rows, and the same words as `estimate`.
#[test]
fn s1_08_estimate_cost_prints_and_stops() {
    let dir = folder(9);
    let flags = "--start-row 2 --end-row 8 --model gpt-4o --max-tokens 50";
    let only = remote(&dir, &format!("workflow in.csv out.csv {flags} --estimate-cost"));
    let only = only.run().exits(0);
    assert!(only.stdout.contains("6 rows"), "{only}");
    let estimate = remote(&dir, &format!("estimate in.csv {flags}")).run().exits(0);
    assert_eq!(only.stdout, estimate.stdout);
    assert_eq!(dir.files(), ["in.csv"]);
    remote(&dir, "status").run().exits(0).says(&["no jobs yet"]);
}

/// Each model has its own tokenizer, price and currency, in the order in which it was named.
#[test]
fn models_side_by_side() {
    let dir = folder(200);
    let line =
        "estimate in.csv --max-tokens 100 --models gpt-4o,zhipu:glm-4-plus,gpt-4o-mini,nobody-1";
    assert_snapshot!(said(remote(&dir, line)), @"
    exit 0
    --- stdout
    Input     in.csv   200 rows
    model        provider  input tok  batch likely    worst  realtime likely
    gpt-4o       openai        2,200         $0.10    $0.10            $0.21
    glm-4-plus   zhipu        ~2,204        ¥0.056   ¥0.056            ¥0.11
    gpt-4o-mini  openai        2,200       $0.0062  $0.0062           $0.012
    nobody-1     openai       ~2,200       unknown  unknown          unknown
      gpt-4o: length of answers assumed
      glm-4-plus: tokens estimated with glm-4; length of answers assumed
      gpt-4o-mini: length of answers assumed
      nobody-1: tokens estimated with o200k_base; no price known; length of answers assumed
    --- stderr
    asks: column `text`
    ");
    let document = remote(&dir, &format!("{line} --json")).run().exits(0).json();
    let models = document["models"].as_array().expect("a list");
    let currencies: Vec<_> = models.iter().map(|model| &model["cost"]["currency"]).collect();
    assert_eq!(
        currencies,
        ["USD", "CNY", "USD"].map(Value::from).iter().chain([&Value::Null]).collect::<Vec<_>>()
    );
}

/// Finished requests are sent as they stand: their bodies say which model is paid and how long an
/// answer may be, whatever the settings say.
#[test]
fn finished_requests_are_priced_by_their_own_model_and_limit() {
    let dir = folder(3);
    for (file, model) in [("mini.jsonl", "gpt-4o-mini --max-tokens 20"), ("dear.jsonl", "o1")] {
        dir.batchctl(&format!("convert in.csv {file} --input-column text --model {model}"))
            .run()
            .exits(0);
    }
    for (file, model, most) in [("mini.jsonl", "gpt-4o-mini", true), ("dear.jsonl", "o1", false)] {
        let line = format!("workflow {file} out.jsonl --dry-run --provider sandbox");
        let plan = dir.batchctl(&line).run().exits(0);
        let needed = format!("Model     {model}   sandbox");
        assert!(plan.stdout.contains(&needed), "{}", plan.stdout);
        let said = "if every answer has 20 tokens (the most in the requests)";
        assert_eq!(plan.stdout.contains(said), most, "{}", plan.stdout);
    }
    let other = "workflow dear.jsonl out.jsonl --dry-run --provider sandbox -m gpt-4o-mini";
    dir.batchctl(other).run().exits(2).says(&["the requests ask o1", "the model gpt-4o-mini"]);
    dir.write(
        "mixed.jsonl",
        dir.read("mini.jsonl") + &dir.read("dear.jsonl").replace("-r1", "-r2"),
    );
    let mixed = "workflow mixed.jsonl out.jsonl --dry-run --provider sandbox";
    let plan = dir.batchctl(mixed).run().exits(0).says(&["ask 2 models (gpt-4o-mini, o1)"]);
    assert!(plan.stdout.contains("prices unknown"), "{}", plan.stdout);
    let endless = "submit mini.jsonl --max-wait 1m --provider sandbox";
    dir.batchctl(endless).run().exits(2).says(&["--max-wait limits a wait", "add --wait"]);
    let sent = "submit mini.jsonl --wait --provider sandbox";
    dir.batchctl(sent).run().exits(0).says(&["requests at sandbox, gpt-4o-mini"]);
}
