"""Ways to call each command: the rows that every fault is crossed with.

`{clip}` in the words of a way is a short recording; the fixture `way_files`
makes it. A new command without a way fails `test_ways`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Way:
    """One call of a command.

    `is_online` says that it asks the service, `is_streamed` that the answer
    comes as server-sent events, `has_codes` that a refusal carries one of the
    business codes (the monitor's do not). `is_paid` is a creation that is not repeated
    when its outcome is unknown. `is_report` tells failures line by line, with
    an exit code for the whole, which is 0 for some failures when it
    `may_succeed`. `is_patient` waits longer than `--timeout` says. `provider` is whose key it takes,
    `shows_key` that printing it is its purpose.
    """

    name: str
    words: tuple[str, ...]
    is_online: bool = False
    is_streamed: bool = False
    has_codes: bool = False
    is_paid: bool = False
    is_report: bool = False
    may_succeed: bool = False
    is_patient: bool = False
    provider: str = "zai"
    shows_key: bool = False
    input: bytes = b""

    @property
    def command(self) -> str:
        """The command that is called."""
        return self.words[0]

    def argv(self, files: Mapping[str, str], *more: str) -> list[str]:
        """The words with the files put in; `more` stands before them."""
        return [*more, *(word.format(**files) if word.startswith("{") else word for word in self.words)]


def _online(name: str, *words: str, is_streamed: bool = False) -> Way:
    return Way(name, words, is_online=True, is_streamed=is_streamed, has_codes=True)


def _paid(name: str, *words: str) -> Way:
    return Way(name, words, is_online=True, has_codes=True, is_paid=True)


def _patient(name: str, *words: str) -> Way:
    return Way(name, words, is_online=True, has_codes=True, is_patient=True)


def _report(name: str, *words: str, may_succeed: bool = False) -> Way:
    return Way(name, words, is_online=True, is_report=True, may_succeed=may_succeed)


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
    _patient("read", "read", "https://example.com/page"),
    _patient("ocr", "ocr", "https://example.com/scan.pdf"),
    # Its failures come with status 200 and are not repeated.
    Way("agent", ("agent", "translate", "hello", "--to", "ja"), is_online=True),
    # An estimate stands in for a count, and raw answers pass as they are: both with 0.
    _report("tokenize", "tokenize", "hello", may_succeed=True),
    _report("api", "api", "GET", "models", may_succeed=True),
    _paid("image", "image", "a cat", "-o", "cat.png"),
    _paid("video", "video", "a cat", "--no-wait"),
    _report("batch", "batch", "run", "{prompts}", "-o", "answers.jsonl"),
    _report("doctor", "doctor", "--provider", "zai"),
    _monitor("usage", "usage"),
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
