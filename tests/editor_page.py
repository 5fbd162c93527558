"""A text open in an editor, asked by its words, and the fixtures of a server and of a text with everything in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from editor_client import Editor

from archdsl.editor.positions import Lines

SPECS = Path(__file__).parents[1] / "specs"

GHOST = """\
# 🦊 é: a file with accents and an emoji before everything
model little
input 3x32x32
let M = msa(window=4)
let B = {C|M}
let H = {2|4}
# A ghost block
block ghost(k=3, act=relu) = residual[ conv(width//2, k=1) norm act conv(width, k=k, groups=width//2) norm ]

stem conv(64)
stage(64, heads=H) [B ghost ghost(k=5) M(expansion=2)]  # 🦊 B
stage(128, heads=H) [{C|M}*3 {C|M|}]
head norm act gap linear
require params <= 10M and count(ghost) >= 1
maximize accuracy
train(epochs=3, lr={1e-4..1e-2 log})
"""


def text_of(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")


@pytest.fixture(scope="module", name="editor")
def open_editor() -> Iterator[Editor]:
    session = Editor()
    yield session
    assert session.leave() == 0
    assert not session.errors, b"".join(session.errors).decode()


class Page:
    """A text open in the editor."""

    def __init__(self, editor: Editor, text: str) -> None:
        self.editor, self.text, self.version = editor, text, 1
        editor.count += 1
        self.uri = f"file:///page{editor.count}.arch"
        editor.open(self.uri, text)

    def place(self, words: str, inside: int = 0) -> dict[str, int]:
        """The position of the first occurrence of some words, counted as UTF-16."""
        before = self.text[: self.text.index(words) + inside]
        line = before.rpartition("\n")[2]
        return {"line": before.count("\n"), "character": len(line.encode("utf-16-le")) // 2}

    def cut(self, range: dict[str, Any]) -> str:
        """The text of a range the server speaks of."""
        lines = Lines(self.text)
        start, end = (lines.offset(range[e]["line"], range[e]["character"]) for e in ("start", "end"))
        return self.text[start:end]

    def at(self, method: str, words: str, inside: int = 0, **params: Any) -> Any:
        return self.editor.about(method, self.uri, position=self.place(words, inside), **params)

    def hover(self, words: str, inside: int = 0) -> str:
        found = self.at("hover", words, inside)
        return "" if found is None else found["contents"]["value"]

    def whole(self) -> dict[str, Any]:
        end = {"line": self.text.count("\n") + 1, "character": 0}
        return {"start": {"line": 0, "character": 0}, "end": end}

    def diagnostics(self) -> list[dict[str, Any]]:
        return self.editor.diagnostics(self.uri, self.version)

    def change(self, text: str) -> None:
        self.text, self.version = text, self.version + 1
        self.editor.change(self.uri, text, self.version)


@pytest.fixture(scope="module", name="ghost")
def open_ghost(editor: Editor) -> Page:
    return Page(editor, GHOST)
