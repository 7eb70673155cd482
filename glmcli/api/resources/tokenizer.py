"""The tokenizer: how many tokens a request has, as the service counts them.

Fields and models: docs.z.ai and docs.bigmodel.cn, tokenizer (`api/tokenizer.md`).
No model of GLM-5 is in their lists; a count by glm-4.6 comes near.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from glmcli.api.calls import Call, Caller, json_body
from glmcli.api.endpoints import Region, Service
from glmcli.api.fields import mapping, text, whole
from glmcli.errors import ServiceError, UsageError

DEFAULT_MODEL = "glm-4.6"
SEEING_MODEL = "glm-4.6v"
_INTL = (DEFAULT_MODEL, SEEING_MODEL, "glm-4.5")
#: What the documents list; others may work.
MODELS = {
    Region.INTL: _INTL,
    Region.CN: (*_INTL, "glm-4.5-air", "glm-4-0520", "glm-4-long", "glm-4-air", "glm-4-flash"),
}
_LENGTHS = {"request_id": (6, 64, "--request-id"), "user_id": (6, 128, "--user-id")}


@dataclass(frozen=True, slots=True)
class TokenizeRequest:
    """What to count: messages as in chat, and tools. `extra` is merged last."""

    model: str
    messages: Sequence[Mapping[str, object]]
    tools: Sequence[Mapping[str, object]] = ()
    request_id: str | None = None
    user_id: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """The request body."""
        optional = {"tools": list(self.tools) or None, "request_id": self.request_id, "user_id": self.user_id}
        given = {name: value for name, value in optional.items() if value is not None}
        return {"model": self.model, "messages": list(self.messages), **given, **self.extra}


def check(request_id: str | None, user_id: str | None) -> None:
    """Compare ids with the documented lengths before anything is sent. Raises UsageError."""
    for name, value in (("request_id", request_id), ("user_id", user_id)):
        shortest, longest, flag = _LENGTHS[name]
        if value is not None and not shortest <= len(value) <= longest:
            raise UsageError(
                f"{flag} has {len(value)} characters", hint=f"the service takes {shortest} to {longest} characters"
            )


@dataclass(frozen=True, slots=True)
class TokenCount:
    """Tokens of a request; those of pictures and video are None where the service did not say."""

    total: int
    images: int | None = None
    videos: int | None = None
    request_id: str | None = None


def count_from_json(body: object, request_id: str | None = None) -> TokenCount:
    """Read a reply. Raises ServiceError when it holds no count."""
    from glmcli.api.faults import error_in_body

    error = error_in_body(body)
    if error is not None:
        raise error
    usage = mapping(body, "usage") if isinstance(body, dict) else {}
    prompt, images, videos = (whole(usage, name) for name in ("prompt_tokens", "image_tokens", "video_tokens"))
    total = whole(usage, "total_tokens")
    if total is None and prompt is not None:
        total = prompt + (images or 0) + (videos or 0)
    if total is None or not isinstance(body, dict):
        raise ServiceError("the answer of the tokenizer has no `usage.prompt_tokens`", request_id=request_id)
    return TokenCount(total, images, videos, request_id or text(body, "request_id"))


class Tokenizer:
    """`POST /tokenizer`."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def count(self, request: TokenizeRequest) -> TokenCount:
        """The tokens of a request. Raises what `Caller.send` raises."""
        reply = self._caller.send(Call(Service.TOKENIZER, "POST", "/tokenizer", body=json_body(request.to_json())))
        return count_from_json(reply.json(), reply.request_id)
