"""Every reply that the service is known to send, whole and broken on purpose, through the parser that reads it.

The bodies in `tests/golden/replies` are the examples and shapes of the vendor's
documents, of recordings and of clients checked live. One place after the other
is taken out, nulled and given every wrong type: what comes of it is a result or
one of our errors, never an exception of Python.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glmcli.api.bodies import BytesSource
from glmcli.api.calls import Call, Caller, OpenReply, Reply
from glmcli.api.endpoints import PROVIDERS, Target
from glmcli.api.resources.agents import AgentRequest, Agents
from glmcli.api.resources.async_results import AsyncResults
from glmcli.api.resources.batches import Batches
from glmcli.api.resources.chat import ChatCompletions, ChatRequest
from glmcli.api.resources.images import ImageRequest, Images
from glmcli.api.resources.messages import Messages
from glmcli.api.resources.models import Models
from glmcli.api.resources.ocr import LayoutParsing, LayoutRequest
from glmcli.api.resources.quota import Monitor
from glmcli.api.resources.reader import Reader, ReadRequest
from glmcli.api.resources.tokenizer import Tokenizer, TokenizeRequest
from glmcli.api.resources.transcriptions import TranscriptionRequest, Transcriptions
from glmcli.api.resources.videos import VideoRequest, Videos
from glmcli.api.resources.web_search import SearchRequest, WebSearch
from glmcli.errors import GlmError
from tests.harness import GOLDEN, Glm, ScriptedServer

REPLIES = GOLDEN / "replies"
JSON_TYPE = "application/json"


@dataclass
class Canned:
    """A caller with one answer to everything."""

    body: bytes
    content_type: str = JSON_TYPE
    status: int = 200
    target = Target(PROVIDERS["zai"], "http://127.0.0.1:9")

    @property
    def headers(self) -> dict[str, str]:
        """Those of the answer."""
        return {"content-type": self.content_type, "x-log-id": "log-1"}

    def send(self, call: Call) -> Reply:
        return Reply(self.status, self.headers, self.body)

    @contextmanager
    def open(self, call: Call) -> Iterator[OpenReply]:
        yield self

    def chunks(self) -> Iterator[bytes]:
        yield self.body


ASK = ChatRequest("glm-5.3", [{"role": "user", "content": "hi"}])
SPEECH = TranscriptionRequest(BytesSource(b"RIFF"), "wav")
Read = Callable[[Caller], object]

#: Golden reply -> who reads it, and a word that must be found in what was read.
WHOLE: dict[str, tuple[Read, str]] = {
    "chat": (lambda caller: ChatCompletions(caller).create(ASK), "Let me think"),
    "message": (lambda caller: Messages(caller).create(ASK), "Let me think"),
    "transcription": (lambda caller: Transcriptions(caller).create(SPEECH), "hello there"),
    "models": (lambda caller: Models(caller).list(), "glm-5.2"),
    "quota-credits": (lambda caller: Monitor(caller).quota(), "6289"),
    "quota-legacy": (lambda caller: Monitor(caller).quota(), "search-prime"),
    "model-usage": (lambda caller: Monitor(caller).model_usage(0, 1), "glm-5.3"),
    "tool-usage": (lambda caller: Monitor(caller).tool_usage(0, 1), "search-prime"),
    "subscriptions": (lambda caller: Monitor(caller).subscriptions(), "GLM Coding Max"),
    "image": (lambda caller: Images(caller).create(ImageRequest("a cat")), "cdn.example/img.png"),
    "submission": (lambda caller: Videos(caller).submit(VideoRequest("a cat")), "88917123456"),
    "video-result": (lambda caller: AsyncResults(caller).retrieve("1"), "cdn.example/v.mp4"),
    "image-result": (lambda caller: AsyncResults(caller).retrieve("1"), "cdn.example/i.png"),
    "layout": (lambda caller: LayoutParsing(caller).parse(LayoutRequest("https://example.com/a.pdf")), "# Title"),
    "page": (lambda caller: Reader(caller).read(ReadRequest("https://example.org")), "# T"),
    "tokens": (lambda caller: Tokenizer(caller).count(TokenizeRequest("glm-5.3", ASK.messages)), "14"),
    "search": (lambda caller: WebSearch(caller).search(SearchRequest("x")), "SEARCH_ALL"),
    "translation": (lambda caller: Agents(caller).invoke(AgentRequest("general_translation")), "こんにちは"),
    "slides": (lambda caller: Agents(caller).invoke(AgentRequest("slides_glm_agent")), "<html></html>"),
    "slides-files": (lambda caller: Agents(caller).conversation("c1"), "cdn.example/s.pdf"),
    "effects": (lambda caller: Agents(caller).result("a1", agent_id="vidu_template_agent"), "cdn.example/v.mp4"),
    "effects-job": (lambda caller: Agents(caller).invoke(AgentRequest("vidu_template_agent")), "a1"),
    "file": (lambda caller: Batches(caller).upload("a.jsonl", BytesSource(b"{}")), "file-1"),
    "batch": (lambda caller: Batches(caller).retrieve("batch_123"), "file-2"),
}

#: The same for streams.
STREAMS: dict[str, tuple[Read, str]] = {
    "chat-stream": (lambda caller: list(ChatCompletions(caller).stream(ASK)), "call_1"),
    "message-stream": (lambda caller: list(Messages(caller).stream(ASK)), "call_1"),
    "transcription-stream": (lambda caller: Transcriptions(caller).stream(SPEECH, lambda text: None), "hello there"),
    "agent-stream": (lambda caller: list(Agents(caller).stream(AgentRequest("slides_glm_agent"))), "<html></html>"),
}

#: What stands in the place of a value.
WRONG: Sequence[Any] = (
    None, True, False, 0, -1, 1.5, 10**30, float("inf"), float("nan"), "", "word", "12", "\ud83d", "\x1b]0;x\x07",
    [], {}, [None], [[]], [1, "a", {}], [{}], {"a": None}, {"text": []}, {"error": None},
)  # fmt: skip
ABSENT = object()


def load(name: str) -> Any:
    """A golden reply."""
    return json.loads((REPLIES / f"{name}.json").read_text(encoding="utf-8"))


def frames(name: str) -> list[Any]:
    """The events of a golden stream; the end marker stays text."""
    lines = (REPLIES / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    payloads = [line.removeprefix("data: ") for line in lines if line]
    return [payload if payload == "[DONE]" else json.loads(payload) for payload in payloads]


def stream_of(events: Sequence[Any]) -> Canned:
    """A caller that answers with these events."""
    texts = [event if event == "[DONE]" else json.dumps(event) for event in events]
    return Canned("".join(f"data: {text}\n\n" for text in texts).encode(), "text/event-stream")


def read_or_refuse(read: Read, caller: Canned, what: object) -> object:
    """What is read; None when it is refused with one of our errors."""
    try:
        return read(caller)
    except GlmError as error:
        refusal = error
    except Exception as error:
        raise AssertionError(f"{type(error).__name__}: {error} for {what!r:.300}") from error
    assert refusal.message
    assert "\n" not in refusal.message
    return None


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in a JSON document, the whole included."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def replaced(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The document with another value at a place; ABSENT takes it out."""
    if not path:
        return {} if value is ABSENT else value
    changed = copy.deepcopy(document)
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    if value is ABSENT:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return changed


