"""Ways to call each command: the rows that every fault is crossed with.

`{clip}` in the words of a way is a short recording; the fixture `way_files`
makes it. What a way asks about (`before`) is made by the fixture `ready`. A new
command without a way fails `test_ways`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest


@dataclass(frozen=True)
class Way:
    """One call of a command.

    `is_online` says that it asks the service, `is_streamed` that the answer
    comes as server-sent events, `has_codes` that a refusal carries one of the
    business codes (the monitor's do not). `is_paid` is a creation that is not repeated
    when its outcome is unknown. `is_report` tells failures in a form of its own, and
    a way that `may_succeed` ends with 0 for some of them. `provider` is whose key it
    takes, `shows_key` that printing it is its purpose.
    `before` is the command whose work it asks about, and `is_over` says that this work has ended.
    `exits` are exit codes other than those of the faults: by the name of a fault, or in place of a code.
    `instead` is the word that is told of an answer of another kind.
    """

    name: str
    words: tuple[str, ...]
    is_online: bool = False
    is_streamed: bool = False
    has_codes: bool = False
    is_paid: bool = False
    is_report: bool = False
    may_succeed: bool = False
    provider: str = "zai"
    shows_key: bool = False
    input: bytes = b""
    before: tuple[str, ...] = ()
    is_over: bool = False
    exits: Mapping[str | int, int] = field(default_factory=dict)
    instead: str = "not JSON"

    @property
    def command(self) -> str:
        """The command that is called."""
        return self.words[0]

    @property
    def variable(self) -> str:
        """The variable from which it takes its key."""
        return "ZHIPU_API_KEY" if self.provider == "zhipu" else "ZAI_API_KEY"

    def exit_code(self, fault: str, usual: int) -> int:
        """How it ends under a fault that usually ends so."""
        return self.exits.get(fault, self.exits.get(usual, usual))

    def argv(self, files: Mapping[str, str], *more: str) -> list[str]:
        """The words with the files put in; `more` stands before them."""
        return [*more, *(word.format(**files) if word.startswith("{") else word for word in self.words)]


def _online(name: str, *words: str, is_streamed: bool = False) -> Way:
    return Way(name, words, is_online=True, is_streamed=is_streamed, has_codes=True)


def _paid(name: str, *words: str) -> Way:
    return Way(name, words, is_online=True, has_codes=True, is_paid=True)


def _china(name: str, *words: str, before: tuple[str, ...] = (), **kind: Any) -> Way:
    words = (*words, "--provider", "zhipu")
    return Way(name, words, is_online=True, has_codes=True, provider="zhipu", before=before, **kind)


#: Whatever is neither a page nor a refusal may be the file that was asked for.
_ANY_BYTES: dict[str | int, int] = dict.fromkeys(("plain text", "picture", "truncated JSON", "not UTF-8", "nested"), 0)
_NOTHING = ("no content", "empty page", "empty")
#: Raw answers pass as they are.
_AS_IT_CAME: dict[str | int, int] = {**_ANY_BYTES, **dict.fromkeys((*_NOTHING, "login page"), 0)}
#: Whoever examines the way to the service calls it a fault of the network that somebody else answers.
_SOMEBODY_ELSE: dict[str | int, int] = dict.fromkeys(
    (*_ANY_BYTES, *_NOTHING, "html 502", "login page", "not modified"), 8
)
#: An estimate stands in for a count where nobody answers, or nobody pays.
_ESTIMATED: dict[str | int, int] = {8: 0, 5: 0}
#: What failed on the line is one failure among many.
_SUMMED: dict[str | int, int] = {8: 1}
_UPLOAD = ("files", "upload", "{prompts}", "--provider", "zhipu")
_SUBMIT = ("batch", "submit", "{prompts}", "-m", "glm-4.7", "--provider", "zhipu")
_ONBOARDING = ("--non-interactive", "--auth-choice", "zai", "--store", "env", "--key-env", "ZAI_API_KEY")
_VIDEO = ("video", "a cat", "--no-wait")


def _task(name: str, *words: str) -> Way:
    return Way(name, ("tasks", *words, "--force"), is_online=True, before=_VIDEO)


def _report(name: str, *words: str, exits: Mapping[str | int, int]) -> Way:
    return Way(name, words, is_online=True, is_report=True, may_succeed=0 in exits.values(), exits=exits)


def _monitor(name: str, *words: str) -> Way:
    return Way(name, (*words, "--provider", "zai-coding"), is_online=True, provider="zai-coding")


WAYS = (
    _online("chat", "chat", "hello", is_streamed=True),
    _online("chat-whole", "chat", "--no-stream", "hello"),
    _online("chat-json", "chat", "--json", "hello", is_streamed=True),
    _online("chat-anthropic", "chat", "--protocol", "anthropic", "hello", is_streamed=True),
    _online("chat-anthropic-whole", "chat", "--protocol", "anthropic", "--no-stream", "hello"),
    _online("stream", "stream", "hello", is_streamed=True),
    _online("stream-json", "stream", "--json", "hello", is_streamed=True),
    _online("transcribe", "transcribe", "{clip}"),
    _online("transcribe-stream", "transcribe", "--stream", "{clip}", is_streamed=True),
    _online("models-remote", "models", "--remote"),
    _online("search", "search", "hello"),
    _online("read", "read", "https://example.com/page"),
    _online("ocr", "ocr", "https://example.com/scan.pdf"),
    _online("agent", "agent", "translate", "hello", "--to", "ja"),
    _online("agent-stream", "agent", "run", "--stream", "general_translation", "hello", is_streamed=True),
    _online("agent-run", "agent", "run", "general_translation", "hello"),
    _china("embed", "embed", "hello"),
    _china("rerank", "rerank", "hello", "one", "two"),
    _china("moderate", "moderate", "hello"),
    _china("files-list", "files", "list"),
    _china("files-delete", "files", "delete", "{file}", before=_UPLOAD),
    _china(
        "files-download", "files", "download", "{file}", "--force", before=_UPLOAD, exits=_ANY_BYTES, may_succeed=True
    ),
    _china("files-upload", "files", "upload", "{prompts}"),
    _china("batch-remote", "batch", "list", "--remote"),
    _china("batch-submit", "batch", "submit", "{prompts}", "-m", "glm-4.7", is_paid=True),
    _china("batch-status", "batch", "status", before=_SUBMIT),
    _china("batch-wait", "batch", "wait", "--interval", "1", before=_SUBMIT),
    _china("batch-fetch", "batch", "fetch", before=_SUBMIT, is_over=True, instead="no answer of this batch"),
    _china("batch-cancel", "batch", "cancel", before=_SUBMIT),
    _china("speak", "speak", "hello", "-o", "hello.wav", "--force", instead="16-bit mono sound"),
    _task("tasks-wait", "wait", "last", "--interval", "0.01"),
    _task("tasks-fetch", "fetch", "last"),
    _report("tokenize", "tokenize", "hello", exits=_ESTIMATED),
    _report("api", "api", "GET", "models", exits=_AS_IT_CAME),
    _paid("image", "image", "a cat", "-o", "cat.png"),
    _paid("video", "video", "a cat", "--no-wait"),
    _report("batch", "batch", "run", "{prompts}", "-o", "answers.jsonl", exits=_SUMMED),
    _report("onboard", "onboard", *_ONBOARDING, exits=_SOMEBODY_ELSE),
    _report("doctor", "doctor", "--provider", "zai", exits=_SOMEBODY_ELSE),
    _monitor("usage", "usage"),
    Way("usage-balance", ("usage", "--provider", "zai"), is_online=True),
    _monitor("usage-series", "usage", "--models", "--tools"),
    Way("models", ("models",)),
    Way("usage-local", ("usage", "--local")),
    Way("explain", ("explain", "1113")),
    Way("explain-piped", ("explain",), input=b'{"error":{"code":"1113"}}\r\n'),
    Way("sandbox", ("sandbox", "faults")),
    Way("env", ("env",), shows_key=True),
    Way("exec", ("exec", "--", "true")),
    Way("connect", ("connect", "--list")),
    Way("tasks", ("tasks", "list")),
    Way("agents", ("agent", "list")),
    Way("templates", ("template", "list")),
    Way("history", ("history", "list")),
    Way("history-search", ("history", "search", "hello")),
    Way("profile-list", ("profile", "list")),
    Way("profile-show", ("profile", "show")),
    Way("config-path", ("config", "path")),
    Way("config-get", ("config", "get")),
    Way("config-set", ("config", "set", "settings.timeout", "30")),
    Way("completion", ("completion", "bash")),
)
ONLINE = tuple(way for way in WAYS if way.is_online)
REPORTS = tuple(way for way in ONLINE if way.is_report)
PLAIN = tuple(way for way in ONLINE if not way.is_report)
CODED = tuple(way for way in ONLINE if way.has_codes)
STREAMED = tuple(way for way in ONLINE if way.is_streamed)


def each(*ways: Way) -> pytest.MarkDecorator:
    """Run a test for every one of the ways."""
    marks = {True: [pytest.mark.shows_key], False: []}
    return pytest.mark.parametrize("way", [pytest.param(way, id=way.name, marks=marks[way.shows_key]) for way in ways])
