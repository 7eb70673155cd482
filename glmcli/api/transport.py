"""Connections: the one owner of httpcore, the engine of httpx.

httpx itself would load cookies, mail headers and Unicode tables that no call of
ours needs, which is a fifth of the time until a request leaves. Every foreign
exception becomes one of ours here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from glmcli.api.proxies import choose_proxy
from glmcli.errors import ConfigError, GlmError, NetworkError, StreamCut, TimedOut

if TYPE_CHECKING:
    import ssl

    import httpcore

CONNECT_TIMEOUT_SECONDS = 10.0
KEEPALIVE_SECONDS = 5.0
MAX_CONNECTIONS = 100
#: What a URL may hold unquoted; `%` because it may be quoted already.
_SAFE = "!$%&'()*+,-./:;=?@[]_|~"
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Transport:
    """Sends requests over connections that are kept, one pool per scheme and proxy.

    `application` is a WSGI application that answers instead of the network. `on_sent` is called when a
    request has left.
    """

    def __init__(
        self, environ: Mapping[str, str], *, application: Callable[..., Any] | None, on_sent: Callable[[], None]
    ) -> None:
        self._environ = environ
        self._application = application
        self._on_sent = on_sent
        self._pools: dict[tuple[str, str | None], httpcore.ConnectionPool] = {}

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | Iterable[bytes] | None,
        timeout_seconds: float,
    ) -> httpcore.Response:
        """The answer, as soon as its head has come; to be closed by the caller.

        Raises ConfigError for an address that cannot be, NetworkError (TimedOut) when no answer comes.
        """
        import httpcore

        connect_seconds = min(timeout_seconds, CONNECT_TIMEOUT_SECONDS)
        limits = {
            "connect": connect_seconds,
            "read": timeout_seconds,
            "write": timeout_seconds,
            "pool": timeout_seconds,
        }
        try:
            target, host = _address(url)
            request = httpcore.Request(
                method,
                target,
                headers=[
                    (b"Host", host),
                    *((name.encode("ascii"), text.encode("ascii")) for name, text in headers.items()),
                ],
                content=content,
                extensions={"timeout": limits, "trace": self._trace},
            )
        except ValueError as error:
            raise ConfigError(f"the address {url!r} cannot be used: {error}") from None
        try:
            if self._application is not None:
                return self._answered_here(request)
            return self._pool(url).handle_request(request)
        except _foreign() as error:
            raise _network_error(error, url, timeout_seconds) from error
        except UnicodeError as error:  # a name with a label that IDNA refuses
            raise ConfigError(f"the address {url!r} cannot be used: {error}") from None

    def close(self) -> None:
        """Close the connections, if any were opened."""
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()

    def _trace(self, name: str, info: object) -> None:
        if name.endswith("send_request_body.complete"):
            self._on_sent()

    def _answered_here(self, request: httpcore.Request) -> httpcore.Response:
        from glmcli.api.inprocess import ask

        assert self._application is not None
        response = ask(self._application, request)
        self._on_sent()
        return response

    def _pool(self, url: str) -> httpcore.ConnectionPool:
        scheme = urlsplit(url).scheme
        proxy = choose_proxy(url, self._environ)
        key = (scheme, proxy)
        if key not in self._pools:
            self._pools[key] = self._new_pool(scheme, proxy)
        return self._pools[key]

    def _new_pool(self, scheme: str, proxy: str | None) -> httpcore.ConnectionPool:
        import httpcore

        limits: dict[str, Any] = {"max_connections": MAX_CONNECTIONS, "keepalive_expiry": KEEPALIVE_SECONDS}
        context = self._tls() if scheme == "https" else None
        if proxy is None:
            return httpcore.ConnectionPool(ssl_context=context, **limits)
        parts = urlsplit(proxy)
        login = None
        if parts.username or parts.password:
            login = (unquote(parts.username or "").encode(), unquote(parts.password or "").encode())
        return httpcore.HTTPProxy(
            _address(proxy)[0],
            proxy_auth=login,
            ssl_context=context,
            proxy_ssl_context=self._tls() if parts.scheme == "https" else None,
            **limits,
        )

    def _tls(self) -> ssl.SSLContext:
        from glmcli.api.tls import tls_context

        return tls_context(self._environ)


def headers_of(response: httpcore.Response) -> dict[str, str]:
    """The headers by their lower-case names; those that came more than once are joined."""
    headers: dict[str, str] = {}
    for raw_name, raw_text in response.headers:
        name, text = raw_name.decode("latin-1").lower(), _decoded(raw_text)
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers


def pieces(response: httpcore.Response, url: str, timeout_seconds: float) -> Iterator[bytes]:
    """The body as it arrives, as it was sent. Raises StreamCut or TimedOut when the line breaks."""
    import httpcore

    try:
        yield from response.iter_stream()
    except (httpcore.TimeoutException, TimeoutError):
        raise _silence(url, timeout_seconds) from None
    except _foreign() as error:
        raise StreamCut(f"the answer from {host_of(url)} broke off: {_reason(error)}") from error


def shut_down(response: httpcore.Response) -> None:
    """Break off an answer that another thread is reading."""
    import socket

    stream = response.extensions.get("network_stream")
    connection = stream.get_extra_info("socket") if stream is not None else None
    if connection is not None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def host_of(url: str) -> str:
    """The host and port of a URL, for messages."""
    return urlsplit(url).netloc.rpartition("@")[2] or url


# -- addresses -----------------------------------------------------------------


def check_address(url: str) -> None:
    """Raise ValueError for a URL that cannot be asked."""
    _address(url)


def _address(url: str) -> tuple[httpcore.URL, bytes]:
    """A URL as it goes on the wire, and its `Host` header. Raises ValueError."""
    import httpcore

    parts = urlsplit(url)
    host = _host_name(parts.hostname or "")
    if not host or parts.scheme not in _DEFAULT_PORTS:
        raise ValueError("it needs http:// or https:// and a host")
    target = quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")
    shown = b"[%b]" % host if b":" in host else host
    if parts.port not in (None, _DEFAULT_PORTS[parts.scheme]):
        shown += b":%d" % parts.port
    return httpcore.URL(scheme=parts.scheme, host=host, port=parts.port, target=target), shown


def _host_name(name: str) -> bytes:
    if any(character <= " " or character == "\x7f" for character in name):
        raise ValueError("its host holds a blank or control character")
    return name.encode("ascii") if name.isascii() else name.encode("idna")


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


# -- faults ----------------------------------------------------------------------


def _foreign() -> tuple[type[Exception], ...]:
    """What httpcore raises, or lets through; its exceptions have no common parent."""
    import httpcore

    return (
        OSError,
        httpcore.ConnectionNotAvailable,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.ProxyError,
        httpcore.TimeoutException,
        httpcore.UnsupportedProtocol,
    )


def _network_error(error: Exception, url: str, timeout_seconds: float) -> GlmError:
    """One of ours for a foreign exception before the head of an answer."""
    import httpcore

    host = host_of(url)
    sent = not isinstance(error, httpcore.ConnectError | httpcore.ConnectTimeout | httpcore.ProxyError)
    if isinstance(error, httpcore.ConnectTimeout):
        seconds = min(timeout_seconds, CONNECT_TIMEOUT_SECONDS)
        found: NetworkError = TimedOut(f"could not connect to {host} within {seconds:g} s")
    elif isinstance(error, httpcore.TimeoutException):
        found = _silence(url, timeout_seconds)
    elif isinstance(error, httpcore.ProxyError):
        found = NetworkError(
            f"the proxy refused the connection to {host}: {error}", hint="check HTTPS_PROXY and NO_PROXY"
        )
    else:
        found = _explained(error, host)
    found.sent = sent
    return found


def _silence(url: str, timeout_seconds: float) -> TimedOut:
    longer = max(60, int(timeout_seconds * 3))
    return TimedOut(
        f"nothing came from {host_of(url)} for {timeout_seconds:g} s",
        hint=f"a thinking model can be silent for minutes: try --timeout {longer}, or --think low",
    )


def _explained(error: Exception, host: str) -> NetworkError:
    """Tell DNS, TLS and refused connections apart by the exception at the bottom."""
    import socket
    import ssl

    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return NetworkError(f"the name of {host} cannot be resolved", hint="check the network, or the base URL")
        if isinstance(cause, ssl.SSLCertVerificationError):
            return NetworkError(
                f"the certificate of {host} is not trusted: {cause.verify_message}",
                hint="behind a company proxy set SSL_CERT_FILE to its certificate bundle",
            )
        if isinstance(cause, ssl.SSLError):
            return NetworkError(
                f"no secure connection to {host}: {cause.reason or cause}", hint="is it an https address?"
            )
        if isinstance(cause, ConnectionRefusedError):
            return NetworkError(f"{host} refuses connections", hint="is the server running, and the port right?")
    return NetworkError(f"the connection to {host} failed: {_reason(error)}")


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
