"""Results that change to a page that follows them: a small server for this machine's own browser, until Ctrl-C."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from archdsl.base.errors import ArchdslError, RunError
from archdsl.report.page import page
from archdsl.study.results import read

HOST = "127.0.0.1"
PORT = 8060
_OWN = ("127.0.0.1", "localhost")  # also through an SSH tunnel; a stranger's page cannot pose as these


class Live:
    """The page of a search, drawn anew when something changed.

    Args:
        document: the results as of now.
        stamp: something that differs when they have changed.
    """

    def __init__(self, document: Callable[[], dict[str, Any]], stamp: Callable[[], object]) -> None:
        self.document = document
        self.stamp = stamp
        self._drawn: tuple[object, str, bytes] | None = None
        self._lock = threading.Lock()

    def page(self) -> tuple[str, bytes]:
        """The page, and a tag that changes with it; the page has it too, and asks for what is new since then.

        Raises:
            ArchdslError: there are no usable results, and never were.
        """
        with self._lock:
            now = self.stamp()
            if self._drawn is None or self._drawn[0] != now:
                try:
                    self._drawn = now, *_draw(self.document())
                except ArchdslError:  # a file half-way through a change; the page of before still holds
                    if self._drawn is None:
                        raise
            _, tag, content = self._drawn
        return f'"{tag}"', content


def _draw(document: dict[str, Any]) -> tuple[str, bytes]:
    """A tag of the results, and their page."""
    tag = hashlib.sha256(json.dumps(document, sort_keys=True, default=str).encode()).hexdigest()[:16]
    return tag, page(read(document), live=True, tag=tag).encode("utf-8", "replace")


def server(live: Live, port: int = PORT) -> ThreadingHTTPServer:
    """A server of the page on this machine's loopback address; port 0 takes a free one.

    Raises:
        RunError: the port is taken or not allowed.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
            if host not in _OWN or self.path.partition("?")[0] != "/":
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            try:
                tag, content = live.page()
            except ArchdslError as error:
                self.answer(HTTPStatus.SERVICE_UNAVAILABLE, str(error).encode(), "text/plain")
                return
            if self.headers.get("If-None-Match") == tag:
                self.answer(HTTPStatus.NOT_MODIFIED, b"", "text/html", tag)
            else:
                self.answer(HTTPStatus.OK, content, "text/html", tag)

        def answer(self, status: HTTPStatus, content: bytes, kind: str, tag: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            if tag:
                self.send_header("ETag", tag)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Say nothing: a page that asks every two seconds would fill the terminal."""

    try:
        return ThreadingHTTPServer((HOST, port), Handler)
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) else "ports end at 65535"
        raise RunError(f"cannot serve on port {port}: {why}", "choose another with --port, or --port 0") from None


def address(found: ThreadingHTTPServer) -> str:
    """Where to point a browser."""
    return f"http://{HOST}:{found.server_address[1]}/"
