"""Runs the language server on pygls, over standard input and output."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import sys

from lsprotocol import types

from archdsl.editor import features  # noqa: F401  (they enter themselves)
from archdsl.editor.analysis import Analysis
from archdsl.editor.requests import server


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
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    logging.getLogger("pygls.protocol").setLevel(logging.CRITICAL)  # a refused rename is no failure
    out, sys.stdout = sys.stdout.buffer, sys.stderr
    with contextlib.suppress(asyncio.CancelledError):
        server.start_io(sys.stdin.buffer, out)
    return 0 if server.was_shut_down else 1
