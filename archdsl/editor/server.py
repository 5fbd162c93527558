"""Runs the language server on pygls, over standard input and output."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import logging
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from lsprotocol import types
from pygls.exceptions import FeatureRequestError, JsonRpcException, PyglsError
from pygls.lsp.server import LanguageServer

from archdsl.base.errors import Diagnostic
from archdsl.base.version import VERSION
from archdsl.editor import protocol
from archdsl.editor.analysis import Analysis
from archdsl.editor.documents import Document, Documents
from archdsl.editor.positions import Lines
from archdsl.editor.renaming import RenameError

log = logging.getLogger(__name__)
REQUEST_FAILED = -32803
Answer = TypeVar("Answer")


class ArchServer(LanguageServer):
    """The server with its open texts.

    Attributes:
        was_shut_down: whether the editor said goodbye, as the protocol asks before `exit`.
    """

    def __init__(self) -> None:
        # Specs are short: whole texts are exchanged, so that there is no way for the two sides to differ.
        super().__init__("archdsl", VERSION, types.TextDocumentSyncKind.Full)
        self.documents = Documents(self._show)
        self.was_shut_down = False

    def report_server_error(self, error: Exception, source: type[PyglsError | JsonRpcException]) -> None:
        """What nobody waits for goes to the log; a failed request has its answer already."""
        if source is not FeatureRequestError:
            log.error("%s", source.__name__, exc_info=error)

    def _show(self, uri: str, version: int | None, lines: Lines, mistakes: tuple[Diagnostic, ...]) -> None:
        found = [protocol.diagnostic(lines, mistake) for mistake in mistakes]
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, found, version))

    def take(self, uri: str) -> None:
        """Look at a text that was opened or changed."""
        text = self.workspace.get_text_document(uri)
        self.documents.put(uri, text.source, text.version, str(self.workspace.position_encoding or "utf-16"))


server = ArchServer()


def answers(
    method: str, options: Any = None
) -> Callable[[Callable[[Document, Any], Answer]], Callable[[Any], Answer | None]]:
    """Enter a function that answers requests about an open text; what goes wrong in it is logged, and no answer."""

    def enter(function: Callable[[Document, Any], Answer]) -> Callable[[Any], Answer | None]:
        @functools.wraps(function)
        def answer(params: Any) -> Answer | None:
            document = server.documents.get(params.text_document.uri)
            try:
                return None if document is None else function(document, params)
            except RenameError as error:
                said = error.message if error.help is None else f"{error.message}: {error.help}"
                raise JsonRpcException(said, REQUEST_FAILED) from None
            except Exception:
                log.exception("%s failed", method)
                return None

        del answer.__wrapped__  # pygls reads signatures, and this one takes one argument
        server.feature(method, options)(answer)
        return answer

    return enter


# ---- the life of a text --------------------------------------------------------------------------------------


@server.feature(types.INITIALIZED)
def warm(params: types.InitializedParams) -> None:
    """What the first request would wait for is done before it comes."""
    Analysis("stage[C M T {C|M}] require params > 0").names.block("C")
    gc.freeze()  # grammar, blocks and protocol stay: no need to look through them again
    gc.set_threshold(50_000, 20, 50)


@server.feature(types.TEXT_DOCUMENT_DID_OPEN)
def opened(params: types.DidOpenTextDocumentParams) -> None:
    """A text is there."""
    server.take(params.text_document.uri)


@server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
def changed(params: types.DidChangeTextDocumentParams) -> None:
    """A text is another."""
    server.take(params.text_document.uri)


@server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
def closed(params: types.DidCloseTextDocumentParams) -> None:
    """A text is gone, and its mistakes with it."""
    server.documents.remove(params.text_document.uri)


@server.feature(types.SHUTDOWN)
def shut_down(params: None) -> None:
    """The editor says goodbye."""
    server.documents.stop()
    server.was_shut_down = True


def serve() -> int:
    """Serve one editor on standard input and output until it leaves; what else is printed goes to standard error.

    Returns:
        The exit code the protocol asks for: 0 after `shutdown`, else 1.
    """
    from archdsl.editor import features  # noqa: F401  (they enter themselves)

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    logging.getLogger("pygls.protocol").setLevel(logging.CRITICAL)  # a refused rename is no failure
    out, sys.stdout = sys.stdout.buffer, sys.stderr
    with contextlib.suppress(asyncio.CancelledError):
        server.start_io(sys.stdin.buffer, out)
    return 0 if server.was_shut_down else 1
