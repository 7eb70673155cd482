"""The shapes in which the bases of the service say no (`Refusal` to `Response`)."""

from __future__ import annotations

from collections.abc import Callable

from glmcli.sandbox.exchange import Base, Refusal, Request, Response


def refuse(request: Request, refusal: Refusal) -> Response:
    """The answer to a refused request, as the base of its path words it."""
    shape = _SHAPES.get(request.base, _openai) if request.base else _openai
    return shape(request, refusal)


def error_event(request: Request, refusal: Refusal) -> str:
    """A failure in the middle of a stream, as the protocol of the base words it."""
    from glmcli.sandbox.exchange import named_event

    if request.base is Base.ANTHROPIC or request.path.endswith(("/v1/messages", "/v1/complete")):
        return named_event("error", _anthropic_body(request, refusal))
    import json

    return f"data: {json.dumps(_openai_body(refusal), ensure_ascii=False)}\n\n"


def _openai_body(refusal: Refusal) -> dict[str, object]:
    return {"error": {"code": refusal.code, "message": refusal.message}}


def _openai(request: Request, refusal: Refusal) -> Response:
    return Response.json(_openai_body(refusal), status=refusal.status, headers=refusal.headers)


_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


def _anthropic_body(request: Request, refusal: Refusal) -> dict[str, object]:
    kind = _ANTHROPIC_TYPES.get(refusal.status, "api_error")
    message = f"[{refusal.code}][{refusal.message}][{request.log_id}]"
    return {
        "type": "error",
        "error": {"type": kind, "code": refusal.code, "message": message},
        "request_id": request.log_id,
    }


def _anthropic(request: Request, refusal: Refusal) -> Response:
    return Response.json(_anthropic_body(request, refusal), status=refusal.status, headers=refusal.headers)


def _agents(request: Request, refusal: Refusal) -> Response:
    """Agents fail with HTTP 200, once the key is good; other routes of `/api/v1` do not."""
    if "/agents" not in request.path or refusal.status in (401, 404):
        return _openai(request, refusal)
    sent = request.parsed if isinstance(request.parsed, dict) else {}
    body = {"id": request.log_id, "agent_id": sent.get("agent_id"), "status": "failed", **_openai_body(refusal)}
    return Response.json(body, headers=refusal.headers)


def _monitor(request: Request, refusal: Refusal) -> Response:
    code = refusal.status if refusal.status in (401, 404) else 500
    return Response.json({"code": code, "msg": refusal.message, "success": False}, headers=refusal.headers)


def _router(request: Request, refusal: Refusal) -> Response:
    """A compatible gateway says it in the words of the protocol that was spoken, and with its own codes."""
    if request.path.endswith(("/chat/completions", "/models")):
        error: dict[str, object] = {"message": refusal.message, "type": refusal.code, "code": refusal.code}
        return Response.json({"error": error}, status=refusal.status, headers=refusal.headers)
    error = {"type": _ANTHROPIC_TYPES.get(refusal.status, "api_error"), "message": refusal.message}
    return Response.json({"type": "error", "error": error}, status=refusal.status, headers=refusal.headers)


_SHAPES: dict[Base, Callable[[Request, Refusal], Response]] = {
    Base.ANTHROPIC: _anthropic,
    Base.V1: _agents,
    Base.MONITOR: _monitor,
    Base.BIZ: _monitor,
    Base.ROUTER: _router,
}
