"""What becomes of a refusal: five shapes of body, web pages, torsos and noise."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glmcli.api.faults import (
    SHOWN_CHARACTERS,
    error_from_event,
    error_from_reply,
    error_in_body,
    nearest_models,
    not_json,
)
from glmcli.errors import ExitCode, KeyRefused, ServiceError

KEY = "0123456789abcdef0123456789abcdef.SecretSecretSec1"


@pytest.fixture(autouse=True)
def paris(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A local time that differs from UTC and from UTC+8."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def nested(code: object, message: object = "Something.") -> bytes:
    return encoded({"error": {"code": code, "message": message}})


# -- shapes ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "1302", "message": "Rate limit reached for requests"}},
        {"error": {"code": 1302, "message": "Rate limit reached for requests"}},
        {"error": {"code": 1302.0, "message": "Rate limit reached for requests"}},
        {"code": 1302, "message": "Rate limit reached for requests"},
        {"code": "1302", "msg": "Rate limit reached for requests", "success": False},
        {
            "type": "error",
            "error": {
                "type": "rate_limit_error",
                "code": "1302",
                "message": "[1302][Rate limit reached for requests][2026112112000012ab]",
            },
            "request_id": "2026112112000012ab",
        },
        {"type": "error", "error": {"type": "rate_limit_error", "message": "[1302][Rate limit reached for requests]"}},
        {"error": {"message": "[1302] Rate limit reached for requests"}},
        {"error": [{"code": "1302", "message": "Rate limit reached for requests"}]},
        [{"error": {"code": "1302", "message": "Rate limit reached for requests"}}],
        {"code": 1302, "error": "Rate limit reached for requests"},
    ],
    ids=[
        "string", "int", "float", "flat", "monitor", "anthropic", "bracket-only", "bracket-open", "list", "in-list",
        "error-text",
    ],
)  # fmt: skip
def test_every_shape_gives_the_same_error(body: object) -> None:
    """Code, server's words and class do not depend on the wrapping."""
    error = error_from_reply(429, {}, encoded(body))
    assert (error.code, error.server_message) == ("1302", "Rate limit reached for requests")
    assert (error.kind, error.exit_code, error.retryable, error.http_status) == ("rate", ExitCode.LIMIT, True, 429)


def test_the_flat_shape_with_msg_is_read_from_a_success() -> None:
    """Monitor says 401 in the body of an HTTP 200."""
    error = error_in_body({"code": 401, "msg": "token expired", "success": False}, status=200)
    assert isinstance(error, KeyRefused)
    assert (error.code, error.http_status, error.exit_code) == ("401", 200, ExitCode.AUTH)


def test_an_agent_fails_with_http_200() -> None:
    """`status: failed` with the error inside."""
    body = {"id": "2026", "agent_id": "a", "status": "failed", "error": {"code": "1113", "message": "Balance."}}
    error = error_in_body(body, status=200, headers={"X-Log-Id": "log-1"})
    assert error is not None
    assert (error.code, error.exit_code, error.request_id) == ("1113", ExitCode.BALANCE, "log-1")


def test_an_agent_fails_without_saying_why() -> None:
    """`status: failed` alone is a failure, too."""
    error = error_in_body({"agent_id": "a", "status": "failed"}, status=200)
    assert error is not None
    assert error.exit_code == ExitCode.FAILED


@pytest.mark.parametrize(
    "value",
    [
        {"code": 200, "msg": "ok", "success": True, "data": {}},
        {"code": 0, "message": "ok"},
        {"choices": [{"message": {"content": "hi"}}]},
        {"id": "batch-1", "status": "failed", "errors": {"data": []}},
        {"error": None, "output": []},
        {"error": {}, "choices": []},
        {"message": "hello"},
        {"id": "1", "status": "success", "agent_id": "a"},
        [],
        "error",
        None,
    ],
    ids=str,
)
def test_a_success_is_no_error(value: object) -> None:
    """Also not one that has a `code`, a `status: failed` of its own, or an empty `error`."""
    assert error_in_body(value) is None


