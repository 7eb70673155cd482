"""Agents, as `/api/v1/agents` and its two companions take and give them.

Fields: OpenAPI of docs.z.ai (agents); failures are HTTP 200, which
`glmcli.sandbox.envelopes` sees to. A translation is the text with the language
in front, every protected tag and line where it was. Words in the text steer:
`lose-tags`, `task:fail`, `task:forever`, `polls:N`, `fault:NAME`.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from glmcli.sandbox import tokens
from glmcli.sandbox.checks import check_fields, is_integer, is_text, require
from glmcli.sandbox.exchange import Base, Refusal, Request, Response
from glmcli.sandbox.films import film, picture

if TYPE_CHECKING:
    from glmcli.sandbox.app import Route, Sandbox

TRANSLATION = "general_translation"
EFFECTS = "vidu_template_agent"
SLIDES = "slides_glm_agent"
_CORRECTION = "intelligent_education_correction_polling"
_AGENTS = {TRANSLATION: ("intl", "cn"), EFFECTS: ("intl",), SLIDES: ("intl",), _CORRECTION: ("cn",)}
_TEMPLATES = ("french_kiss", "bodyshake", "sexy_me")
_STRATEGIES = ("general", "paraphrase", "two_step", "three_step", "reflection", "cot")
_LANGUAGES = frozenset(
    {"zh-CN", "zh-TW", "wyw", "yue", "en", "ja", "ko", "fr", "de", "es", "ru", "pt", "it", "ar", "hi", "bg", "cs", "da"}
    | {"el", "et", "fi", "hu", "id", "lt", "lv", "nl", "no", "pl", "ro", "sk", "sl", "sv", "th", "tr", "uk", "vi", "my"}
    | {"ms", "Pinyin", "IPA"}
)
_TARGETS = _LANGUAGES | {"en-GB", "en-US"}
#: Polls that an effect takes unless its text says `polls:N`.
POLLS = 2
_SLIDES = 3

_FIELDS = {
    "agent_id": lambda v: is_text(v, 1, 128),
    "messages": lambda v: isinstance(v, list) and bool(v),
    "stream": lambda v: isinstance(v, bool),
    "request_id": lambda v: is_text(v, 6, 64),
    "user_id": lambda v: is_text(v, 6, 128),
    "conversation_id": lambda v: is_text(v, 1, 128),
    "custom_variables": lambda v: isinstance(v, dict),
    "sensitive_word_check": lambda v: isinstance(v, dict),
}


def routes() -> list[Route]:
    """The routes of this module."""
    from glmcli.sandbox.app import Payer, Route

    base = (Base.V1,)
    return [
        Route("POST", base, "/agents", invoke),
        Route("POST", base, "/agents/async-result", retrieve, Payer.NOBODY),
        Route("POST", base, "/agents/conversation", conversation, Payer.NOBODY),
        Route("GET", (Base.DOWNLOADS,), "/agents/{id}/{name}", download, Payer.ANYONE),
    ]


def invoke(sandbox: Sandbox, request: Request) -> Response:
    """Answer for an agent."""
    body = request.json()
    require(body, "agent_id", "messages")
    check_fields(body, _FIELDS, lenient=sandbox.lenient)
    agent = body["agent_id"]
    everywhere = request.account is not None and request.account.everywhere
    if agent not in _AGENTS or (request.region not in _AGENTS[agent] and not everywhere):
        raise Refusal("1222", agent)
    parts = _parts(body["messages"])
    if request.fault == "sensitive":
        return Response.json(_answer(request, body, [{"type": "text", "text": ""}], finish="sensitive"))
    if agent == TRANSLATION:
        return _translate(sandbox, request, body, parts)
    if agent == SLIDES:
        return _design(sandbox, request, body, parts)
    return _submit(request, body, parts)


def _parts(messages: list[Any]) -> list[dict[str, Any]]:
    """The content of the user's messages: parts only, a plain text is outside the schema."""
    found: list[dict[str, Any]] = []
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") != "user":
            raise Refusal("1214", f"messages[{index}].role")
        content = message.get("content")
        if not isinstance(content, list) or not content:
            raise Refusal("1214", f"messages[{index}].content")
        for part in content:
            kind = part.get("type") if isinstance(part, dict) else None
            if kind not in ("text", "image_url", "file_id", "file_url") or not isinstance(part.get(kind), str):
                raise Refusal("1214", f"messages[{index}].content")
            found.append(part)
    return found


def _text(parts: list[dict[str, Any]]) -> str:
    return "\n".join(part["text"] for part in parts if part["type"] == "text")


def _answer(
    request: Request, body: Mapping[str, Any], content: object, *, finish: str = "stop", key: str = "messages"
) -> dict[str, object]:
    return {
        "id": request.log_id,
        "agent_id": body["agent_id"],
        "status": "success",
        "choices": [{"index": 0, "finish_reason": finish, key: {"role": "assistant", "content": content}}],
    }


# -- translation ---------------------------------------------------------------------------


