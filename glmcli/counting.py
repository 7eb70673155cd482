"""Counting tokens: by the service, and by an estimate once it cannot say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from glmcli.api.endpoints import Plan
from glmcli.errors import GlmError, MissingKey, NetworkError, NoProvider, ServiceError

if TYPE_CHECKING:
    from glmcli.api.resources.tokenizer import TokenCount
    from glmcli.context import AppContext

#: Refusals that mean "not here" rather than "not so": no balance, no such address.
_NOT_HERE = frozenset({"1113", "1222"})
_UNKNOWN_MODEL = frozenset({"1211", "1214", "model_not_found"})


@dataclass(frozen=True, slots=True)
class Wishes:
    """How to count: as which model, and what goes into the request beside the items."""

    model: str | None = None
    offline: bool = False
    request_id: str | None = None
    user_id: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to count: a request of these messages and tools."""

    name: str
    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, object]] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it; the service refuses that, and the count is known."""
        return not self.tools and not any(message.get("content") or len(message) > 2 for message in self.messages)

    @property
    def has_parts(self) -> bool:
        """Whether pictures, video or documents go along."""
        return any(isinstance(message.get("content"), list) for message in self.messages)


@dataclass(frozen=True, slots=True)
class Counted:
    """An item with its count; `is_estimate` says that the service did not count it."""

    item: Item
    tokens: int
    images: int | None = None
    videos: int | None = None
    is_estimate: bool = False

    @property
    def shown(self) -> str:
        """The number, marked when it is an estimate."""
        return f"~{self.tokens}" if self.is_estimate else str(self.tokens)

    def to_json(self) -> dict[str, object]:
        """The item in `--json`."""
        return {
            "name": self.item.name,
            "tokens": self.tokens,
            "image_tokens": self.images,
            "video_tokens": self.videos,
            "estimate": self.is_estimate,
        }


class Counter:
    """Asks the service, and estimates once it cannot say."""

    def __init__(self, app: AppContext, wishes: Wishes) -> None:
        self._app = app
        self._wishes = wishes
        self._reason = "asked for with --offline" if wishes.offline else None
        self._asked = wishes.model  # as long as nobody refuses it
        #: The model that counted last, and the one that the user is going to ask.
        self.model: str | None = None
        self.meant: str | None = None

    @property
    def reason(self) -> str | None:
        """Why something was estimated."""
        return self._reason

    def count(self, item: Item) -> Counted:
        """The tokens of one item. Raises what the service refuses for other reasons than being out of reach."""
        if item.is_empty:
            return Counted(item, 0)
        if self._reason is None:
            try:
                return self._counted(item)
            except GlmError as error:
                self._reason = self._why(error)
                if self._reason is None:
                    raise
        return self._estimated(item)

    def tell(self) -> None:
        """Say on stderr what the number is not."""
        note = self._app.streams.note
        if self._reason is not None:
            note(f"glm: ~ is an estimate made here, not the service's count: {self._reason}")
        elif self.model is not None and self.meant not in (None, self.model):
            note(f"glm: counted as {self.model} does; for {self.meant} this is an estimate")

    def _counted(self, item: Item) -> Counted:
        settings = self._app.settings
        asked = settings.aliases.get(self._asked, self._asked) if self._asked else None
        self.meant = asked or self.meant or settings.model.value
        try:
            count = self._ask(item, asked or self._usual(item))
        except ServiceError as error:
            # Models of GLM-5 are in no list of the tokenizer; their texts can be counted by another's.
            if asked is None or not asked.startswith("glm-") or error.code not in _UNKNOWN_MODEL:
                raise
            self._asked = None
            count = self._ask(item, self._usual(item))
        return Counted(item, count.total, count.images, count.videos)

    def _usual(self, item: Item) -> str:
        """The model of the settings when the tokenizer knows it, else its own default."""
        from glmcli.api.resources.tokenizer import DEFAULT_MODEL, MODELS, SEEING_MODEL

        if item.has_parts:
            return SEEING_MODEL
        model = self._app.settings.model.value
        known = MODELS[self._app.target.provider.region]
        is_ours = self._app.target.base_url is None
        return model if model and (model in known or not is_ours) else DEFAULT_MODEL

    def _ask(self, item: Item, model: str) -> TokenCount:
        from glmcli.api.resources.tokenizer import Tokenizer, TokenizeRequest

        wishes = self._wishes
        request = TokenizeRequest(
            model, item.messages, item.tools, wishes.request_id, wishes.user_id, extra=wishes.extra
        )
        count = Tokenizer(self._app.client).count(request)
        self.model = model
        return count

    def _why(self, error: GlmError) -> str | None:
        """The reason for an estimate; None when the failure is the answer."""
        if isinstance(error, NoProvider | MissingKey | NetworkError):
            return error.message
        if not isinstance(error, ServiceError) or not (error.code in _NOT_HERE or error.http_status in (404, 405)):
            return None
        if error.code == "1113" and self._app.target.provider.plan is Plan.CODING:
            return f"{error.message} (--via coding may count without balance)"
        return error.message

    def _estimated(self, item: Item) -> Counted:
        from glmcli.api.tokens import estimate_request

        return Counted(item, estimate_request(item.messages, item.tools), is_estimate=True)
