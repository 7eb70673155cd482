"""From an item to the request that is sent, its digest, and the answer as a line."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Protocol

from glmcli.api.resources.chat import ChatRequest
from glmcli.asking import ChatOptions, build_request, resolve_model
from glmcli.batching.answers import Line
from glmcli.errors import ContentRefused, StreamCut, UsageError

if TYPE_CHECKING:
    from glmcli.batching.items import Item
    from glmcli.context import AppContext
    from glmcli.events import Answer, Usage

#: The hexadecimal digits of a digest.
DIGEST_LENGTH = 16


class Creates(Protocol):
    """Whatever can answer one request (`ChatCompletions`, `Messages`)."""

    def create(self, request: ChatRequest) -> Answer:
        """One whole answer."""


class Requests:
    """Makes the requests of a batch: the options of the command, then what a line sets itself."""

    def __init__(self, app: AppContext, options: ChatOptions) -> None:
        self._app = app
        self._options = options
        self._bases: dict[str, ChatRequest] = {}
        self.model = resolve_model(app, options.model)

    def request_for(self, item: Item) -> ChatRequest:
        """The request of an item. Raises UsageError for options that the service is documented to refuse."""
        named = item.fields.get("model")
        base = self._base(named if isinstance(named, str) and named else self.model)
        has_system = any(message.get("role") == "system" for message in item.messages)
        messages = list(item.messages) if has_system else [*base.messages, *item.messages]
        own = {name: value for name, value in item.fields.items() if name != "model"}
        return base.replace(messages=messages, extra={**base.extra, **own})

    def body_of(self, request: ChatRequest) -> dict[str, object]:
        """The body as the hosted Batch API wants it: without `stream`."""
        body = request.to_json(stream=False)
        del body["stream"]
        return body

    def digest(self, request: ChatRequest) -> str:
        """What tells whether a kept answer belongs to this very request."""
        text = json.dumps(request.to_json(stream=False), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST_LENGTH]

    def _base(self, model: str) -> ChatRequest:
        """What the options say for a model; thinking is worded for each one."""
        if model not in self._bases:
            self._bases[model] = build_request(self._app, self._options.replace(model=model), [])
        return self._bases[model]


def sender(app: AppContext) -> Creates:
    """Sends requests from several threads; repeating and waiting are left to the runner."""
    from glmcli.api.endpoints import Protocol as Dialect
    from glmcli.context import Manner

    # Looked up here and now: a key command, a keyring or a prompt is not for worker threads.
    if app.target.provider.name != "sandbox" and not app.options.dry_run:
        app.key()
    settings = app.settings
    manner = Manner(
        timeout_seconds=settings.timeout_seconds.value, max_retries=0, auth=settings.auth.value, is_paced=True
    )
    client = app.client_for(app.target, manner=manner)
    if app.settings.protocol.value is Dialect.ANTHROPIC:
        from glmcli.api.resources.messages import Messages

        return Messages(client, language=app.language)
    from glmcli.api.resources.chat import ChatCompletions

    return ChatCompletions(client, language=app.language)


def checked(answer: Answer) -> Answer:
    """The answer, when it is one. Raises StreamCut for half of one, ContentRefused where the policy ended it."""
    if answer.finish_reason == "sensitive":
        raise ContentRefused("the service stopped the answer: its content policy was triggered")
    if answer.finish_reason == "network_error":
        raise StreamCut("the service broke the answer off (network_error)")
    if answer.finish_reason is None and not (answer.content or answer.tool_calls):
        raise StreamCut("the service sent an answer without content")
    return answer


def answer_line(id: str, digest: str, answer: Answer) -> Line:
    """The line of the output for an answer."""
    value: dict[str, object] = {"id": id, "content": answer.content}
    if answer.reasoning:
        value["reasoning"] = answer.reasoning
    if answer.tool_calls:
        value["tool_calls"] = [
            {"id": call.id, "name": call.name, "arguments": call.arguments} for call in answer.tool_calls
        ]
    value |= {"model": answer.model, "finish_reason": answer.finish_reason, "usage": usage_json(answer.usage)}
    value |= {"request_id": answer.request_id, "request": digest}
    data = json.dumps(value, ensure_ascii=False, separators=(", ", ": ")).encode("utf-8", "replace") + b"\n"
    return Line(id, digest, data)


def usage_json(usage: Usage | None) -> dict[str, int] | None:
    """Token counts, those that are known."""
    if usage is None:
        return None
    counts = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cached_tokens": usage.cached_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
    }
    return {name: count for name, count in counts.items() if count is not None}


def check_id(earlier_line: int | None, item: Item, source: str) -> None:
    """Raises UsageError for an id that an earlier line has, too."""
    if earlier_line is not None:
        raise UsageError(
            f"line {item.line} of {source} has the id {item.id!r} of line {earlier_line}",
            hint="ids must be unique: they join answers to questions; leave them out to have lines counted",
        )
