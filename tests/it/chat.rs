//! `chat`: one question and conversations (S3.11-S3.16), against the real sandbox and against a
//! server that fails byte by byte.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::bench::until;
use crate::support::server::{Asked, Reply, Server};
use crate::support::terminal::{CONTROL_C, Terminal};
use crate::support::workdir::{Run, WorkDir};

const CHAT: &str = "POST /v1/chat/completions";

fn said(text: &str) -> Reply {
    let body = json!({
        "id": "c-1", "object": "chat.completion", "created": 1_763_770_000, "model": "gpt-4o-2026",
        "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
    });
    Reply::json(200, &body.to_string())
}

fn refused(status: u16, code: &str) -> Reply {
    let error = json!({"error": {"message": format!("no: {code}"), "type": code, "code": code}});
    Reply::json(status, &error.to_string())
}

/// What was asked besides whether this is a sandbox.
fn calls(server: &Server) -> Vec<Asked> {
    server.asked().into_iter().filter(|asked| asked.method == "POST").collect()
}

fn body(asked: &Asked) -> Value {
    serde_json::from_slice(&asked.body).expect("a request is JSON")
}

/// Two providers of the user's own, at two servers; keys that no sandbox has.
fn two(dir: &WorkDir, first: &str, second: &str) {
    dir.config(&format!(
        "[providers.one]\nbase_url = \"{first}/v1\"\napi_key_env = \"ONE_KEY\"\nmodel = \"m-one\"\n\
         [providers.two]\nbase_url = \"{second}/v1\"\napi_key_env = \"TWO_KEY\"\nmodel = \"m-two\"\n"
    ));
}

fn keys(run: Run) -> Run {
    run.env("ONE_KEY", "key-number-one").env("TWO_KEY", "key-number-two")
}

/// S3.11, S3.13, S3.14, S3.16: the argument, `-p`, a file and what is piped in; as text and JSON.
#[test]
fn s3_11_one_question_has_one_answer_wherever_it_is_from() {
    let dir = WorkDir::new();
    dir.write("ask.txt", "what is in a file\n");
    let lines: [(&[&str], &str, &str); 5] = [
        (&["say", "hello"], "", "say hello"),
        (&["-p", "say hello"], "", "say hello"),
        (&["-p", "@ask.txt"], "", "what is in a file"),
        (&[], "piped in\n", "piped in"),
        (&["translate:"], "bonjour", "bonjour"),
    ];
    for (arguments, piped, expected) in lines {
        let run = dir.batchctl("chat --provider sandbox").args(arguments);
        let run = if piped.is_empty() { run } else { run.stdin(piped) };
        let run = run.run().exits(0);
        assert!(run.stdout.starts_with("[sandbox]") && run.stdout.contains(expected), "{run}");
    }
    let run = dir.batchctl("chat hello --provider sandbox --json").run().exits(0);
    let document = run.json();
    assert_eq!(document["provider"], "sandbox");
    assert_eq!(document["finish_reason"], "stop");
    assert_eq!((&document["tries"], &document["status"]), (&json!(1), &json!("ok")));
    assert!(document["content"].as_str().is_some_and(|text| text.contains("hello")), "{run}");
    assert!(document["usage"]["prompt_tokens"].as_u64() > Some(0), "{run}");
    let seconds = document["seconds"].as_f64().expect("a time").to_string();
    let digits = seconds.split_once('.').map_or(0, |(_, digits)| digits.len());
    assert!(digits <= 3, "to the millisecond: {seconds}");
    let run = dir.batchctl("chat hello --provider sandbox -v").run().exits(0);
    run.says(&["completion tokens", "nothing charged"]);
    for line in ["chat", "chat --json", "chat -p hello --provider nobody"] {
        dir.batchctl(line).stdin("").run().exits(2);
    }
    let run = dir.batchctl("chat hello").run().exits(4);
    run.says(&["no key for openai", "batchctl login openai"]);
}