@pytest.mark.parametrize(
    "event",
    [
        {"error": {"code": "1301", "message": "unsafe"}},
        {"code": "1301", "message": "unsafe"},
        {"type": "error", "error": {"type": "invalid_request_error", "message": "[1301][unsafe][20261121abcd]"}},
    ],
)
def test_an_error_inside_a_stream(event: dict[str, object]) -> None:
    """Whole event or inner object; there is no HTTP status to tell."""
    error = error_from_event(event)
    assert (error.code, error.exit_code, error.http_status) == ("1301", ExitCode.CONTENT, None)


def test_chat_completions_json_of_our_own() -> None:
    """`--json` prints kind, code, status, message, hint, request id and whether to retry."""
    error = error_from_reply(429, {"X-Log-Id": "log-7"}, nested("1305"))
    told = error.to_json()
    assert {name: told[name] for name in ("kind", "code", "http_status", "request_id", "retryable")} == {
        "kind": "rate", "code": "1305", "http_status": 429, "request_id": "log-7", "retryable": True,
    }  # fmt: skip
    assert all(isinstance(told[name], str) for name in ("message", "hint"))


# -- gateways and the unknown -------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "exit_code", "retryable", "code"),
    [
        (401, {"error": {"code": "invalid_api_key", "type": "invalid_request_error"}}, 4, False, "invalid_api_key"),
        (401, {"error": {"type": "invalid_request_error", "message": "x"}}, 4, False, None),
        (404, {"error": {"code": "model_not_found", "message": "x"}}, 1, False, "model_not_found"),
        (404, {"object": "error", "message": "x", "type": "NotFoundError", "code": 404}, 1, False, "404"),
        (402, {"error": {"code": 402, "message": "Insufficient credits"}}, 5, False, "402"),
        (429, {"error": {"code": "rate_limit_exceeded", "message": "x"}}, 6, True, "rate_limit_exceeded"),
        (429, {"error": {"type": "insufficient_quota", "message": "x"}}, 5, False, "insufficient_quota"),
        (529, {"type": "error", "error": {"type": "overloaded_error", "message": "x"}}, 1, True, "overloaded_error"),
        (500, {"error": {"code": "internal_server_error", "message": "x"}}, 1, True, "internal_server_error"),
        (422, {"detail": [{"loc": ["body"], "msg": "field required"}]}, 1, False, None),
        (403, {"detail": "Not authenticated"}, 1, False, None),
        (429, {"error": {"code": "1399", "message": "A new limit"}}, 6, False, "1399"),
        (429, {"error": {"message": "slow down"}}, 6, True, None),
        (400, {"error": {"code": "9999", "message": "new"}}, 1, False, "9999"),
        (503, {"error": {"code": "9999", "message": "new"}}, 1, True, "9999"),
        (401, {"error": {"code": None, "message": None}}, 4, False, None),
        (400, {"error": {"code": {"a": 1}, "message": ["b"]}}, 1, False, None),
        (400, {"error": True}, 1, False, None),
        (400, None, 1, False, None),
        (400, 17, 1, False, None),
        (500, [], 1, True, None),
    ],
)  # fmt: skip
def test_what_the_table_does_not_know_follows_the_status(
    status: int, body: object, exit_code: int, retryable: bool, code: str | None
) -> None:
    """A word of a gateway, an unknown code, or no code at all."""
    error = error_from_reply(status, {}, encoded(body))
    assert (error.exit_code, error.retryable, error.code) == (exit_code, retryable, code)
    assert isinstance(error, KeyRefused) == (exit_code == 4)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (nested("9999", "new"), "new"),
        (encoded({"error": "model 'x' not found"}), "model 'x' not found"),
        (encoded({"detail": [{"msg": "field required"}, {"msg": "too short"}]}), "field required; too short"),
        (encoded("plain words"), "plain words"),
    ],
)
def test_the_words_of_a_stranger_are_shown(body: bytes, said: str) -> None:
    """Whatever field they stand in."""
    assert error_from_reply(400, {}, body).message.endswith(f": {said}")


