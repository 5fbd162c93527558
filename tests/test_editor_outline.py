"""What the language server shows of a whole text and changes in it: outline, hints, quick fixes, the formatted text."""

from __future__ import annotations

import pytest
from editor_client import Editor
from editor_page import SPECS, Page, open_editor, open_ghost, text_of  # noqa: F401

from archdsl.editor.positions import Lines
from archdsl.language import parse


def test_outline(ghost: Page) -> None:
    found = ghost.editor.about("documentSymbol", ghost.uri)
    names = [symbol["name"] for symbol in found]
    assert names == [
        "little",
        "input",
        "M",
        "B",
        "H",
        "ghost",
        "stem",
        "stage 1",
        "stage 2",
        "head",
        "require",
        "accuracy",
        "train",
    ]
    details = dict(zip(names, (symbol.get("detail") for symbol in found), strict=True))
    assert details["stage 2"] == "-> 128x16x16"
    assert details["ghost"] == "block"
    assert details["accuracy"] == "maximize accuracy"
    for symbol in found:
        assert ghost.cut(symbol["selectionRange"]) in ghost.cut(symbol["range"])


def test_hints(editor: Editor, ghost: Page) -> None:
    page = Page(editor, text_of(SPECS / "alternet_50.arch"))
    hints = editor.about("inlayHint", page.uri, range=page.whole())
    shapes = ["-> 256x32x32", "-> 512x16x16", "-> 1024x8x8", "-> 2048x4x4"]
    assert [hint["label"].partition(",")[0] for hint in hints] == shapes
    from archdsl.network import resolve

    stage = resolve(parse(page.text)).stages[0].blocks
    assert hints[0]["label"].endswith(f"{sum(b.cost.params for b in stage) / 1000:.0f}K params")
    assert all(page.text.split("\n")[h["position"]["line"]][: h["position"]["character"]].endswith("]") for h in hints)
    some = {"start": {"line": 10, "character": 0}, "end": {"line": 11, "character": 0}}
    assert [h["position"]["line"] for h in editor.about("inlayHint", page.uri, range=some)] == [10]
    first = editor.about("inlayHint", ghost.uri, range=ghost.whole())[0]
    assert ghost.text.split("\n")[first["position"]["line"]][first["position"]["character"] :] == "  # 🦊 B"
    tokens = Page(editor, text_of(SPECS / "vit_ti.arch"))
    assert editor.about("inlayHint", tokens.uri, range=tokens.whole())[0]["label"].startswith("-> 257x192")
    page.change("stage(64)[C")
    assert editor.about("inlayHint", page.uri, range=page.whole()) == []


def fixed(page: Page) -> list[str]:
    actions = page.editor.about("codeAction", page.uri, range=page.whole(), context={"diagnostics": []})
    texts = []
    for action in actions:
        ((edit,),) = action["edit"]["changes"].values()
        lines = Lines(page.text)
        start, end = (lines.offset(edit["range"][k]["line"], edit["range"][k]["character"]) for k in ("start", "end"))
        texts.append(page.text[:start] + edit["newText"] + page.text[end:])
        assert action["kind"] == "quickfix"
    return texts


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("stage(64)[C MM] # 🦊", "stage(64)[C M] # 🦊"),
        ("stage(64, down=ptch)[C]", "stage(64, down=patch)[C]"),
        ("stage(64)[M(headz=2)]", "stage(64)[M(heads=2)]"),
        ("stage(64)[C(act=rellu)]", "stage(64)[C(act=relu)]"),
        ("stage(64)[C]\nmaximize acuracy", "stage(64)[C]\nmaximize accuracy"),
        ("stage(64)[C]\nrequire parms <= 9M", "stage(64)[C]\nrequire params <= 9M"),
        ("stag(64)[C]", "stage(64)[C]"),
        ("stage(64)[C*{3..1}]", "stage(64)[C*{1..3}]"),
        ("stage(64)[C]\ntrain(epoch=3)", "stage(64)[C]\ntrain(epochs=3)"),
    ],
)  # fmt: skip
def test_quick_fix(editor: Editor, wrong: str, right: str) -> None:
    assert fixed(Page(editor, wrong)) == [right]
    assert fixed(Page(editor, right)) == []


def test_formatting(editor: Editor) -> None:
    from archdsl.language.formatting import format_text

    text = "# 🦊\nstage ( 64 )[ C   C ]   #é\nhead   gap   linear"
    page = Page(editor, text)
    options = {"tabSize": 4, "insertSpaces": True}
    (edit,) = editor.about("formatting", page.uri, options=options)
    assert edit["newText"] == format_text(text)
    assert page.cut(edit["range"]) == text
    page.change(edit["newText"])
    assert editor.about("formatting", page.uri, options=options) == []
    page.change("stage(64)[C")
    assert editor.about("formatting", page.uri, options=options) == []
