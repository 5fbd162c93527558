"""Holds the language server: its open texts, and how a function becomes the answer to a request."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from lsprotocol import types
from pygls.exceptions import FeatureRequestError, JsonRpcException, PyglsError
from pygls.lsp.server import LanguageServer

from archdsl.base.errors import Diagnostic
from archdsl.base.version import VERSION
from archdsl.editor import protocol
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
