"""The language server, driven over its real protocol, and the rooms behind it."""

from __future__ import annotations

import dataclasses
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from editor_client import Editor, Refused

from archdsl import space
from archdsl.blocks.structures import STRUCTURES
from archdsl.editor import known, meanings
from archdsl.editor.analysis import Analysis, forget
from archdsl.editor.completion import complete
from archdsl.editor.outline import fix
from archdsl.editor.positions import Lines
from archdsl.editor.reading import read_again
from archdsl.editor.scanner import Scan
from archdsl.editor.terminals import words
from archdsl.errors import ArchdslError, Diagnostic, SpecError
from archdsl.identity import spec_hash
from archdsl.language import parse, syntax
from archdsl.language.parser import parse_syntax, read
from archdsl.language.syntax_errors import STATEMENTS
from archdsl.scores import SCORES

FIXTURES = Path(__file__).parent / "fixtures"
SPECS = Path(__file__).parents[1] / "specs"
PRELUDE = Path(__file__).parents[1] / "grammars" / "prelude.arch"
VALID = sorted([*(FIXTURES / "valid").glob("*.arch"), *SPECS.glob("*.arch"), PRELUDE])
INVALID = sorted((FIXTURES / "invalid").glob("*.arch"))

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


@pytest.fixture(scope="module")
def editor() -> Iterator[Editor]:
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


@pytest.fixture(scope="module")
def ghost(editor: Editor) -> Page:
    return Page(editor, GHOST)


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


@pytest.mark.parametrize(("encoding", "column"), [("utf-8", 4), ("utf-16", 2), ("utf-32", 1)])
def test_places_are_counted_as_the_editor_counts(encoding: str, column: int) -> None:
    lines = Lines("a\r\n🦊C\rb\n", encoding)
    assert lines.position(4) == (1, column)
    assert lines.offset(1, column) == 4
    assert lines.offset(1, 99) == 5
    assert lines.position(6) == (2, 0), "a lone carriage return ends a line for an editor"
    assert lines.offset_of(2, 4) == 6, "but not for the language"
    assert all(
        lines.offset(*lines.position(i)) == i for i in range(len(lines.text)) if lines.text[i - 1 : i + 1] != "\r\n"
    )


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


def expected(text: str) -> list[Diagnostic]:
    """What `archdsl check` says."""
    try:
        space.check(parse(text), text)
    except SpecError as error:
        return list(error.diagnostics)
    except ArchdslError as error:
        return [Diagnostic(error.message, None, error.help)]
    return []


@pytest.mark.parametrize("path", [*VALID, *INVALID], ids=lambda path: path.stem)
def test_the_mistakes_are_those_of_the_command_line(path: Path) -> None:
    text = text_of(path).removeprefix("\ufeff")
    analysis = Analysis(text)
    if analysis.settled:
        assert list(analysis.mistakes) == expected(text)
    for mistake in analysis.mistakes:
        start, end = analysis.lines.stretch(mistake.span)
        assert 0 <= start <= end <= len(text)
        if (found := fix(analysis, mistake)) is not None:
            (start, end), new = found
            after = Analysis(text[:start] + new + text[end:])
            assert mistake.message not in [m.message for m in after.mistakes if m.span == mistake.span]


def broken(text: str, rng: random.Random, count: int) -> Iterator[str]:
    """A text as it looks while it is being written and changed."""
    for _ in range(count):
        here, gone = rng.randrange(len(text) + 1), rng.choice((0, 0, 1, 3))
        yield (
            text[:here]
            + rng.choice(["", "x", "(", "]", "\n", "stage", "3", "=", "let ", "{", "|"])
            + text[here + gone :]
        )
        yield text[: rng.randrange(len(text) + 1)]


def attempt(function: Any, text: str) -> Any:
    try:
        return function(text)
    except SpecError as error:
        return error.diagnostics


@pytest.mark.parametrize("path", [*VALID, *INVALID[::3]], ids=lambda path: path.stem)
def test_reading_anew_only_what_changed_gives_the_same(path: Path) -> None:
    text = text_of(path)
    if len(text) < 5_000:
        for version in [text, "\n" + text, *broken(text, random.Random(0), 3)]:
            assert attempt(read_again, version) == attempt(read, version)


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


def test_tidying_up_forgets_nothing_that_is_needed() -> None:
    before = Analysis(GHOST)
    forget()
    after = Analysis(GHOST)
    assert after.mistakes == before.mistakes == ()
    assert after.plain.hash == before.plain.hash


# ---- words ---------------------------------------------------------------------------------------------------


def nodes(part: Any) -> Iterator[Any]:
    if isinstance(part, tuple):
        for inner in part:
            yield from nodes(inner)
    elif dataclasses.is_dataclass(part) and hasattr(part, "span"):
        yield part
        for field in dataclasses.fields(part):
            yield from nodes(getattr(part, field.name))


def roles(text: str) -> dict[int, str]:
    """What the syntax tree says every word is, by its place."""
    lines, found = Lines(text), {}
    named = {"let": "let", "block": "definition", "maximize": "score", "minimize": "score"}
    for statement in parse_syntax(text):
        found[lines.stretch(statement.span).start] = "keyword"
        if statement.name_span:
            found[lines.stretch(statement.name_span).start] = named.get(statement.keyword, statement.keyword)
        for node in nodes(statement):
            start = lines.stretch(node.span).start
            match node:
                case syntax.BlockCall() | syntax.Structure():
                    found[start] = "block"
                case syntax.Parameter():
                    found[start] = "parameter"
                case syntax.Argument() if node.name:
                    found[start] = "argument"
                case syntax.Measure():
                    found[start] = "measure"
                case syntax.Name() if found.get(start) != "argument":
                    found[start] = "value"
    return found


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_words_are_what_the_syntax_tree_says(path: Path) -> None:
    text = text_of(path).removeprefix("\ufeff")
    found = {token.start: token.role for token in Scan(text).tokens if token.role not in ("", "word")}
    # In a condition the tree tells neither measures nor counted blocks from other names.
    plain = {start: "value" if role == "counted" else role for start, role in found.items()}
    said = roles(text)
    for start, role in said.items():
        assert plain[start] == role or (role == "value" and plain[start] == "measure"), text[start : start + 20]
    assert plain.keys() == said.keys()


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
    assert set(meanings.STATEMENTS) == set(STATEMENTS)
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


# ---- names ---------------------------------------------------------------------------------------------------


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


# ---- the whole text ------------------------------------------------------------------------------------------


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
    from archdsl.architecture import resolve

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
