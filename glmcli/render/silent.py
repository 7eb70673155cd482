"""A renderer that shows nothing: the answer is looked at before anyone sees it."""

from __future__ import annotations

from glmcli.events import Answer, Event


class SilentRenderer:
    """Takes events and keeps quiet (`render.answers.AnswerRenderer`)."""

    def feed(self, events: list[Event]) -> None:
        return None

    def finish(self, answer: Answer, *, complete: bool) -> None:
        return None
