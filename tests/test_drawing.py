"""Pictures: every spec draws, what stands in them is what the spec says, nothing overlaps, the same bytes every time."""

from __future__ import annotations

import functools
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Patch

from archdsl import ir
from archdsl.base import colours as palette
from archdsl.base import resources
from archdsl.base.errors import RunError, SpecError, UsageError
from archdsl.cli.main import run
from archdsl.drawing import draw, draw_file, html, sheet
from archdsl.drawing.layout import Box
from archdsl.drawing.members import look
from archdsl.drawing.paint import paint
from archdsl.drawing.picture import Frame, Part, Tile, fold, tiles, walk
from archdsl.drawing.save import svg
from archdsl.drawing.sheet import WIDEST, Sheet
from archdsl.language import parse
from archdsl.network import Architecture, resolve

FIXTURES = Path(__file__).parent / "fixtures" / "valid"
FILES = {**resources.shipped_specs(), **{f"valid/{path.stem}": path for path in sorted(FIXTURES.glob("*.arch"))}}
SVG = "{http://www.w3.org/2000/svg}"


@functools.cache
def spec_of(name: str) -> ir.Spec:
    return parse(FILES[name].read_text("utf-8-sig"), name)


@functools.cache
def sheet_of(name: str) -> Sheet:
    return sheet(look(spec_of(name)))


@functools.cache
def svg_of(name: str) -> str:
    return svg(sheet_of(name))


@functools.cache
def words(name: str) -> tuple[str, ...]:
    """All text in a picture."""
    return tuple(e.text or "" for e in ElementTree.fromstring(svg_of(name)).iter(f"{SVG}text"))


def ids(text: str, prefix: str = "") -> list[str]:
    return re.findall(rf'id="({prefix}[^"]*)"', text)


def drawn(text: str) -> Sheet:
    return sheet(look(parse(text)))


def frames(kind: str, parts: tuple[Part, ...]) -> list[Frame]:
    """All frames of a kind among some parts, those inside others too."""
    return [part for part in walk(parts) if isinstance(part, Frame) and part.kind == kind]


# ---- everything draws ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_every_spec_draws_and_says_resolution_and_width(name: str) -> None:
    text = svg_of(name)
    ElementTree.fromstring(text)
    assert len(ids(text)) == len(set(ids(text)))
    spec, said = spec_of(name), words(name)
    assert said[0] == spec.name
    for number in range(1, len(spec.stages) + 1):
        assert f"stage {number}" in said
    assert {"stem", "head", f"{spec.classes:,} classes", "×".join(map(str, spec.input))} <= set(said)
    if ir.first_hole(spec) is None:
        architecture = resolve(spec)
        shape = architecture.stem[-1].cost.out if architecture.stem else None
        for stage in architecture.stages:
            last = stage.blocks[-1] if stage.blocks else stage.downsampling
            shape = last.cost.out if last else shape
            assert f"{stage.width} ch" in said
            assert shape is None or any(s.startswith(f"{shape.height}×{shape.width}") for s in said)


@pytest.mark.parametrize("name", [name for name in FILES if ir.first_hole(spec_of(name)) is None])
def test_a_model_has_one_shape_per_block(name: str) -> None:
    expected = [f"block-{block.path}" for block in resolve(spec_of(name)).blocks()]
    assert ids(svg_of(name), "block-") == expected


def boxes(box: Box, x: float, y: float) -> Iterator[tuple[object, float, float, float, float]]:
    """Every box of a row with its corners, those inside others too."""
    if box.part is not None:
        yield box.part, x, y, x + box.width, y + box.height
    for dx, dy, child in box.children:
        yield from boxes(child, x + dx, y + dy)


@pytest.mark.parametrize("name", FILES)
def test_nothing_overlaps_and_nothing_sticks_out(name: str) -> None:
    page = sheet_of(name)
    assert page.width <= WIDEST + 0.01
    for band in page.bands:
        found = list(boxes(band.body, page.body_x, band.body_y))
        for part, left, top, right, bottom in found:
            assert page.body_x - 1e-6 <= left <= right <= page.width - 0.1, part
            assert band.top <= top <= bottom <= band.top + band.height + 1e-6, part
        leaves = [corners for part, *corners in found if isinstance(part, Tile)]
        for (a0, b0, a1, b1), (c0, d0, c1, d1) in itertools.combinations(leaves, 2):
            assert a1 <= c0 + 1e-6 or c1 <= a0 + 1e-6 or b1 <= d0 + 1e-6 or d1 <= b0 + 1e-6
    for above, below in itertools.pairwise(page.bands):
        assert above.top + above.height < below.top


