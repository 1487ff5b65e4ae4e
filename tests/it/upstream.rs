//! B16: `batchctl sandbox --upstream` makes a Batch API of a server that has none, such as a local
//! model. The server here answers with what it was asked, so that an answer on a wrong row shows.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::thread;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};

use crate::support::sandbox::Sandbox;
use crate::support::workdir::WorkDir;

/// What a local model heard: the texts, and the keys that came with them.
#[derive(Default)]
struct Heard {
    texts: Vec<String>,
    keys: HashSet<String>,
}

type Shared = Arc<Mutex<Heard>>;

/// A server with `/v1/chat/completions` and nothing else; gives its base address. It ends with
/// the process.
fn model() -> (String, Shared) {
    let shared = Shared::default();
    let app = Router::new().route("/v1/chat/completions", post(chat)).with_state(shared.clone());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let address = listener.local_addr().expect("a bound socket has an address");
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("threads can be started").block_on(async {
            listener.set_nonblocking(true)?;
            axum::serve(tokio::net::TcpListener::from_std(listener)?, app).await
        })
    });
    (format!("http://{address}/v1"), shared)
}

/// Refuses `bad`, is too busy for `busy` the first time, and echoes everything else.
async fn chat(State(heard): State<Shared>, headers: HeaderMap, body: String) -> Response {
    let body: Value = serde_json::from_str(&body).expect("the sandbox sends JSON");
    let text = body["messages"][0]["content"].as_str().expect("a text was asked").to_owned();
    let mut heard = heard.lock().expect("no handler panicked");
    let key = headers.get("authorization").and_then(|value| value.to_str().ok());
    heard.keys.insert(key.unwrap_or_default().to_owned());
    let is_first = !heard.texts.contains(&text);
    heard.texts.push(text.clone());
    if text == "bad" {
        let error = json!({"error": {"message": "no such adapter", "code": "bad_adapter"}});
        return (StatusCode::BAD_REQUEST, error.to_string()).into_response();
    }
    if text == "busy" && is_first {
        return (StatusCode::TOO_MANY_REQUESTS, "slow down").into_response();
    }
    json!({
        "id": "chat-1", "object": "chat.completion", "created": 1, "model": body["model"],
        "choices": [{"index": 0, "finish_reason": "stop",
                     "message": {"role": "assistant", "content": format!("heard: {text}")}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    })
    .to_string()
    .into_response()
}

/// B16, B05: answers on their rows, a refusal on its row, a busy moment asked again, any model
/// name, and the client's key kept from the model.
#[test]
fn a_server_without_batches_gets_a_batch_api() {
    let (url, heard) = model();
    let sandbox = Sandbox::with(&["--batch-seconds", "0.3", "--upstream", &url]);
    let dir = WorkDir::new();
    dir.table(
        "in.csv",
        &[&["id", "text"], &["1", "one"], &["2", "bad"], &["3", "busy"], &["4", "四, four"]],
    );
    let output = dir
        .batchctl("workflow in.csv out.csv -m llama3.2:1b --check-interval 0.2 --json")
        .openai_at(sandbox.address())
        .run()
        .exits(3);
    assert_eq!(output.json()["statuses"]["ok"], 3, "{output}");
    assert_eq!(
        dir.read("out.csv").lines().collect::<Vec<_>>(),
        [
            "id,text,response,status,error,model",
            "1,one,heard: one,ok,,llama3.2:1b",
            "2,bad,,error,no such adapter (code bad_adapter),",
            "3,busy,heard: busy,ok,,llama3.2:1b",
            "4,\"四, four\",\"heard: 四, four\",ok,,llama3.2:1b",
        ]
    );
    let mut heard = heard.lock().expect("no handler panicked");
    heard.texts.sort();
    assert_eq!(heard.texts, ["bad", "busy", "busy", "one", "四, four"]);
    assert_eq!(heard.keys, HashSet::from([String::new()]), "the client's key is not passed on");
}

/// B16: a model that is switched off fails its rows, not the batch.
#[test]
fn a_server_that_is_away_fails_each_row_with_its_reason() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let address = listener.local_addr().expect("a bound socket has an address");
    drop(listener);
    let sandbox = Sandbox::with(&["--upstream", &format!("http://{address}/v1")]);
    let dir = WorkDir::new();
    dir.table("in.csv", &[&["id", "text"], &["1", "one"], &["2", "two"]]);
    dir.batchctl("workflow in.csv out.csv -m any --check-interval 0.2")
        .openai_at(sandbox.address())
        .run()
        .exits(3);
    let table = dir.read("out.csv");
    let rows: Vec<&str> = table.lines().skip(1).collect();
    assert_eq!(rows.len(), 2, "{table}");
    let reason = "error,The upstream server did not answer: Connection refused";
    assert!(rows.iter().all(|row| row.contains(reason)), "{table}");
}
