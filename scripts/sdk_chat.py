"""Chat through the official SDKs: text, system, image, JSON, streams, errors, limits, each as the
SDK itself reads it. Used by sdk-check.py."""

import base64
import pathlib

import anthropic
import openai
import pydantic
import zai
from google import genai
from google.genai import errors as genai_errors
from google.genai import types as genai_types
from sandbox_child import KEY, sandbox

PICTURE = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "images" / "cat.png"
SAID = "一句话 and some more of it, long enough for several pieces"
LIMITED = ("--rpm", "2")


class Mood(pydantic.BaseModel):
    mood: str
    score: int


def raises(kind, call, status=None):
    """The error, which must be of this class of the SDK."""
    try:
        call()
    except kind as error:
        found = getattr(error, "status_code", getattr(error, "code", None))
        assert status is None or found == status, f"{found} is not {status}: {error}"
        return error
    raise AssertionError(f"{kind.__name__} was to be raised")


def picture():
    return base64.b64encode(PICTURE.read_bytes()).decode()


def with_openai(address, key=KEY):
    client = openai.OpenAI(api_key=key, base_url=f"{address}/v1", max_retries=0)

    def ask(content, **more):
        return client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "system", "content": "be short"},
                                           {"role": "user", "content": content}], **more)

    said = ask(SAID)
    assert said.choices[0].message.content == f"[sandbox] {SAID}", said
    assert said.usage.total_tokens > 5 and said.choices[0].finish_reason == "stop", said
    assert said._request_id, "a request id is in a header"
    url = f"data:image/png;base64,{picture()}"
    said = ask([{"type": "text", "text": "what is it?"},
                {"type": "image_url", "image_url": {"url": url}}])
    assert "1 image: image/png" in said.choices[0].message.content, said
    parsed = client.chat.completions.parse(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "How?"}], response_format=Mood)
    assert isinstance(parsed.choices[0].message.parsed, Mood), parsed
    chunks = list(ask(SAID, stream=True, stream_options={"include_usage": True}))
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == f"[sandbox] {SAID}" and len(chunks) > 4, chunks
    assert chunks[-1].usage.total_tokens > 5, chunks[-1]
    assert chunks[-2].choices[0].finish_reason == "stop", chunks[-2]
    with client.chat.completions.stream(model="gpt-4o-mini", messages=[
            {"role": "user", "content": SAID}]) as stream:
        assert stream.get_final_completion().choices[0].message.content == f"[sandbox] {SAID}"
    raises(openai.BadRequestError, lambda: ask("[[fail:400]]"), 400)
    raises(openai.RateLimitError, lambda: ask("[[fail:429]]"), 429)
    raises(openai.InternalServerError, lambda: ask("[[fail:500]]"), 500)
    wrong = openai.OpenAI(api_key="sk-no", base_url=f"{address}/v1", max_retries=0)
    raises(openai.AuthenticationError, lambda: wrong.models.list(), 401)
    assert any(model.id == "gpt-4o-mini" for model in client.models.list())
    vectors = client.embeddings.create(model="text-embedding-3-small", input=["a", "b"],
                                       encoding_format="float")
    assert len(vectors.data) == 2 and len(vectors.data[0].embedding) == 8, vectors
    print("  openai chat: text, system, image, schema, stream with usage, errors")


def openai_limits(address):
    client = openai.OpenAI(api_key=f"{KEY}@limits", base_url=f"{address}/v1", max_retries=0)

    def ask():
        return client.chat.completions.with_raw_response.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "a"}])

    assert ask().headers["x-ratelimit-remaining-requests"] == "1"
    ask()
    error = raises(openai.RateLimitError, ask, 429)
    assert error.code == "rate_limit_exceeded" and error.type == "requests", error
    assert float(error.response.headers["retry-after"]) > 1, error.response.headers
    print("  openai: limits in headers, then refused")


