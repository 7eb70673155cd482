"""Agents: translation, slides, video effects, and any other by its id.

`POST /api/v1/agents` with `async-result` and `conversation` (`api/agents.md`;
docs.z.ai api-reference/agents). The SDK's path below the chat base is wrong.
Failures come with HTTP 200, and the shape of an answer differs from agent to
agent: `message` or `messages`, one or a list, its content a text, a part or a
list of parts. All of them are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glmcli.api.calls import Call, Caller, Reply, json_body
from glmcli.api.endpoints import Service
from glmcli.api.fields import mapping, mappings, text
from glmcli.api.polling import JobState, state_of
from glmcli.api.resources.async_results import JobReply, ResultFile
from glmcli.api.resources.chat import usage_from_json
from glmcli.api.sse import ServerEvent, SseDecoder
from glmcli.api.streaming import event_chunks, whole_json
from glmcli.errors import ContentRefused, ServiceError, StreamCut
from glmcli.events import Usage

TRANSLATION = "general_translation"
EFFECTS = "vidu_template_agent"
SLIDES = "slides_glm_agent"
TEMPLATES = ("french_kiss", "bodyshake", "sexy_me")
#: The kind of task under which an asynchronous agent is remembered.
TASK_KIND = "agent"

_FILE_PARTS = {"video_url": "video", "image_url": "image", "file_url": "file"}


@dataclass(frozen=True, slots=True)
class KnownAgent:
    """An agent that is documented. `regions` are `intl` and `cn`; `mode` is sync, stream or async."""

    id: str
    does: str
    mode: str
    regions: tuple[str, ...]
    command: str | None = None


KNOWN_AGENTS = (
    KnownAgent(TRANSLATION, "translates text, with glossary and strategy", "sync", ("intl", "cn"), "translate"),
    KnownAgent(SLIDES, "writes slides or a poster as HTML (beta)", "stream", ("intl",), "slides"),
    KnownAgent(EFFECTS, "makes a video from a picture with a template", "async", ("intl",), "effects"),
    KnownAgent("intelligent_education_correction_polling", "marks school work", "async", ("cn",)),
)


@dataclass(frozen=True, slots=True)
class AgentRequest:
    """What to ask of an agent. `parts` are the content of one user message.

    `extra` fields replace those of the same name; objects inside are merged one level deep.
    """

    agent_id: str
    parts: Sequence[Mapping[str, object]] = ()
    stream: bool = False
    variables: Mapping[str, object] = field(default_factory=dict)
    conversation_id: str | None = None
    request_id: str | None = None
    user_id: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)

    def body(self) -> dict[str, object]:
        """The JSON body. `stream` is always said: its default differs between agents."""
        optional: dict[str, object] = {
            "conversation_id": self.conversation_id,
            "custom_variables": dict(self.variables),
            "request_id": self.request_id,
            "user_id": self.user_id,
        }
        body: dict[str, object] = {
            "agent_id": self.agent_id,
            "stream": self.stream,
            "messages": [{"role": "user", "content": list(self.parts)}],
            **{name: value for name, value in optional.items() if value},
        }
        for name, value in self.extra.items():
            inner = body.get(name)
            body[name] = {**inner, **value} if isinstance(inner, dict) and isinstance(value, dict) else value
        return body


def text_part(words: str) -> dict[str, object]:
    """A part of text."""
    return {"type": "text", "text": words}


def image_part(url: str) -> dict[str, object]:
    """A picture; the address stands there as a text, unlike in chat."""
    return {"type": "image_url", "image_url": url}


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of an answer.

    `kind` is text, object or the name of an address (`video_url`, ...);
    `phase` is thinking, tool or answer where the agent says it.
    """

    kind: str
    text: str = ""
    url: str | None = None
    object: Mapping[str, Any] = field(default_factory=dict)
    phase: str | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True)
