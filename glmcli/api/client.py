"""The HTTP client: the one owner of httpx.

Opens a connection when the first call leaves, adds the key to calls of the
provider's own origin and to nothing else, retries what is safe to repeat, and
turns every foreign exception into one of ours.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urljoin, urlsplit

from glmcli import __version__
from glmcli.api.calls import Call, JsonBody, Reply
from glmcli.api.endpoints import Target, is_loopback
from glmcli.api.engine import load_httpx
from glmcli.errors import ConfigError, DryRun, GlmError, NetworkError, ServiceError, StreamCut, TimedOut
from glmcli.values import Value

if TYPE_CHECKING:
    import ssl

    import httpx

T = TypeVar("T")

USER_AGENT = f"glmcli/{__version__}"
#: A whole reply larger than this is refused (bytes, after decompression): files and streams are not read whole.
MAX_REPLY_BYTES = 64 * 1024 * 1024
#: The body of a refusal is read up to here; the rest says nothing more.
MAX_ERROR_BYTES = 1024 * 1024
CONNECT_TIMEOUT_SECONDS = 10.0
MAX_REDIRECTS = 5


class Watcher(Protocol):
    """Is told what happens on the wire; `-v`, `-vv` and waiting messages live there."""

    def before(self, call: Call, url: str) -> None:
        """A call is about to leave for the first time."""

    def sending(self, call: Call, url: str, headers: Mapping[str, str]) -> None:
        """A request leaves; `headers` carry no key."""

    def received(self, status: int, headers: Mapping[str, str], seconds: float) -> None:
        """The head of an answer arrived."""

    def body(self, data: bytes) -> None:
        """A piece of an answer arrived."""

    def retrying(self, error: GlmError, delay_seconds: float, attempt: int) -> None:
        """A call failed and is repeated after a delay."""


class Retry(Protocol):
    """When to repeat: seconds to wait, or None to give up (`api.retry`)."""

    def delay(self, error: GlmError, attempt: int, *, repeatable: bool) -> float | None:
        """`attempt` counts from 1, the request that just failed."""


class ClientOptions(Value):
    """How a client connects. Times in seconds."""

    target: Target
    authorize: Callable[[Call], Mapping[str, str]]
    timeout_seconds: float
    retry: Retry
    environ: Mapping[str, str]
    watcher: Watcher
    language: str = "en"
    #: Header name -> text with `$VARIABLE` for the key; set for `--dry-run`.
    dry_run: Mapping[str, str] | None = None
    #: A WSGI application that answers instead of the network (the sandbox).
    application: Callable[..., Any] | None = None
    sleep: Callable[[float], None] = time.sleep
    extra_headers: Mapping[str, str] = {}

    def __repr__(self) -> str:
        # Without the environment, which may hold the key.
        return f"ClientOptions(target={self.target!r}, timeout_seconds={self.timeout_seconds})"


class Client:
    """Carries calls (`api.calls.Caller`)."""

    def __init__(self, options: ClientOptions) -> None:
        self._options = options
        self._pools: dict[tuple[str, str | None], httpx.Client] = {}
        self._open: set[httpx.Response] = set()
        self._sent = threading.Event()
        #: Called once, as soon as the next request has left: there is time while the service thinks.
        self.meanwhile: Callable[[], None] | None = None

    @property
    def target(self) -> Target:
        """Where the calls go."""
        return self._options.target

    def prepare(self) -> threading.Event:
        """Import what a call needs, for a caller that calls from a thread.

        The event is set when the next request has left.
        """
        load_httpx()  # here, so that the thread has only to send
        self._sent.clear()
        return self._sent

    def abort(self) -> None:
        """Break off answers that another thread is reading; it gets StreamCut."""
        import socket

        for response in list(self._open):
            stream = response.extensions.get("network_stream")
            connection = stream.get_extra_info("socket") if stream is not None else None
            if connection is not None:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connections, if any were opened."""
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()

    def send(self, call: Call) -> Reply:
        """Carry out a call and read the whole answer.

        Raises ServiceError (KeyRefused) when the service refuses, NetworkError
        or TimedOut when it cannot be reached or stops answering.
        """

        def read_whole() -> Reply:
            with self._exchange(call) as reply:
                whole = Reply(reply.status, reply.headers, reply.read(MAX_REPLY_BYTES))
            if call.judge is not None:
                call.judge(whole)
            return whole

        return self._with_retries(call, read_whole)

    @contextmanager
    def open(self, call: Call) -> Iterator[ArrivingReply]:
        """Carry out a call and hand over the answer as it arrives.

        Repeated only until the head of an answer has come, or with `call.judge` a refusal in JSON. Raises as `send`.
        """
        with ExitStack() as stack:
            yield self._with_retries(call, lambda: self._opened(call, stack))

    def _opened(self, call: Call, stack: ExitStack) -> ArrivingReply:
        """An attempt that is left open until the end of `stack`."""
        if call.judge is None:
            return stack.enter_context(self._exchange(call))
        with ExitStack() as attempt:
            reply = attempt.enter_context(self._exchange(call))
            if "json" in reply.headers.get("content-type", ""):
                call.judge(reply.hold())
            stack.push(attempt.pop_all())
        return reply

    @contextmanager
    def fetch(self, url: str, *, headers: Mapping[str, str] | None = None) -> Iterator[ArrivingReply]:
        """Download a URL that the service named: no key, redirects followed.

        `headers` may hold a Range. Raises NetworkError and ServiceError as `send`.
        """
        wanted = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **(headers or {})}
        for _ in range(MAX_REDIRECTS + 1):
            with ExitStack() as stack:
                reply = stack.enter_context(self._request("GET", url, wanted, None, None))
                location = reply.redirect()
                if location is None:
                    self._raise_for_status(reply)
                    yield reply
                    return
                url = _next_url(url, location)
        raise NetworkError(f"more than {MAX_REDIRECTS} redirects from {_host(url)}")

    def _with_retries(self, call: Call, attempt: Callable[[], T]) -> T:
        options = self._options
        options.watcher.before(call, options.target.url(call.service, call.path))
        count = 0
        while True:
            count += 1
            try:
                return attempt()
            except (ServiceError, NetworkError) as error:
                delay = options.retry.delay(error, count, repeatable=call.repeatable)
                if delay is None:
                    raise
                options.watcher.retrying(error, delay, count)
                options.sleep(delay)

    @contextmanager
    def _exchange(self, call: Call) -> Iterator[ArrivingReply]:
        """One attempt: send, follow redirects within the origin, check the status."""
        options = self._options
        url = options.target.url(call.service, call.path)
        if call.query:
            from urllib.parse import urlencode

            url += "?" + urlencode(call.query)
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "identity"}
        headers |= {**options.extra_headers, **(call.headers or {})}
        if options.dry_run is not None:
            from glmcli.api.curl import curl_command

            shown = {name: value for name, value in headers.items() if name != "Accept-Encoding"}
            raise DryRun(curl_command(call, url, shown, _as_asked(options.dry_run, call)))
        options.watcher.sending(call, url, headers)
        headers |= options.authorize(call)
        for _ in range(MAX_REDIRECTS + 1):
            with self._request(call.method, url, headers, call, call.read_timeout_seconds) as reply:
                location = reply.redirect()
                if location is None:
                    self._raise_for_status(reply)
                    yield reply
                    return
                url = _same_origin_url(url, location, call.method, reply.status)
        raise NetworkError(f"more than {MAX_REDIRECTS} redirects from {_host(url)}")

    @contextmanager
    def _request(
        self, method: str, url: str, headers: dict[str, str], call: Call | None, read_timeout: float | None
    ) -> Iterator[ArrivingReply]:
        load_httpx()
        import httpx

        body = call.body if call is not None else None
        content: bytes | Iterator[bytes] | None = None
        if body is not None:
            content = body.encode() if isinstance(body, JsonBody) else body.chunks()
            headers = {**headers, "Content-Type": body.content_type}
            if not isinstance(content, bytes):
                headers["Content-Length"] = str(body.length())
        timeout = read_timeout or self._options.timeout_seconds
        limits = httpx.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT_SECONDS))
        started = time.monotonic()
        with ExitStack() as stack:
            try:
                http = self._pool(url)
                extensions = {"trace": self._trace}
                request = http.build_request(
                    method, url, headers=headers, content=content, timeout=limits, extensions=extensions
                )
            except (httpx.InvalidURL, ValueError) as error:
                raise ConfigError(f"the address {url!r} cannot be used: {error}") from None
            response = _sent(http, request, url, timeout)
            self._open.add(response)
            stack.callback(response.close)
            stack.callback(self._open.discard, response)
            reply = ArrivingReply(response, url, timeout, self._options.watcher)
            self._options.watcher.received(reply.status, reply.headers, time.monotonic() - started)
            yield reply

    def _trace(self, name: str, info: object) -> None:
        if name.endswith("send_request_body.complete"):
            self._sent.set()
            act, self.meanwhile = self.meanwhile, None
            if act is not None:
                act()

    def _raise_for_status(self, reply: ArrivingReply) -> None:
        if 200 <= reply.status < 300:
            return
        from glmcli.api.faults import error_from_reply

        body = reply.read_some(MAX_ERROR_BYTES)
        raise error_from_reply(reply.status, reply.headers, body, language=self._options.language)

    def _pool(self, url: str) -> httpx.Client:
        """The connection pool for a URL: one per scheme and proxy."""
        import httpx

        scheme = urlsplit(url).scheme
        if self._options.application is not None:
            key: tuple[str, str | None] = ("wsgi", None)
            transport = httpx.WSGITransport(app=self._options.application)
            return self._pools.setdefault(key, httpx.Client(transport=transport, trust_env=False))
        from glmcli.api.proxies import choose_proxy

        proxy = choose_proxy(url, self._options.environ)
        key = (scheme, proxy)
        if key not in self._pools:
            # A pool for plain http never looks at it; False would make a context, which takes a millisecond.
            verify: Any = _tls_context(self._options.environ) if scheme == "https" else None
            self._pools[key] = httpx.Client(verify=verify, proxy=proxy, trust_env=False)
        return self._pools[key]