/// S3.12, S3.15, S3.16: a picture goes along as a data URL of its real type, and is described where
/// nothing is said; `analyze IMAGE` is the same.
#[test]
fn s3_12_pictures_are_asked_about() {
    let server = Server::start(vec![
        (CHAT, said("A cat.")),
        (CHAT, said("Black.")),
        (CHAT, said("Two of them.")),
    ]);
    let dir = WorkDir::new();
    let cat = dir.fixture("images/cat.png");
    std::fs::rename(cat, dir.path("cat.jpg")).expect("a scratch file can be renamed");
    dir.fixture("images/flower.webp");
    let ask = |line: &str| dir.batchctl(line).openai_at(&server.address()).run().exits(0);
    assert_eq!(ask("chat --image cat.jpg --image-detail low").stdout, "A cat.\n");
    assert_eq!(ask("analyze cat.jpg --prompt colour?").stdout, "Black.\n");
    let run = ask("analyze cat.jpg flower.webp --json");
    assert_eq!(run.json()["content"], "Two of them.");
    let asked: Vec<Value> = calls(&server).iter().map(body).collect();
    let content = |at: usize| asked[at]["messages"][0]["content"].clone();
    assert_eq!(content(0)[0]["text"], "Describe this picture.");
    let image = &content(0)[1]["image_url"];
    assert_eq!(image["detail"], "low");
    assert!(image["url"].as_str().is_some_and(|url| url.starts_with("data:image/png;base64,iVBO")));
    assert_eq!(content(1)[0]["text"], "colour?");
    assert_eq!(content(2).as_array().map(Vec::len), Some(3));

    dir.write("notes.png", "no picture");
    let wrong = [
        ("chat --image notes.png", "is text and not a picture"),
        ("chat --image gone.png", "image not found"),
        ("analyze cat.jpg notes.png", "cat.jpg is a picture and notes.png is none"),
        ("analyze notes.png --prompt x", "none is named"),
    ];
    for (line, expected) in wrong {
        dir.batchctl(line).openai_at(&server.address()).run().exits(2).says(&[expected]);
    }
}

/// The body that leaves: model, system text, limits; nothing that was not said.
#[test]
fn what_is_said_on_the_line_is_sent() {
    let server = Server::start(vec![(CHAT, said("ok")), (CHAT, said("ok"))]);
    let dir = WorkDir::new();
    let run = dir.batchctl("chat hi -s Brief. --temperature 0.5 --max-tokens 2000 -m gpt-4o");
    let run = run.args(&["--param", "seed=7", "-v"]).openai_at(&server.address()).run().exits(0);
    // 1000 and 100 tokens at the realtime price of gpt-4o.
    run.says(&["gpt-4o-2026", "1,000 prompt + 100 completion tokens"]);
    dir.batchctl("chat hi").openai_at(&server.address()).run().exits(0);
    let asked: Vec<Value> = calls(&server).iter().map(body).collect();
    let messages = json!([
        {"role": "system", "content": "Brief."},
        {"role": "user", "content": "hi"},
    ]);
    assert_eq!(asked[0]["messages"], messages);
    assert_eq!(asked[0]["max_tokens"], 2000);
    assert_eq!((&asked[0]["temperature"], &asked[0]["seed"]), (&json!(0.5), &json!(7)));
    assert!(asked[1].get("temperature").is_none() && asked[1].get("max_tokens").is_none());
    dir.batchctl("chat hi --param stream=true").openai_at(&server.address()).run().exits(2);
}

/// Section 6 row 16, S3.14: the next answers, and one line says so; where all fail it is an error
/// with the details of each, and stdout holds no text as if it were an answer.
#[test]
fn s3_14_total_failure_is_an_error_with_details_of_each_service() {
    let dir = WorkDir::new();
    let one = Server::start(vec![(CHAT, refused(429, "rate_limit_exceeded"))]);
    let other = Server::start(vec![(CHAT, said("from two"))]);
    two(&dir, &one.address(), &other.address());
    let run = keys(dir.batchctl("chat hi --provider one,two --set retries=0 --json"));
    let run = run.run().exits(0);
    let document = run.json();
    assert_eq!((&document["provider"], &document["content"]), (&json!("two"), &json!("from two")));
    run.says(&["one", "rate limited", "two"]);

    // What one service does not know, the next may.
    let dir = WorkDir::new();
    let one = Server::start(vec![(CHAT, refused(400, "unknown_parameter"))]);
    let other = Server::start(vec![(CHAT, said("from two"))]);
    two(&dir, &one.address(), &other.address());
    let run = keys(dir.batchctl("chat hi --provider one,two --json")).run().exits(0);
    let document = run.json();
    assert_eq!((&document["provider"], &document["tries"]), (&json!("two"), &json!(2)));
    assert_eq!(document["failed"][0]["code"], "unknown_parameter");

    for (first, second, code) in [
        (refused(400, "some_code"), refused(400, "some_code"), 5),
        (refused(401, "invalid_api_key"), refused(401, "invalid_api_key"), 4),
        (refused(401, "invalid_api_key"), refused(400, "some_code"), 5),
    ] {
        let dir = WorkDir::new();
        let one = Server::start(vec![(CHAT, first)]);
        let other = Server::start(vec![(CHAT, second)]);
        two(&dir, &one.address(), &other.address());
        let run = keys(dir.batchctl("chat hi --provider one,two --set retries=0 --json"));
        let run = run.run().exits(code).hides(&["key-number"]);
        let document = run.json();
        assert_eq!(document["exit_code"], code);
        let failed = document["failed"].as_array().expect("details of each service");
        let names: Vec<_> = failed.iter().map(|one| one["provider"].clone()).collect();
        assert_eq!(names, ["one", "two"]);
        assert!(document.get("content").is_none(), "{run}");
        let run = run.says(&["error:", "one (m-one)"]);
        if failed[0]["http_status"] == 401 {
            assert_eq!(failed[0]["class"], "credentials");
            run.says(&["batchctl login one"]);
        }
    }
    let dir = WorkDir::new();
    let alone = Server::start(vec![(CHAT, refused(400, "bad"))]);
    let run = dir.batchctl("chat hi").openai_at(&alone.address()).run().exits(5);
    assert_eq!(run.stdout, "", "{run}");
}

