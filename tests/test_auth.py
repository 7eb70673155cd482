"""The headers that prove who pays."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from glmcli.api.auth import JwtSource, authorization, sign
from glmcli.errors import ConfigError

KEY_ID = "0123456789abcdef0123456789abcdef"
SECRET = "Abcdefghijklmnop"
KEY = f"{KEY_ID}.{SECRET}"
# PyJWT warns of short secrets; the vendor's are sixteen characters long.
short_secret = pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")


def payload_of(token: str) -> dict[str, Any]:
    """What a token says, after its signature was checked."""
    return jwt.decode(token, SECRET, algorithms=["HS256"], options={"verify_exp": False})


def test_bearer_and_api_key_send_the_key_itself() -> None:
    """The documented way, and that of Anthropic-style gateways."""
    assert authorization("bearer", "a.b") == {"Authorization": "Bearer a.b"}
    assert authorization("x-api-key", "a.b") == {"x-api-key": "a.b"}


def test_unknown_auth_is_a_configuration_error() -> None:
    """The choices are named."""
    with pytest.raises(ConfigError) as caught:
        authorization("basic", "a.b")

    assert caught.value.hint == "choose one of bearer, jwt, x-api-key"


@short_secret
def test_token_equals_that_of_the_vendors_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same key at the same moment: the same header, payload and a good signature."""
    from zai.core import _jwt_token

    now = 1_763_690_000.123
    monkeypatch.setattr("time.time", lambda: now)
    theirs = _jwt_token.generate_token.__wrapped__(KEY)

    ours = sign(KEY_ID, SECRET, now)

    assert jwt.get_unverified_header(ours) == jwt.get_unverified_header(theirs)
    assert payload_of(ours) == payload_of(theirs)


@short_secret
def test_times_in_the_token_are_milliseconds() -> None:
    """Seconds would look long expired to the service."""
    assert payload_of(sign("id", SECRET, 1_000.5)) == {"api_key": "id", "timestamp": 1_000_500, "exp": 1_210_500}


def test_token_is_used_again_until_shortly_before_it_ends() -> None:
    """Renewed after 180 of its 210 seconds, and when the clock was set back."""
    source = JwtSource(KEY)
    first = source.token(1000.0)

    assert source.token(1179.9) == first
    second = source.token(1180.0)
    assert second != first
    assert source.token(900.0) not in (first, second)


def test_authorization_keeps_its_token_per_key() -> None:
    """Calls in a row carry one token; another key carries its own."""
    first = authorization("jwt", KEY, now=lambda: 5000.0)

    assert authorization("jwt", KEY, now=lambda: 5100.0) == first
    assert authorization("jwt", "other.secret", now=lambda: 5100.0) != first
    assert authorization("jwt", KEY, now=lambda: 5200.0) != first


@pytest.mark.parametrize("key", ["nodot", "a.b.c", ".b", "a.", ""])
def test_key_without_two_parts_cannot_sign(key: str) -> None:
    """The error does not show the key."""
    with pytest.raises(ConfigError, match=r"form id\.secret") as caught:
        authorization("jwt", key)

    assert not key or key not in f"{caught.value.message}"
