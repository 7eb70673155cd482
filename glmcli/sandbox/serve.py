"""The sandbox on a loopback socket: a threaded HTTP/1.1 server for WSGI.

`wsgiref` speaks HTTP/1.0, buffers and closes; clients of a streaming service
need keep-alive, chunked transfer and a flush per piece.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from glmcli.sandbox.spooling import copy_exactly, spool

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_LINE = 64 * 1024


class Server:
    """Serves a sandbox, or what wraps one, while the context lasts; port 0 takes a free one."""

    def __init__(self, sandbox: WSGIApplication, host: str = "127.0.0.1", port: int = 0) -> None:
        self.sandbox = sandbox
        self._http = _HttpServer((host, port), _Handler, sandbox)
        self._thread = Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def address(self) -> str:
        """The origin to give to a client, `http://127.0.0.1:PORT`."""
        host, port = self._http.server_address[:2]
        host = host.decode() if isinstance(host, bytes | bytearray) else host
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and end what is still being answered."""
        end_waits = getattr(self.sandbox, "close", None)  # a wrapper need not have it
        if end_waits is not None:
            end_waits()
        if self._thread.is_alive():
            self._http.shutdown()
            self._thread.join()
        self._http.server_close()


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    # A burst of clients must not meet a full queue (the default is 5).
    request_queue_size = 512

    def __init__(
        self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], sandbox: WSGIApplication
    ) -> None:
        self.sandbox = sandbox
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, handler)

    def server_bind(self) -> None:
        # Not HTTPServer.server_bind: it asks the resolver for a name of the host.
        super(ThreadingHTTPServer, self).server_bind()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is no news; a fault of our own is."""
        import sys

        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # typeshed names the socket types


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "glm-sandbox"
    sys_version = ""
    disable_nagle_algorithm = True
    timeout = 600
    server: _HttpServer

    def _serve(self) -> None:
        body = self._read_body()
        if body is None:
            return
        with body:
            pieces = self.server.sandbox(self._environ(body), self._start)  # type: ignore[arg-type]  # nobody calls write()
            try:
                self._send(pieces)
            except (ConnectionError, TimeoutError):
                self._hang_up()

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _serve

    def _read_body(self) -> IO[bytes] | None:
        """The whole body in a spooled file, or None when it was refused."""
        body = spool()
        try:
            if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
                self._copy_chunks(body)
            else:
                copy_exactly(self.rfile, body, int(self.headers.get("Content-Length") or 0))
        except ValueError:
            body.close()
            self.send_error(400, "unreadable body")
            self.close_connection = True
            return None
        body.seek(0)
        return body

    def _copy_chunks(self, body: IO[bytes]) -> None:
        while size := int(self.rfile.readline(_LINE).partition(b";")[0], 16):
            copy_exactly(self.rfile, body, size)
            self.rfile.readline(_LINE)
        while self.rfile.readline(_LINE).strip():
            pass  # trailers

    def _environ(self, body: IO[bytes]) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        length = body.seek(0, 2)
        body.seek(0)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": self.server.server_name,
            "SERVER_PORT": str(self.server.server_port),
            "SERVER_PROTOCOL": self.request_version,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "wsgi.url_scheme": "http",
            "wsgi.input": body,
            "wsgi.multithread": True,
        }
        for name, value in self.headers.items():
            environ.setdefault("HTTP_" + name.upper().replace("-", "_"), value)
        return environ

    def _start(self, status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
        """Keep status and headers until the first piece: a fault may come before it."""
        self._status, self._fields = status, headers

    def _send(self, pieces: Iterable[bytes]) -> None:
        chunked = not any(name.lower() == "content-length" for name, _ in self._fields)
        self._send_head(chunked)
        if self.command == "HEAD":
            return
        for piece in pieces:
            if piece:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _send_head(self, chunked: bool) -> None:
        code, _, words = self._status.partition(" ")
        self.send_response(int(code), words)
        for name, value in self._fields:
            self.send_header(name, value)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _hang_up(self) -> None:
        """Close at once: what was sent arrives, the end mark does not."""
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the client was faster

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: requests are in `Sandbox.requests`."""