def _translate(sandbox: Sandbox, request: Request, body: Mapping[str, Any], parts: list[dict[str, Any]]) -> Response:
    variables = body.get("custom_variables") or {}
    _check_translation(sandbox, variables, lenient=sandbox.lenient)
    target = variables.get("target_lang") or "zh-CN"
    source = _text(parts)
    if not source.strip():
        raise Refusal("1213", "messages")
    words = translated(source, target)
    usage = _usage(source, words, variables.get("strategy") or "general")
    if body.get("stream"):
        return Response.sse(_translation_events(request, body, words, usage))
    return Response.json({**_answer(request, body, {"type": "text", "text": words}), "usage": usage})


def translated(source: str, target: str) -> str:
    """The text with its language in front of every line that has words; `lose-tags` drops the tags."""
    if "lose-tags" in source:
        source = re.sub(r"</?x\d+/?>", "", source)
    return re.sub(r"(?m)^((?:<[^<>\n]*>|[^\w\n<])*)(?=\w)", rf"\1[{target}] ", source)


def _check_translation(sandbox: Sandbox, variables: Mapping[str, Any], *, lenient: bool) -> None:
    files = sandbox.store("files")
    checks = {
        "source_lang": lambda v: v == "auto" or v in _LANGUAGES,
        "target_lang": lambda v: v in _TARGETS,
        "glossary": lambda v: isinstance(v, str) and (v in files or v.startswith("file-sandbox-")),
        "strategy": lambda v: v in _STRATEGIES,
        "strategy_config": lambda v: isinstance(v, dict) and set(v) <= {"general", "cot"},
    }
    check_fields(variables, checks, lenient=lenient)
    settings = variables.get("strategy_config") or {}
    if not is_text((settings.get("general") or {}).get("suggestion", ""), 0, 10_000):
        raise Refusal("1214", "strategy_config.general.suggestion")
    if (settings.get("cot") or {}).get("reason_lang", "to") not in ("from", "to"):
        raise Refusal("1214", "strategy_config.cot.reason_lang")


def _translation_events(
    request: Request, body: Mapping[str, Any], words: str, usage: Mapping[str, int]
) -> Iterator[object]:
    head = {"id": request.log_id, "agent_id": body["agent_id"]}
    for piece in re.findall(r"\S+\s*|\s+", words):
        delta = {"role": "assistant", "content": {"type": "text", "text": piece}}
        yield {**head, "choices": [{"index": 0, "delta": delta}]}
    yield {**head, "choices": [{"index": 0, "finish_reason": "stop", "delta": {"content": ""}}], "usage": usage}
    yield "[DONE]"


def _usage(source: str, words: str, strategy: str) -> dict[str, int]:
    calls = {"two_step": 2, "three_step": 3, "reflection": 3}.get(strategy, 1)
    prompt, completion = tokens.count(source) * calls, tokens.count(words) * calls
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "total_calls": calls,
    }


# -- asynchronous agents -------------------------------------------------------------------


def _submit(request: Request, body: Mapping[str, Any], parts: list[dict[str, Any]]) -> Response:
    if body.get("stream"):
        raise Refusal("1214", "stream")
    variables = body.get("custom_variables") or {}
    if body["agent_id"] == EFFECTS:
        if variables.get("template") is None:
            raise Refusal("1213", "custom_variables.template")
        if variables["template"] not in _TEMPLATES:
            raise Refusal("1214", "custom_variables.template")
        if sorted(part["type"] for part in parts) != ["image_url", "text"]:
            raise Refusal("1214", "messages.content")
    job = [request.log_id, body["agent_id"], _text(parts)[:200]]
    return Response.json({"status": "pending", "agent_id": body["agent_id"], "async_id": _job_id(job)})


def _job_id(job: list[str]) -> str:
    """The job as a word: another process of the sandbox knows it too."""
    data = zlib.compress(json.dumps(job).encode(), 9)
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _job_of(id: str) -> list[str]:
    try:
        job: list[str] = json.loads(zlib.decompress(base64.urlsafe_b64decode(id + "=" * (-len(id) % 4))))
    except (ValueError, zlib.error):
        raise Refusal("1214", "async_id") from None
    return job


def retrieve(sandbox: Sandbox, request: Request) -> Response:
    """How an asynchronous agent is doing."""
    body = request.json()
    require(body, "agent_id")
    checks = {
        "agent_id": lambda v: isinstance(v, str),
        "async_id": lambda v: is_text(v, 1, 4096),
        "conversation_id": lambda v: isinstance(v, str),
        "custom_variables": lambda v: isinstance(v, dict),
    }
    check_fields(body, checks, lenient=sandbox.lenient)
    require(body, "async_id")
    number, agent, text = _job_of(body["async_id"])
    if agent != body["agent_id"]:
        raise Refusal("1214", "agent_id")
    head = {"agent_id": agent, "async_id": body["async_id"]}
    status = _job_status(sandbox, number, text)
    if status == "failed":
        return Response.json(
            {**head, "status": status, "error": {"code": "1234", "message": "The sandbox let it fail"}}
        )
    if status == "pending":
        return Response.json({**head, "status": status})
    kind, name = ("video_url", "effect.mp4") if agent == EFFECTS else ("file_url", "result.pdf")
    content = [{"type": kind, kind: f"{request.origin}{Base.DOWNLOADS}/agents/{number}/{name}"}]
    choice = {"index": 0, "finish_reason": "stop", "message": [{"role": "assistant", "content": content}]}
    return Response.json({**head, "status": status, "choices": [choice]})