class AgentReply:
    """An answer, or one chunk of a streamed one."""

    parts: tuple[Part, ...] = ()
    status: str | None = None
    async_id: str | None = None
    conversation_id: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    request_id: str | None = None
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All text that is neither thought nor told of a tool."""
        return "".join(part.text for part in self.parts if part.kind == "text" and part.phase in (None, "answer"))

    @property
    def files(self) -> tuple[ResultFile, ...]:
        """Every address in the answer."""
        return tuple(ResultFile(part.url, _FILE_PARTS.get(part.kind, "file")) for part in self.parts if part.url)


class Agents:
    """`/v1/agents` of either region."""

    def __init__(self, caller: Caller, *, language: str = "en") -> None:
        self._caller = caller
        self._language = language

    def invoke(self, request: AgentRequest, *, repeatable: bool = True) -> AgentReply:
        """The whole answer. `repeatable` is False where a repetition could be paid for twice.

        Raises what `Caller.send` raises, ServiceError for a failure told with HTTP 200,
        ContentRefused when the content policy stopped the answer.
        """
        return self._send("/agents", request.body(), repeatable=repeatable)

    def stream(self, request: AgentRequest) -> Iterator[AgentReply]:
        """The answer chunk by chunk. Raises StreamCut when it ends early, else as `invoke`.

        A refusal told with HTTP 200 is waited for as any other, as long as nothing of an answer came.
        """
        call = Call(
            Service.AGENTS,
            "POST",
            "/agents",
            body=json_body(request.body()),
            headers={"Accept": "text/event-stream"},
            judge=self._judge_told_refusal,
        )
        with self._caller.open(call) as reply:
            request_id = reply.headers.get("x-log-id")
            if "json" in reply.headers.get("content-type", ""):  # failures are plain JSON
                yield self._whole(whole_json(reply), reply.headers, request_id)
            else:
                yield from self._chunks(event_chunks(reply, language=self._language), request_id)

    def result(self, async_id: str, *, agent_id: str, variables: Mapping[str, object] | None = None) -> JobReply:
        """How an asynchronous agent is doing. Raises what `Caller.send` raises; a failed job is an answer."""
        body: dict[str, object] = {"agent_id": agent_id, "async_id": async_id}
        if variables:
            body["custom_variables"] = dict(variables)
        reply = self._caller.send(_call("/agents/async-result", body))
        return self._job(reply)

    def conversation(self, conversation_id: str, *, variables: Mapping[str, object] | None = None) -> AgentReply:
        """The history or an export of a slide conversation. Raises as `invoke`."""
        body = {"agent_id": SLIDES, "conversation_id": conversation_id, "custom_variables": dict(variables or {})}
        return self._send("/agents/conversation", body)

    def _send(self, path: str, body: Mapping[str, object], *, repeatable: bool = True) -> AgentReply:
        call = _call(path, body, repeatable=repeatable).replace(judge=self._judge_refusal)
        return self._reply(self._caller.send(call))

    def _judge_refusal(self, reply: Reply) -> None:
        """Raise the refusal that came with HTTP 200, in time for it to be repeated."""
        from glmcli.api.faults import error_in_body

        failure = error_in_body(reply.json(), headers=reply.headers, language=self._language)
        if failure is not None:
            raise failure

    def _judge_told_refusal(self, reply: Reply) -> None:
        """The same for a stream; what cannot be read is an answer that broke off."""
        if _is_json(reply.body):
            self._judge_refusal(reply)

    def _reply(self, reply: Reply) -> AgentReply:
        return self._whole(reply.json(), reply.headers, reply.request_id)

    def _whole(self, body: object, headers: Mapping[str, str], request_id: str | None) -> AgentReply:
        self._raise_failure(body, headers)
        found = reply_from_json(body if isinstance(body, dict) else {}, request_id)
        if not found.parts and not found.async_id and found.status is None:
            raise ServiceError("the agent answered without content", request_id=found.request_id)
        return found

    def _raise_failure(self, body: object, headers: Mapping[str, str]) -> None:
        from glmcli.api.faults import error_in_body

        failure = error_in_body(body, headers=headers, language=self._language)
        if failure is not None:
            raise failure
        _judge(body)

    def _job(self, reply: Reply) -> JobReply:
        body = reply.json()
        found = body if isinstance(body, dict) else {}
        status = text(found, "status")
        if state_of(status) is not JobState.FAILED or "async_id" not in found:
            self._raise_failure(body, reply.headers)
        return job_from_json(found)

    def _chunks(self, pieces: Iterator[bytes], request_id: str | None) -> Iterator[AgentReply]:
        finished = False
        for event in _server_events(pieces):
            if event.data.strip() == "[DONE]":
                return
            chunk = self._chunk(event.data, request_id)
            finished = finished or chunk.finish_reason is not None
            yield chunk
        if not finished:
            raise StreamCut("the agent's answer broke off before its end")

    def _chunk(self, data: str, request_id: str | None) -> AgentReply:
        import json

        try:
            body = json.loads(data)
        except (ValueError, RecursionError):
            raise StreamCut("the agent's answer broke off: the service sent an unreadable piece") from None
        if isinstance(body, dict) and (body.get("error") or body.get("status") == "failed"):
            from glmcli.api.faults import error_from_event

            raise error_from_event(body, self._language)
        _judge(body)
        return reply_from_json(body if isinstance(body, dict) else {}, request_id)


def _is_json(body: bytes) -> bool:
    from glmcli.api.faultbodies import parsed

    try:
        parsed(body)
    except ValueError:
        return False
    return True


def retrieve_result(caller: Caller, async_id: str, *, agent_id: str = EFFECTS) -> JobReply:
    """Ask an asynchronous agent once: the poller of tasks of the kind TASK_KIND.

    The `agent_id` stands in the `request` of such a task.
    """
    return Agents(caller).result(async_id, agent_id=agent_id)


def _call(path: str, body: Mapping[str, object], *, repeatable: bool = True) -> Call:
    return Call(Service.AGENTS, "POST", path, body=json_body(body), repeatable=repeatable)


def _server_events(pieces: Iterator[bytes]) -> Iterator[ServerEvent]:
    decoder = SseDecoder()
    for piece in pieces:
        yield from decoder.feed(piece)
    yield from decoder.finish()


def _judge(body: object) -> None:
    """Endings that are failures. Raises ContentRefused, StreamCut."""
    for choice in mappings(body, "choices") if isinstance(body, dict) else []:
        reason = text(choice, "finish_reason")
        if reason == "sensitive":
            raise ContentRefused(
                "the agent stopped: the content policy of the service was triggered",
                hint="rephrase the text; `glm explain 1301` says more",
            )
        if reason == "network_error":
            raise StreamCut("the service broke the answer off (network_error)", hint="ask again")


def reply_from_json(body: Mapping[str, Any], request_id: str | None = None) -> AgentReply:
    """An answer in any of its shapes."""
    choices = mappings(body, "choices")
    usage = mapping(body, "usage")
    reasons = [reason for choice in choices if (reason := text(choice, "finish_reason"))]
    return AgentReply(
        parts=tuple(part for choice in choices for part in _parts_of_choice(choice)),
        status=text(body, "status"),
        async_id=text(body, "async_id"),
        conversation_id=text(body, "conversation_id"),
        finish_reason=reasons[-1] if reasons else None,
        usage=usage_from_json(usage) if usage else None,
        request_id=request_id or text(body, "request_id") or text(body, "id"),
        body=body,
    )


def job_from_json(body: Mapping[str, Any]) -> JobReply:
    """The state of an asynchronous agent with its files."""
    status = text(body, "status")
    state = state_of(status)
    error = mapping(body, "error")
    said = text(error, "message") or text(body, "error")
    code = text(error, "code")
    reason = f"{said} ({code})" if said and code else said or code
    return JobReply(state, status, reply_from_json(body).files, reason if state is JobState.FAILED else None, body)


def _parts_of_choice(choice: Mapping[str, Any]) -> Iterator[Part]:
    for key in ("messages", "message", "delta"):
        for message in mappings(choice, key):
            phase, role = text(message, "phase"), text(message, "role")
            content = message.get("content")
            for item in content if isinstance(content, list) else [content]:
                part = _part(item, phase, role)
                if part is not None:
                    yield part


def _part(item: object, phase: str | None, role: str | None) -> Part | None:
    if isinstance(item, str):
        return Part("text", item, phase=phase, role=role) if item else None
    if not isinstance(item, dict):
        return None
    kind = text(item, "type") or ("text" if "text" in item else "object")
    inner = item.get(kind)
    url = _url(inner) if kind.endswith("_url") else None
    if url is None and kind not in ("text", "object") and not isinstance(inner, str | dict):
        return None
    return Part(
        kind if url is not None or kind == "object" else "text",
        inner if isinstance(inner, str) and url is None else "",
        url,
        inner if isinstance(inner, dict) and url is None else {},
        phase,
        role,
    )


def _url(value: object) -> str | None:
    """An address, plain or inside an object."""
    if isinstance(value, dict):
        value = value.get("url")
    return value if isinstance(value, str) and value else None