/// One service is one service however often it was asked, and the hint names it.
#[test]
fn s3_14_a_service_that_was_asked_again_is_one() {
    let dir = WorkDir::new();
    let server = Server::start((0..3).map(|_| (CHAT, refused(500, "server_error"))).collect());
    let run = dir.batchctl("chat hi --retries 2 --json").openai_at(&server.address()).hurried();
    let run = run.run().exits(5).says(&["openai did not answer", "asked 3 times"]);
    assert_eq!(run.stderr.matches("openai (gpt-4o)").count(), 1, "{run}");
    let failed = run.json()["failed"].clone();
    assert_eq!((failed.as_array().map(Vec::len), &failed[0]["tries"]), (Some(1), &json!(3)));
    drop(server);

    let dir = WorkDir::new();
    let alone = Server::start(vec![(CHAT, refused(400, "bad"))]);
    two(&dir, &alone.address(), &alone.address());
    let run = keys(dir.batchctl("chat hi --provider one")).run().exits(5);
    run.says(&["ask another service too: --provider one,openai"]);
}

/// What cannot be meant is refused with its place and what to write instead.
#[test]
fn wrong_lines_of_chat_say_what_is_wanted() {
    let dir = WorkDir::new();
    let table: [(&[&str], &str); 8] = [
        (&["--provider", "openai,"], "--provider: `openai,`: a name is missing"),
        (&["--provider", ""], "--provider: ``: nobody is named"),
        (&["--provider", "sandbox,sandbox"], "stands in the chain twice"),
        (&["--retries", "-1"], "a number of retries is wanted, 0 to 100"),
        (&["--max-tokens", "-1"], "a number of tokens is wanted, 1 or more"),
        (&["--temperature", "-1"], "0 to 2"),
        (&["--timeout", "0"], "no time at all"),
        (&["--max-cost", "1USD"], "daily_budget"),
    ];
    for (flags, expected) in table {
        dir.batchctl("chat hi").args(flags).run().exits(2).says(&[expected]).hides(&["tip:"]);
    }
    dir.batchctl("workflow in.csv --retries -1").run().exits(2).says(&["retries is wanted"]);
}

/// Ctrl-C in the middle of an answer: what came stays on the screen, exit 130.
#[test]
fn ctrl_c_keeps_what_came_of_an_answer() {
    let piece = |text: &str| {
        let chunk = json!({"choices": [{"index": 0, "delta": {"content": text}}]});
        format!("data: {chunk}\n\n")
    };
    let body = [piece("The first words "), piece("came "), piece("too late")].concat();
    let shown = piece("The first words ").len() + piece("came ").len();
    let headers = [("content-type", "text/event-stream")];
    let reply = Reply::full(200, &headers, body.as_bytes()).stalled_before_last(body.len() - shown);
    let server = Server::start(vec![(CHAT, reply)]);
    let dir = WorkDir::new();
    let mut terminal = Terminal::at((&dir, &server.address()), "chat hello", 1, false);
    until("some of it came", || terminal.shows("The first words came"));
    terminal.types(CONTROL_C);
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(130), "{screen:?}");
    let text = format!("{screen:?}");
    assert!(
        text.contains("The first words came") && text.contains("may still be billed"),
        "{text}"
    );
    assert!(!text.contains("too late"), "{text}");
}