# -- pages, torsos, nothing -----------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "headers", "title"),
    [
        (b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>", {}, "502 Bad Gateway"),
        (b"\xef\xbb\xbf \n<!DOCTYPE html><TITLE lang=en>Log in &amp; go</TITLE>", {}, "Log in & go"),
        (b"<!-- x --><h1>Blocked by policy</h1>", {"Content-Type": "text/html; charset=utf-8"}, "Blocked by policy"),
        (b"<html>" + b"<" * 100_000, {}, None),
        (b"<html><title>never closed", {}, "never closed"),
    ],
    ids=["nginx", "bom", "heading", "noise", "unclosed"],
)
def test_a_web_page_is_told_by_its_title(body: bytes, headers: dict[str, str], title: str | None) -> None:
    """Nobody is shown markup; the proxy is named as the speaker."""
    error = error_from_reply(502, headers, body)
    expected = "a proxy answered with a web page instead of the service (HTTP 502)"
    assert error.message == (f"{expected}: {title}" if title else expected)
    assert (error.exit_code, error.retryable) == (ExitCode.FAILED, True)
    assert "HTTPS_PROXY" in (error.hint or "")


def test_a_login_page_with_status_200_is_no_answer() -> None:
    """A captive portal answers everything with 200."""
    error = not_json(200, {"content-type": "text/html"}, b"<html><title>Hotel Wi-Fi</title></html>")
    assert "web page" in error.message
    assert "Hotel Wi-Fi" in error.message
    assert not error.retryable


@pytest.mark.parametrize(("status", "exit_code"), [(401, 4), (429, 6), (500, 1), (502, 1)])
def test_an_empty_body_leaves_the_status(status: int, exit_code: int) -> None:
    """Nothing said: the status says it."""
    error = error_from_reply(status, {}, b" \r\n")
    assert error.exit_code == exit_code
    assert f"(HTTP {status})" in error.message


def test_an_empty_success_is_told() -> None:
    """HTTP 200 without a body is not an answer."""
    assert not_json(200, {}, b"").message == "the service answered with an empty body (HTTP 200)"


def test_a_torso_keeps_its_code() -> None:
    """JSON that broke off still says that no retry can help."""
    error = error_from_reply(429, {}, b'{"error":{"code":"1113","mess')
    assert (error.code, error.exit_code, error.retryable) == ("1113", ExitCode.BALANCE, False)


def test_nesting_without_end_is_no_traceback() -> None:
    """100 000 brackets."""
    assert error_from_reply(500, {}, b"[" * 100_000).exit_code == ExitCode.FAILED


# -- ids, times, headers ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "body", "request_id"),
    [
        ({"X-Log-Id": "log-1"}, {"error": {"code": "1302"}, "request_id": "body-1"}, "log-1"),
        ({"x-request-id": "edge-1"}, {"error": {"code": "1302"}, "request_id": "body-1"}, "body-1"),
        ({"x-request-id": "edge-1"}, {"error": {"code": "1302"}}, "edge-1"),
        ({}, {"error": {"message": "[1302][Rate limit reached][2026112112ab]"}}, "2026112112ab"),
        ({}, {"error": {"message": "[1302][Overloaded]"}}, None),
        ({}, {"error": {"code": "1302"}, "request_id": 17}, None),
    ],
    ids=["header", "body", "edge", "bracket", "one-word", "number"],
)
def test_the_request_id_is_found(headers: dict[str, str], body: object, request_id: str | None) -> None:
    """Header of the service, then body, then bracket, then a proxy's header."""
    assert error_from_reply(429, headers, encoded(body)).request_id == request_id


#: 2026-09-21 15:07:07 UTC.
RESET = 1_790_003_227.0


@pytest.mark.parametrize(
    "body",
    [
        nested("1308", "Usage limit reached for 5 hour. Your limit will reset at 2026-09-21 23:07:07"),
        nested("1308", "已达到 5 小时的使用上限。您的限额将在 2026-09-21 23:07:07 重置。"),
        nested("1310", "Your limit will reset at 2026-09-21T15:07:07Z"),
        nested("1310", "Your limit will reset at 2026-09-21T15:07:07.250Z."),
        nested("1316", "[1316][Limit. It will reset at 2026-09-21 23:07:07][2026092122470012ab]"),
        encoded({"error": {"code": "1317", "message": "Limit.", "next_flush_time": "2026-09-21 23:07:07"}}),
        encoded({"error": {"code": "1318", "message": "Limit.", "next_flush_time": 1790003227}}),
        encoded({"error": {"code": "1319", "message": "Limit.", "next_flush_time": 1790003227000}}),
        nested("1308", "padding " * 100 + "reset at 2026-09-21 23:07:07"),
        nested("1322", "A new limit. Your limit will reset at 2026-09-21 23:07:07"),
    ],
    ids=["en", "zh", "iso", "fraction", "bracketed", "field", "seconds", "milliseconds", "long", "new-code"],
)
def test_the_reset_is_read_as_utc_plus_8_and_shown_in_local_time(body: bytes) -> None:
    """Epoch seconds for `--wait`; the reader's own clock in the message, and only that one."""
    error = error_from_reply(429, {}, body)
    assert error.reset_at == RESET
    assert "2026-09-21 17:07:07 CEST" in error.message
    assert "23:07:07" not in error.message
    assert (error.exit_code, error.retryable) == (ExitCode.LIMIT, False)


