"""The `.arch` language: what is unsaid, where arguments come from, lets and holes, limits, and any text at all."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from work import at_most

from archdsl import ir, resources, space
from archdsl.errors import ArchdslError, Diagnostic, SpecError, did_you_mean, render
from archdsl.language import parse, parse_tree, write

FIXTURES = Path(__file__).parent / "fixtures"
TEXTS = [path.read_text(encoding="utf-8-sig") for path in sorted((FIXTURES / "valid").glob("*.arch"))]
TEXTS += [path.read_text(encoding="utf-8") for path in resources.shipped_specs().values()]


def diagnostics(text: str) -> tuple[Diagnostic, ...]:
    """The mistakes of a text."""
    with pytest.raises(SpecError) as caught:
        space.check(parse(text), text)
    return caught.value.diagnostics


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
    return [block.block.heads for block in blocks if block.kind == "msa"]  # type: ignore[attr-defined]


def test_an_argument_is_looked_up_on_block_stage_defaults_and_block_kind() -> None:
    assert heads("stage[M M(heads=1)]") == [4, 1]
    assert heads("defaults(heads=2) stage[M M(heads=1)] stage(heads=8)[M M(heads=1)]") == [2, 1, 8, 1]
    assert heads("let M = msa(heads=3) defaults(heads=2) stage(heads=8)[M msa M(heads=1)]") == [3, 8, 1]


def test_a_let_takes_arguments_and_those_given_further_out_win() -> None:
    text = "let A = msa(heads=2) let B = A(heads=3, window=4) stage[A B B(heads=5) A(window=8)]"
    blocks = [b.block for b in space.check(parse(text)).stages[0].blocks]
    assert [(b.heads, b.window) for b in blocks] == [(2, None), (3, 4), (5, 4), (2, 8)]  # type: ignore[attr-defined]


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


# ---- repeats, groups, order ------------------------------------------------------------------------------------


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


# ---- errors --------------------------------------------------------------------------------------------------


def test_independent_mistakes_are_reported_together_and_in_order() -> None:
    found = diagnostics("input 32x32\nclasses 0\nstage(64)[C MM M(heads=0)]\nmaximize acc\nlet Z = nonsense(1)\n")
    lines = [d.span.line for d in found if d.span]
    assert lines == sorted(lines) == [1, 2, 3, 3, 4, 5]


def test_a_mistake_in_a_let_is_reported_once_where_it_is_written() -> None:
    (found,) = diagnostics("let P = C MM\nstage[P P P]")
    assert (found.span.line, found.span.column) == (1, 11)  # type: ignore[union-attr]


def test_places_count_characters_also_behind_tabs_and_other_scripts() -> None:
    (found,) = diagnostics("# größer als ∞\n\t stage[\tMM ]")
    assert (found.span.line, found.span.column) == (2, 10)  # type: ignore[union-attr]


def test_only_line_feeds_end_lines() -> None:
    text = "# a\x0c b\u2028 c\x85 d\r\nstage[MM]"
    with pytest.raises(SpecError) as caught:
        parse(text, "x.arch")
    assert str(caught.value).splitlines()[:3] == ["x.arch:2:7: error: unknown block 'MM'", "  |", "2 | stage[MM]"]


def test_rendering_shortens_long_lines_around_the_mistake() -> None:
    text = "stage[" + "C " * 500 + "MM" + " C" * 500 + "]"
    with pytest.raises(SpecError) as caught:
        parse(text)
    shown, marks = str(caught.value).splitlines()[2:4]
    assert len(shown) < 200
    assert shown[marks.index("^") : marks.rindex("^") + 1] == "MM"


def test_rendering_without_a_place() -> None:
    assert (
        render(Diagnostic("it is wrong", None, "mend it"), "", "a.arch")
        == "a.arch: error: it is wrong\n  = help: mend it"
    )


@pytest.mark.parametrize(
    ("name", "meant"),
    [("MM", "M"), ("c", "C"), ("bottelneck", "bottleneck"), ("headz", "heads"), ("zzz", None)],
)
def test_did_you_mean(name: str, meant: str | None) -> None:
    expected = None if meant is None else f"did you mean '{meant}'?"
    assert did_you_mean(name, ["C", "M", "bottleneck", "heads"]) == expected


def test_messages_do_not_depend_on_what_was_parsed_before() -> None:
    for _ in range(2):
        (found,) = diagnostics("stage(64)[M(heads=true)]")
        assert found.message == "'heads' takes an integer, not true"
        parse("stage(64)[M(heads=1)]")
        parse("stage(64)[msa(rel_pos=true)]")


# ---- limits: a small text cannot cost much -----------------------------------------------------------------------

HUGE = {
    "ten megabytes": "# " + "x" * 10_000_000,
    "many stages": "stage[C]\n" * 11_000,
    "a billion blocks": "stage[C*1000000000]",
    "repeats of repeats": "stage[((((C*99)*99)*99)*99)*99]",
    "repeats of nothing": "stage[((((()*9999)*9999)*9999)*9999) C]",
    "options of nothing": "stage[C {C" + "|" * 1000 + "}*5000]",
    "nested brackets": "stage" + "[" * 10_000,
    "nested groups": "stage[" + "(" * 10_000 + "C" + ")" * 10_000 + "]",
    "nested choices": "stage[" + "{" * 64 + "C" + "|M}" * 64 + "]",
    "nested values": "stage(" + "(" * 10_000 + "1" + ")" * 10_000 + ")[C]",
    "a chain of sums": "stage(1" + "+1" * 20_000 + ")[C]",
    "a chain of repeats": "stage[C" + "*1" * 20_000 + "]",
    "a chain of conditions": "stage[C] require depth > 0" + " and depth > 0" * 2000,
    "negations": "stage[C] require " + "not " * 2000 + "depth > 0",
    "lets that double": "\n".join(f"let L{i} = L{i + 1} L{i + 1}" for i in range(60)) + "\nlet L60 = C stage[L0]",
    "lets that square": "\n".join(f"let L{i} = 1*L{i + 1}*L{i + 1}" for i in range(20)) + "\nlet L20 = 10 stage(L0)[C]",
    "lets of holes": "\n".join(f"let L{i} = 1*L{i + 1}+L{i + 1}" for i in range(19)) + "\nlet L19 = {1|2} stage(L0)[C]",
    "large ranges": "stage[C*({1..9999}*{1..9999}//({1..9999}*{1..9999}))]",
    "a long name": "stage[" + "C" * 90_000 + "]",
    "a long number": "stage(" + "1" * 90_000 + ")[C]",
    "a long line of junk": "stage[" + "?" * 90_000 + "]",
    "no line breaks": "}" * 90_000,
}


@pytest.mark.parametrize("name", HUGE)
def test_limits(name: str) -> None:
    with at_most(calls=5_000_000), pytest.raises(SpecError) as caught:
        space.check(parse(HUGE[name]), HUGE[name])
    assert len(str(caught.value)) < 2000


def test_as_deep_as_allowed_works_all_the_way() -> None:
    text = "stage[C " + "{" * 60 + "C" + "|M}" * 60 + "]"
    spec = parse(text)
    assert space.size(spec) == 61
    assert ir.Spec.model_validate_json(spec.model_dump_json()) == spec
    assert space.check(parse(write(space.check(spec)))).depth == 2


# ---- any text at all ---------------------------------------------------------------------------------------------

WORDS = [
    "model",
    "input",
    "classes",
    "defaults",
    "let",
    "stem",
    "stage",
    "head",
    "require",
    "maximize",
    "minimize",
    "data",
    "train",
    "C",
    "M",
    "T",
    "B",
    "basic",
    "msa",
    "conv",
    "norm",
    "act",
    "drop",
    "maxpool",
    "gap",
    "linear",
    "patch",
    "pos",
    "cls",
    "transformer",
    "heads",
    "width",
    "stride",
    "k",
    "window",
    "order",
    "down",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "|",
    ",",
    "=",
    "*",
    "+",
    "-",
    "/",
    "//",
    "..",
    "step",
    "log",
    "and",
    "or",
    "not",
    "<=",
    "==",
    "<",
    "1",
    "2",
    "8",
    "64",
    "0.5",
    "1e-3",
    "2M",
    "3x32x32",
    "true",
    "none",
    "relu",
    "pre",
    "params",
    "depth",
    "count",
    "accuracy",
    '"x"',
    "#",
]
JUNK = "(){}[]|,=*+-/.# \n\t0123456789xKMGeaCMT<>!\"'\\;é\x00"


def survive(text: str) -> None:
    """A text is a spec that goes all the way, or a SpecError; nothing else."""
    try:
        spec = parse(text)
        member = space.check(spec, text)
    except SpecError as error:
        places = [d.span.line for d in error.diagnostics if d.span]
        if error.diagnostics and all(1 <= line <= text.count("\n") + 1 for line in places):
            return
        raise AssertionError("an error without a mistake, or outside the text") from error
    assert ir.Spec.model_validate_json(spec.model_dump_json()) == spec
    assert space.size(spec) >= 1
    assert space.check(parse(write(member))).hash == member.hash


LITTLE = settings(
    max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)


@LITTLE
@given(st.lists(st.sampled_from([*WORDS, "\n"]), max_size=25).map(" ".join))
def test_any_words(text: str) -> None:
    survive(text)


@LITTLE
@given(st.text(max_size=40))
def test_any_characters(text: str) -> None:
    survive(text)


@settings(LITTLE, max_examples=120)
@given(st.sampled_from(TEXTS), st.integers(0, 2**32))
def test_any_change_of_a_valid_file(text: str, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(text) + 1)
        what = rng.choice(["", rng.choice(JUNK), f" {rng.choice(WORDS)} ", text[at : at + rng.randrange(12)]])
        text = text[:at] + what + text[at + rng.randrange(3) :]
    survive(text)


def test_errors_are_of_one_family() -> None:
    assert issubclass(SpecError, ArchdslError)
    with pytest.raises(ArchdslError):
        parse("")


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
