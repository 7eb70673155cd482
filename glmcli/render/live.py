"""The terminal's renderer: dim thinking on stderr, then Markdown as it comes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from glmcli.events import Answer, Event, ReasoningDelta, TextDelta

if TYPE_CHECKING:
    from glmcli.render.markdown import StreamingMarkdown


class Terminal(Protocol):
    """What is needed of `streams.Streams`."""

    def write(self, text: str) -> None: ...
    def write_error(self, text: str) -> None: ...
    def may_color(self, *, stderr: bool = False) -> bool: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...


class LiveRenderer:
    """Shows an answer on a terminal (`render.answers.AnswerRenderer`)."""

    def __init__(self, terminal: Terminal, *, show_reasoning: bool) -> None:
        self._terminal = terminal
        self._show_reasoning = show_reasoning
        self._markdown: StreamingMarkdown | None = None
        self._reasoning_open = False

    @staticmethod
    def preload() -> None:
        """Import what rendering needs; called while the server thinks."""
        from glmcli.render.markdown import preload

        preload()

    def feed(self, events: list[Event]) -> None:
        for event in events:
            if type(event) is TextDelta:
                self._end_reasoning()
                self._opened().feed(event.text)
            elif type(event) is ReasoningDelta and self._show_reasoning:
                self._reasoning_open = True
                self._terminal.write_error(event.text)
        if self._markdown is not None:
            self._markdown.tick()

    def next_wait(self) -> float | None:
        """Seconds until `feed([])` should be called, or None for no hurry."""
        return self._markdown.next_redraw_in() if self._markdown is not None else None

    def finish(self, answer: Answer, *, complete: bool) -> None:
        self._end_reasoning()
        if self._markdown is None:
            return
        if complete:
            self._markdown.finish()
        else:
            self._markdown.interrupt()

    def _end_reasoning(self) -> None:
        if self._reasoning_open:
            self._reasoning_open = False
            self._terminal.write_error("\n\n")

    def _opened(self) -> StreamingMarkdown:
        if self._markdown is None:
            from glmcli.render.markdown import StreamingMarkdown

            terminal = self._terminal
            self._markdown = StreamingMarkdown(
                terminal.write,
                width=lambda: terminal.width,
                height=lambda: terminal.height,
                color=terminal.may_color(),
                clock=time.monotonic,
            )
        return self._markdown