# ---- models ----------------------------------------------------------------------------------------------------


def colours(page: Sheet) -> dict[str, str]:
    return {p.get_gid(): to_hex(p.get_facecolor()) for p in paint(page).findobj(Patch) if p.get_gid()}


def test_blocks_have_the_colour_of_their_kind() -> None:
    found = colours(sheet_of("alternet_50"))
    for unit in resolve(spec_of("alternet_50")).units:
        assert found[f"block-{unit.path}"] == palette.KINDS[unit.kind]
    assert found["block-stem.conv"] == "#ffffff"


def test_a_block_with_two_halves_has_two_colours() -> None:
    page = sheet_of("vit_ti")
    blocks = [tile for tile in tiles(page.picture.rows[1].parts) if tile.look == "block"]
    assert [tile.roles for tile in blocks] == [("msa", "mlp")] * 12
    fills = [to_hex(patch.get_facecolor()) for patch in paint(page).findobj(Patch)]
    assert fills.count(palette.KINDS["msa"]) == fills.count(palette.KINDS["mlp"]) == 14  # and two in the legend


def test_stages_shrink_and_widen() -> None:
    rows = sheet_of("alternet_18").picture.rows
    assert [(row.side[0], row.channels) for row in rows[1:-1]] == [(32, 64), (16, 128), (8, 256), (4, 512)]
    assert [row.parts[0].shrinks for row in rows[1:-1] if isinstance(row.parts[0], Tile)] == [1, 2, 2, 2]
    assert sum(row.params or 0 for row in rows) == resolve(spec_of("alternet_18")).params


def test_title_and_costs() -> None:
    said = words("alternet_50")
    assert "input 3×32×32 · 100 classes · depth 17 · 34.1 M parameters · 1.58 G MACs" in said
    assert {"8.67 M params", "584 M MACs", "M: heads 12", "heads 6", "msa(window=4, expansion=4)"} <= set(said)
    assert "<title>stage2.block4: msa → 512 × 16×16, 411 K parameters, 108 M MACs</title>" in svg_of("alternet_50")


def test_downsampling_layers_are_there() -> None:
    layer = [tile for row in sheet_of("valid/lookup").picture.rows for tile in tiles(row.parts) if "down" in tile.path]
    assert [(tile.label, tile.path, tile.shrinks, tile.optional) for tile in layer] == [
        ("patch", "stage2.down", 2, False)
    ]


def test_deep_networks_fit_by_letters_and_lines_and_then_by_counts() -> None:
    deep = drawn("stage(64)[bottleneck*3] stage(128)[bottleneck*33] head gap linear")
    row = deep.bands[2]
    assert len(tiles(row.row.parts)) == 33
    assert len(row.body.lines) > 1
    assert {tile.label for tile in tiles(row.row.parts)} == {"B"}
    assert ("B", "bottleneck") in [(entry.label, entry.meaning) for entry in deep.picture.legend]
    deeper = drawn("stage(64)[(C M)*150]")
    assert [part.label for part in frames("repeat", deeper.bands[1].row.parts)] == ["×150"]


def test_folding_keeps_what_differs() -> None:
    c, m = Tile("C", "1"), Tile("M", "2")
    folded = fold((m, c, c, c, m, Tile("C", "9", notes=("k 5",))))
    assert [part.label for part in folded] == ["M", "×3", "M", "C"]


def test_empty_parts() -> None:
    page = sheet_of("valid/empty_parts")
    assert [len(band.row.parts) for band in page.bands] == [1, 0, 2, 3]
    assert "no blocks" in words("valid/empty_parts")


def test_more_than_there_is_room_for() -> None:
    page = drawn("stage(8)[C]" + "stage(8, stride=1)[C]" * 120 + "head gap linear")
    assert len(page.bands) == 103
    assert "… 21 more stages" in [tile.label for band in page.bands for tile in tiles(band.row.parts)]
    wide = drawn("stage(8)[{" + "|".join("CM" * 30) + "}]")
    assert "… 52 more" in [tile.label for tile in tiles(wide.bands[1].row.parts)]
    deep = drawn("stage(8)[" + "{C|" * 50 + "M" + "}" * 50 + "]")
    assert "{…}" in [tile.label for tile in tiles(deep.bands[1].row.parts)]