def test_every_reply_has_a_reader() -> None:
    """A golden file that nobody reads proves nothing."""
    known = {f"{name}.json" for name in WHOLE} | {f"{name}.txt" for name in STREAMS} | {"agent-failed.json"}
    assert {path.name for path in REPLIES.iterdir()} == known


@pytest.mark.parametrize("name", WHOLE)
def test_a_reply_as_documented(name: str) -> None:
    """It is read without a complaint, and what counts is found."""
    read, word = WHOLE[name]
    assert word in repr(read(Canned(json.dumps(load(name)).encode())))


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_as_documented(name: str) -> None:
    """It is read without a complaint, and what counts is found."""
    read, word = STREAMS[name]
    assert word in repr(read(stream_of(frames(name))))


@pytest.mark.parametrize("name", WHOLE)
def test_unknown_fields_change_nothing(name: str) -> None:
    """A newer service says more; what is read stays the same."""
    read, _ = WHOLE[name]
    document = load(name)
    plain = read(Canned(json.dumps(document).encode()))
    for path in places(document):
        holder = document
        for key in path:
            holder = holder[key]
        if isinstance(holder, dict) and not {"external", "input"} & set(path):
            more = replaced(document, (*path, "new_in_2027"), {"a": [1]})
            assert _comparable(read(Canned(json.dumps(more).encode()))) == _comparable(plain), path


def _comparable(value: object) -> str:
    """What was read, without the raw body that some results keep."""
    return repr(value).replace("'new_in_2027': {'a': [1]}", "").replace(", }", "}")


@pytest.mark.parametrize("name", WHOLE)
def test_one_wrong_place_in_a_reply(name: str) -> None:
    """Absent, null or of another type, anywhere: a result or one clear error."""
    read, _ = WHOLE[name]
    document = load(name)
    for path in places(document):
        for value in (ABSENT, *WRONG):
            body = json.dumps(replaced(document, path, value)).encode()
            read_or_refuse(read, Canned(body), (path, value))