/// What a model writes moves no terminal, and an answer that is cut off is told and is exit 3.
#[test]
fn what_a_model_writes_is_cleaned_and_judged() {
    let cut = json!({"choices": [{"finish_reason": "length",
        "message": {"role": "assistant", "content": "half"}}]});
    let server = Server::start(vec![
        (CHAT, said("red \u{1b}[31mtext\u{1b}]0;title\u{7}\u{202e}!")),
        (CHAT, Reply::json(200, &cut.to_string())),
    ]);
    let dir = WorkDir::new();
    let ask = || dir.batchctl("chat hi").openai_at(&server.address()).run();
    assert_eq!(ask().exits(0).stdout, "red text!\n");
    let run = ask().exits(3).says(&["cut off by the token limit", "--max-tokens"]);
    assert_eq!(run.stdout, "half\n");
}

/// S3.11: a conversation on a terminal remembers what was said, forgets it, and ends with a word.
#[test]
fn s3_11_a_conversation_goes_along_and_ends() {
    let server = Server::start(vec![
        (CHAT, said("Hello Ada.")),
        (CHAT, said("It is Ada.")),
        (CHAT, refused(400, "too_odd")),
        (CHAT, said("Who?")),
    ]);
    let dir = WorkDir::new();
    let mut terminal = Terminal::at((&dir, &server.address()), "chat -m gpt-4o", 1, false);
    let lines = [
        ("", "/clear begins anew"),
        ("my name is Ada", "Hello Ada."),
        ("what is it", "It is Ada."),
        ("odd", "openai did not answer"),
        ("/clear", "forgotten"),
        ("再说一次", "Who?"),
    ];
    for (line, expected) in lines {
        if !line.is_empty() {
            terminal.types(format!("{line}\r").as_bytes());
        }
        until(expected, || terminal.shows(expected));
    }
    terminal.types("再见\r".as_bytes());
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen:?}");
    let roles: Vec<Vec<String>> = calls(&server)
        .iter()
        .map(|call| {
            let messages = body(call)["messages"].as_array().cloned().unwrap_or_default();
            messages.iter().map(|m| m["role"].as_str().unwrap_or_default().to_owned()).collect()
        })
        .collect();
    let along = ["user", "assistant", "user"];
    assert_eq!(roles[0], ["user"]);
    assert_eq!(roles[1], along);
    assert_eq!(roles[2], [&along[..], &["assistant", "user"]].concat());
    assert_eq!(roles[3], ["user"], "what was said is forgotten");
}

/// A terminal drops the end of a line that is too long, unsaid: half a question is not asked.
#[test]
fn a_line_that_the_terminal_cut_is_not_asked() {
    let server = Server::start(Vec::new());
    let dir = WorkDir::new();
    let mut terminal = Terminal::at((&dir, &server.address()), "chat -m gpt-4o", 1, false);
    until("it is ready", || terminal.shows("/clear begins anew"));
    terminal.types(format!("START {} END", "字".repeat(2_500)).as_bytes());
    thread::sleep(Duration::from_millis(300));
    terminal.types(b"\r");
    until("it is refused", || terminal.shows("nothing was asked"));
    terminal.types(b"exit\r");
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen:?}");
    assert!(calls(&server).is_empty(), "half a question was asked");
}

/// Ctrl-C stops an answer, once more leaves; so does Ctrl-D.
#[test]
fn a_conversation_is_left_by_keys_too() {
    let late = said("too late").delayed(Duration::from_secs(20));
    let server = Server::start(vec![(CHAT, late)]);
    let dir = WorkDir::new();
    let open = || Terminal::at((&dir, &server.address()), "chat", 1, false);
    let mut terminal = open();
    until("it waits for a question", || terminal.shows("begins anew"));
    terminal.types(b"hello\r");
    until("the question left", || calls(&server).len() == 1);
    terminal.types(CONTROL_C);
    until("the answer is stopped", || terminal.shows("stopped"));
    terminal.types(CONTROL_C);
    assert_eq!(terminal.end().0, Some(130));
    let mut terminal = open();
    until("it waits for a question", || terminal.shows("begins anew"));
    terminal.types(CONTROL_C);
    until("it says how to leave", || terminal.shows("once more to leave"));
    terminal.types(CONTROL_C);
    assert_eq!(terminal.end().0, Some(130));
    let mut terminal = open();
    until("it waits for a question", || terminal.shows("begins anew"));
    terminal.types(b"\x04");
    assert_eq!(terminal.end().0, Some(0));
}
