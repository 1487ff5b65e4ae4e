"""The official Python SDKs against a running sandbox; see sdk-check.sh."""

import contextlib
import http.server
import json
import pathlib
import sys
import threading
import time
import typing

import openai
import pydantic
import zai
from openai.lib._parsing._completions import type_to_response_format_param
from sandbox_child import KEY, sandbox
from sdk_chat import all_chats

ROWS = 12
SECONDS = 1.0


def lines(url, model, rows=ROWS):
    for row in range(rows):
        yield json.dumps({
            "custom_id": f"row-{row:06}", "method": "POST", "url": url,
            "body": {"model": model, "max_tokens": 50,
                     "messages": [{"role": "user", "content": f"第 {row} 行: marker-{row}"}]},
        }, ensure_ascii=False)


def write(folder, name, content):
    path = folder / name
    path.write_text("\n".join(content) + "\n", encoding="utf-8")
    return path


def ended(client, batch, patience=60):
    """Polls as the SDK's own examples do."""
    seen = []
    deadline = time.monotonic() + patience
    while batch.status not in ("completed", "failed", "expired", "cancelled"):
        assert time.monotonic() < deadline, f"{batch.id} is still {batch.status}"
        time.sleep(0.1)
        batch = client.batches.retrieve(batch.id)
        seen.append(batch.status)
    print(f"  {batch.id}: {' > '.join(dict.fromkeys(seen))}")
    return batch


def check_results(text, model):
    answers = {}
    for line in text.splitlines():
        result = json.loads(line)
        assert result["response"]["status_code"] == 200, line
        body = result["response"]["body"]
        answers[result["custom_id"]] = body["choices"][0]["message"]["content"]
        assert body["model"].removeprefix("sandbox-") == model, body["model"]
        assert body["usage"]["total_tokens"] > 0, line
    assert sorted(answers) == [f"row-{row:06}" for row in range(ROWS)], sorted(answers)
    for row in range(ROWS):
        answer = answers[f"row-{row:06}"]
        assert answer.startswith("[sandbox]") and answer.endswith(f"marker-{row}"), answer


def life_cycle(client, folder, name, url, model, create):
    """What both SDKs do in the same words."""
    path = write(folder, f"{name}.jsonl", lines(url, model))
    with path.open("rb") as file:
        uploaded = client.files.create(file=file, purpose="batch")
    assert uploaded.id and uploaded.bytes == path.stat().st_size, uploaded
    batch = create(uploaded.id)
    assert batch.status == "validating" and batch.input_file_id == uploaded.id, batch

    batch = ended(client, batch)
    assert batch.status == "completed", batch
    counts = batch.request_counts
    assert (counts.total, counts.completed, counts.failed) == (ROWS, ROWS, 0), counts
    assert batch.metadata == {"made-by": "sdk-check"}, batch.metadata
    check_results(client.files.content(batch.output_file_id).content.decode(), model)

    stopped = create(uploaded.id)
    stopped = client.batches.cancel(stopped.id)
    assert stopped.status in ("cancelling", "cancelled"), stopped
    assert ended(client, stopped).status == "cancelled"

    listed = [each.id for each in client.batches.list(limit=1)]
    assert listed[:2] == [stopped.id, batch.id], f"newest first, page by page: {listed}"
    files = {each.id for each in client.files.list(purpose="batch").data}
    assert uploaded.id in files, files
    assert client.files.delete(uploaded.id).deleted
    files = {each.id for each in client.files.list(purpose="batch").data}
    assert uploaded.id not in files, "it was deleted"
    print(f"  {name}: upload, create, poll, download, cancel, list, delete")


def with_openai(address, folder):
    client = openai.OpenAI(api_key=KEY, base_url=f"{address}/v1", max_retries=0)
    url = "/v1/chat/completions"

    def create(file_id):
        return client.batches.create(input_file_id=file_id, endpoint=url, completion_window="24h",
                                     metadata={"made-by": "sdk-check"})

    life_cycle(client, folder, "openai", url, "gpt-4o-mini", create)

    doubled = list(lines(url, "gpt-4o-mini", 3)) + list(lines(url, "gpt-4o-mini", 1))
    with write(folder, "doubled.jsonl", doubled).open("rb") as file:
        batch = ended(client, create(client.files.create(file=file, purpose="batch").id))
    assert batch.status == "failed" and batch.errors.data[0].line == 4, batch.errors
    assert batch.output_file_id is None, batch
    print(f"  refused: line {batch.errors.data[0].line}: {batch.errors.data[0].message}")

    try:
        openai.OpenAI(api_key="sk-0123456789", base_url=f"{address}/v1", max_retries=0).batches.list()
        raise AssertionError("a key that is not the sandbox's was accepted")
    except openai.AuthenticationError as error:
        assert "sk-0123456789" not in str(error), "the key must not be repeated"
    try:
        client.batches.retrieve("batch_unknown")
        raise AssertionError("an unknown batch was found")
    except openai.NotFoundError:
        print("  refused: foreign key, unknown batch")


