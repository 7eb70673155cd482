"""What the local database keeps, as values. Times are seconds since the epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from glmcli.events import Answer, ToolCall, Usage
from glmcli.values import Value


class Attachment(Value):
    """A file or URL that went with a message, by reference.

    `path` is absolute, or a URL, which has no `sha256`.
    """

    path: str
    sha256: str | None = None
    mime: str | None = None
    bytes: int | None = None


class Message(Value):
    """One turn of one side. `seconds` is how long the answer took; `created_at` None means now."""

    role: str
    content: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    attachments: tuple[Attachment, ...] = ()
    model: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    interrupted: bool = False
    created_at: float | None = None
    request_id: str | None = None
    seconds: float | None = None

    @classmethod
    def from_answer(
        cls, answer: Answer, *, interrupted: bool = False, created_at: float | None = None, seconds: float | None = None
    ) -> Message:
        """The message that an answer becomes; `interrupted` when it is not the whole of it."""
        return cls(
            role="assistant",
            content=answer.content,
            reasoning=answer.reasoning,
            tool_calls=tuple(answer.tool_calls),
            model=answer.model,
            finish_reason=answer.finish_reason,
            usage=answer.usage,
            interrupted=interrupted,
            created_at=created_at,
            request_id=answer.request_id,
            seconds=seconds,
        )


class Conversation(Value):
    """What is known of a conversation without reading its messages."""

    id: str
    title: str
    model: str | None
    provider: str | None
    profile: str | None
    system: str | None
    created_at: float
    updated_at: float
    message_count: int


class Transcript(Value):
    """A conversation and all of its messages, in order."""

    conversation: Conversation
    messages: tuple[Message, ...]

    @property
    def last_answer(self) -> Message | None:
        """The latest message of the model that holds text."""
        answers = (message for message in reversed(self.messages) if message.role == "assistant" and message.content)
        return next(answers, None)


class Snippet(Value):
    """A piece of text on one line; `marks` are the (start, end) of what was searched for."""

    text: str
    marks: tuple[tuple[int, int], ...]

    def marked(self, before: str, after: str) -> str:
        """The text with every mark put between two strings."""
        parts, done = [], 0
        for start, end in self.marks:
            parts += [self.text[done:start], before, self.text[start:end], after]
            done = end
        return "".join([*parts, self.text[done:]])

    def converted(self, convert: Callable[[str], str]) -> Snippet:
        """The snippet with every piece of its text passed through a function, and the marks where they belong."""
        text, marks, done = "", [], 0
        for start, end in self.marks:
            text += convert(self.text[done:start])
            marked = convert(self.text[start:end])
            marks.append((len(text), len(text) + len(marked)))
            text, done = text + marked, end
        return Snippet(text + convert(self.text[done:]), tuple(marks))


class Hit(Value):
    """A message that matches a search; `position` counts from 0, None when it is the title that matches."""

    conversation_id: str
    title: str
    position: int | None
    role: str | None
    created_at: float
    snippet: Snippet


class UsageEntry(Value):
    """One request for the ledger.

    `cost` is money in `currency`; None means unknown, which is not the same as 0.
    `credits` is what a plan charges instead, `weighted` the tokens that a router counts.
    """

    command: str
    provider: str
    model: str | None = None
    profile: str | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    cost: float | None = None
    currency: str | None = None
    credits: float | None = None
    at: float | None = None
    weighted: float | None = None


class UsageSum(Value):
    """A line of the ledger's summary.

    `key` is a local date, a model or a profile, None where the entries named none. `costs` has one sum per
    currency; `unpriced` counts the requests of which neither price nor credits are known, so that a sum is
    never taken for the whole.
    `credits` and `weighted` are None when no request had any.
    """

    key: str | None
    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    costs: Mapping[str, float] = {}
    unpriced: int = 0
    credits: float | None = None
    weighted: float | None = None


class Task(Value):
    """An asynchronous job of the service.

    `remote_id` is None until the service has named the job. `region` and `base_url` say where it lives,
    whatever the profile has become since.
    """

    id: str
    kind: str
    status: str
    remote_id: str | None
    provider: str | None
    region: str | None
    base_url: str | None
    profile: str | None
    model: str | None
    request: Mapping[str, object]
    result: Mapping[str, object] | None
    output: str | None
    error: str | None
    created_at: float
    updated_at: float