class ArrivingReply:
    """An answer whose head has come (`api.calls.OpenReply`). Header names are lower case."""

    def __init__(self, response: httpx.Response, url: str, timeout_seconds: float, watcher: Watcher) -> None:
        self._response = response
        self._url = url
        self._timeout_seconds = timeout_seconds
        self._watcher = watcher
        self.status = response.status_code
        self.headers: dict[str, str] = {name.lower(): value for name, value in response.headers.items()}
        self._held: bytes | None = None

    def hold(self) -> Reply:
        """Read the whole body at once; it can be read again as it were arriving. Raises as `read`."""
        self._held = self.read(MAX_REPLY_BYTES)
        return Reply(self.status, self.headers, self._held)

    def redirect(self) -> str | None:
        """The target of a redirect, else None."""
        return self.headers.get("location") if self.status in (301, 302, 303, 307, 308) else None

    def chunks(self) -> Iterator[bytes]:
        """Body pieces as they arrive, decompressed. Raises StreamCut or TimedOut when the line breaks."""
        import httpx

        from glmcli.api.compression import decompressed

        if self._held is not None:
            yield self._held
            return
        try:
            for piece in decompressed(self._response.iter_raw(), self.headers.get("content-encoding", "")):
                self._watcher.body(piece)
                yield piece
        except (httpx.TimeoutException, TimeoutError):
            raise _silence(self._url, self._timeout_seconds) from None
        except (httpx.HTTPError, OSError) as error:
            raise StreamCut(f"the answer from {_host(self._url)} broke off: {_reason(error)}") from error

    def read(self, limit_bytes: int) -> bytes:
        """The whole body. Raises NetworkError above the limit."""
        body = self.read_some(limit_bytes + 1)
        if len(body) > limit_bytes:
            raise NetworkError(f"the answer from {_host(self._url)} is larger than {limit_bytes >> 20} MiB")
        return body

    def read_some(self, limit_bytes: int) -> bytes:
        """The body up to a limit; what lies behind it is left unread."""
        body = bytearray()
        for piece in self.chunks():
            body += piece
            if len(body) >= limit_bytes:
                break
        del body[limit_bytes:]
        return bytes(body)


