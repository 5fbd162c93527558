"""Differences: exactly the changed places, totals and ratios; the same network whatever it is called; the command."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from rich.console import Console

from archdsl.cli.differences import print_difference
from archdsl.cli.main import run
from archdsl.language import parse
from archdsl.language.sources import read_file
from archdsl.network import Architecture, resolve
from archdsl.network.alignment import align
from archdsl.network.comparison import BlockChange, Change, Difference, difference
from archdsl.space.comparison import SpaceDifference, compare


def model(text: str) -> Architecture:
    return resolve(parse(text))


def shipped(name: str) -> Architecture:
    return resolve(read_file(name).spec())


def changed(found: Difference) -> list[BlockChange]:
    return [block for part in found.parts for block in part.blocks if block.status != "kept"]


def said(found: Difference) -> list[tuple[str, str | None, str | None]]:
    """The changed blocks: what became of them and where they were and are."""
    return [(c.status, c.before and c.before.path, c.after and c.after.path) for c in changed(found)]


# ---- networks --------------------------------------------------------------------------------------------------


def test_the_all_conv_parent_of_alternet_18() -> None:
    a, b = shipped("alternet_18"), shipped("preresnet_18")
    found = difference(a, b)
    assert said(found) == [("replaced", f"stage{i}.block2", f"stage{i}.block2") for i in (2, 3, 4)]
    blocks = changed(found)
    assert [block.before.written for block in blocks if block.before] == [
        f"msa(heads={heads}, window=4)" for heads in (6, 12, 24)
    ]
    assert {block.after.written for block in blocks if block.after} == {"basic(order=pre)"}
    assert [part.name for part in found.parts if part.differs] == ["stage2", "stage3", "stage4"]
    assert found.changes == ()
    assert not any(part.changes for part in found.parts)
    assert [(t.name, t.before, t.after) for t in found.totals] == [
        ("params", a.params, b.params), ("macs", a.macs, b.macs), ("depth", 8, 8)
    ]  # fmt: skip
    assert found.totals[0].ratio == pytest.approx(b.params / a.params)
    assert not found.same


def test_the_other_way_round() -> None:
    found, back = (difference(shipped(a), shipped(b)) for a, b in [("resnet_50", "alternet_50"), ("alternet_50", "resnet_50")])  # fmt: skip
    opposite = {"added": "removed", "removed": "added"}
    assert sorted((opposite.get(s, s), str(b), str(a)) for s, a, b in said(found)) == sorted(
        (s, str(a), str(b)) for s, a, b in said(back)
    )


def test_arguments_that_differ() -> None:
    found = difference(model("stage(64, heads=2)[C M M]"), model("stage(64, heads=2)[C M(heads=4, window=8) M]"))
    (block,) = changed(found)
    assert (block.status, block.arguments) == ("changed", (Change("heads", 2, 4), Change("window", None, 8)))
    assert block.after is not None
    assert block.after.path == "stage1.block2"


def test_what_follows_from_the_stage_is_said_once() -> None:
    found = difference(model("stage(32)[C C] stage(64)[C C]"), model("stage(32)[C C] stage(128, stride=1)[C C]"))
    assert changed(found) == []
    assert found.parts[2].changes == (
        Change("width", 64, 128), Change("stride", 2, 1), Change("resolution", [16, 16], [32, 32])
    )  # fmt: skip
    assert [part.name for part in found.parts if part.differs] == ["stage2"]


def test_blocks_that_come_and_go() -> None:
    twice = difference(model("stage(32)[C M C M C]"), model("stage(32)[C M M C T]"))
    assert said(twice) == [("removed", "stage1.block3", None), ("added", None, "stage1.block5")]
    one = difference(model("stage(32)[C C C]"), model("stage(32)[C M C C]"))
    assert said(one) == [("added", None, "stage1.block2")]
    assert said(difference(model("stage(32)[M C C C]"), model("stage(32)[C C C]"))) == [
        ("removed", "stage1.block1", None)
    ]


def test_whole_stages() -> None:
    found = difference(model("stage(32)[C]"), model("stage(32)[C] stage(64)[C M]"))
    assert [(part.name, part.status) for part in found.parts] == [
        ("stem", "kept"), ("stage1", "kept"), ("stage2", "added"), ("head", "kept")
    ]  # fmt: skip
    assert said(found) == [("added", None, "stage2.block1"), ("added", None, "stage2.block2")]


def test_input_classes_stem_and_downsampling() -> None:
    a = model("input 3x32x32 classes 10 stem conv(16) stage(32)[C] stage(64)[M]")
    b = model("input 3x32x48 classes 20 stem conv(16, k=5) norm stage(32)[C] stage(64, down=conv)[M]")
    found = difference(a, b)
    assert found.changes == (Change("input", [3, 32, 32], [3, 32, 48]), Change("classes", 10, 20))
    assert said(found) == [("changed", "stem.conv", "stem.conv"), ("added", None, "stem.norm")]
    assert Change("downsampling", "down_patch", "down_conv") in found.parts[2].changes
    assert not found.parts[-1].differs  # its last layer follows the classes


def test_the_same_network_under_other_names() -> None:
    a = model("model one let A = basic(order=pre) stage(64)[A A]")
    b = model("model two block mine(order=post) = basic(order=order) let B = mine(order=pre) stage(width=64)[B*2]")
    assert a.hash == b.hash
    found = difference(a, b)
    assert found.same
    assert changed(found) == []
    assert found.table()["same"] is True


def test_blocks_of_one_name_and_different_definitions() -> None:
    a = model("block mine = residual[conv(width) norm] stage(64)[mine]")
    b = model("block mine = residual[conv(width) norm act] stage(64)[mine]")
    assert [block.arguments for block in changed(difference(a, b))] == [(Change("definition", "one", "another"),)]


def test_four_is_four() -> None:
    assert changed(difference(model("stage(8)[T(mlp_ratio=4.0)]"), model("stage(8)[T(mlp_ratio=4)]"))) == []


@pytest.mark.parametrize(
    ("a", "b", "pairs"),
    [
        ("", "", []),
        ("abc", "abc", [(0, 0), (1, 1), (2, 2)]),
        ("abc", "ac", [(0, 0), (1, None), (2, 1)]),
        ("ab", "xab", [(None, 0), (0, 1), (1, 2)]),
        ("aab", "ab", [(0, 0), (1, None), (2, 1)]),
        ("a", "x", [(0, 0)]),
    ],
)
def test_alignment(a: str, b: str, pairs: list[tuple[int | None, int | None]]) -> None:
    assert list(align(len(a), len(b), lambda i, j: 0 if a[i] == b[j] else 3)) == pairs


def test_alignment_is_never_worse_than_any_other() -> None:
    """Against all alignments of short words, one by one."""

    def cost(a: str, b: str) -> int:
        if not a or not b:
            return 2 * (len(a) + len(b))
        paired = (0 if a[0] == b[0] else 3) + cost(a[1:], b[1:])
        return min(paired, 2 + cost(a[1:], b), 2 + cost(a, b[1:]))

    for a, b in [("cmcmc", "cmmct"), ("abcab", "bca"), ("mmcc", "ccmm"), ("abc", "xyz"), ("aaaa", "a")]:
        price = sum(
            2 if i is None or j is None else 0 if a[i] == b[j] else 3
            for i, j in align(len(a), len(b), lambda i, j, a=a, b=b: 0 if a[i] == b[j] else 3)  # type: ignore[misc]
        )
        assert price == cost(a, b)


def test_very_deep_networks_are_compared_in_time() -> None:
    a, b = model("stage(8)[(C M)*1500]"), model("stage(8)[(M C)*1500]")
    found = difference(a, b)
    assert sum(block.before is not None for part in found.parts for block in part.blocks) == len(list(a.blocks()))
    assert sum(block.after is not None for part in found.parts for block in part.blocks) == len(list(b.blocks()))


# ---- spaces ----------------------------------------------------------------------------------------------------


def test_decisions_that_differ() -> None:
    found = compare(parse("stage(32)[{C|M} {C|M} M(heads={1|2})]"), parse("stage(32)[{C|M} {C|M|T} {C|}]"))
    assert isinstance(found, SpaceDifference)
    assert [(d.name, d.status, d.before, d.after) for d in found.decisions] == [
        ("stage1.block2", "changed", ("C", "M"), ("C", "M", "T")),
        ("stage1.block3.heads", "removed", ("1", "2"), ()),
        ("stage1.block3", "added", (), ("C", "-")),
    ]
    assert (found.sizes, found.kept, found.same) == ((8, 12), 1, False)
    assert found.plain is not None
    assert [block.status for block in changed(found.plain)] == ["replaced"]


def test_a_space_and_one_of_its_members() -> None:
    found = compare(parse("stage(32)[C]"), parse("stage(32)[{C|M}]"))
    assert isinstance(found, SpaceDifference)
    assert found.sizes == (1, 2)
    assert found.plain is not None
    assert found.plain.same


def test_the_same_space_under_other_names() -> None:
    found = compare(parse("let A = {C|M} stage(32)[A A]"), parse("let B = {C|M} stage(32)[B B]"))
    assert found.same


# ---- the command -----------------------------------------------------------------------------------------------


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", "alternet_18", "preresnet_18"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:5] == [
        "alternet_18 -> preresnet_18",
        "stage2",
        "    C",
        "  - block2 M = msa(heads=6, window=4)",
        "  + block2 C = basic(order=pre)",
    ]
    assert lines[-4:] == [
        "the same: stem, stage1, head",
        "params: 9,499,063 -> 11,218,340  (x1.18)",
        "macs: 498,059,264 -> 555,468,800  (x1.12)",
        "depth: 8",
    ]


def test_the_command_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", "alternet_18", "preresnet_18", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["same"] is False
    assert document["totals"][0]["after"] == 11_218_340
    blocks = [block for part in document["parts"] for block in part["blocks"] if block["status"] != "kept"]
    assert [block["before"]["path"] for block in blocks] == ["stage2.block2", "stage3.block2", "stage4.block2"]
    assert run(["diff", "placement", "alternet_18", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["before"]["size"], document["after"]["size"]) == (256, 1)
    assert {decision["status"] for decision in document["decisions"]} == {"removed"}


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "same.arch").write_text(read_file("resnet_18").text.replace("model resnet_18", "model other"))
    (tmp_path / "wrong.arch").write_text("stage(8)[M(window=5)]")
    same, wrong = str(tmp_path / "same.arch"), str(tmp_path / "wrong.arch")
    assert run(["diff", "resnet_18", same, "--exit-code"]) == 0
    assert "the same network" in capsys.readouterr().out
    assert run(["diff", "resnet_18", "resnet_50", "--exit-code"]) == 1
    assert run(["diff", "resnet_18", wrong]) == 1
    assert "window 5 does not divide" in capsys.readouterr().err
    assert run(["diff", "resnet_18", "absent"]) == 1
    assert run(["diff", "resnet_18"]) == 2
    assert run(["diff", "-", "-"]) == 2
    assert "give one of them as a path" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"stage[C C C M]")))
    assert run(["diff", "-", "resnet_18"]) == 0


def test_colours_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found = difference(shipped("alternet_18"), shipped("preresnet_18"))
    print_difference(found)
    assert "\x1b" not in capsys.readouterr().out
    terminal = io.StringIO()
    console = Console(file=terminal, force_terminal=True, color_system="standard", highlight=False, soft_wrap=True)
    monkeypatch.setattr("archdsl.cli.differences.Console", lambda **_: console)
    print_difference(found)
    assert "\x1b[31m  - block2 M = msa(heads=6, window=4)\x1b[0m" in terminal.getvalue()


def test_long_differences_are_cut_for_readers(capsys: pytest.CaptureFixture[str]) -> None:
    print_difference(difference(model("stage(8)[C*300]"), model("stage(8)[M*300]")))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 201
    assert lines[-1].endswith("more lines; --json has them all")