# ---- spaces ----------------------------------------------------------------------------------------------------


def test_alternatives_stand_in_their_holes() -> None:
    page = sheet_of("placement")
    holes = [hole for row in page.picture.rows for hole in frames("hole", row.parts)]
    assert len(holes) == len(ids(svg_of("placement"), "hole-")) == 8
    for hole in holes:
        assert [[tile.label for tile in tiles(option)] for option in hole.sequences] == [["C"], ["M"]]
    assert words("placement").count("C") == words("placement").count("M") == 9  # and the legend
    assert "input 3×32×32 · 10 classes · 256 fillings" in words("placement")
    assert "87.0 K to 199 K parameters · 1.30 M to 2.28 M MACs" in words("placement")


def test_downsampling_that_depends_on_a_choice() -> None:
    layer = next(tile for tile in tiles(sheet_of("placement").picture.rows[2].parts) if "down" in tile.path)
    assert (layer.label, layer.optional, layer.notes) == ("conv", True, ("↓2", "before M"))
    strided = [tile.label for tile in tiles(sheet_of("placement").picture.rows[2].parts[1:2]) if tile.shrinks == 2]
    assert strided == ["C"]


def test_holes_of_every_sort() -> None:
    said = set(words("valid/holes"))
    assert {"M: heads {2|4|8}", "{192..256 step 32} ch", "×{1..3}"} <= said
    page = sheet_of("valid/holes")
    empty = [tile for row in page.picture.rows for tile in tiles(row.parts) if tile.look == "nothing"]
    assert len(empty) == 1
    shared = [hole for row in page.picture.rows for hole in frames("hole", row.parts) if hole.label == "B"]
    assert len(shared) == 2
    assert words("valid/holes").count("B") == 2
    assert {"A.heads {1|2}", "heads {2|4}", "window {4|8}"} <= set(words("valid/let_holes"))
    assert "training: batch {64|128} · lr {0.0001..0.01 log}" in words("valid/experiment")
    assert "{patch|pool}" in words("valid/down")


def test_holes_in_holes() -> None:
    first = sheet_of("valid/nested_holes").picture.rows[1].parts[0]
    assert isinstance(first, Frame)
    inner = frames("hole", first.sequences[0])
    assert [[tile.label for tile in tiles(option)] for option in inner[0].sequences] == [["C"], ["M"]]


def test_kinds_of_blocks_that_only_some_members_have() -> None:
    # Neither all first nor all second options have a T, nor does any member with the i-th option everywhere an M.
    rows = drawn("stage(32)[{C|{T|C}} {C|C|C|C|C|C|C|C|C|{M|C}|C}]").picture.rows
    assert {tile.label: tile.roles for tile in tiles(rows[1].parts) if tile.look == "block"} == {
        "C": ("conv",),
        "T": ("msa", "mlp"),
    }
    rows = drawn("stage(32)[{C|{M|C}}*{1..2}]").picture.rows
    assert {tile.roles for tile in tiles(rows[1].parts) if tile.label == "M"} == {("msa",)}


def test_blocks_show_the_holes_inside_them() -> None:
    rows = drawn("block twin = residual[conv(width) {norm|norm(ln)}] stage(32)[twin sum[conv(32) C]]").picture.rows
    twin, summed = frames("block", rows[1].parts)
    assert [each.tile.label for each in (twin, summed) if each.tile] == ["twin", "sum"]
    assert [tile.label for tile in tiles(twin.sequences[0])] == ["conv", "norm", "norm"]
    assert len(summed.sequences) == 2


def test_a_space_in_which_nothing_satisfies_the_requirements() -> None:
    page = drawn("stage(32)[{C|M}] require params < 10")
    assert "no member that satisfies the requirements was met" in page.picture.summary


def test_more_members_than_can_be_looked_at() -> None:
    page = drawn("stage(8)[{C|M|}*300] require count(M) >= 1")
    assert page.picture.summary[0].endswith("1.369e+143 fillings")
    assert page.picture.summary[1].startswith("for example ")


