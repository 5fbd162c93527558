"""What the language server says of a word and offers for the next one: hover, completion, signatures."""

from __future__ import annotations

import pytest
from editor_client import Editor
from editor_page import SPECS, Page, open_editor, open_ghost, text_of  # noqa: F401

from archdsl.blocks.structures import STRUCTURES
from archdsl.editor import known, meanings
from archdsl.editor.analysis import Analysis
from archdsl.editor.completion import complete
from archdsl.editor.terminals import words
from archdsl.ir.scores import SCORES
from archdsl.language.statements import STATEMENTS

# ---- hover ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "inside", "said"),
    [
        ("msa(window", 1, ["Residual multi-head self-attention", "`heads=4` (integer): attention heads", "block msa(width, heads=4"]),
        ("M(expansion", 0, ["`M` stands for `msa(window=4)`", "let M = msa(window=4)", "window=4"]),
        ("ghost(k=5", 2, ["A ghost block.", "ghost(k=3, act=relu", "block ghost(k=3, act=relu) = residual[", "`act=relu`"]),
        ("residual[", 2, ["adds its input", "`shortcut=conv` (conv, pool or none)", "residual(shortcut=conv"]),
        ("B ghost", 0, ["let B = {C|M}", "2 ways, decided once and shared"]),
        ("H) [", 0, ["let H = {2|4}"]),
        ("k, groups", 0, ["Parameter of `ghost`", "`k=3` (integer)"]),
        ("expansion=2", 3, ["`expansion=1` (integer): ratio"]),
        ("heads=H", 1, ["`heads=4` (integer): attention heads"]),
        ("k=5)", 0, ["`k=3` (integer)"]),
        ("{C|M}*3", 0, ["2 ways: `C` | `M`", "3 decisions, one at each of: `stage2.block1`, `stage2.block2`, `stage2.block3`"]),
        ("{C|M|}", 2, ["3 ways: `C` | `M` | nothing", "Decided as `stage2.block4`"]),
        ("{1e-4..", 5, ["Any number from 0.0001 to 0.01"]),
        ("stage(128", 0, ["**Stage 2**", "`-> 128x16x16`", "parameters", "MACs", "depth 3 .. 4", "477K .. 1.12M", "at its first option"]),
        ("model", 0, ["A space of 96.", "parameters", "3x32x32 to 10 classes"]),
        ("# 🦊 é", 3, ["A space of 96."]),
        ("params <=", 0, ["Learnable parameters", "Here: "]),
        ("accuracy", 0, ["share of images whose top class is right", "higher is better"]),
        ("epochs", 0, ["`epochs=10` (integer): passes over the training split"]),
        ("log}", 1, ["evenly in its logarithm"]),
        ("and count", 0, ["Both conditions"]),
        ("count(", 0, ["how many blocks"]),
        ("width//2", 0, ["width of the stage"]),
        ("require", 0, ["What every model must satisfy"]),
    ],
)  # fmt: skip
def test_hover(ghost: Page, words: str, inside: int, said: list[str]) -> None:
    found = ghost.hover(words, inside)
    for part in said:
        assert part in found


def test_a_measure_that_only_measuring_tells_is_no_mistake(editor: Editor) -> None:
    page = Page(editor, "stage[C]\nrequire latency_ms <= 2\n")
    assert "Milliseconds that one image takes" in page.hover("latency_ms")
    assert "Here:" not in page.hover("latency_ms")
    assert Analysis(page.text).mistakes == ()
    assert Analysis("stage[{C|M}] require latency_ms <= 2 and depth == 2").mistakes == ()
    assert not Analysis("stage[{C|M}] require latency_ms <= 2 and depth == 2").settled, "archdsl check has to look"


def test_hover_of_a_model_gives_exact_figures(editor: Editor) -> None:
    page = Page(editor, text_of(SPECS / "alternet_50.arch"))
    assert "`-> 512x16x16`" in page.hover("stage(512")
    assert "parameters, " in page.hover("model alternet")
    assert "A space" not in page.hover("model alternet")
    assert page.hover("stage(2048, stride=2, heads=24) [(C M)*2]", 18) == "", "nothing to say about a number"
    assert "`C` stands for `bottleneck(order=pre)`" in page.hover("C C C")


def test_a_broken_text_still_knows_its_words(editor: Editor) -> None:
    page = Page(editor, "let G = basic(k=5)\nblock own(k=3) = residual[conv(\nstage(64)[G own(")
    assert "`G` stands for `basic(k=5)`" in page.hover("G own")
    assert "own(k=3)" in page.hover("own(\n" if "own(\n" in page.text else "G own", 3)
    assert "Not known while the file has mistakes" in Page(editor, "model x\nstage[").hover("model")


def test_everything_shipped_has_its_words() -> None:
    assert set(STATEMENTS) <= set(words())
    assert all(kind.form.startswith(keyword) and kind.meaning for keyword, kind in STATEMENTS.items())
    assert {w for w in words() if w not in STATEMENTS} <= set(meanings.WORDS)
    blocks = known.shipped()
    assert set(STRUCTURES) - {"sequence"} <= blocks.keys()
    for block in blocks.values():
        assert block.summary, block.name
        for argument in block.arguments:
            assert argument.meaning, f"{block.name}.{argument.name}"
            assert argument.takes
    assert all(argument.meaning for argument in known.recipe())
    from archdsl.data import DATASETS

    assert {name.rstrip(":") for name in meanings.DATA_SETS} == set(DATASETS)


# ---- completion ----------------------------------------------------------------------------------------------