def _tls_context(environ: Mapping[str, str]) -> ssl.SSLContext:
    from glmcli.api.tls import tls_context

    return tls_context(environ)


def _as_asked(secret_headers: Mapping[str, str], call: Call) -> Mapping[str, str]:
    if call.auth != "raw":
        return secret_headers
    return {name: value.removeprefix("Bearer ") for name, value in secret_headers.items()}


def _host(url: str) -> str:
    return urlsplit(url).netloc or url


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def _same_origin_url(url: str, location: str, method: str, status: int) -> str:
    """Where a redirected call may go on: only within its origin, only with its method."""
    target, is_same = _joined(url, location)
    if not is_same:
        raise NetworkError(
            f"{_host(url)} redirects the call to {_host(target)}; the key was not sent there",
            hint="check the base URL, or the proxy in between",
        )
    if method not in ("GET", "HEAD") and status not in (307, 308):
        raise NetworkError(f"{_host(url)} redirects a {method} call to {target}", hint="check the base URL")
    return target


def _joined(url: str, location: str) -> tuple[str, bool]:
    """The target of a redirect, and whether it lies within the origin. Raises NetworkError for an unreadable one."""
    try:
        target = urljoin(url, location)
        return target, _origin(target) == _origin(url)
    except ValueError:
        raise NetworkError(f"{_host(url)} redirects to {location!r}, which is no address") from None


