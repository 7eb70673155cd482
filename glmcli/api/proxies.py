"""Which proxy a URL is fetched through, by the variables that curl reads."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from glmcli.api.endpoints import is_loopback
from glmcli.errors import ConfigError


def choose_proxy(url: str, environ: Mapping[str, str]) -> str | None:
    """The proxy URL for a target, or None for a direct connection.

    `https_proxy` or `http_proxy` by scheme, then `all_proxy`; lower case wins
    over upper case; `no_proxy` and loopback addresses go direct. Upper case
    `HTTP_PROXY` is ignored under CGI (`REQUEST_METHOD` set), where a client sets it.
    Raises ConfigError for a proxy that cannot be used.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host) or bypassed(host, parts.port, _variable(environ, "no_proxy") or ""):
        return None
    proxy = _variable(environ, f"{parts.scheme}_proxy") or _variable(environ, "all_proxy")
    if not proxy:
        return None
    if "://" not in proxy:
        proxy = "http://" + proxy
    scheme = proxy.split("://", 1)[0].lower()
    if scheme not in ("http", "https"):
        raise ConfigError(f"proxies of type {scheme} are not supported", hint="use an http or https proxy, or no_proxy")
    return proxy


def _variable(environ: Mapping[str, str], name: str) -> str | None:
    value = environ.get(name)
    if value is None and not (name == "http_proxy" and "REQUEST_METHOD" in environ):
        value = environ.get(name.upper())
    return value or None


def bypassed(host: str, port: int | None, no_proxy: str) -> bool:
    """Whether `no_proxy` (names, suffixes, `host:port`, CIDR blocks, `*`) covers a host."""
    host = host.lower().rstrip(".")
    for entry in (part.strip().lower() for part in no_proxy.replace(" ", ",").split(",")):
        if not entry:
            continue
        if entry == "*" or _covers(entry, host, port):
            return True
    return False


def _covers(entry: str, host: str, port: int | None) -> bool:
    if "/" in entry:
        return _in_network(entry, host)
    name, _, entry_port = entry.rpartition(":") if entry.count(":") == 1 else (entry, "", "")
    if entry_port and entry_port != str(port):
        return False
    name = name.lstrip("*").lstrip(".").strip("[]")
    return bool(name) and (host == name or host.endswith("." + name))


def _in_network(network: str, host: str) -> bool:
    from ipaddress import ip_address, ip_network

    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:
        return False
