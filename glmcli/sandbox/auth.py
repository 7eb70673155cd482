"""Who is asking: the key in the headers, and the account behind it."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Mapping

from glmcli.sandbox.accounts import Account
from glmcli.sandbox.exchange import Base, Refusal, Request


def authenticate(request: Request, accounts: Mapping[str, Account], *, region: str | None, now: float) -> Account:
    """The account whose key was sent. Raises Refusal 1000-1003."""
    key = _sent_key(request)
    if key is None:
        raise Refusal("1001")
    account = _find(key, accounts.values(), now)
    if account is None or (region and account.region != region and not account.everywhere):
        raise Refusal("1000")
    return account


def _sent_key(request: Request) -> str | None:
    authorization = request.headers.get("authorization", "").strip()
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() == "bearer" and rest.strip():
        return rest.strip()
    # The vendor's own usage plugin sends the bare key, to the monitor alone.
    if request.base in (Base.MONITOR, Base.BIZ) and authorization:
        return authorization
    if request.base in (Base.ANTHROPIC, Base.ROUTER):
        return request.headers.get("x-api-key") or None
    return None


def _find(key: str, accounts: Iterable[Account], now: float) -> Account | None:
    if key.count(".") == 2:
        return _find_by_token(key, accounts, now)
    return next((account for account in accounts if account.key == key), None)


def _find_by_token(token: str, accounts: Iterable[Account], now: float) -> Account | None:
    """Check a JWT (HS256, `sign_type: SIGN`, both times in milliseconds)."""
    head, payload, signature = token.split(".")
    try:
        header, claims = json.loads(_decode(head)), json.loads(_decode(payload))
        key_id, expires, signed = claims["api_key"], float(claims["exp"]), _decode(signature)
        _ = float(claims["timestamp"])
    except (ValueError, KeyError, TypeError):
        raise Refusal("1002") from None
    if header.get("alg") != "HS256" or header.get("sign_type") != "SIGN":
        raise Refusal("1002")
    account = next((account for account in accounts if account.key.partition(".")[0] == key_id), None)
    if account is None or not _signed_by(account, f"{head}.{payload}", signed):
        return None
    if expires < now * 1000:
        raise Refusal("1003")
    return account


def _signed_by(account: Account, text: str, signature: bytes) -> bool:
    import hmac

    secret = account.key.partition(".")[2].encode()
    return hmac.compare_digest(hmac.digest(secret, text.encode(), "sha256"), signature)


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
