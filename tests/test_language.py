"""The `.arch` language: what is unsaid, where arguments come from, what lets, repeats and comments mean."""

from __future__ import annotations

import json
from pathlib import Path

import lark
import pytest

from archdsl import ir, space
from archdsl.base import resources
from archdsl.language import parse, parse_tree, tables


def kinds(text: str) -> list[list[str]]:
    """The blocks of each stage of a model, by kind."""
    return [[block.kind for block in stage.blocks] for stage in space.check(parse(text)).stages]


# ---- what is unsaid ------------------------------------------------------------------------------------------


def test_the_smallest_file_is_complete() -> None:
    spelled_out = """
        model model input 3x32x32 classes 10
        stem conv(64, k=3, stride=1, groups=1, bias=false)
        stage(64, stride=1, down=patch) [basic(order=pre) basic(order=pre) basic(order=pre) msa]
        head norm(kind=bn) act(kind=relu) gap linear(bias=true)
    """
    smallest = parse("stage[C C C M]")
    assert space.check(smallest).hash == space.check(parse(spelled_out)).hash
    assert (smallest.input, smallest.classes, smallest.name) == ((3, 32, 32), 10, "model")


def test_each_further_stage_doubles_the_width_and_halves_the_resolution() -> None:
    stages = space.check(parse("stage[C] stage[C] stage(100)[C] stage[M]")).stages
    assert [(s.width, s.stride) for s in stages] == [(64, 1), (128, 2), (100, 2), (200, 2)]
    assert [s.blocks[-1].cost.out for s in stages] == [
        (64, 32, 32, 0),
        (128, 16, 16, 0),
        (100, 8, 8, 0),
        (200, 4, 4, 0),
    ]


def test_line_ends_comments_and_spaces_mean_nothing() -> None:
    loose = "model a # the name\ninput\n3x8x8\n\tclasses 2 stage ( 8 )\n[ C # one\n C ]"
    assert parse(loose) == parse("model a input 3x8x8 classes 2 stage(8)[C C]")
    assert parse(loose.replace("\n", "\r\n")) == parse(loose)


@pytest.mark.parametrize("part", ["input 1x28x28", "classes 3", "data fashion", "train(epochs=1)"])
def test_statements_stand_in_any_order(part: str) -> None:
    assert parse(f"{part} stage[C]") == parse(f"stage[C] {part}")


# ---- arguments -----------------------------------------------------------------------------------------------


def heads(text: str) -> list[int]:
    """The `heads` of all attention blocks of a model."""
    blocks = space.check(parse(text)).blocks()
    return [block.values["heads"] for block in blocks if block.kind == "msa"]


def test_an_argument_is_looked_up_on_block_stage_defaults_and_block_kind() -> None:
    assert heads("stage[M M(heads=1)]") == [4, 1]
    assert heads("defaults(heads=2) stage[M M(heads=1)] stage(heads=8)[M M(heads=1)]") == [2, 1, 8, 1]
    assert heads("let M = msa(heads=3) defaults(heads=2) stage(heads=8)[M msa M(heads=1)]") == [3, 8, 1]


def test_a_let_takes_arguments_and_those_given_further_out_win() -> None:
    text = "let A = msa(heads=2) let B = A(heads=3, window=4) stage[A B B(heads=5) A(window=8)]"
    values = [block.values for block in space.check(parse(text)).stages[0].blocks]
    assert [(v["heads"], v["window"]) for v in values] == [(2, None), (3, 4), (5, 4), (2, 8)]


@pytest.mark.parametrize("call", ["S(32)", "S(width=32)"])
def test_a_let_may_be_positional_and_its_call_named(call: str) -> None:
    for let in ("conv(64)", "conv(width=64)"):
        assert space.check(parse(f"let S = {let} stem {call} stage[C]")).stem[0].cost.out.channels == 32


def test_an_argument_of_the_stage_goes_only_where_it_is_taken() -> None:
    mixed = space.check(parse("stage(64, heads=8)[C M M]"))
    assert mixed.hash == space.check(parse("stage(64)[C M(heads=8) M(heads=8)]")).hash


def test_a_stride_written_on_a_block_keeps_the_stages_stride_away() -> None:
    shapes = [s.blocks[-1].cost.out.height for s in space.check(parse("stage[C] stage[C(stride=1) C] stage[C]")).stages]
    assert shapes == [32, 32, 16]