@pytest.mark.parametrize("text", ["reset at 2026-13-45 99:99:99", "reset at 0001-01-01 00:00:00", "reset soon"])
def test_a_date_that_is_none_is_no_reset(text: str) -> None:
    """Nothing is made of it, and the words are kept."""
    error = error_from_reply(429, {}, nested("1308", text))
    assert error.reset_at is None
    assert text in error.message


@pytest.mark.parametrize("value", [True, None, -1, 1e300, 5, [], {}, "", "tomorrow"], ids=repr)
def test_a_reset_field_of_any_type_is_borne(value: object) -> None:
    """Only a moment of this century counts."""
    body = encoded({"error": {"code": "1308", "message": "Limit.", "next_flush_time": value}})
    assert error_from_reply(429, {}, body).reset_at is None


@pytest.mark.parametrize(
    ("header", "field", "seconds"),
    [
        ("40", None, 40.0),
        ("0", None, 0.0),
        ("1.5", None, 1.5),
        ("Mon, 21 Sep 2026 15:08:07 GMT", None, 60.0),
        ("Mon, 21 Sep 2026 15:00:00 GMT", None, 0.0),
        (None, "40", 40.0),
        (None, 40, 40.0),
        ("5", 40, 5.0),
        ("soon", 40, 40.0),
        ("-3", None, None),
        ("nan", None, None),
        ("inf", None, None),
        ("9" * 400, None, None),
        (None, True, None),
        (None, {"a": 1}, None),
        (None, None, None),
    ],
)
def test_retry_after(header: str | None, field: object, seconds: float | None) -> None:
    """Seconds or an HTTP date in the header, a number or text in the body."""
    headers = {} if header is None else {"Retry-After": header}
    body = encoded({"error": {"code": "1302", "message": "x"}, "retry_after": field})
    error = error_from_reply(429, headers, body, now=lambda: RESET)
    assert error.retry_after_seconds == seconds
    assert ("asks to wait" in error.message) == bool(seconds)


def test_rate_limit_headers_are_kept() -> None:
    """For `-v`, with names in lower case."""
    headers = {"X-RateLimit-Requests-Remaining": "0", "Content-Type": "application/json"}
    assert error_from_reply(429, headers, nested("1302")).rate_limits == {"x-ratelimit-requests-remaining": "0"}


# -- the message -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "message", "hint"),
    [
        ("en", "the service does not know this model (1211): Please check the code.", "known models: glm models"),
        ("zh", "模型不存在（1211）：Please check the code.", "查看可用模型：glm models"),
    ],
)
def test_the_message_speaks_the_users_language(language: str, message: str, hint: str) -> None:
    """Meaning and advice in it, then the server's own words."""
    body = nested("1211", "Please check the code.")
    error = error_from_reply(400, {}, body, language=language)
    assert error.message == message
    assert hint in (error.hint or "")


def test_words_that_say_nothing_new_are_left_out() -> None:
    """`Rate limit reached for requests` repeats the meaning."""
    error = error_from_reply(429, {}, nested("1302", "Rate limit reached for requests"))
    assert error.message == "rate limit reached: too many requests at once (1302)"


def test_the_servers_words_cannot_steer_a_terminal() -> None:
    """Control characters and bidi overrides go, lines are joined, the length is bounded."""
    error = error_from_reply(400, {}, nested("1214", "a\x1b]0;owned\x07\r\n\u202eb\x9b" + "x" * 5000))
    assert error.message.isprintable()
    assert "\u202e" not in error.message
    assert len(error.message) < SHOWN_CHARACTERS + 100