def _next_url(url: str, location: str) -> str:
    """Where a download may go on: anywhere, but not from https down to http."""
    target, _ = _joined(url, location)
    parts = urlsplit(target)
    downgraded = urlsplit(url).scheme == "https" and parts.scheme != "https"
    if parts.scheme not in ("http", "https") or (downgraded and not is_loopback(parts.hostname or "")):
        raise NetworkError(f"refusing the redirect from {_host(url)} to {parts.scheme}://{parts.netloc}")
    return target


def _sent(http: httpx.Client, request: httpx.Request, url: str, timeout_seconds: float) -> httpx.Response:
    """The head of the answer to a request. Raises NetworkError."""
    import httpx

    try:
        return http.send(request, stream=True)
    except httpx.InvalidURL as error:  # httpx reads the target of a redirect even when it does not follow
        raise NetworkError(f"{_host(url)} redirects to an address that cannot be used: {error}") from None
    except (httpx.HTTPError, OSError) as error:
        raise _network_error(error, url, timeout_seconds) from error
    except UnicodeError as error:  # a name with a label that IDNA refuses
        raise ConfigError(f"the address {url!r} cannot be used: {error}") from None


def _network_error(error: Exception, url: str, timeout_seconds: float) -> GlmError:
    """One of ours for an exception of httpx before the head of an answer."""
    import httpx

    host = _host(url)
    sent = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError)
    if isinstance(error, httpx.ConnectTimeout):
        seconds = min(timeout_seconds, CONNECT_TIMEOUT_SECONDS)
        found: NetworkError = TimedOut(f"could not connect to {host} within {seconds:g} s")
    elif isinstance(error, httpx.TimeoutException):
        found = _silence(url, timeout_seconds)
    elif isinstance(error, httpx.ProxyError):
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
        f"nothing came from {_host(url)} for {timeout_seconds:g} s",
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