def _job_status(sandbox: Sandbox, number: str, text: str) -> str:
    found = re.search(r"\bpolls:(\d+)", text)
    with sandbox.lock:
        polls = sandbox.store("agent polls")
        polls[number] = polls.get(number, 0) + 1
        if polls[number] <= (int(found[1]) if found else POLLS) or "task:forever" in text:
            return "pending"
    return "failed" if "task:fail" in text else "success"


# -- slides --------------------------------------------------------------------------------


def _design(sandbox: Sandbox, request: Request, body: Mapping[str, Any], parts: list[dict[str, Any]]) -> Response:
    conversations = sandbox.store("slides")
    id = body.get("conversation_id") or f"sandbox-{request.log_id}"
    with sandbox.lock:
        conversations[id] = conversations.get(id, 0) + 1
        turn = conversations[id]
    steps = list(_steps(_text(parts), turn))
    head = {"id": request.log_id, "conversation_id": id, "agent_id": SLIDES}
    if body.get("stream", True):
        return Response.sse(_design_events(head, steps))
    return Response.json({**head, "choices": [{"index": 0, "finish_reason": "stop", "message": steps}]})


def _steps(wish: str, turn: int) -> Iterator[dict[str, object]]:
    yield _said("thinking", "The sandbox thinks of an outline.")
    for position in range(1, _SLIDES + 1):
        html = (
            f"<!DOCTYPE html><html><head><title>Slide {position}</title></head>"
            f"<body><h1>Sandbox slide {position}, turn {turn}</h1><p>{wish}</p></body></html>"
        )
        called = {"tool_name": "insert_page", "input": f"page {position}", "output": html, "position": [position]}
        content = [{"type": "object", "tag_en": "Insert page", "tag_cn": "插入页面", "object": called}]
        yield {"role": "assistant", "phase": "tool", "content": content}
    yield _said("answer", f"The sandbox made {_SLIDES} slides.")


def _said(phase: str, words: str) -> dict[str, object]:
    content = [{"type": "text", "tag_en": phase.title(), "tag_cn": "文本", "text": words}]
    return {"role": "assistant", "phase": phase, "content": content}


def _design_events(head: Mapping[str, str], steps: list[dict[str, object]]) -> Iterator[object]:
    for step in steps:
        yield {**head, "choices": [{"index": 0, "message": [step]}]}
    yield {**head, "choices": [{"index": 0, "finish_reason": "stop", "message": []}]}
    yield "[DONE]"


def conversation(sandbox: Sandbox, request: Request) -> Response:
    """The export of a slide conversation."""
    body = request.json()
    require(body, "agent_id", "conversation_id")
    checks = {
        "agent_id": lambda v: v == SLIDES,
        "conversation_id": lambda v: is_text(v, 1, 128),
        "custom_variables": lambda v: isinstance(v, dict) and set(v) <= {"include_pdf", "pages"},
    }
    check_fields(body, checks, lenient=sandbox.lenient)
    id, variables = body["conversation_id"], body.get("custom_variables") or {}
    if id not in sandbox.store("slides") and not id.startswith("sandbox-"):
        raise Refusal("1214", "conversation_id")
    for page in variables.get("pages") or []:
        if not isinstance(page, dict) or not all(is_integer(page.get(name), 1, 10_000) for name in _PAGE_FIELDS):
            raise Refusal("1214", "custom_variables.pages")
    place = f"{request.origin}{Base.DOWNLOADS}/agents/{id}"
    content: list[dict[str, str]] = []
    if variables.get("include_pdf"):
        content.append({"type": "file_url", "tag_en": "PDF", "tag_cn": "文件", "file_url": f"{place}/slides.pdf"})
    content += [
        {"type": "image_url", "tag_en": "Page", "tag_cn": "页面", "image_url": f"{place}/page-{page['position']}.png"}
        for page in variables.get("pages") or []
    ]
    choice = {"index": 0, "finish_reason": "stop", "message": [{"role": "assistant", "content": content}]}
    return Response.json({"conversation_id": id, "agent_id": SLIDES, "choices": [choice]})


_PAGE_FIELDS = ("position", "width", "height")


def download(sandbox: Sandbox, request: Request) -> Response:
    """What an agent made. Needs no key."""
    id, name = request.parameters["id"], request.parameters["name"]
    if name.endswith(".pdf"):
        return Response.bytes(f"%PDF-1.4\n% sandbox: {id}\n%%EOF\n".encode(), "application/pdf")
    made = film(id) if name.endswith(".mp4") else picture(f"{id} {name}", 320, 180)
    headers = {"Content-Type": made.content_type, "Content-Length": str(made.size)}
    return Response(200, headers, made.chunks(0, made.size))