# ---- files -----------------------------------------------------------------------------------------------------


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    files = [
        draw_file(spec_of("valid/smallest"), tmp_path / f"{i}.{kind}") for kind in ("svg", "png", "pdf") for i in "ab"
    ]
    with matplotlib.rc_context({"svg.fonttype": "path", "font.size": 30, "font.family": "serif", "text.color": "red"}):
        again = draw_file(spec_of("valid/smallest"), tmp_path / "c.svg")
    contents = [path.read_bytes() for path in files]
    assert contents[0] == contents[1] == again.read_bytes()
    assert contents[2] == contents[3]
    assert contents[4] == contents[5]
    assert contents[2].startswith(b"\x89PNG")
    assert contents[4].startswith(b"%PDF")
    assert b"date" not in contents[0].lower()


def test_draw_gives_a_figure() -> None:
    figure = draw(spec_of("valid/smallest"))
    assert figure.get_size_inches()[0] <= WIDEST + 0.01


@pytest.mark.parametrize("name", ["a.jpg", "a", "-", "a.svg.gz"])
def test_unknown_formats_say_which_there_are(name: str) -> None:
    with pytest.raises(UsageError, match=r"\.svg, \.png or \.pdf"):
        draw_file(spec_of("valid/smallest"), name)


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        draw_file(spec_of("valid/smallest"), tmp_path / "no" / "a.png")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_built() -> None:
    wrong = parse("input 3x9x9 stage(8)[M(window=4)]")
    with pytest.raises(SpecError, match="window 4 does not divide"):
        draw(wrong)
    assert "window 4 does not divide the 9x9 feature map" in html(wrong)


# ---- notebooks -------------------------------------------------------------------------------------------------


def test_html_of_a_model() -> None:
    text = html(spec_of("alternet_18"))
    architecture: Architecture = resolve(spec_of("alternet_18"))
    for block in architecture.blocks():
        assert f">{block.path}<" in text
        assert f">{block.cost.params:,}<" in text
    assert "9.50 M parameters" in text
    assert "<metadata" not in text
    assert "<?xml" not in text


def test_two_on_a_page_do_not_collide() -> None:
    once, twice = html(spec_of("placement")), html(spec_of("placement"))
    assert not set(ids(once)) & set(ids(twice))
    for text in (once, twice):
        assert set(re.findall(r"url\(#([^)]*)\)", text)) <= set(ids(text))
        assert len(ids(text)) == len(set(ids(text)))
        assert re.search(r"[^\w)]\*\s*\{", text) is None or re.search(r"#[\w-]+ \*\s*\{", text)
    assert ">stage3.block2<" in once
    assert ">C | M<" in once


# ---- the command -----------------------------------------------------------------------------------------------


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["draw", "alternet_18"]) == 0
    assert capsys.readouterr().out == "alternet_18.svg\n"
    assert (tmp_path / "alternet_18.svg").read_text() == svg_of("alternet_18")
    assert run(["draw", "placement", "-o", "p.png", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"picture": "p.png"}
    assert (tmp_path / "p.png").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["alternet_18", "--out", "a.jpg"], 2, "end the name with .svg, .png or .pdf"),
        (["absent.arch"], 1, "no file 'absent.arch'"),
        (["alternet_18", "--out", "no/a.svg"], 3, "cannot write"),
        (["wrong.arch"], 1, "window 5 does not divide"),
        (["wrong.arch", "--json"], 1, "window 5 does not divide"),
        ([], 2, "Missing argument"),
    ],
)
def test_the_command_given_something_wrong(
    arguments: list[str], code: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong.arch").write_text("stage(8)[M(window=5)]")
    assert run(["draw", *arguments]) == code
    done = capsys.readouterr()
    assert message in done.err
    assert "Traceback" not in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.arch"]
    if "--json" in arguments:
        assert json.loads(done.out)["errors"]


@pytest.mark.parametrize(
    ("command", "slow"),
    [
        (["draw", "placement", "-o", "a.svg"], {"torch", "optuna", "timm", "scipy"}),
        (["diff", "alternet_18", "resnet_18"], {"torch", "optuna", "timm", "scipy", "matplotlib", "numpy"}),
    ],
    ids=["draw", "diff"],
)
def test_commands_that_do_not_import_pytorch(command: list[str], slow: set[str], tmp_path: Path) -> None:
    code = (
        "import sys; from archdsl.cli.main import run; code = run(sys.argv[1:]);"
        f"slow = {slow!r} & set(sys.modules); sys.exit(f'imported: {{slow}}' if slow else code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