def with_zai(address):
    client = zai.ZaiClient(api_key=KEY, base_url=f"{address}/api/paas/v4", max_retries=0)

    def ask(text, **more):
        return client.chat.completions.create(
            model="glm-4-flash", messages=[{"role": "user", "content": text}], **more)

    said = ask(SAID)
    assert said.choices[0].message.content == f"[sandbox] {SAID}", said
    chunks = list(ask(SAID, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == f"[sandbox] {SAID}" and chunks[-1].usage.total_tokens > 5, chunks[-1]
    raises(zai.core.APIRequestFailedError, lambda: ask("[[fail:400]]"), 400)
    raises(zai.core.APIReachLimitError, lambda: ask("[[fail:429]]"), 429)
    raises(zai.core.APIInternalError, lambda: ask("[[fail:500]]"), 500)
    print("  zai chat: text, stream, errors")


def with_anthropic(address):
    client = anthropic.Anthropic(api_key=KEY, base_url=address, max_retries=0)
    model = "claude-haiku-4-5"

    def ask(content, **more):
        return client.messages.create(**{
            "model": model, "max_tokens": 100, "system": "be short",
            "messages": [{"role": "user", "content": content}], **more})

    said = ask(SAID)
    assert said.content[0].text == f"[sandbox] {SAID}" and said.stop_reason == "end_turn", said
    assert said.usage.input_tokens > 5 and said.model == f"sandbox-{model}", said
    assert said._request_id, "a request id is in a header"
    said = ask([{"type": "image", "source": {"type": "base64", "media_type": "image/png",
                                             "data": picture()}},
                {"type": "text", "text": "what is it?"}])
    assert "1 image: image/png" in said.content[0].text, said
    assert ask(SAID, max_tokens=3).stop_reason == "max_tokens"
    schema = {"type": "object", "properties": {"mood": {"type": "string"}},
              "required": ["mood"], "additionalProperties": False}
    said = ask("How?", extra_body={"output_config": {
        "format": {"type": "json_schema", "schema": schema}}})
    assert said.content[0].text.startswith('{"mood":"[sandbox]'), said
    with client.messages.stream(model=model, max_tokens=100, messages=[
            {"role": "user", "content": SAID}]) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert "".join(pieces) == f"[sandbox] {SAID}" and len(pieces) > 3, pieces
    assert final.stop_reason == "end_turn" and final.usage.output_tokens > 5, final
    count = client.messages.count_tokens(model=model, messages=[{"role": "user", "content": "a"}])
    assert count.input_tokens > 0, count
    assert [each.id for each in client.models.list()][-1] == model
    for text, kind, status in (
            ("[[fail:400]]", anthropic.BadRequestError, 400),
            ("[[fail:403]]", anthropic.PermissionDeniedError, 403),
            ("[[fail:429]]", anthropic.RateLimitError, 429),
            ("[[fail:500]]", anthropic.InternalServerError, 500),
            ("[[fail:529]]", anthropic.InternalServerError, 529)):
        error = raises(kind, lambda text=text: ask(text), status)
        assert error.body["type"] == "error" and error.body["error"]["type"], error.body
    raises(anthropic.NotFoundError, lambda: ask("a", model="gpt-4o"), 404)
    wrong = anthropic.Anthropic(api_key="sk-ant-no", base_url=address, max_retries=0)
    raises(anthropic.AuthenticationError, lambda: wrong.messages.create(
        model=model, max_tokens=1, messages=[{"role": "user", "content": "a"}]), 401)
    print("  anthropic chat: text, system, image, schema, stream, count, models, errors")


def anthropic_limits(address):
    client = anthropic.Anthropic(api_key=f"{KEY}@limits", base_url=address, max_retries=0)

    def ask():
        return client.messages.with_raw_response.create(
            model="claude-haiku-4-5", max_tokens=5, messages=[{"role": "user", "content": "a"}])

    assert ask().headers["anthropic-ratelimit-requests-remaining"] == "1"
    ask()
    error = raises(anthropic.RateLimitError, ask, 429)
    assert float(error.response.headers["retry-after"]) > 1, error.response.headers
    print("  anthropic: limits in headers, then refused")


def gemini_client(address, key=KEY):
    options = genai_types.HttpOptions(
        base_url=address, retry_options=genai_types.HttpRetryOptions(attempts=1))
    return genai.Client(api_key=key, vertexai=False, http_options=options)


def with_gemini(address):
    client = gemini_client(address)
    model = "gemini-2.5-flash"

    def ask(contents, **config):
        return client.models.generate_content(
            model=model, contents=contents,
            config=genai_types.GenerateContentConfig(system_instruction="be short", **config))

    said = ask(SAID)
    assert said.text == f"[sandbox] {SAID}", said
    assert said.candidates[0].finish_reason == genai_types.FinishReason.STOP, said
    assert said.usage_metadata.total_token_count > 5 and said.model_version == f"sandbox-{model}"
    said = ask([genai_types.Part.from_bytes(data=PICTURE.read_bytes(), mime_type="image/png"),
                "what is it?"])
    assert "1 image: image/png" in said.text, said
    cut = ask(SAID, max_output_tokens=3).candidates[0]
    assert cut.finish_reason == genai_types.FinishReason.MAX_TOKENS, cut
    said = ask("How?", response_mime_type="application/json", response_schema=Mood)
    assert isinstance(said.parsed, Mood), said
    pieces = list(client.models.generate_content_stream(model=model, contents=SAID))
    assert "".join(piece.text for piece in pieces) == f"[sandbox] {SAID}" and len(pieces) > 3
    assert pieces[-1].usage_metadata.total_token_count > 5, pieces[-1]
    vectors = client.models.embed_content(model="gemini-embedding-001", contents=["a", "b"])
    assert len(vectors.embeddings) == 2 and vectors.embeddings[0].values, vectors
    assert any(each.name == f"models/{model}" for each in client.models.list())
    for text, kind, status, word in (
            ("[[fail:400]]", genai_errors.ClientError, 400, "INVALID_ARGUMENT"),
            ("[[fail:429]]", genai_errors.ClientError, 429, "RESOURCE_EXHAUSTED"),
            ("[[fail:503]]", genai_errors.ServerError, 503, "UNAVAILABLE")):
        error = raises(kind, lambda text=text: ask(text), status)
        assert error.status == word, error
    wrong = gemini_client(address, "AIza-no")
    error = raises(genai_errors.ClientError, lambda: wrong.models.generate_content(
        model=model, contents="a"), 400)
    assert "API_KEY_INVALID" in str(error.details), error.details
    print("  gemini chat: text, system, image, schema, stream, embeddings, models, errors")


def gemini_limits(address):
    client = gemini_client(address, f"{KEY}@limits")

    def ask():
        return client.models.generate_content(model="gemini-2.5-flash", contents="a")

    ask()
    ask()
    error = raises(genai_errors.ClientError, ask, 429)
    assert any("retryDelay" in detail for detail in error.details["error"]["details"]), error.details
    print("  gemini: refused with the delay in the body")


def all_chats(binary, state):
    with sandbox(binary, state / "chats") as address:
        print(f"chat through openai {openai.__version__}, zai-sdk {zai.__version__}, "
              f"anthropic {anthropic.__version__}, google-genai {genai.__version__}")
        with_openai(address)
        with_zai(address)
        with_anthropic(address)
        with_gemini(address)
    with sandbox(binary, state / "limits", *LIMITED) as address:
        openai_limits(address)
        anthropic_limits(address)
        gemini_limits(address)
