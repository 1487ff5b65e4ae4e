//! Keys that are missing or refused, models and files that a provider does not take.

use insta::assert_snapshot;

use super::{folder, said, say};
use crate::support::sandbox::Sandbox;
use crate::support::server::{Reply, Server};
use crate::support::workdir::{Run, WorkDir};

/// At this sandbox, quickly and with nothing but the end printed.
fn at(dir: &WorkDir, sandbox: &Sandbox, line: &str) -> Run {
    let line = format!("{line} --check-interval 0.2 --progress none");
    dir.batchctl(&line).openai_at(sandbox.address())
}

#[test]
fn no_key() {
    let dir = folder();
    assert_snapshot!(say(&dir, "workflow in.csv out.csv --end-row 10"), @r"
    exit 4
    error: no key for openai
      needed for: calls to the provider
      fix: batchctl login openai      or   export OPENAI_API_KEY=…
      no key? rehearse the whole run: batchctl workflow in.csv out.csv --end-row 10 --provider sandbox
    ");
    let other = dir.batchctl("workflow in.csv out.csv").env("ZHIPUAI_API_KEY", "a.b");
    assert_snapshot!(said(other), @r"
    exit 4
    error: no key for openai
      needed for: calls to the provider
      fix: batchctl login openai      or   export OPENAI_API_KEY=…
      keys present: zhipu (choose with --provider NAME)
      no key? rehearse the whole run: batchctl workflow in.csv out.csv --provider sandbox
    ");
    assert_snapshot!(say(&dir, "workflow in.csv out.csv --provider zhipu"), @r"
    exit 4
    error: no key for zhipu
      needed for: calls to the provider
      fix: batchctl login zhipu      or   export ZHIPUAI_API_KEY=…
      no key? rehearse the whole run: batchctl workflow in.csv out.csv --provider sandbox
    ");
    assert_snapshot!(say(&dir, "workflow in.csv out.csv --api-key sk-mine"), @r"
    exit 2
    error: keys are never flags: other programs and your history would see them
      fix: batchctl login openai      or   export OPENAI_API_KEY=…
    ");
    assert!(!dir.path("out.csv").exists());
}

#[test]
fn a_key_that_is_refused() {
    let sandbox = Sandbox::start();
    let dir = folder();
    let line = "workflow in.csv out.csv";
    let refused = at(&dir, &sandbox, line).env("OPENAI_API_KEY", "sk-wrong-key-123456");
    let output = refused.run().exits(4).hides(&["sk-wrong-key-123456"]);
    assert_snapshot!(super::text_of(&output), @"
    exit 4
    openai is at http://127.0.0.1:[PORT]/v1 (from OPENAI_BASE_URL)
    asks: column `text`
    rehearsal, nothing is charged; at the provider: likely $0.0045, $0.0068 set aside as there is no --max-tokens for 3 requests at openai, gpt-4o, prices of [TIME]
    job [JOB] refused at openai · 3 rows in [DURATION]
      Incorrect API key provided. The sandbox takes only keys that start with 'sandbox-'. (HTTP 401, invalid_api_key)
      pending  3
    output    out.csv
    fix: batchctl login openai      or   export OPENAI_API_KEY=…
    then go on: batchctl resume [JOB]
    ");
    at(&dir, &sandbox, "resume last").run().exits(0);
    assert!(dir.read("out.csv").contains("[sandbox] good"));
}

#[test]
fn a_model_of_another_vendor() {
    let dir = folder();
    assert_snapshot!(say(&dir, "workflow in.csv out.csv --provider openai:glm-4-flash"), @r"
    exit 2
    error: openai does not serve glm-4-flash, which is a model of zhipu; use `--provider zhipu` or another model
    ");
    assert_snapshot!(say(&dir, "workflow in.csv out.csv --provider zhipu -m gpt-4o"), @r"
    exit 2
    error: zhipu does not serve gpt-4o, which is a model of openai; use `--provider openai` or another model
    ");
    assert_snapshot!(say(&dir, "workflow in.csv out.csv --provider opanai"), @r"
    exit 2
    error: no provider is called `opanai` (did you mean `openai`?)
      known: openai, zhipu, zai, anthropic, gemini, groq, dashscope, dashscope-intl, moonshot, moonshot-intl, siliconflow, siliconflow-intl, sandbox
    ");
}

/// The provider counts lines of the request file; the message counts rows of the user's table.
#[test]
fn a_file_refused_at_validation() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    let line = |id: &str, model: &str| {
        format!(
            "{{\"custom_id\":\"{id}\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":{{\
             \"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"hi {id}\"}}]}}}}\n"
        )
    };
    let lines = [line("a", "gpt-4o"), line("b", "gpt-4o"), line("a", "gpt-4o"), line("d", "gpt-5")];
    dir.write("req.jsonl", lines.concat());
    let submit = "submit req.jsonl --wait -o out.jsonl --check-interval 0.2 --progress plain";
    let output = dir.batchctl(submit).openai_at(sandbox.address()).run().exits(3);
    let warning =
        output.stderr.lines().find(|line| line.starts_with("warning")).unwrap_or_default();
    assert_snapshot!(warning, @r"
    warning: openai refused 2 of 4 rows of shard 1 at validation (nothing ran, nothing is billed): row 2 (line 3): duplicate_custom_id: The custom_id 'a' is used more than once in the file.; row 3 (line 4): mismatched_model: The model 'gpt-5' is not the 'gpt-4o' of the first line.; the other 2 go out again
    ");
    let end = output.stderr.split("\njob ").last().unwrap_or_default();
    assert!(end.contains("4 rows in") && end.contains("ok       2\n  skipped  2"), "{output}");
    // All of it refused: nothing ran, nothing is billed.
    dir.write("all.jsonl", [line("x", "gpt-4o"), line("x", "gpt-4o")].concat());
    let all = at(&dir, &sandbox, "submit all.jsonl --wait -o all-out.jsonl").run();
    assert_snapshot!(super::text_of(&all), @"
    exit 3
    openai is at http://127.0.0.1:[PORT]/v1 (from OPENAI_BASE_URL)
    rehearsal, nothing is charged; at the provider: likely $0.0030, $0.0045 set aside as there is no --max-tokens for 2 requests at openai, gpt-4o, prices of [TIME]
    warning: openai refused 1 of 2 rows of shard 1 at validation (nothing ran, nothing is billed): row 1 (line 2): duplicate_custom_id: The custom_id 'x' is used more than once in the file.; the other 1 go out again
    job [JOB] done at openai · 2 rows in [DURATION]
      ok       1
      skipped  1  no request could be made
      1 × refused by openai: duplicate_custom_id: The custom_id 'x' is used more than once in the file.
    tokens    9 prompt, 5 completion
    cost      nothing was charged; would be <$0.0001 at openai; assumed $0.0030,
              off by -98.8 %
    saved     would be <$0.0001 against realtime
    output    all-out.jsonl
    ");
}

#[test]
fn a_model_that_is_not_on_the_batch_list() {
    let sandbox = Sandbox::start();
    let dir = folder();
    let zhipu = |line: &str| {
        dir.batchctl(&format!("{line} --check-interval 0.2 --progress none"))
            .env("ZHIPUAI_BASE_URL", format!("{}/api/paas/v4", sandbox.address()))
            .env("ZHIPUAI_API_KEY", "sandbox-test")
    };
    assert_snapshot!(said(zhipu("workflow in.csv out.csv --provider zhipu:glm-9-mega")), @"
    exit 5
    zhipu is at http://127.0.0.1:[PORT]/api/paas/v4 (from ZHIPUAI_BASE_URL)
    asks: column `text`
    rehearsal, nothing is charged; at the provider: the price of glm-9-mega at zhipu is unknown: 3 requests at zhipu, glm-9-mega
    job [JOB] refused at zhipu · 3 rows in [DURATION]
      第1行 模型 glm-9-mega 不支持 Batch，支持的模型 (line 1: not a batch model; accepted are): glm-5.1, glm-5-turbo, glm-4-plus, glm-4-air, glm-4-air-250414, glm-4-flash, glm-4-flash-250414, glm-4-flashx-250414, glm-4-long, glm-4-0520, glm-4, glm-3-turbo, glm-4v, glm-4v-plus, glm-4v-plus-0111, embedding-2, embedding-3, cogview-3-plus, cogvideox-2 (HTTP 400, 1210)
      pending  3
    output    out.csv
    fix: mend what it names and type the line again; what was refused costs nothing
    if it was mended at zhipu: batchctl resume [JOB]
    ");
    // The refused job stands in nobody's way: the mended line writes to the same place.
    zhipu("workflow in.csv out.csv --provider zhipu:glm-4-flash").run().exits(0);
    assert!(dir.read("out.csv").contains("[sandbox] good"));
}

/// Terminal escapes and the key itself, as a hostile server might send them back.
#[test]
fn a_hostile_error_reaches_neither_screen_nor_log() {
    let key = "sk-live-0123456789abcdef";
    let body = format!(
        "{{\"error\":{{\"message\":\"\\u001b[2J\\u001b]0;owned\\u0007no {key} \\u009b31m\\u202eevil\",\
         \"code\":\"invalid_api_key\"}}}}"
    );
    let server = Server::start(vec![("POST /v1/files", Reply::json(401, &body))]);
    let dir = folder();
    let run = dir
        .batchctl("workflow in.csv out.csv")
        .env("OPENAI_BASE_URL", format!("{}/v1", server.address()))
        .env("OPENAI_API_KEY", key);
    let output = run.run().exits(4).hides(&[key, "\u{1b}", "\u{7}", "\u{9b}", "\u{202e}"]);
    output.says(&["HTTP 401", "batchctl login openai"]);
    let log = dir.batchctl("status last").env("OPENAI_API_KEY", key).run();
    log.hides(&[key, "\u{1b}", "\u{7}", "\u{9b}"]);
    for entry in std::fs::read_dir(dir.home()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let has = bytes.windows(key.len()).any(|window| window == key.as_bytes());
            assert!(!has, "the key stands in {}", path.display());
        }
    }
}