class Review(pydantic.BaseModel):
    """What the SDK makes a strict schema of."""

    class Topic(pydantic.BaseModel):
        name: str
        weight: float

    mood: typing.Literal["good", "bad"]
    score: int = pydantic.Field(ge=1, le=5)
    topics: list[Topic]
    summary: str | None


def with_schemas(address, folder):
    """The SDK's own schemas come back as objects, through both endpoints; a schema that strict mode
    does not take is refused row by row."""
    client = openai.OpenAI(api_key=KEY, base_url=f"{address}/v1", max_retries=0)
    strict = type_to_response_format_param(Review)
    inner = strict["json_schema"]
    text = {"format": {"type": "json_schema", **inner}}
    loose = {"type": "json_schema", "json_schema": {
        "name": "open", "strict": True, "schema": {"type": "object", "properties": {}}}}
    said = [{"role": "user", "content": "How is it?"}]
    for name, url, body in (
        ("strict", "/v1/chat/completions", {"messages": said, "response_format": strict}),
        ("responses", "/v1/responses", {"input": "How is it?", "text": text}),
        ("open", "/v1/chat/completions", {"messages": said, "response_format": loose}),
    ):
        line = json.dumps({"custom_id": "row-000000", "method": "POST", "url": url,
                           "body": {"model": "gpt-4o-mini", **body}})
        with write(folder, f"{name}.jsonl", [line]).open("rb") as file:
            uploaded = client.files.create(file=file, purpose="batch")
        batch = ended(client, client.batches.create(
            input_file_id=uploaded.id, endpoint=url, completion_window="24h"))
        if name == "open":
            assert batch.request_counts.failed == 1, batch
            result = json.loads(client.files.content(batch.error_file_id).content.decode())
            error = result["response"]["body"]["error"]
            assert result["response"]["status_code"] == 400, result
            assert error["param"] == "response_format" and "'additionalProperties'" in error["message"]
            continue
        result = json.loads(client.files.content(batch.output_file_id).content.decode())
        answered = result["response"]["body"]
        if name == "responses":
            answer = openai.types.responses.Response.construct(**answered).output_text
        else:
            answer = answered["choices"][0]["message"]["content"]
        review = Review.model_validate_json(answer)
        assert len(review.topics) == 1 and 1 <= review.score <= 5, answer
    print("  a strict schema of the SDK through both endpoints; an open one refused")


def with_zai(address, folder):
    client = zai.ZaiClient(api_key=KEY, base_url=f"{address}/api/paas/v4", max_retries=0)
    url = "/v4/chat/completions"

    def create(file_id):
        return client.batches.create(input_file_id=file_id, endpoint=url, completion_window="24h",
                                     auto_delete_input_file=False,
                                     metadata={"made-by": "sdk-check"})

    life_cycle(client, folder, "zhipu", url, "glm-4-flash", create)


class LocalModel(http.server.BaseHTTPRequestHandler):
    """What Ollama, llama.cpp and vLLM have in common: chat completions, and no batches."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = "local: " + asked["messages"][-1]["content"]
        answer = json.dumps({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": asked["model"],
            "choices": [{"index": 0, "finish_reason": "stop",
                         "message": {"role": "assistant", "content": text}}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
        }).encode()
        self.send_response(200 if self.path == "/v1/chat/completions" else 404)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def local_model():
    """A running LocalModel; gives its base address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), LocalModel)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()


def with_local_model(address, folder):
    """The sandbox in front of a server that has no batches."""
    client = openai.OpenAI(api_key=KEY, base_url=f"{address}/v1", max_retries=0)
    url = "/v1/chat/completions"
    with write(folder, "local.jsonl", lines(url, "llama3.2")).open("rb") as file:
        uploaded = client.files.create(file=file, purpose="batch")
    batch = ended(client, client.batches.create(
        input_file_id=uploaded.id, endpoint=url, completion_window="24h"))
    assert batch.request_counts.completed == ROWS, batch
    results = client.files.content(batch.output_file_id).content.decode().splitlines()
    for result in map(json.loads, results):
        row = int(result["custom_id"].removeprefix("row-"))
        answer = result["response"]["body"]["choices"][0]["message"]["content"]
        assert answer == f"local: 第 {row} 行: marker-{row}", answer
    assert len(results) == ROWS, results
    print(f"  a batch of {ROWS} through a server without batches")


def main():
    binary, state = sys.argv[1], pathlib.Path(sys.argv[2])
    folder = state.parent / "files"
    folder.mkdir(parents=True)
    with sandbox(binary, state, "--batch-seconds", str(SECONDS)) as address:
        print(f"openai {openai.__version__} at {address}/v1")
        with_openai(address, folder)
        with_schemas(address, folder)
        print(f"zai-sdk {zai.__version__} at {address}/api/paas/v4")
        with_zai(address, folder)
    with local_model() as url, sandbox(
            binary, state / "upstream", "--batch-seconds", str(SECONDS),
            "--upstream", url) as address:
        print(f"the sandbox in front of {url}")
        with_local_model(address, folder)
    all_chats(binary, state)
    print("sdk-check: all good")


if __name__ == "__main__":
    main()
