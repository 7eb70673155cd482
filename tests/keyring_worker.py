"""Serves a `KeyringStore` over its standard streams, for a test that gives this process a keyring of its own.

One JSON line per call: `["load", "work"]` -> `{"result": ...}` or `{"error": ..., "hint": ...}`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

from glmcli.config.credentials import KeyringStore
from glmcli.errors import ConfigError


def lock() -> None:
    """Lock the login keyring, as a screen saver may."""
    import secretstorage

    bus = secretstorage.dbus_init()
    secretstorage.get_default_collection(bus).lock()


def serve() -> None:
    store = KeyringStore()
    methods: dict[str, Callable[..., object]] = {
        "load": store.load,
        "save": store.save,
        "delete": store.delete,
        "describe": store.describe,
        "backend": lambda: store.backend,
        "load_directly": lambda name, profile: KeyringStore(name).load(profile),
        "lock": lock,
    }
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        try:
            reply = {"result": methods[name](*arguments)}
        except ConfigError as error:
            reply = {"error": error.message, "hint": error.hint}
        print(json.dumps(reply), flush=True)  # noqa: T201


if __name__ == "__main__":
    serve()
