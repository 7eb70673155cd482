"""Asks a WSGI application in this process instead of a server."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpcore


def ask(application: Callable[..., Any], request: httpcore.Request) -> httpcore.Response:
    """The application's answer; its body is made while it is read."""
    import httpcore

    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        started.append((status, headers))
        return lambda data: None

    body: Iterable[bytes] = application(_environ(request), start_response)
    status, headers = started[-1]
    return httpcore.Response(int(status.split()[0]), headers=headers, content=body)


def _environ(request: httpcore.Request) -> dict[str, object]:
    """The request as PEP 3333 describes it."""
    from urllib.parse import unquote_to_bytes

    assert isinstance(request.stream, Iterable)
    url = request.url
    path, _, query = url.target.partition(b"?")
    environ: dict[str, object] = {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme.decode(),
        "wsgi.input": BytesIO(b"".join(request.stream)),
        "wsgi.errors": StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "REQUEST_METHOD": request.method.decode(),
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query.decode(),
        "SERVER_NAME": url.host.decode(),
        "SERVER_PORT": str(url.port or 80),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
    }
    for raw_name, text in request.headers:
        name = raw_name.decode().upper().replace("-", "_")
        environ[name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"] = text.decode()
    return environ
