"""Translates a text of any length piece by piece, in order, and leaves alone what is no language."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from glmcli.api.resources.agents import TRANSLATION, AgentReply, AgentRequest, Agents, text_part
from glmcli.errors import ServiceError
from glmcli.markdown_pieces import Piece, around_masks, mask, split_markdown, split_plain, unmask

#: Characters of one request. The service documents no limit; a model that answers too long is cut.
PIECE_CHARACTERS = 3000
STRATEGIES = ("general", "paraphrase", "two_step", "three_step", "reflection", "cot")


@dataclass(frozen=True, slots=True)
class TranslationRequest:
    """How to translate. Languages are codes of the service, `glossary` the id of a kept file."""

    to: str
    source: str = "auto"
    strategy: str = "general"
    suggestion: str | None = None
    reason_language: str | None = None
    glossary: str | None = None
    request_id: str | None = None
    user_id: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)

    def variables(self) -> dict[str, object]:
        """What the agent calls `custom_variables`."""
        settings: dict[str, object] = {}
        if self.suggestion:
            settings["general"] = {"suggestion": self.suggestion}
        if self.reason_language:
            settings["cot"] = {"reason_lang": self.reason_language}
        return {
            "source_lang": self.source,
            "target_lang": self.to,
            "strategy": self.strategy,
            **({"strategy_config": settings} if settings else {}),
            **({"glossary": self.glossary} if self.glossary else {}),
        }


def pieces_of(text: str, *, is_markdown: bool = True) -> list[Piece]:
    """The pieces of a text; joined they are the text."""
    split = split_markdown if is_markdown else split_plain
    return split(text, PIECE_CHARACTERS)


class Translator:
    """Translates with one set of wishes. `watch` is told every answer."""

    def __init__(
        self,
        agents: Agents,
        request: TranslationRequest,
        *,
        watch: Callable[[AgentReply], None] = lambda reply: None,
    ) -> None:
        self._agents = agents
        self._request = request
        self._watch = watch
        self._count = 0

    def translate(self, pieces: Sequence[Piece], *, masks: bool = True) -> Iterator[str]:
        """The pieces in order, each as soon as it is there. Raises what `Agents.invoke` raises."""
        for piece in pieces:
            if not piece.is_words:
                yield piece.text
            elif masks:
                yield self._protected(piece.text)
            else:
                yield self._ask(piece.text)

    def _protected(self, text: str) -> str:
        masked, kept = mask(text)
        answer = unmask(self._ask(masked), kept)
        if answer is not None:
            return answer
        # The model lost a mask: what stands between them is translated alone.
        return "".join(self.translate(around_masks(text), masks=False))

    def _ask(self, text: str) -> str:
        self._count += 1
        request = self._request
        request_id = request.request_id
        if request_id is not None and self._count > 1:  # ids have to be unique
            tail = f"-{self._count:04d}"
            request_id = request_id[: 64 - len(tail)] + tail
        reply = self._agents.invoke(
            AgentRequest(
                TRANSLATION,
                [text_part(text)],
                variables=request.variables(),
                request_id=request_id,
                user_id=request.user_id,
                extra=request.extra,
            )
        )
        self._watch(reply)
        if not reply.text.strip():
            raise ServiceError("the translation agent answered without text", request_id=reply.request_id)
        return reply.text.strip()
