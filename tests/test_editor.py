"""The language server over its real protocol: what it can, what it says while a text changes, and broken texts."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from editor_client import Editor
from editor_page import GHOST, SPECS, Page, open_editor, text_of  # noqa: F401

from archdsl.editor.positions import Lines

# ---- the session ---------------------------------------------------------------------------------------------


def test_it_says_what_it_can(editor: Editor) -> None:
    able = editor.capabilities
    for name in (
        "hover",
        "definition",
        "references",
        "documentHighlight",
        "documentSymbol",
        "documentFormatting",
        "inlayHint",
    ):
        assert able[f"{name}Provider"], name
    assert able["renameProvider"] == {"prepareProvider": True}
    assert able["codeActionProvider"]["codeActionKinds"] == ["quickfix"]
    assert {"(", "[", "{", "="} <= set(able["completionProvider"]["triggerCharacters"])
    assert able["positionEncoding"] == "utf-16"


def test_exit_without_goodbye_is_an_error() -> None:
    assert Editor().leave(shutdown=False) == 1


def test_ctrl_c_ends_it_quietly() -> None:
    session = Editor()
    session.process.send_signal(signal.SIGINT)
    assert session.process.wait(timeout=120) == 3
    session.listener.join(timeout=120)
    assert session.errors == [b"interrupted\n"]


def test_an_editor_that_counts_bytes_and_knows_no_snippets_is_understood() -> None:
    session = Editor(encodings=["utf-8", "utf-16"], snippets=False)
    assert session.capabilities["positionEncoding"] == "utf-8"
    session.open("u", "let é = C")
    session.change("u", "stage(64)[C] # 🦊\nstem conv(8) # é\n", 2)
    (found,) = session.diagnostics("u", 2)
    assert found["range"]["start"] == {"line": 1, "character": 0}
    session.change("u", "stem conv(8)\nlet X = {C|# 🦊\n M} stage(64)[X XX]", 3)
    (found,) = session.diagnostics("u", 3)
    assert found["range"] == {"start": {"line": 2, "character": 16}, "end": {"line": 2, "character": 18}}
    session.change("u", "stage(64)[M(", 4)
    items = session.about("completion", "u", position={"line": 0, "character": 12})["items"]
    assert {item["insertTextFormat"] for item in items} == {1}
    assert items[0]["textEdit"]["newText"] == items[0]["label"]
    session.process.stdin.close()
    assert session.process.wait(timeout=120) == 1, "it ends with its input"


def test_torch_is_never_imported() -> None:
    code = (
        "import sys; from archdsl.editor import features; from archdsl.editor.analysis import Analysis;"
        "from archdsl.editor import outline, hover, completion; a = Analysis('stage[C C {C|M}]');"
        "list(outline.hints(a)); hover.hover(a, 6); completion.complete(a.text, 6, a.names);"
        "sys.exit(str({'torch', 'numpy', 'optuna', 'scipy', 'matplotlib', 'timm'} & set(sys.modules) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode in (0, 1)
    assert done.stderr == "\n", done.stderr


# ---- diagnostics ---------------------------------------------------------------------------------------------


def test_mistakes_are_shown_as_they_are_made_and_go_when_the_text_closes(editor: Editor) -> None:
    page = Page(editor, "# 🦊\nstage(128)[C /*🦊*/ MM]")
    assert page.diagnostics()
    page.change("# 🦊\nstage(128)[C C MM]\nstage(8, headz=3)[M]\nmaximize acuracy\n")
    found = page.diagnostics()
    assert [page.cut(d["range"]) for d in found] == ["MM", "headz=3", "acuracy"]
    assert found[0]["message"] == "unknown block 'MM'\nhelp: did you mean 'M'?"
    assert {d["severity"] for d in found} == {1}
    assert {d["source"] for d in found} == {"archdsl"}
    page.change("stage(128)[C C M]")
    assert page.diagnostics() == []
    page.change("stage(128, window=5)[M]")
    (found,) = page.diagnostics()
    assert page.cut(found["range"]) == "window=5"
    assert "does not divide" in found["message"]
    page.change("stage(64)[C]\nrequire params <= 1K")
    assert "params is" in page.diagnostics()[0]["message"]
    page.change("")
    (found,) = page.diagnostics()
    assert "the file is empty" in found["message"]
    editor.close(page.uri)
    assert editor.diagnostics(page.uri, None) == []


def test_a_space_without_members_is_found_by_another_process(editor: Editor) -> None:
    page = Page(editor, "stage(64)[{C|M}*3]\nrequire params <= 1K\n")
    assert page.diagnostics() == [], "not known yet"
    (found,) = editor.diagnostics(page.uri, 1, number=2)
    assert page.cut(found["range"]) == "params <= 1K"
    assert "no member of this space" in found["message"]


def test_what_changes_meanwhile_is_what_counts(editor: Editor) -> None:
    page = Page(editor, "stage(64)[{C|M}*3]\nrequire params <= 1K\n")
    for word in ("M", "MM", "MMM", "M"):
        page.change(f"stage(64)[{word}]\n")
    assert page.diagnostics() == []
    last = editor.published[page.uri][-1]
    assert last["version"] == page.version


# ---- broken texts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["alternet_50", "placement"])
def test_no_prefix_of_a_spec_is_too_broken(editor: Editor, name: str) -> None:
    text = "# 🦊\n" + text_of(SPECS / f"{name}.arch") + GHOST[60:]
    page = Page(editor, "")
    for end in range(0, len(text), 13):
        page.change(text[:end])
        lines = Lines(page.text)
        place = dict(zip(("line", "character"), lines.position(end), strict=True))
        for method in ("hover", "completion", "signatureHelp", "definition"):
            editor.about(method, page.uri, position=place)
        editor.about("documentSymbol", page.uri)
        editor.about("inlayHint", page.uri, range=page.whole())
        editor.about("codeAction", page.uri, range=page.whole(), context={"diagnostics": []})
        editor.about("formatting", page.uri, options={"tabSize": 2, "insertSpaces": True})
    page.diagnostics()


@pytest.mark.parametrize(
    "text",
    [
        "\x00",
        "\ufeffstage[C]",
        "{" * 200,
        "1+" * 3000,
        "stage[" + "C " * 9000 + "]",
        "\r\n\r🦊",
        "\ud800"[:0] + "let\u2028",
    ],
)
def test_odd_texts_are_no_trouble(editor: Editor, text: str) -> None:
    page = Page(editor, text)
    page.diagnostics()
    editor.about("documentSymbol", page.uri)
    editor.about("completion", page.uri, position={"line": 99, "character": 99})
    editor.about("hover", page.uri, position={"line": 0, "character": 3})
    editor.close(page.uri)
    assert editor.about("hover", page.uri, position={"line": 0, "character": 0}) is None, "closed, so nothing to say"
