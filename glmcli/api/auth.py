"""How a call proves who pays: the key itself, or a token signed with it.

Source: `zai/core/_jwt_token.py` of the vendor's SDK. Times in the token are
milliseconds; seconds would look long expired to the service (code 1003).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import lru_cache

from glmcli.errors import ConfigError

TOKEN_LIFE_SECONDS = 210
RENEWED_AFTER_SECONDS = 180


def authorization(auth: str, key: str, *, now: Callable[[], float] = time.time) -> dict[str, str]:
    """The headers of a call for `bearer`, `jwt`, `x-api-key` or `raw`; `now` gives epoch seconds.

    `raw` is the key without a scheme, as the vendor's plugin sends it to the monitor.

    Raises ConfigError for another word, or a key that cannot sign.
    """
    if auth == "bearer":
        return {"Authorization": f"Bearer {key}"}
    if auth == "raw":
        return {"Authorization": key}
    if auth == "jwt":
        return {"Authorization": f"Bearer {_source_of(key).token(now())}"}
    if auth == "x-api-key":
        return {"x-api-key": key}
    raise ConfigError(f"unknown auth {auth!r}", hint="choose one of bearer, jwt, x-api-key")


class JwtSource:
    """Signs tokens with one key (`id.secret`), each used until shortly before it ends.

    Raises ConfigError when the key does not have the two parts.
    """

    def __init__(self, key: str) -> None:
        self._id, dot, self._secret = key.partition(".")
        if not (self._id and dot and self._secret) or "." in self._secret:
            raise ConfigError(
                'auth = "jwt" needs a key of the form id.secret, with one dot', hint='use auth = "bearer" for this key'
            )
        self._token = ""
        self._made_at = 0.0

    def token(self, now: float) -> str:
        """A token that is good for at least 30 seconds after `now` (epoch seconds)."""
        # A clock that was set back must not keep a token from the future.
        if not self._token or not 0 <= now - self._made_at < RENEWED_AFTER_SECONDS:
            self._token = sign(self._id, self._secret, now)
            self._made_at = now
        return self._token


def sign(key_id: str, secret: str, now: float) -> str:
    """A JWT (HS256) for one key, valid from `now` (epoch seconds) on."""
    import hashlib
    import hmac

    milliseconds = round(now * 1000)
    header = {"alg": "HS256", "sign_type": "SIGN", "typ": "JWT"}
    payload = {
        "api_key": key_id,
        "exp": milliseconds + TOKEN_LIFE_SECONDS * 1000,
        "timestamp": milliseconds,
    }
    signed = f"{_encoded_json(header)}.{_encoded_json(payload)}"
    signature = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_encoded(signature)}"


@lru_cache(maxsize=8)
def _source_of(key: str) -> JwtSource:
    return JwtSource(key)


def _encoded_json(value: Mapping[str, object]) -> str:
    import json

    return _encoded(json.dumps(value, separators=(",", ":")).encode())


def _encoded(data: bytes) -> str:
    from base64 import urlsafe_b64encode

    return urlsafe_b64encode(data).rstrip(b"=").decode()
