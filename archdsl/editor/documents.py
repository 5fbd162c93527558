"""Keeps the texts an editor has open: their versions, what is known of them, when mistakes are shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from archdsl.base.errors import Diagnostic
from archdsl.editor.analysis import Analysis, forget
from archdsl.editor.checking import check
from archdsl.editor.positions import Lines

PAUSE = 0.01  # seconds without a further change before a text is looked at: changes that come at once count as one
LONG_PAUSE = 0.3  # before another process is started
REST = 2.0  # seconds without any change after which there is time to tidy up
MANY = 16  # texts looked at until that is worth while

# Shows the mistakes of a text: its name, version, lines, and what is wrong.
Show: TypeAlias = Callable[[str, int | None, Lines, tuple[Diagnostic, ...]], None]


@dataclass
class Document:
    """One text as it is now."""

    uri: str
    text: str
    version: int | None
    encoding: str
    known: Analysis | None = None
    timer: asyncio.TimerHandle | None = None
    task: asyncio.Task[None] | None = None

    @property
    def analysis(self) -> Analysis:
        """What is known about it, looked at when first asked for."""
        if self.known is None:
            self.known = Analysis(self.text, self.encoding)
        return self.known

    @property
    def lines(self) -> Lines:
        """Its places."""
        return self.analysis.lines

    def stop(self) -> None:
        """Forget what is under way."""
        if self.timer is not None:
            self.timer.cancel()
        if self.task is not None:
            self.task.cancel()


class Documents:
    """All open texts by name; mistakes are shown through `show`, always those of the latest version."""

    def __init__(self, show: Show) -> None:
        self._open: dict[str, Document] = {}
        self._show = show
        self._looked = 0
        self._rest: asyncio.TimerHandle | None = None

    def get(self, uri: str) -> Document | None:
        """The text of that name, if it is open."""
        return self._open.get(uri)

    def put(self, uri: str, text: str, version: int | None, encoding: str) -> None:
        """A text was opened or has changed."""
        before = self._open.get(uri)
        if before is not None:
            before.stop()
        document = self._open[uri] = Document(uri, text, version, encoding)
        if before is not None and before.text == text:
            document.known = before.known
        document.timer = asyncio.get_running_loop().call_later(PAUSE, self._look, document)

    def remove(self, uri: str) -> None:
        """A text was closed: nothing more is said about it."""
        document = self._open.pop(uri, None)
        if document is not None:
            document.stop()
            self._show(uri, None, Lines(""), ())

    def stop(self) -> None:
        """Forget all that is under way: the editor leaves."""
        for document in self._open.values():
            document.stop()
        if self._rest is not None:
            self._rest.cancel()

    def _look(self, document: Document) -> None:
        analysis = document.analysis
        self._show(document.uri, document.version, analysis.lines, analysis.mistakes)
        if not analysis.settled:
            document.task = asyncio.get_running_loop().create_task(self._look_longer(document))
        self._looked += 1
        if self._rest is not None:
            self._rest.cancel()
        self._rest = asyncio.get_running_loop().call_later(REST, self._tidy)

    def _tidy(self) -> None:
        if self._looked >= MANY:
            self._looked = 0
            forget()

    async def _look_longer(self, document: Document) -> None:
        await asyncio.sleep(LONG_PAUSE)
        mistakes = await check(document.text)
        if mistakes is not None and self._open.get(document.uri) is document:
            document.analysis.settle(mistakes)
            self._show(document.uri, document.version, document.lines, mistakes)