@pytest.mark.parametrize("name", STREAMS)
def test_one_wrong_place_in_a_stream(name: str) -> None:
    """The same for each event of a stream."""
    read, _ = STREAMS[name]
    events = frames(name)
    for path in places(events):
        for value in (ABSENT, *WRONG):
            changed = replaced(events, path, value)
            if isinstance(changed, list):
                read_or_refuse(read, stream_of(changed), (path, value))


@pytest.mark.parametrize("name", [*WHOLE, *STREAMS])
def test_a_failure_in_any_shape_is_raised(name: str) -> None:
    """The body of a refusal with status 200, in the shapes that are known for it, is never taken for an answer."""
    read, _ = (WHOLE | STREAMS)[name]
    nested = {"error": {"code": "1113", "message": "no balance"}}
    shapes: list[Any] = [nested, {"code": 1113, "message": "no balance"}, load("agent-failed")]
    if name in STREAMS:
        shapes = [nested]
    for shape in shapes:
        caller = stream_of([shape]) if name in STREAMS else Canned(json.dumps(shape).encode())
        with pytest.raises(GlmError) as caught:
            read(caller)
        assert "1113" in caught.value.message or getattr(caught.value, "code", None) == "1113", shape


#: Golden reply -> the command that shows it, and the end of the path that is asked.
SHOWN = {
    "chat": (("chat", "--no-stream", "hi"), "POST", "/chat/completions"),
    "quota-credits": (("usage",), "GET", "/quota/limit"),
    "quota-legacy": (("usage",), "GET", "/quota/limit"),
    "subscriptions": (("usage",), "GET", "/subscription/list"),
    "model-usage": (("usage", "--models"), "GET", "/model-usage"),
    "tool-usage": (("usage", "--tools"), "GET", "/tool-usage"),
    "models": (("models", "--remote"), "GET", "/models"),
    "tokens": (("--provider", "zai", "tokenize", "hi"), "POST", "/tokenizer"),
    "search": (("--provider", "zai", "search", "hi"), "POST", "/web_search"),
    "page": (("--provider", "zai", "read", "https://example.org"), "POST", "/reader"),
}
#: The wrong values that a renderer may stumble over.
ODD: Sequence[Any] = (ABSENT, None, -1, 10**30, float("inf"), "word", "\ud83d\x1b[2J", [None], {"a": None})


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("tty", [True, False], ids=["terminal", "pipe"])
def test_a_wrong_place_is_shown_or_told(glm: Glm, server: ScriptedServer, name: str, tty: bool) -> None:
    """What the parser let through does not break what shows it, nor does it steer a terminal."""
    argv, method, path_end = SHOWN[name]
    env = {"ZAI_API_KEY": None, "ZAI_CODING_API_KEY": server.keys["zai-coding"]}
    if "--provider" in argv or name == "chat":
        env = {"ZAI_API_KEY": server.keys["zai"]}
    document = load(name)
    for path in places(document):
        for value in ODD:
            changed = replaced(document, path, value)
            server.script(method, path_end, body=json.dumps(changed).encode(), headers={"Content-Type": JSON_TYPE})
            result = glm("--max-retries", "0", *argv, tty=tty, env={**env, "NO_COLOR": "1"})
            assert "Traceback" not in result.stderr, (path, value)
            assert "unexpected" not in result.stderr, (path, value, result.stderr)
            assert b"\x1b[2J" not in result.stdout_bytes or not tty, (path, value)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
BOUNDED = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)


@pytest.mark.parametrize("name", [*WHOLE, *STREAMS])
@BOUNDED
@given(data=st.data())
def test_several_wrong_places(name: str, data: st.DataObject) -> None:
    """Anything in up to five places at once."""
    read, _ = (WHOLE | STREAMS)[name]
    document = frames(name) if name in STREAMS else load(name)
    for _ in range(data.draw(st.integers(1, 5))):
        path = data.draw(st.sampled_from(list(places(document))))
        document = replaced(document, path, data.draw(st.just(ABSENT) | _JSON))
    if name not in STREAMS:
        read_or_refuse(read, Canned(json.dumps(document).encode()), document)
    elif isinstance(document, list):
        read_or_refuse(read, stream_of(document), document)


@pytest.mark.parametrize("name", [*WHOLE, *STREAMS])
@BOUNDED
@given(cut=st.integers(0, 2000), flip=st.integers(0, 2000), byte=st.integers(0, 255))
def test_torn_bytes(name: str, cut: int, flip: int, byte: int) -> None:
    """A reply that ends anywhere, with one byte changed: a result or one clear error."""
    read, _ = (WHOLE | STREAMS)[name]
    ending, kind = ("txt", "text/event-stream") if name in STREAMS else ("json", JSON_TYPE)
    body = bytearray((REPLIES / f"{name}.{ending}").read_bytes())
    body[flip % len(body)] = byte
    read_or_refuse(read, Canned(bytes(body[: max(1, len(body) - cut)]), kind), (cut, flip, byte))