@pytest.mark.parametrize(
    "text",
    [
        f"Incorrect API key provided: {KEY}",
        "do not know sk-0123456789abcdef",
        f"Bearer {KEY}",
        f"令牌{KEY}无效",
        f"api_key_{KEY}",
        f"provided: {KEY}{KEY}",
        f"provided: sk-{KEY}",
    ],
    ids=["zhipu", "openai", "bearer", "between Chinese words", "behind a letter", "twice", "with a prefix"],
)
@pytest.mark.parametrize("make", [lambda text: nested("1000", text), lambda text: text.encode()], ids=["json", "text"])
def test_a_key_that_the_server_quotes_is_hidden(text: str, make: object) -> None:
    """Some gateways repeat the key that they refuse."""
    assert callable(make)
    error = error_from_reply(401, {}, make(text))
    assert "<key>" in error.message
    for secret in ("Secret", "0123456789"):
        assert secret not in f"{error.message} {error.server_message} {error.to_json()} {error!r}"


def test_a_key_is_hidden_in_code_and_request_id_too() -> None:
    """Whatever field a gateway puts the key into."""
    body = encoded({"error": {"code": KEY, "message": "no"}, "request_id": KEY})

    error = error_from_reply(401, {}, body)

    assert (error.code, error.request_id) == ("<key>", "<key>")
    assert "Secret" not in error.message


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("glm-5.3-flsh", "glm-5.3-flash"),
        ("GLM5.2", "glm-5.2"),
        ("z-ai/glm-5.2", "glm-5.2"),
        ("claude", None),
    ],
)
def test_a_mistyped_model_finds_its_neighbour(name: str, first: str | None) -> None:
    """Whatever the case, and with a router's prefix."""
    found = nearest_models(name, ["glm-5.3-flash", "glm-5.2", "glm-5.3", "cogview-4"])
    assert (found[0] if found else None) == first


# -- whatever comes -------------------------------------------------------------------------

STATUSES = st.sampled_from([200, 302, 400, 401, 403, 404, 429, 434, 500, 503, 599])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
#: The words that our parser looks for, so that the search finds its branches.
NAMES = st.sampled_from(
    [
        *["error", "code", "message", "msg", "detail", "type", "request_id"],
        *["retry_after", "next_flush_time", "success", "status", "agent_id", "data"],
    ]
)
TELLING = st.sampled_from(["1302", 1308, 1113.0, "failed", "error", "[1302][x][y]", "2026-09-21 23:07:07", "nan"])
JSON = st.recursive(
    SCALARS | TELLING,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=6),
    max_leaves=20,
)
HEADERS = st.dictionaries(
    st.sampled_from(["Retry-After", "X-Log-Id", "x-request-id", "Content-Type", "X-RateLimit-Reset"]), st.text()
)
LANGUAGES = st.sampled_from(["en", "zh", "fr"])


def is_sound(error: ServiceError) -> bool:
    """What every error owes its reader, whatever was sent."""
    json.dumps(error.to_json())
    return error.message.isprintable() and len(error.message) < 1000 and bool(error.hint)


@given(status=STATUSES, headers=HEADERS, body=st.binary(max_size=200), language=LANGUAGES)
def test_no_bytes_end_in_a_traceback(status: int, headers: dict[str, str], body: bytes, language: str) -> None:
    """Any bytes become one printable error."""
    assert is_sound(error_from_reply(status, headers, body, language=language))
    assert is_sound(not_json(status, headers, body, language=language))


@given(status=STATUSES, headers=HEADERS, value=JSON, language=LANGUAGES)
def test_no_json_ends_in_a_traceback(status: int, headers: dict[str, str], value: object, language: str) -> None:
    """Any JSON, with our field names in any place and of any type, becomes one printable error or none."""
    assert is_sound(error_from_reply(status, headers, encoded(value), language=language))
    if isinstance(value, dict):
        assert is_sound(error_from_event(value, language))
    found = error_in_body(value, headers=headers, status=200, language=language)
    assert found is None or is_sound(found)
