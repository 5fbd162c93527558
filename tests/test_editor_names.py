"""Names in the language server: where they are defined and used, and renaming, which changes no network."""

from __future__ import annotations

import pytest
from editor_client import Editor, Refused
from editor_page import SPECS, Page, open_editor, open_ghost, text_of  # noqa: F401

from archdsl import space
from archdsl.editor.analysis import Analysis
from archdsl.editor.positions import Lines
from archdsl.language import parse
from archdsl.network.identity import spec_hash


@pytest.mark.parametrize(
    ("words", "inside", "places"),
    [
        ("B ghost", 0, ["let B", "B ghost"]),
        ("let B", 4, ["let B", "B ghost"]),
        ("ghost(k=5", 1, ["block ghost", "B ghost", "ghost(k=5", "count(ghost"]),
        ("k, groups", 0, ["ghost(k=3", "k=k", "k=5"]),
        ("act=relu", 1, ["act=relu", "act conv"]),
        ("H) [B", 0, ["let H", "heads=H) [B", "heads=H) [{"]),
        ("M|}", 0, ["let M", "{C|M}\nlet", "M(expansion", "M}*3", "M|}"]),
    ],
)  # fmt: skip
def test_definition_references_and_highlights(ghost: Page, words: str, inside: int, places: list[str]) -> None:
    definition = ghost.at("definition", words, inside)
    found = ghost.at("references", words, inside, context={"includeDeclaration": True})
    name = ghost.cut(definition["range"])
    assert definition == found[0]
    lines = ghost.text.split("\n")
    assert len(found) == len(places)
    for location, around in zip(found, places, strict=True):
        assert ghost.cut(location["range"]) == name
        assert around.split("\n")[0] in lines[location["range"]["start"]["line"]]
    fewer = ghost.at("references", words, inside, context={"includeDeclaration": False})
    assert fewer == found[1:]
    shown = ghost.at("documentHighlight", words, inside)
    assert [h["range"] for h in shown] == [location["range"] for location in found]
    assert [h["kind"] for h in shown] == [3] + [2] * (len(places) - 1)


def test_what_the_file_does_not_define_leads_nowhere(ghost: Page) -> None:
    for word in ("msa(window", "C|M", "accuracy", "conv(64", "little", "heads=H"):
        assert ghost.at("definition", word) is None
        assert ghost.at("references", word, context={"includeDeclaration": True}) == []


def renamed(page: Page, words: str, inside: int, new: str) -> str:
    edits = page.at("rename", words, inside, newName=new)["changes"][page.uri]
    lines, text = Lines(page.text), page.text
    places = [
        (*(lines.offset(e["range"][k]["line"], e["range"][k]["character"]) for k in ("start", "end")), e) for e in edits
    ]
    for start, end, edit in sorted(places, key=lambda place: place[0], reverse=True):
        text = text[:start] + edit["newText"] + text[end:]
    return text


@pytest.mark.parametrize(
    ("words", "inside", "new", "said"),
    [
        ("B ghost", 0, "Where", "[Where ghost ghost(k=5) M(expansion=2)]  # 🦊 B"),
        ("block ghost", 7, "spirit", "[B spirit spirit(k=5)"),
        ("k=k", 2, "kernel", "block ghost(kernel=3, act=relu) = residual[ conv(width//2, k=1) norm act conv(width, k=kernel"),
        ("k=5", 0, "kernel", "ghost(kernel=5)"),
        ("act=relu", 0, "f", "f=relu) = residual[ conv(width//2, k=1) norm act(f) conv"),
        ("let H", 4, "heads_", "heads=heads_) [B"),
        ("let M", 4, "N", "let B = {C|N}"),
    ],
)  # fmt: skip
def test_rename(ghost: Page, words: str, inside: int, new: str, said: str) -> None:
    prepared = ghost.at("prepareRename", words, inside)
    assert ghost.cut(prepared)
    text = renamed(ghost, words, inside, new)
    assert said in text
    # Of a space the hash holds the names of parameters, which make no difference to its members.
    hashes = [[member.hash for member in space.members(parse(spec))] for spec in (text, ghost.text)]
    assert hashes[0] == hashes[1]
    assert Analysis(text).size == Analysis(ghost.text).size


@pytest.mark.parametrize(
    ("words", "inside", "new", "said"),
    [
        ("let B", 4, "stage", "'stage' has a meaning of its own"),
        ("let B", 4, "width", "'width' has a meaning of its own"),
        ("let B", 4, "residual", "has a meaning of its own"),
        ("let B", 4, "ghost", "'ghost' is defined in line 8 already"),
        ("let B", 4, "conv", "a block or measure that every file has"),
        ("let B", 4, "C", "'C' stands for something else in this file"),
        ("let B", 4, "relu", "'relu' stands for something else in this file"),
        ("let B", 4, "3x", "'3x' is not a name"),
        ("let B", 4, "", "'' is not a name"),
        ("k=k", 2, "act", "is a parameter of this block already"),
        ("k=k", 2, "norm", "does not work here"),
        ("k=k", 2, "heads", "would mean something else"),
        ("msa(window", 0, "x", "only lets, blocks and their parameters can be renamed"),
    ],
)  # fmt: skip
def test_rename_refused(ghost: Page, words: str, inside: int, new: str, said: str) -> None:
    with pytest.raises(Refused, match=said.replace("(", r"\(")):
        ghost.at("rename", words, inside, newName=new)


def test_a_renamed_model_has_the_same_hash(editor: Editor) -> None:
    page = Page(editor, text_of(SPECS / "alternet_50.arch"))
    text = renamed(page, "C C C", 0, "Conv")
    assert "[(Conv M)*3]" in text
    assert spec_hash(parse(text)) == spec_hash(parse(page.text))
    with pytest.raises(Refused, match="'C' is defined in line 6 already"):
        page.at("rename", "let M", 4, newName="C")


def test_rename_needs_a_text_without_mistakes(editor: Editor) -> None:
    page = Page(editor, "let B = C\nstage[B BB]")
    with pytest.raises(Refused, match="has mistakes"):
        page.at("rename", "B", newName="X")
    with pytest.raises(Refused, match="only lets"):
        page.at("prepareRename", "stage")
