"""The error parser: any status, any headers, any body."""

from __future__ import annotations

import json
import re

from glmcli.api.faultbodies import parsed
from glmcli.api.faults import error_from_event, error_from_reply, error_in_body, not_json
from glmcli.errors import ExitCode, ServiceError
from glmcli.language import CHINESE, ENGLISH
from tests.fuzz.material import Material

#: What a gateway may quote, wherever the letter K stands after a NUL.
KEY = "0123456789abcdef0123456789abcdef.SecretSecretSec1"
_SECRET = KEY[33:45]
# The beginning of an escape would eat the first digits of the key, and no gateway quotes one like that.
_EATING = re.compile(rb"(?:\\u[0-9a-fA-F]{0,3}|&#[xX]?[0-9a-fA-F]*)(?=\0K)")
_STATUSES = (429, 200, 400, 401, 402, 403, 404, 408, 413, 422, 500, 502, 503, 504, 529, 999, 100, 301)
_TYPES = ("application/json", "text/html", "text/plain", "", "APPLICATION/JSON; charset=utf-8")
_WAITS = ("", "5", "-1", "1e400", "nan", "Sat, 21 Nov 2026 05:00:00 GMT", "Sat, 99 Nov 9999 99:00:00 GMT", "\ud800")

FAULT_SEEDS = (
    b'\x00\x00\x00\x00{"error":{"code":"1302","message":"Rate limit reached for requests"}}',
    b'\x00\x00\x01\x01{"code":1113,"msg":"\xe4\xbd\x99\xe9\xa2\x9d\xe4\xb8\x8d\xe8\xb6\xb3","success":false}',
    b'\x01\x00\x05\x00{"type":"error","error":{"type":"rate_limit_error","message":"[1308][Usage limit reached for 5 ho'
    b'ur. Your limit will reset at 2026-11-21 18:00:00][2026112112000012ab]"},"request_id":"2026112112000012ab"}',
    b'\x01\x00\x00\x00{"status":"failed","agent_id":"a","error":{"message":"\x00K"}}',
    b"\x00\x01\x00\x00<!doctype html><title>502 \x00K</title><h1>Bad gateway</h1>",
    b'\x03\x00\x00\x00{"error":"Incorrect API key provided: \x00K","code":"invalid_api_key"}',
    b'\x03\x00\x00\x01{"error":{"code":"\x00K","message":"\xe4\xbb\xa4\xe7\x89\x8c\x00K\xe6\x97\xa0\xe6\x95\x88"},"requ'
    b'est_id":"\x00K"}',
    b'\x00\x02\x02\x00{"detail":[{"msg":"field required","loc":["body"]},{"msg":"Bearer \x00K"}],"retry_after":1e9}',
    b'\x00\x00\x00\x00[{"error":[{"code":1310.0,"message":"m","next_flush_time":1795234567890}]}]',
    b'\x02\x00\x00\x00{"error":{"code":"1302","mess',
    b"\x0b\x02\x00\x00upstream connect error or disconnect",
    b"\x0b\x03\x00\x00",
)
FAULT_WORDS = (
    *(
        b'{"error":',
        b'"code":',
        b'"message":',
        b'"msg":',
        b'"detail":',
        b'"type":',
        b'"request_id":',
        b'"retry_after":',
    ),
    *(
        b'"next_flush_time":',
        b'"success":false',
        b'"status":"failed"',
        b'"agent_id":',
        b"\x00K",
        b"[1302][",
        b"][",
        b"[",
    ),
    *(b"2026-11-21 18:00:00", b"2099-12-31T23:59:59Z", b"2000-00-00 00:00:00", b"1795234567890", b"1e999", b"NaN"),
    *(b"<title>", b"<h1>", b"&#27;", b"<html", b"\xef\xbb\xbf", b'"1308"', b'"1113"', b'"1302"', b"9" * 64, b"[" * 64),
    *(b'"\\ud800"', b"\\u001b", b"\x1b]52;c;", b"\xe4\xbb\xa4", b"Bearer ", b"sk-", b"\x00K\x00K", b"a" * 250, b"null"),
)


def fuzz_faults(data: bytes) -> None:
    """Always one error with an exit code of the table, on one line, without the key, and the same twice."""
    material = Material(data)
    status = material.pick(_STATUSES)
    content_type = material.pick(_TYPES)
    wait = material.pick(_WAITS)
    language = material.pick((ENGLISH, CHINESE))
    body = _EATING.sub(b"", material.rest()).replace(b"\0K", KEY.encode())
    headers = {"Content-Type": content_type, "X-Request-Id": KEY, "X-RateLimit-Limit": "1"}
    if wait:
        headers["Retry-After"] = wait

    _check(error_from_reply(status, headers, body, language=language, now=lambda: 1.0))
    _check(not_json(status, headers, body, language=language, now=lambda: 1.0))
    try:
        value = parsed(body)
    except ValueError:
        return
    in_body = error_in_body(value, headers=headers, status=status, language=language)
    if in_body is not None:
        _check(in_body)
    if isinstance(value, dict):
        _check(error_from_event(value, language))


def _check(error: ServiceError) -> None:
    assert error.exit_code in tuple(ExitCode)
    assert error.exit_code not in (ExitCode.OK, ExitCode.USAGE, ExitCode.INTERRUPTED)
    told = [error.message, error.hint or "", error.server_message or "", error.code or "", error.request_id or ""]
    for text in told:
        assert text.isprintable(), text
        text.encode()
        assert _SECRET not in text, text
    assert error.message
    assert len(error.message) < 2000
    json.dumps(error.to_json(), allow_nan=False).encode()
    assert error.retry_after_seconds is None or 0 <= error.retry_after_seconds < float("inf")
    assert error.reset_at is None or 946_684_800 <= error.reset_at < 4_102_444_800
