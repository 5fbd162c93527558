"""Architectures: blocks at their places, costs, units, the table of `compile --json`, and misfits at their token."""

from __future__ import annotations

import itertools

import pytest

from archdsl import ir, space
from archdsl.base.errors import SpecError
from archdsl.ir.wording import option_labels
from archdsl.language import parse
from archdsl.network import Architecture, Misfit, resolve, resolve_model

TEXT = """
model small
input 3x16x16
classes 5
let B = msa(head_dim=4)
stem conv(8) norm
stage(8, heads=2) [C B C]
stage(16) [T M(head_dim=4, heads=2)]
stage(16, stride=1) []
"""


@pytest.fixture(scope="module")
def small() -> Architecture:
    """A network with a let, a downsampling layer and an empty stage."""
    return resolve_model(parse(TEXT))


def test_blocks_have_places(small: Architecture) -> None:
    assert [(b.path, b.kind, b.label, b.stage, b.index) for b in small.blocks()] == [
        ("stem.conv", "conv", "conv", 0, 0),
        ("stem.norm", "norm", "norm", 0, 0),
        ("stage1.block1", "basic", "C", 1, 1),
        ("stage1.block2", "msa", "B", 1, 2),
        ("stage1.block3", "basic", "C", 1, 3),
        ("stage2.down", "down_patch", "down_patch", 2, 0),
        ("stage2.block1", "transformer", "T", 2, 1),
        ("stage2.block2", "msa", "M", 2, 2),
        ("head.norm", "norm", "norm", 0, 0),
        ("head.act", "act", "act", 0, 0),
        ("head.gap", "gap", "gap", 0, 0),
        ("head.linear", "linear", "linear", 0, 0),
    ]


def test_each_block_gets_what_the_one_before_gives(small: Architecture) -> None:
    blocks = list(small.blocks())
    assert blocks[0].x == (3, 16, 16, 0)
    assert all(after.x == before.cost.out for before, after in itertools.pairwise(blocks))
    assert blocks[-1].cost.out.dims == [5]


def test_costs_add_up(small: Architecture) -> None:
    assert small.params == sum(b.cost.params for b in small.blocks())
    assert small.macs == sum(b.cost.macs for b in small.blocks())
    assert small.depth == 5
    assert small.layout == [["C", "B", "C"], ["T", "M"], []]


def test_counting_by_every_name_a_block_goes_by(small: Architecture) -> None:
    names = {
        name: small.count(name) for name in ("B", "M", "msa", "C", "basic", "T", "transformer", "bottleneck", "norm")
    }
    assert names == {"B": 1, "M": 1, "msa": 2, "C": 2, "basic": 2, "T": 1, "transformer": 1, "bottleneck": 0, "norm": 0}
    assert [small.count("msa", stage) for stage in (1, 2, 3)] == [1, 1, 0]


def test_the_table_is_that_of_the_interface(small: Architecture) -> None:
    table = small.table()
    assert {"name", "hash", "params", "macs", "input", "classes", "blocks"} <= table.keys()
    assert (table["name"], table["input"], table["classes"]) == ("small", [3, 16, 16], 5)
    assert {"path", "stage", "index", "kind", "out", "params", "macs"} <= table["blocks"][0].keys()
    assert [b["out"] for b in table["blocks"]][:1] == [[8, 16, 16]]
    assert sum(b["params"] for b in table["blocks"]) == table["params"]


def test_tokens_keep_their_grid() -> None:
    tokens = resolve_model(
        parse("input 3x8x16 stem patch(8, k=4) cls pos stage(8, heads=2)[T] head norm(ln) cls linear")
    )
    assert [b.cost.out.dims for b in tokens.blocks()] == [[8, 2, 4], [9, 8], [9, 8], [9, 8], [9, 8], [8], [10]]
    assert [(u.path, u.grid, u.prefix) for u in tokens.units] == [
        ("stage1.block1.attn", (2, 4), 1),
        ("stage1.block1.mlp", (2, 4), 1),
    ]


def test_options_in_words() -> None:
    def labels(text: str) -> tuple[str, ...]:
        (hole, *_) = ir.holes(parse(text))
        assert isinstance(hole, (ir.Pick, ir.ChoiceSpec))
        return option_labels(hole)

    assert labels("stage[{C|M C|}]") == ("C", "M C", "-")
    assert labels("stage[{C|C(k=5)|M}]") == ("C (1)", "C (2)", "M")
    assert labels("stage[{C*2|{C|M} M}]") == ("C C", "{C|M} M")
    assert labels("stage(64)[M(heads={2|width//16|none})]".replace("|none", "")) == ("2", "width//16")
    assert labels("stage[T(window={none|8}, shift={true|false})]") == ("none", "8")


def test_decisions_follow_the_choice() -> None:
    spec = parse("stage(64)[{C|M} M(heads={1..4})]")
    built = resolve(spec, lambda hole: 1)
    assert built.decisions == {"stage1.block1": "M", "stage1.block2.heads": "2"}
    assert built.choices == {"stage1.block1": 1, "stage1.block2.heads": 1}


def test_real_holes_take_any_number() -> None:
    spec = parse("stage[C] train(lr={1e-4..1e-2 log})")
    assert resolve(spec, lambda hole: 3e-3).train == {"lr": 3e-3}
    assert resolve(spec).train == {"lr": 1e-4}


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("stage(64)[C M(window=7)]", "window=7"),
        ("stage(64, window=7)[C M]", "window=7"),
        ("let M = msa(window=7) stage(64)[C M]", "window=7"),
        ("defaults(window=7) stage(64)[C M]", "window=7"),
        ("stage(66)[C bottleneck]", "bottleneck"),
        ("let Z = bottleneck stage(66)[C Z]", "Z"),
        ("stage(64)[C T(heads=5)]", "heads=5"),
        ("stage(64)[C basic(norm=ln, groups=3)]", "groups=3"),
        ("input 3x9x9 stage(8)[C] stage(16)[M]", "stage(16)[M]"),
        ("input 3x9x9 stage(8)[C] stage(16, stride=2)[M]", "stride=2"),
        ("stem patch(8, k=4) cls stage(8)[T(heads=2, norm=gn)] head cls linear", "norm=gn"),
        ("stage[C] head gap norm(gn) linear", "gn"),
        ("stage[C] head gap", "gap"),
        ("stage(64)[M(window={7|5})]", "window={7|5}"),
    ],
)
def test_a_misfit_is_marked_at_its_token(text: str, marked: str) -> None:
    with pytest.raises(SpecError) as caught:
        space.check(parse(text), text)
    (found,) = caught.value.diagnostics
    assert found.span is not None
    assert text[found.span.column - 1 : found.span.end_column - 1] == marked


def test_width_stands_for_the_stages_width_and_for_nothing_else() -> None:
    built = resolve_model(parse("defaults(heads=width//32) stage(64)[M conv(width//2)] stage[M]"))
    assert [b.values["heads"] for b in built.blocks() if b.kind == "msa"] == [2, 4]
    for text in (
        "stage(width)[C]",
        "stem conv(width) stage[C]",
        "stage[C] head gap linear(width)",
        "stage[C] train(batch=width)",
    ):
        with pytest.raises(SpecError, match="'width' is the width of a stage"):
            space.check(parse(text))


def test_misfits_in_spaces_are_no_errors() -> None:
    spec = parse("stage({64|66})[bottleneck]")
    with pytest.raises(Misfit):
        resolve(spec, lambda hole: 1)
    assert space.check(spec).stages[0].width == 64