@pytest.mark.parametrize(
    ("down", "block", "params"),
    [
        ("patch", "T", 64 * 128 * 4 + 128),
        ("conv", "T", 64 * 128 * 9),
        ("pool", "T", 64 * 128),
        ("pool", "maxpool", 64 * 128),  # pooling strides by itself, and only the width is changed before it
    ],
)
def test_a_block_that_cannot_stride_gets_a_downsampling_layer(down: str, block: str, params: int) -> None:
    stage = space.check(parse(f"stage[C] stage(down={down})[{block}]")).stages[1]
    assert stage.downsampling is not None
    assert stage.downsampling.cost.params == params
    assert stage.blocks[-1].cost.out == (128, 16, 16, 0)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("2+3*4", 14),
        ("(2+3)*4", 20),
        ("7//2", 3),
        ("8/2", 4),
        ("-(2-10)", 8),
        ("+4", 4),
        ("width//16", 4),
        ("2*H+1", 7),
    ],
)
def test_arithmetic(value: str, number: int) -> None:
    assert heads(f"let H = 3 stage(64)[M(heads={value})]") == [number]


@pytest.mark.parametrize(
    ("text", "number"), [("2M", 2_000_000), ("1.5K", 1500), ("0.1G", 10**8), ("3", 3), ("1e6", 1e6), ("2*3K", 6000)]
)
def test_suffixes_are_powers_of_ten(text: str, number: float) -> None:
    condition = parse(f"stage[C] require params <= {text}").require[0]
    assert isinstance(condition, ir.Comparison)
    assert condition.right == number


def test_words_of_the_language_are_names_elsewhere() -> None:
    assert kinds("model stage let input2 = C stage[input2]") == [["basic"]]


# ---- repeats, groups, order ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("C*3", "C C C"),
        ("(C M)*2", "C M C M"),
        ("(C (M)*2)*2", "C M M C M M"),
        ("C*2*2", "C C C C"),
        ("C M*0 C", "C C"),
        ("{C}", "C"),
        ("() C", "C"),
        ("C*N", "C C"),
        ("C*(N+1)", "C C C"),
    ],
)
def test_repeats_and_groups_write_out(short: str, long: str) -> None:
    assert parse(f"let N = 2 stage[{short}]") == parse(f"let N = 2 stage[{long}]")


def test_tree_follows_the_grammar() -> None:
    tree = parse_tree("stage(64)[C M(heads=6)]")
    assert tree.splitlines()[0] == "start"
    assert [line.strip() for line in tree.splitlines()][1:5] == ["stage", "arguments", "(", "positional"]


# ---- lets, counts, comments ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "width"), [("2*3+1", 7), ("8-2-1", 5), ("-2+8", 6), ("16//3*2", 10), ("2*(3+1)", 8)])
def test_lets_of_numbers_calculate_as_values_do(text: str, width: int) -> None:
    assert parse(f"let W = {text} stem conv(W) stage[C]") == parse(f"stem conv({width}) stage[C]")


def test_a_statements_word_at_the_beginning_of_a_line_is_no_statement() -> None:
    assert (
        parse("stage[C] require count(C,\nstage\n=1) >= 1").require
        == parse("stage[C] require count(C, stage=1) >= 1").require
    )


def test_count_takes_a_let_of_a_single_block() -> None:
    spec = parse(
        "let D = basic(k=5) let E = D stage[D E C] require count(E) == 1 and count(D) == 2 and count(basic) == 3"
    )
    assert space.check(spec).count("D") == 2


def test_only_a_comment_right_above_a_block_is_its_summary() -> None:
    assert parse("# a\n# b\nblock f = conv\nstage[f]").blocks["f"].summary == "a b"
    assert parse("# a\nstage[f] block f = conv").blocks["f"].summary == ""
    assert parse("# a\n\nblock f = conv\nstage[f]").blocks["f"].summary == ""


def test_the_tables_beside_the_grammar_are_those_of_the_grammar() -> None:
    """Another release of Lark than the one they were made with reads the grammar itself."""
    stored = json.loads((resources.folder("grammars") / tables.FILE).read_text(encoding="utf-8"))
    made = json.loads(tables.built())
    if stored["lark"] == lark.__version__:
        assert stored["digest"] == made["digest"], "run: python benchmarks/tables.py"
        assert tables.parser().parse(SMALL) == lark.Lark(tables.grammar(), **tables.OPTIONS).parse(SMALL)


@pytest.mark.parametrize("damage", ["", "{}", "[]", '{"digest": 1}', '{"digest": "…", "data": {}, "memo": {}}'])
def test_a_parser_is_built_from_the_grammar_where_tables_do_not_fit(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "arch.lark").write_text(tables.grammar(), encoding="utf-8")
    (tmp_path / tables.FILE).write_text(damage.replace("…", tables.digest()), encoding="utf-8")
    monkeypatch.setattr(resources, "folder", lambda name: tmp_path)
    assert tables.parser().parse(SMALL).children


SMALL = "stage(64, heads=2) [C {C|M}*2 residual[conv norm]] require params <= 2M and not count(M) == 0\n"
