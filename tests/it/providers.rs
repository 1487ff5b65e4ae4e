//! `providers list|test|health`: who can be asked and who answers (S3.09, S3.10, S3.17).

use serde_json::{Value, json};

use crate::support::server::{Reply, Server};
use crate::support::workdir::WorkDir;

const CHAT: &str = "POST /v1/chat/completions";

fn of(list: &Value, name: &str) -> Value {
    let all = list["providers"].as_array().expect("a list");
    all.iter().find(|one| one["name"] == name).cloned().unwrap_or_default()
}

/// S3.01, S3.17: built-in ones and one's own; where a key is from is told, the key never.
#[test]
fn providers_are_listed_without_their_keys() {
    let dir = WorkDir::new();
    dir.config(
        "[providers.mine]\nbase_url = \"https://models.example.com/v1\"\napi_key_env = \"MINE\"\n\
         model = \"m-1\"\n[chains.safe]\nmembers = [\"mine\", \"openai\"]\n",
    );
    let run = |line: &str| {
        let run = dir.batchctl(line).env("MINE", "key-of-mine-123").run().exits(0);
        run.hides(&["key-of-mine"])
    };
    let list = run("providers list --json").json();
    let mine = of(&list, "mine");
    assert_eq!((&mine["key"], &mine["has_key"]), (&json!("MINE"), &json!(true)));
    assert_eq!((&mine["model"], &mine["own"]), (&json!("m-1"), &json!(true)));
    assert_eq!(mine["base_url"], "https://models.example.com/v1");
    assert_eq!(of(&list, "openai")["has_key"], false);
    assert_eq!(of(&list, "sandbox")["key"], "not needed");
    assert_eq!(list["chains"][0]["members"], json!(["mine", "openai"]));
    let text = run("providers").stdout;
    assert!(text.contains("openai") && text.contains("chain safe: mine, then openai"), "{text}");
}

/// One tiny question each: who answers, what it cost, and what to do where one does not.
#[test]
fn providers_are_tested_with_one_tiny_question() {
    let dir = WorkDir::new();
    let good = json!({"model": "m", "choices": [{"finish_reason": "stop",
        "message": {"role": "assistant", "content": "OK"}}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 1}});
    let bad = json!({"error": {"message": "Incorrect API key", "code": "invalid_api_key"}});
    let server = Server::start(vec![(CHAT, Reply::json(200, &good.to_string()))]);
    let run = dir.batchctl("providers test openai --json").openai_at(&server.address());
    let run = run.run().exits(0);
    assert_eq!(run.json()["providers"][0]["ok"], true);
    let body: Value = server
        .asked()
        .iter()
        .find(|asked| asked.method == "POST")
        .map(|asked| serde_json::from_slice(&asked.body).expect("JSON"))
        .expect("it was asked");
    assert_eq!(body["max_tokens"], 16);
    drop(server);

    let server = Server::start(vec![(CHAT, Reply::json(401, &bad.to_string()))]);
    let run = dir.batchctl("providers test sandbox openai").openai_at(&server.address());
    let run = run.run().exits(3).says(&["fix: batchctl login openai"]);
    assert!(run.stdout.contains("sandbox") && run.stdout.contains("nothing charged"), "{run}");
    assert!(run.stdout.contains("credentials: Incorrect API key (HTTP 401"), "{run}");
    drop(server);

    let server = Server::start(vec![(CHAT, Reply::json(401, &bad.to_string()))]);
    dir.batchctl("providers test --all").openai_at(&server.address()).run().exits(4);
    dir.batchctl("providers test --all").run().exits(4).says(&["no provider's key is there"]);
    dir.batchctl("providers test opanai").run().exits(2).says(&["opanai"]);
}

/// S3.02, S3.17: a chain by its name or as a list is each of its members, once.
#[test]
fn s3_02_a_chain_is_tested_member_by_member() {
    let dir = WorkDir::new();
    let good = json!({"model": "m", "choices": [{"finish_reason": "stop",
        "message": {"role": "assistant", "content": "OK"}}]});
    let reply = || (CHAT, Reply::json(200, &good.to_string()));
    let server = Server::start((0..6).map(|_| reply()).collect());
    dir.config(&format!(
        "[providers.mine]\nbase_url = \"{}/v1\"\napi_key_env = \"MINE\"\nmodel = \"m-1\"\n\
         [chains.safe]\nmembers = [\"openai:gpt-4o-mini\", \"mine\"]\n",
        server.address()
    ));
    let run = |line: &str| {
        let run = dir.batchctl(line).env("MINE", "key-of-mine-123").openai_at(&server.address());
        run.run()
    };
    for names in ["safe", "openai:gpt-4o-mini,mine", "safe mine"] {
        let tested = run(&format!("providers test {names} --json")).exits(0).json();
        let of = |at: usize, name: &str| tested["providers"][at][name].clone();
        assert_eq!((of(0, "provider"), of(0, "model")), (json!("openai"), json!("gpt-4o-mini")));
        assert_eq!((of(1, "provider"), of(1, "model")), (json!("mine"), json!("m-1")));
        assert_eq!(tested["providers"].as_array().map(Vec::len), Some(2), "{names}");
    }
    run("providers health --reset safe").exits(0).says(&["openai", "mine"]);
    run("providers test openai,").exits(2).says(&["`openai,`: a name is missing"]);
    let wrong = run("providers test saef").exits(2);
    wrong.says(&["no provider is called `saef` (did you mean `safe`?)"]);
}

/// S3.10: nothing is known before the first call; a name that there is not is refused.
#[test]
fn s3_10_health_of_nobody_is_empty() {
    let dir = WorkDir::new();
    let run = dir.batchctl("providers health --json").run().exits(0);
    let document = run.json();
    assert_eq!((&document["failure_threshold"], &document["providers"]), (&json!(3), &json!([])));
    dir.batchctl("providers health --reset openai").run().exits(0).says(&["nothing is remembered"]);
    dir.batchctl("providers health --reset opanai").run().exits(2);
}
