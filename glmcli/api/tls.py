"""The TLS context: the system's trust, read on demand.

`ssl.create_default_context()` and httpx's own default parse a whole bundle of
certificates, 25-40 ms. A hashed directory is read by OpenSSL only when it meets
an issuer, for 0.2 ms; elsewhere truststore asks the system.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from glmcli.errors import ConfigError

if TYPE_CHECKING:
    import ssl

_HASHED_DIRECTORIES = ("/etc/ssl/certs", "/etc/pki/tls/certs")


def tls_context(environ: Mapping[str, str]) -> ssl.SSLContext:
    """A verifying context. `SSL_CERT_FILE`, then `SSL_CERT_DIR`, then the system.

    Raises ConfigError when SSL_CERT_FILE cannot be read.
    """
    import ssl

    bundle = environ.get("SSL_CERT_FILE")
    if bundle:
        return _from_bundle(bundle)
    for directory in (environ.get("SSL_CERT_DIR"), *_HASHED_DIRECTORIES):
        if directory and _is_hashed(directory):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(capath=directory)
            return context
    if sys.platform in ("darwin", "win32"):
        import truststore

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return ssl.create_default_context()


def _from_bundle(bundle: str) -> ssl.SSLContext:
    import ssl

    try:
        return ssl.create_default_context(cafile=bundle)
    except OSError as error:  # ssl.SSLError is one too
        raise ConfigError(
            f"SSL_CERT_FILE {bundle!r} cannot be used: {error.strerror or error}",
            hint="name a PEM file of certificates, or unset the variable",
        ) from None


def _is_hashed(directory: str) -> bool:
    """Whether OpenSSL can look issuers up here: names like `5ed36f99.0`."""
    if not Path(directory).is_dir():
        return False
    with os.scandir(directory) as entries:
        return any(len(e.name) == 10 and e.name.endswith(".0") and _is_hex(e.name[:8]) for e in entries)


def _is_hex(text: str) -> bool:
    return all(character in "0123456789abcdef" for character in text)