LETS = "let H = {2|4}\nlet B = {C|M}\nlet W = msa(window=4)\nblock own(k=3, act=relu) = residual[conv(k=k) act]\n"


@pytest.mark.parametrize(
    ("text", "first", "also", "never"),
    [
        ("‸", "model", ["stage", "let", "block", "train"], []),
        ("stage(64)[C]\nsta‸", "model", ["stage"], ["C"]),
        ("stage(64)[‸", None, ["B", "W", "own", "C", "M", "T", "msa", "conv", "residual", "sum", "concat"], ["H", "stage", "if"]),
        ("stage(64)[C M‸\nhead gap", None, ["M", "msa"], ["gap linear"]),
        ("stage(64)[M(‸", "width", ["heads", "window", "act"], ["k", "conv"]),
        ("stage(64)[M(heads=2, ‸", "width", ["window"], ["heads"]),
        ("stage(64)[M(heads=2, win‸", "width", ["window"], ["heads"]),
        ("stage(64)[W(‸", "width", ["window", "heads"], ["k"]),
        ("stage(64)[own(‸", "k", ["act"], ["heads"]),
        ("stage(64)[own(act=‸", "relu", ["gelu", "silu", "H"], ["bn", "C"]),
        ("stage(64)[M(act={relu|‸", "relu", ["gelu", "silu"], ["heads"]),
        ("stage(64)[M(rel_pos=‸", "true", ["false"], ["none", "relu"]),
        ("stage(64)[T(window=‸", "none", ["H"], ["true"]),
        ("stage(64)[norm(‸", "kind", ["bn", "ln", "gn"], ["relu"]),
        ("stage(64, heads=‸)[M]", "H", ["width"], ["B", "true"]),
        ("stage(‸)[M]", "width", ["stride", "down", "heads"], ["k"]),
        ("stage(64, down=‸", "patch", ["conv", "pool"], ["relu"]),
        ("stage({192..256 ‸", "step", ["log"], ["C"]),
        ("defaults(‸", "down", ["act", "k", "window"], ["width", "stride"]),
        ("defaults(norm=‸", "bn", ["ln", "gn"], []),
        ("train(‸", "epochs", ["lr", "batch", "precision"], ["heads"]),
        ("train(precision=‸", "auto", ["float32", "bf16"], ["relu", "width"]),
        ("maximize ‸", "accuracy", list(SCORES), ["stage"]),
        ("minimize ‸", "nll", list(SCORES), ["stage"]),
        ("require ‸", "params", ["macs", "depth", "latency_ms", "count", "not"], ["C"]),
        ("require lat‸", "params", ["latency_ms"], ["C"]),
        ("require params <= 2M ‸", "and", ["or"], ["params"]),
        ("require params <= 2M and count(‸", None, ["C", "M", "W", "own", "msa"], ["params", "residual"]),
        ("require count(M, ‸", "stage", [], ["M"]),
        ("data ‸", "fashion", ["cifar10", "npz:", "imagefolder:"], ["stage"]),
        ("data fashion-‸", "fashion", ["fashion-mnist"], ["stage"]),
        ("head norm ‸", None, ["act", "gap", "linear"], ["H"]),
        ("let X = ‸", None, ["C", "msa", "residual", "H"], []),
        ("block b(k=3) = residual[conv(width//2, k=‸", "H", ["k", "width", "in", "stride"], ["B"]),
        ("block b(k=3) = ‸", None, ["if", "residual", "conv"], ["b"]),
        ("# a comment ‸", None, [], ["stage", "C"]),
        ("stage(64)[C]  # com‸", None, [], ["stage", "C"]),
        ("stage(64‸", None, [], ["stage", "heads"]),
        ("model ‸", None, [], ["stage", "C"]),
    ],
)  # fmt: skip
def test_completion(text: str, first: str | None, also: list[str], never: list[str]) -> None:
    text = LETS + text
    offset = text.index("‸")
    text = text.replace("‸", "")
    candidates, stretch = complete(text, offset, Analysis(text).names)
    labels = [candidate.label for candidate in candidates]
    assert labels[:1] == ([first] if first else labels[:1])
    assert set(also) <= set(labels)
    assert not set(never) & set(labels)
    assert len(labels) == len(set(labels))
    assert text[stretch.start : stretch.end].replace("-", "").isalnum() or stretch.start == stretch.end


def test_completion_over_the_protocol(editor: Editor) -> None:
    page = Page(editor, "# 🦊\nstage(64)[C /*🦊*/ M(he")
    page.change("# 🦊\nstage(64)[C M(he\nhead gap linear # 🦊")
    items = page.at("completion", "he\n", 2)["items"]
    (heads,) = [item for item in items if item["label"] == "heads"]
    assert heads["detail"] == "= 4"
    assert heads["textEdit"]["newText"] == "heads=$0"
    assert heads["insertTextFormat"] == 2
    assert page.cut(heads["textEdit"]["range"]) == "he"
    assert "attention heads" in heads["documentation"]["value"]
    assert [item["sortText"] for item in items] == sorted(item["sortText"] for item in items)


def test_signature_help(ghost: Page) -> None:
    found = ghost.at("signatureHelp", "expansion=2", 11)
    (signature,) = found["signatures"]
    assert signature["label"].startswith("M(width, heads=4")
    start, end = signature["parameters"][found["activeParameter"]]["label"]
    assert signature["label"][start:end] == "expansion=1"
    found = ghost.at("signatureHelp", "64, heads", 1)
    start, end = found["signatures"][0]["parameters"][found["activeParameter"]]["label"]
    assert found["signatures"][0]["label"][start:end] == "width"
    assert ghost.at("signatureHelp", "norm act gap") is None
