"""What `-v` and `-vv` show of the traffic, and the messages about waiting."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from glmcli.api.calls import Call, JsonBody
from glmcli.errors import GlmError

#: Longer texts (a picture as base64) are cut in the wire log, in characters.
_SHOWN = 2000


class WireLog:
    """Tells a person what happens (`api.client.Watcher`).

    Headers arrive without the key, and bodies never hold one; `hide` is
    replaced all the same wherever it would appear.
    """

    def __init__(
        self,
        *,
        tell: Callable[[str], None],
        note: Callable[[str], None],
        verbosity: int,
        before: Callable[[Call], None] | None = None,
        hide: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._tell = tell
        self._note = note
        self._verbosity = verbosity
        self._before = before
        self._hide = hide

    def before(self, call: Call, url: str) -> None:
        if self._before is not None:
            self._before(call)

    def sending(self, call: Call, url: str, headers: Mapping[str, str]) -> None:
        if self._verbosity < 1:
            return
        self._say(f"> {call.method} {url}")
        if self._verbosity < 2:
            return
        for name, value in headers.items():
            self._say(f"> {name}: {value}")
        self._say("> (the key is sent too, and never shown)")
        if isinstance(call.body, JsonBody):
            self._say(f"> {_shortened(call.body.encode().decode('utf-8', 'replace'))}")
        elif call.body is not None:
            self._say(f"> ({call.body.content_type}, {call.body.length()} bytes)")

    def received(self, status: int, headers: Mapping[str, str], seconds: float) -> None:
        if self._verbosity < 1:
            return
        log_id = headers.get("x-log-id")
        self._say(f"< {status} after {seconds:.2f} s" + (f", log id {log_id}" if log_id else ""))
        for name, value in headers.items():
            if self._verbosity > 1 or name.startswith("x-ratelimit") or name == "retry-after":
                self._say(f"< {name}: {value}")

    def body(self, data: bytes) -> None:
        if self._verbosity > 1:
            self._say(f"< {_shortened(data.decode('utf-8', 'replace').rstrip())}")

    def retrying(self, error: GlmError, delay_seconds: float, attempt: int) -> None:
        self._note(f"glm: {error.message}; trying again in {_duration(delay_seconds)} (attempt {attempt + 1})")

    def _say(self, line: str) -> None:
        secret = self._hide()
        self._tell(line.replace(secret, "<key>") if secret else line)


def _shortened(text: str) -> str:
    if len(text) <= _SHOWN:
        return text
    return f"{text[:_SHOWN]}... ({len(text)} characters)"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
