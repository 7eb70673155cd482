"""What somebody may want of the service, said twice: to the vendor's SDK and to `glm`."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zai

from glmcli.sandbox.tones import speak
from tests.audio.make import wav
from tests.pdf_files import pdf
from tests.sandbox.conftest import png

#: A client of the SDK; it declares no types that would help here.
Client = Any


@dataclass(frozen=True)
class Intent:
    """One wish, with the key of `account`. `before` is a command that prepares it.

    The last request of `method` whose path holds `path` is compared. A text that `ask` returns is put where `argv`
    says `{id}`.
    """

    name: str
    path: str
    ask: Callable[[Client], object]
    argv: tuple[str, ...]
    method: str = "POST"
    account: str = "zai"
    before: tuple[str, ...] = ()

    def command(self, said: object) -> list[str]:
        """The words for `glm`, after `ask` returned something."""
        return [str(said) if word == "{id}" else word for word in self.argv]


def write_files() -> None:
    """The files that the wishes speak of, into the current folder."""
    Path("pic.png").write_bytes(png())
    Path("talk.wav").write_bytes(SOUND)
    Path("scan.pdf").write_bytes(pdf(1))
    Path("terms.txt").write_text("cat=Katze")
    Path("tools.json").write_text(json.dumps(TOOLS))
    Path("tools.py").write_text(TOOLS_FILE)
    Path("prompts.jsonl").write_text(LINE)


SOUND = wav(b"".join(speak("hello there", 8000)), rate=8000)
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]
TOOLS_FILE = '''
def get_weather(city: str) -> str:
    """The weather."""
    return "rain"
'''
LINE = (
    json.dumps(
        {
            "custom_id": "job-001",
            "method": "POST",
            "url": "/v4/chat/completions",
            "body": {"model": "glm-4.7", "messages": [{"role": "user", "content": "echo: hi"}]},
        }
    )
    + "\n"
)
CHAT = "/chat/completions"
PAGE = "https://example.com/post"
SUBMIT = ("batch", "submit", "prompts.jsonl")
PICTURES = ("https://cdn.example/a.png", "https://cdn.example/b.png")


def _says(text: str) -> Any:
    return {"role": "user", "content": text}


def _data_url(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{b64encode(data).decode()}"


def _chat(*messages: Any, model: str = "glm-5.3", **fields: Any) -> Callable[[Client], object]:
    return lambda client: client.chat.completions.create(model=model, messages=list(messages), **fields)


def _stream(*messages: Any, **fields: Any) -> Callable[[Client], object]:
    ask = _chat(*messages, stream=True, **fields)
    return lambda client: list(ask(client))  # type: ignore[call-overload]  # a stream, which nobody declares


def _look(client: Client) -> None:
    # A message of its own each time: the SDK changes those that it is given.
    url = {"url": _data_url(png(), "image/png")}
    parts = [{"type": "image_url", "image_url": url}, {"type": "text", "text": "what?"}]
    client.chat.completions.create(model="glm-4.6v", messages=[{"role": "user", "content": parts}])


def _carry_out(client: Client) -> None:
    messages = [_says("call get_weather")]
    said = client.chat.completions.create(model="glm-5.3", messages=messages, tools=TOOLS).choices[0].message
    result = {"role": "tool", "tool_call_id": said.tool_calls[0].id, "content": "rain"}
    turns = [*messages, said.model_dump(exclude_none=True), result]
    client.chat.completions.create(model="glm-5.3", messages=turns, tools=TOOLS)


def _go_on(client: Client) -> None:
    messages = [_says("echo: one")]
    said = client.chat.completions.create(model="glm-5.3", messages=messages).choices[0].message
    client.chat.completions.create(
        model="glm-5.3", messages=[*messages, said.model_dump(exclude_none=True), _says("echo: two")]
    )


def _film(client: Client) -> None:
    job = client.videos.generations(model="cogvideox-3", prompt="a cat")
    client.videos.retrieve_videos_result(job.id)


def _draw_later(client: Client) -> None:
    job = client.images.async_generations(model="glm-image", prompt="a fox")
    client.images.retrieve_images_result(job.id)


def _keep(client: Client) -> str:
    return str(client.files.create(file=Path("prompts.jsonl"), purpose="batch").id)


def _batch(client: Client) -> str:
    return str(client.batches.create(endpoint="/v4/chat/completions", input_file_id=_keep(client)).id)


def _download(client: Client) -> str:
    id = _keep(client)
    client.files.content(id)
    return id


def _forget(client: Client) -> str:
    client.files.delete(_keep(client))
    return _keep(client)


def _refused(method: Callable[..., object], **fields: Any) -> None:
    """Call a method of the SDK whose request the sandbox refuses, because the documents do not allow it."""
    with suppress(zai.core.APIStatusError):
        method(**fields)


INTENTS = (
    Intent("a question", CHAT, _chat(_says("hello")), ("chat", "--no-stream", "hello")),
    Intent(
        "a system message",
        CHAT,
        _chat({"role": "system", "content": "Be brief."}, _says("hello")),
        ("chat", "--no-stream", "-s", "Be brief.", "hello"),
    ),
    Intent(
        "every option of a chat",
        CHAT,
        _chat(
            _says("hello"), model="glm-4.7", temperature=0.5, top_p=0.7, max_tokens=500, stop=["END"],
            user_id="user-01", request_id="request-1", do_sample=True, response_format={"type": "json_object"},
        ),
        (
            "chat", "--no-stream", "-m", "glm-4.7", "--temperature", "0.5", "--top-p", "0.7", "--max-tokens", "500",
            "--stop", "END", "--user-id", "user-01", "--request-id", "request-1", "--set", "do_sample=true",
            "--json-mode", "hello",
        ),
    ),
    Intent(
        "the ends of the scales",
        CHAT,
        _chat(_says("hello"), temperature=1.0, top_p=1.0),
        ("chat", "--no-stream", "--temperature", "1", "--top-p", "1", "hello"),
    ),
    Intent(
        "no chance",
        CHAT,
        _chat(_says("hello"), temperature=0),
        ("chat", "--no-stream", "--temperature", "0", "hello"),
    ),
    Intent(
        "no thinking",
        CHAT,
        _chat(_says("hello"), model="glm-4.7", thinking={"type": "disabled"}),
        ("chat", "--no-stream", "-m", "glm-4.7", "--think", "off", "hello"),
    ),
    Intent(
        "much thinking",
        CHAT,
        _chat(_says("hello"), thinking={"type": "enabled"}, reasoning_effort="max"),
        ("chat", "--no-stream", "--think", "max", "hello"),
    ),
    Intent(
        "tools", CHAT, _chat(_says("hello"), tools=TOOLS), ("chat", "--no-stream", "--tools", "tools.json", "hello")
    ),
    Intent(
        "the result of a tool",
        CHAT,
        _carry_out,
        ("chat", "--no-stream", "--tools", "tools.py", "--yes", "call get_weather"),
    ),
    Intent(
        "a second question",
        CHAT,
        _go_on,
        ("chat", "--no-stream", "-c", "echo: two"),
        before=("chat", "--no-stream", "echo: one"),
    ),
    Intent(
        "a second question on a plan",
        CHAT,
        _go_on,
        ("chat", "--no-stream", "-c", "echo: two"),
        account="zai-coding",
        before=("chat", "--no-stream", "echo: one"),
    ),
    Intent(
        "a chat as a task",
        "/async/chat/completions",
        lambda client: client.chat.asyncCompletions.create(model="glm-5.3", messages=[_says("hello")]),
        (
            "api", "async/chat/completions", "-f", "model=glm-5.3", "-f", "messages[][role]=user",
            "-f", "messages[][content]=hello",
        ),
    ),
    Intent(
        "a picture to look at",
        CHAT,
        _look,
        ("chat", "--no-stream", "-m", "glm-4.6v", "-a", "pic.png", "what?"),
    ),
    Intent("a stream", CHAT, _stream(_says("hello")), ("chat", "hello")),
    Intent(
        "a stream with tools",
        CHAT,
        _stream(_says("hello"), tools=TOOLS, tool_stream=True),
        ("chat", "--tools", "tools.json", "hello"),
    ),
    Intent(
        "a question in China",
        CHAT,
        _chat(_says("你好"), model="glm-4.7"),
        ("chat", "--no-stream", "-m", "glm-4.7", "你好"),
        account="zhipu",
    ),
    Intent(
        "a picture",
        "/images/generations",
        lambda client: client.images.generations(
            model="glm-image", prompt="a fox", size="1056x1568", quality="hd", user_id="user-01", request_id="request-1"
        ),
        (
            "image", "a fox", "--size", "1056x1568", "--quality", "hd", "--user-id", "user-01",
            "--request-id", "request-1",
        ),
    ),
    Intent(
        "a picture as a task",
        "/async/images/generations",
        lambda client: client.images.async_generations(model="glm-image", prompt="a fox"),
        ("image", "a fox", "--no-wait"),
    ),
    Intent(
        "how a picture is doing",
        "/async-result/",
        _draw_later,
        ("image", "a fox", "--async", "--interval", "0.01"),
        method="GET",
    ),
    Intent(
        "a video",
        "/videos/generations",
        lambda client: client.videos.generations(
            model="cogvideox-3", prompt="a cat", image_url=list(PICTURES), quality="speed", with_audio=True,
            size="1920x1080", fps=60, duration=10, request_id="request-1", user_id="user-01",
        ),
        (
            "video", "a cat", "--image", PICTURES[0], "--image", PICTURES[1], "--quality", "speed", "--audio",
            "--size", "1920x1080", "--fps", "60", "--duration", "10", "--request-id", "request-1",
            "--user-id", "user-01", "--no-wait",
        ),
    ),
    Intent(
        "how a video is doing",
        "/async-result/",
        _film,
        ("video", "a cat", "--interval", "0.01"),
        method="GET",
    ),
    Intent(
        "a transcription",
        "/audio/transcriptions",
        lambda client: client.audio.transcriptions.create(
            model="glm-asr-2512", file=Path("talk.wav"), prompt="before", hotwords=["there"],
            request_id="request-1", user_id="user-01", stream=False,
        ),
        (
            "transcribe", "talk.wav", "--prompt", "before", "--hotword", "there", "--request-id", "request-1",
            "--user-id", "user-01", "--no-stream", "--no-resume",
        ),
    ),
    Intent(
        "speech",
        "/audio/speech",
        lambda client: client.audio.speech(
            model="glm-tts", input="hello", voice="tongtong", response_format="wav", speed=1.5, volume=2.0
        ),
        ("speak", "hello", "--speed", "1.5", "--volume", "2", "-o", "hello.wav", "--force"),
        account="zhipu",
    ),
    Intent(
        "a search",
        "/web_search",
        lambda client: client.web_search.web_search(search_engine="search-prime", search_query="rust"),
        ("search", "rust"),
    ),
    Intent(
        "every option of a search",
        "/web_search",
        lambda client: _refused(
            client.web_search.web_search,
            search_engine="search_pro", search_query="量子", count=5, search_domain_filter="example.com",
            search_recency_filter="oneWeek", content_size="high", request_id="request-1", user_id="user-01",
        ),
        (
            "search", "量子", "-e", "pro", "-n", "5", "--domain", "example.com", "--recency", "week",
            "--content-size", "high", "--request-id", "request-1", "--user-id", "user-01",
        ),
        account="zhipu",
    ),
    Intent("a page", "/reader", lambda client: client.web_reader.web_reader(url=PAGE), ("read", PAGE)),
    Intent(
        "every option of a page",
        "/reader",
        lambda client: _refused(
            client.web_reader.web_reader, url=PAGE, timeout="30", no_cache=True, return_format="text",
            retain_images=False, no_gfm=True, keep_img_data_url=True, with_images_summary=True,
            with_links_summary=True, user_id="user-01",
        ),
        (
            "read", PAGE, "--timeout-page", "30", "--no-cache", "--format", "text", "--no-images", "--no-gfm",
            "--keep-data-urls", "--images-summary", "--links-summary", "--user-id", "user-01",
        ),
    ),
    Intent(
        "vectors",
        "/embeddings",
        lambda client: client.embeddings.create(model="embedding-3", input=["hello", "there"], dimensions=256),
        ("embed", "hello", "there", "-d", "256"),
        account="zhipu",
    ),
    Intent(
        "a verdict",
        "/moderations",
        lambda client: client.moderations.create(model="moderation", input="hello"),
        ("moderate", "hello"),
        account="zhipu",
    ),
    Intent(
        "a document",
        "/layout_parsing",
        lambda client: client.layout_parsing.create(
            model="glm-ocr", file=_data_url(pdf(1), "application/pdf"), request_id="request-1", user_id="user-01"
        ),
        ("ocr", "scan.pdf", "--request-id", "request-1", "--user-id", "user-01"),
    ),
    Intent(
        "an agent",
        "/agents",
        lambda client: _refused(
            client.agents.invoke, agent_id="general_translation", request_id="request-1", user_id="user-01",
            messages=[{"role": "user", "content": [{"type": "text", "text": "hello"}]}],
            custom_variables={"target_lang": "ja"},
        ),
        (
            "agent", "run", "general_translation", "hello", "--var", "target_lang=ja", "--request-id", "request-1",
            "--user-id", "user-01",
        ),
    ),
    Intent(
        "a glossary",
        "/files",
        lambda client: client.files.create(file=Path("terms.txt"), purpose="agent"),
        ("agent", "translate", "cat", "-t", "de", "--glossary", "terms.txt"),
    ),
    Intent(
        "a file",
        "/files",
        lambda client: client.files.create(file=Path("terms.txt"), purpose="agent"),
        ("files", "upload", "terms.txt"),
    ),
    Intent(
        "a list of files",
        "/files",
        lambda client: client.files.list(purpose="batch", limit=5),
        ("files", "list", "--purpose", "batch", "-n", "5"),
        method="GET",
        account="zhipu",
    ),
    Intent(
        "what is in a file",
        "/files/",
        _download,
        ("files", "download", "{id}", "-o", "-"),
        method="GET",
        account="zhipu",
    ),
    Intent(
        "away with a file", "/files/", _forget, ("files", "delete", "{id}"), method="DELETE", account="zhipu"
    ),
    Intent("the file of a batch", "/files", _keep, SUBMIT, account="zhipu"),
    Intent("a batch", "/batches", _batch, SUBMIT, account="zhipu"),
    Intent(
        "how a batch is doing",
        "/batches/",
        lambda client: client.batches.retrieve(_batch(client)),
        ("batch", "status"),
        method="GET",
        account="zhipu",
        before=SUBMIT,
    ),
    Intent(
        "away with a batch",
        "/cancel",
        lambda client: client.batches.cancel(_batch(client)),
        ("batch", "cancel"),
        account="zhipu",
        before=SUBMIT,
    ),
)  # fmt: skip
